#include "formats/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/file.h"
#include "formats/checkpoint_names.h"
#include "formats/pth.h"
#include "formats/safetensors.h"

namespace hone {

namespace {

// Integers are no weights: counters of batch norm and index tables, which not every library saves.
bool is_weight(DType type) { return is_float(type); }

std::string_view leaf(std::string_view name) { return name.substr(name.rfind('.') + 1); }

Shape without_ones(Shape shape) {
  std::erase(shape, 1);
  return shape;
}

// Lays both sides side by side, every shape equal but for dimensions of 1: in their own order, or ordered by the last part of the name first
// (a module's own tensor, as LeViT's attention_biases, may stand before or after those of the modules inside it).
bool in_order(const Graph& graph, std::vector<ValueId>& wanted, const NamedTensors& tensors, std::vector<size_t>& given) {
  const auto alike = [&](ValueId v, size_t i) { return without_ones(graph.value(v).type.shape) == without_ones(tensors[i].second.shape); };
  if (std::ranges::equal(wanted, given, alike)) return true;
  std::ranges::stable_sort(wanted, {}, [&](ValueId v) { return leaf(graph.value(v).name); });
  std::ranges::stable_sort(given, {}, [&](size_t i) { return leaf(tensors[i].first); });
  return std::ranges::equal(wanted, given, [&](ValueId v, size_t i) { return leaf(graph.value(v).name) == leaf(tensors[i].first) && alike(v, i); });
}

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
    if (!is_weight(graph.value(v).type.dtype)) continue;
    wanted.push_back(v);
    found += std::ranges::any_of(tensors, [&](const auto& t) { return t.first == graph.value(v).name; });
  }
  std::vector<size_t> given;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (is_weight(tensors[i].second.dtype)) given.push_back(i);
  if (found == wanted.size()) return {std::move(tensors), ""};
  auto table = translated(graph, tensors, found);
  if (table && table->filled == wanted.size()) return std::move(table->renamed);
  if (in_order(graph, wanted, tensors, given)) {
    for (size_t i = 0; i < given.size(); ++i) {
      auto& [name, tensor] = tensors[given[i]];
      name = graph.value(wanted[i]).name;
      tensor.shape = graph.value(wanted[i]).type.shape;
    }
    return {std::move(tensors), fmt::format("the names are another library's: {} tensors were matched by order and shape", given.size())};
  }
  if (table && (table->part || table->filled > wanted.size() / 2)) return std::move(table->renamed);
  return {std::move(tensors), ""};
}

}  // namespace hone
