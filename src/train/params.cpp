#include "train/params.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "rewrite/weights.h"
#include "train/pattern.h"

namespace hone::train {

namespace {

std::string shape_text(at::IntArrayRef shape) { return to_string(Shape(shape.begin(), shape.end())); }

// 4-D weights are NHWC in memory, as oneDNN and cuDNN want them beside NHWC activations.
at::Tensor laid_out(const at::Tensor& tensor, bool channels_last) {
  const bool images = channels_last && tensor.dim() == 4;
  return tensor.contiguous(images ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

bool is_counter(const std::string& name) { return name.ends_with("num_batches_tracked"); }

// Copies without a trace in autograd, converting the type.
void assign(const at::Tensor& to, const at::Tensor& from) {
  at::NoGradGuard no_grad;
  to.copy_(from);
}

}  // namespace

Result<Params> Params::of(const Graph& graph, uint64_t seed, bool channels_last) {
  HONE_TRY_ASSIGN(const Graph filled, with_fresh_weights(graph, seed));
  Params params;
  for (ValueId id : filled.state()) {
    const Value& value = filled.value(id);
    HONE_TRY_ASSIGN(at::Tensor tensor, to_torch(*value.data));
    Entry entry;
    entry.name = value.name;
    entry.tensor = laid_out(tensor, channels_last).clone();  // never the graph's own memory
    entry.buffer = value.kind == ValueKind::buffer || !at::isFloatingType(tensor.scalar_type());
    entry.trainable = !entry.buffer;
    entry.tensor.set_requires_grad(entry.trainable);
    params.by_name_.emplace(entry.name, params.entries_.size());
    params.entries_.push_back(std::move(entry));
  }
  for (const Node& node : filled.nodes)
    if ((node.type == "Conv" || node.type == "ConvTranspose") && node.inputs.size() > 1)
      if (const auto found = params.by_name_.find(filled.value(node.inputs[1]).name); found != params.by_name_.end())
        params.entries_[found->second].centred = 2;
  return params;
}

Status Params::add(std::string name, at::Tensor tensor, bool buffer) {
  if (!by_name_.emplace(name, entries_.size()).second) return fail(Code::failed, "there is an entry of this name already", name);
  tensor = tensor.detach();
  tensor.set_requires_grad(!buffer && at::isFloatingType(tensor.scalar_type()));
  entries_.push_back({std::move(name), std::move(tensor), buffer, !buffer});
  return {};
}

const Params::Entry* Params::find(const std::string& name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : &entries_[found->second];
}

namespace {

auto wrong_slice(const Params::Entry& entry, at::IntArrayRef shape, std::string_view why) {
  return fail(Code::invalid, fmt::format("{}: the network asks for {}, the store holds {}", why, shape_text(shape), shape_text(entry.tensor.sizes())), entry.name);
}

Status check_slice(const Params::Entry& entry, at::IntArrayRef shape) {
  if (entry.tensor.dim() != static_cast<int64_t>(shape.size())) return wrong_slice(entry, shape, "another rank");
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] > entry.tensor.size(static_cast<int64_t>(d))) return wrong_slice(entry, shape, "larger than the store");
  return {};
}

int64_t slice_begin(const Params::Entry& entry, int64_t d, int64_t extra) { return entry.centred >= 0 && d >= entry.centred ? extra / 2 : 0; }

}  // namespace

Result<at::Tensor> Params::slice(const Entry& entry, at::IntArrayRef shape) const {
  const at::Tensor& whole = entry.tensor;
  if (whole.sizes() == shape) return whole;
  HONE_TRY(check_slice(entry, shape));
  at::Tensor part = whole;
  if (entry.parts > 1 && shape[0] != whole.size(0)) {
    if (whole.size(0) % entry.parts || shape[0] % entry.parts) return wrong_slice(entry, shape, fmt::format("dimension 0 is not {} equal parts", entry.parts));
    part = part.unflatten(0, {entry.parts, whole.size(0) / entry.parts}).narrow(1, 0, shape[0] / entry.parts).flatten(0, 1);
  }
  for (int64_t d = 0; d < part.dim(); ++d) {
    const int64_t size = shape[static_cast<size_t>(d)], extra = part.size(d) - size;
    if (extra > 0) part = part.narrow(d, slice_begin(entry, d, extra), size);
  }
  return part;
}

Result<int64_t> Params::offset(const Entry& entry, at::IntArrayRef shape) const {
  HONE_TRY(check_slice(entry, shape));
  if (entry.parts > 1 && shape[0] != entry.tensor.size(0)) return wrong_slice(entry, shape, "a slice of several parts is no view");
  int64_t at = 0;
  for (int64_t d = 0; d < entry.tensor.dim(); ++d) at += slice_begin(entry, d, entry.tensor.size(d) - shape[static_cast<size_t>(d)]) * entry.tensor.stride(d);
  return at;
}

Result<std::vector<at::Tensor>> Params::bind(const Program& program) const {
  std::vector<at::Tensor> bound;
  bound.reserve(program.state().size());
  for (const Program::Slot& slot : program.state()) {
    const Entry* entry = find(slot.name);
    if (!entry) return fail(Code::not_found, fmt::format("the network asks for {} and the store has no such tensor", shape_text(slot.shape())), slot.name);
    if (entry->tensor.scalar_type() != slot.dtype)
      return fail(Code::invalid, fmt::format("another type: the network asks for {}, the store holds {}", c10::toString(slot.dtype), c10::toString(entry->tensor.scalar_type())), slot.name);
    HONE_TRY_ASSIGN(at::Tensor tensor, slice(*entry, slot.shape()));
    bound.push_back(std::move(tensor));
  }
  return bound;
}

int64_t Params::set_trainable(const std::string& pattern, bool trainable) {
  int64_t count = 0;
  for (Entry& entry : entries_) {
    if (entry.buffer || !matches(pattern, entry.name)) continue;
    entry.trainable = trainable;
    entry.tensor.set_requires_grad(trainable);
    if (!trainable) entry.tensor.mutable_grad() = at::Tensor();
    ++count;
  }
  return count;
}

int64_t Params::set_parts(const std::string& pattern, int64_t parts) {
  int64_t count = 0;
  for (Entry& entry : entries_)
    if (matches(pattern, entry.name)) {
      entry.parts = parts;
      ++count;
    }
  return count;
}

int64_t Params::set_centred(const std::string& pattern, int64_t first) {
  int64_t count = 0;
  for (Entry& entry : entries_)
    if (matches(pattern, entry.name)) {
      entry.centred = first;
      ++count;
    }
  return count;
}

Params Params::clone() const {
  Params copy = *this;
  for (Entry& entry : copy.entries_) {
    entry.tensor = entry.tensor.detach().clone();
    entry.trainable = false;
  }
  return copy;
}

void Params::to(at::Device device) {
  for (Entry& entry : entries_) {
    entry.tensor = entry.tensor.detach().to(device);
    entry.tensor.set_requires_grad(entry.trainable);
  }
}

at::Tensor resize_positions(const std::string& name, const at::Tensor& from, at::IntArrayRef shape) {
  const bool relative = name.ends_with("relative_position_bias_table"), clip = name.ends_with("positional_embedding");
  if (!relative && !clip && name.find("pos_embed") == std::string::npos && name.find("position_embed") == std::string::npos) return {};
  const int64_t rank = from.dim(), tokens = rank - 2;  // [.., tokens, channels]
  if (rank != static_cast<int64_t>(shape.size()) || rank < 2 || rank > 3 || !at::isFloatingType(from.scalar_type())) return {};
  if (from.size(rank - 1) != shape.back() || (rank == 3 && (from.size(0) != 1 || shape[0] != 1))) return {};
  if (name.find("text_") != std::string::npos) {  // no grid: words are counted from the first
    const int64_t wanted = shape[static_cast<size_t>(tokens)];
    return wanted < from.size(tokens) ? from.narrow(tokens, 0, wanted).clone() : at::Tensor();
  }
  const auto side = [](int64_t n) {
    const auto root = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(n))));
    return n > 0 && root * root == n ? root : 0;
  };
  // Class and distillation tokens stand in front; relative tables have none, and odd sides.
  for (int64_t front = 0; front <= (relative ? 0 : 2); ++front) {
    const int64_t old_side = side(from.size(tokens) - front), new_side = side(shape[static_cast<size_t>(tokens)] - front);
    if (!old_side || !new_side || (relative && (old_side % 2 == 0 || new_side % 2 == 0))) continue;
    const int64_t channels = shape.back();
    at::Tensor grid = from.narrow(tokens, front, old_side * old_side).reshape({1, old_side, old_side, channels}).permute({0, 3, 1, 2}).to(at::kFloat).contiguous();
    grid = clip ? at::upsample_bicubic2d(grid, {new_side, new_side}, /*align_corners=*/false, std::nullopt, std::nullopt)
                : at::_upsample_bicubic2d_aa(grid, {new_side, new_side}, /*align_corners=*/false, std::nullopt, std::nullopt);
    grid = grid.permute({0, 2, 3, 1}).reshape({new_side * new_side, channels}).to(from.scalar_type());
    if (rank == 3) grid = grid.unsqueeze(0);
    return front ? at::cat({from.narrow(tokens, 0, front), grid}, tokens) : grid;
  }
  return {};
}

// The table of modalities (text, image) for a network that reads two pictures: the second one starts as the first (ViLT, METER).
static at::Tensor with_second_picture(const std::string& name, const at::Tensor& from, at::IntArrayRef shape) {
  const bool table = name.ends_with("token_type_embeddings.weight") && name.find("text_") == std::string::npos;
  if (!table || from.dim() != 2 || shape.size() != 2 || from.size(0) != 2 || shape[0] != 3 || from.size(1) != shape[1]) return {};
  return at::cat({from, from.narrow(0, 1, 1)});
}

std::string Params::LoadReport::text() const {
  const auto listed = [](const std::vector<std::string>& names, std::string_view what) {
    if (names.empty()) return std::string();
    const size_t shown = std::min<size_t>(3, names.size());
    return fmt::format(", {} {} ({}{})", names.size(), what, fmt::join(names.begin(), names.begin() + static_cast<ptrdiff_t>(shown), ", "), shown < names.size() ? ", ..." : "");
  };
  return fmt::format("{} tensors loaded{}{}{}{}{}", loaded.size(), listed(resized, "of them resized"), listed(missing, "missing"), listed(mismatched, "of another shape"),
                     listed(unused, "unused"), how.empty() ? "" : "; " + how);
}

Result<Params::LoadReport> Params::load(const Graph& graph, NamedTensors tensors, bool strict, bool resize) {
  Renamed renamed = to_names_of(graph, std::move(tensors));
  LoadReport report;
  report.how = std::move(renamed.how);
  std::vector<at::Tensor> found(entries_.size());
  for (const auto& [name, tensor] : renamed.tensors) {
    const auto at = by_name_.find(name);
    if (at == by_name_.end()) {
      if (!is_counter(name)) report.unused.push_back(name);
      continue;
    }
    const at::Tensor& own = entries_[at->second].tensor;
    HONE_TRY_ASSIGN(at::Tensor given, to_torch(tensor));
    if (given.sizes() != own.sizes()) {
      at::Tensor resized = resize ? resize_positions(name, given, own.sizes()) : at::Tensor();
      if (resize && !resized.defined()) resized = with_second_picture(name, given, own.sizes());
      if (!resized.defined()) {
        report.mismatched.push_back(fmt::format("{} ({} in the file, {} in the network)", name, shape_text(given.sizes()), shape_text(own.sizes())));
        found[at->second] = own;  // not missing
        continue;
      }
      given = resized;
      report.resized.push_back(name);
    }
    if (at::isFloatingType(given.scalar_type()) != at::isFloatingType(own.scalar_type())) {
      report.mismatched.push_back(fmt::format("{} ({} in the file, {} in the network)", name, c10::toString(given.scalar_type()), c10::toString(own.scalar_type())));
      found[at->second] = own;
      continue;
    }
    found[at->second] = given;
    report.loaded.push_back(name);
  }
  for (size_t i = 0; i < entries_.size(); ++i)
    if (!found[i].defined() && !is_counter(entries_[i].name)) report.missing.push_back(entries_[i].name);
  if (strict && (!report.missing.empty() || !report.mismatched.empty()))
    return fail(Code::invalid, "the checkpoint does not fit the network: " + report.text(), {}, "hone zoo NET --tensors lists the names and shapes that are looked for");
  for (size_t i = 0; i < entries_.size(); ++i)
    if (found[i].defined() && !found[i].is_same(entries_[i].tensor)) assign(entries_[i].tensor, found[i]);
  return report;
}

NamedTensors Params::save() const {
  NamedTensors tensors;
  for (const Entry& entry : entries_)
    if (auto tensor = from_torch(entry.tensor)) tensors.emplace_back(entry.name, std::move(*tensor));
  return tensors;
}

}  // namespace hone::train
