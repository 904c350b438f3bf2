#include "formats/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/file.h"
#include "formats/pth.h"
#include "formats/safetensors.h"

namespace hone {

namespace {

// Counters of batch norm are no weights, and not every library saves them.
bool is_counter(std::string_view name) { return name.ends_with("num_batches_tracked"); }

size_t matches(const Graph& graph, const NamedTensors& tensors, size_t skip) {
  return static_cast<size_t>(std::ranges::count_if(tensors, [&](const auto& t) { return graph.find(t.first.substr(skip)) != kNoValue; }));
}

}  // namespace

Result<NamedTensors> read_checkpoint(const std::string& path) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  if (file->text().starts_with("PK")) {
    HONE_TRY_ASSIGN(TorchFile torch, read_pth(path));
    return std::move(torch.tensors);
  }
  HONE_TRY_ASSIGN(SafeTensors safe, read_safetensors(path));
  return std::move(safe.tensors);
}

Renamed to_names_of(const Graph& graph, NamedTensors tensors) {
  for (std::string_view prefix : {"module.", "model.", "_orig_mod."}) {
    const bool everywhere = !tensors.empty() && std::ranges::all_of(tensors, [&](const auto& t) { return t.first.starts_with(prefix); });
    if (!everywhere || matches(graph, tensors, prefix.size()) <= matches(graph, tensors, 0)) continue;
    for (auto& [name, t] : tensors) name.erase(0, prefix.size());
    return {std::move(tensors), fmt::format("the prefix '{}' of every tensor was dropped", prefix)};
  }
  std::vector<ValueId> wanted;
  size_t found = 0;
  for (ValueId v : graph.state()) {
    if (is_counter(graph.value(v).name)) continue;
    wanted.push_back(v);
    found += std::ranges::any_of(tensors, [&](const auto& t) { return t.first == graph.value(v).name; });
  }
  std::vector<size_t> given;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!is_counter(tensors[i].first)) given.push_back(i);
  if (found == wanted.size() || given.size() != wanted.size()) return {std::move(tensors), ""};
  for (size_t i = 0; i < given.size(); ++i)
    if (tensors[given[i]].second.shape != graph.value(wanted[i]).type.shape) return {std::move(tensors), ""};
  NamedTensors renamed;
  for (size_t i = 0; i < given.size(); ++i) renamed.emplace_back(graph.value(wanted[i]).name, std::move(tensors[given[i]].second));
  std::string how = fmt::format("the names are another library's: {} tensors were matched by order and shape", renamed.size());
  return {std::move(renamed), std::move(how)};
}

}  // namespace hone
