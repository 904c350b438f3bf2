#include "methods/supernet/store.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "ir/infer.h"

namespace hone::methods {

namespace {

// The largest member, and members whose stages i - 1 and i differ in width where the largest's do not: between them they
// have every tensor that any member has, and each of its dimensions at its largest.
std::vector<space::Member> covering(const space::Space& s) {
  const space::Member largest = space::largest(s);
  std::vector<space::Member> out = {largest};
  const auto narrowed = [&](size_t first, size_t last) {
    space::Member m = largest;
    int64_t below = largest.stage[last].width - 1;
    for (size_t j = last + 1; j-- > first;) {
      const std::vector<int64_t>& widths = s.stages[j].widths;
      const auto over = std::upper_bound(widths.begin(), widths.end(), below);
      if (over == widths.begin()) return;   // no narrower one: no member has the projection
      below = *(over - 1);
      m.stage[j].width = static_cast<int32_t>(below);
    }
    if (space::check(s, m)) out.push_back(m);
  };
  for (size_t i = 1; i < s.stages.size(); ++i) {
    if (largest.stage[i - 1].width != largest.stage[i].width) continue;
    narrowed(0, i - 1);
    if (s.widths_may_fall) narrowed(i, i);
  }
  return out;
}

}  // namespace

std::vector<at::Tensor> MemberProgram::tensors(const train::Params& params, bool leaves) const {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> out;
  out.reserve(slices.size());
  for (const Slice& s : slices) {
    const train::Params::Entry& entry = params.entries()[s.entry];
    at::Tensor view = s.whole ? entry.tensor.detach() : entry.tensor.detach().as_strided(s.sizes, s.strides, s.offset);
    if (!s.whole && !s.buffer) {   // the very strides of a stand-alone network's tensor: kernels are chosen by them
      view = view.contiguous();
      if (view.dim() == 4) view = view.contiguous(at::MemoryFormat::ChannelsLast);
    }
    if (leaves && entry.trainable) view.set_requires_grad(true);
    out.push_back(std::move(view));
  }
  return out;
}

void add_gradients(const MemberProgram& member, const train::Params& params, const std::vector<at::Tensor>& leaves, std::vector<at::Tensor>& grads) {
  at::NoGradGuard no_grad;
  grads.resize(params.entries().size());
  for (size_t i = 0; i < leaves.size(); ++i) {
    at::Tensor part = leaves[i].grad();
    if (!part.defined()) continue;
    leaves[i].mutable_grad() = at::Tensor();
    const MemberProgram::Slice& s = member.slices[i];
    at::Tensor& whole = grads[s.entry];
    const at::Tensor& own = params.entries()[s.entry].tensor;
    if (!whole.defined()) {
      if (s.whole && part.strides() == own.strides()) {
        whole = std::move(part);
        continue;
      }
      whole = at::zeros_like(own, at::MemoryFormat::Preserve);
    }
    if (s.whole) whole.add_(part);
    else whole.as_strided(s.sizes, s.strides, s.offset).add_(part);
  }
}

Result<Store> Store::make(space::Space space, uint64_t seed, size_t programs) {
  Store store;
  store.space_ = std::move(space);
  store.limit_ = std::max<size_t>(programs, 1);
  std::vector<Graph> graphs;
  std::unordered_map<std::string, Shape> shapes;
  for (const space::Member& member : covering(store.space_)) {
    HONE_TRY_ASSIGN(Graph graph, store.graph(member));
    for (const ValueId v : graph.state()) {
      Shape& shape = shapes.try_emplace(graph.value(v).name, graph.value(v).type.shape).first->second;
      for (size_t d = 0; d < shape.size(); ++d) shape[d] = std::max(shape[d], graph.value(v).type.shape[d]);
    }
    graphs.push_back(std::move(graph));
  }
  for (Graph& graph : graphs) {
    for (const ValueId v : graph.state()) graph.values[v].type.shape = shapes.at(graph.value(v).name);   // only filled, never run
    HONE_TRY_ASSIGN(train::Params params, train::Params::of(graph, seed));
    if (store.params_.entries().empty()) {
      store.params_ = std::move(params);
      continue;
    }
    for (const train::Params::Entry& entry : params.entries()) {
      if (store.params_.find(entry.name)) continue;
      HONE_TRY(store.params_.add(entry.name, entry.tensor, entry.buffer));
      store.params_.entries().back().centred = entry.centred;
    }
  }
  store.params_.set_centred("*relative_position_bias", 1);  // heads x rows x columns
  return store;
}

Result<Graph> Store::graph(const space::Member& member) const {
  if (Status inside = space::check(space_, member); !inside) {
    Error e = inside.error();
    e.code = Code::usage;
    return fail(std::move(e));
  }
  return build(space::to_arch(space_, member, "member"));
}

Result<std::shared_ptr<const MemberProgram>> Store::program(const space::Member& member) {
  if (const auto found = cache_.find(member); found != cache_.end()) {
    order_.splice(order_.begin(), order_, found->second.used);
    return found->second.program;
  }
  HONE_TRY_ASSIGN(const Graph graph, this->graph(member));
  auto made = std::make_shared<MemberProgram>();
  made->member = member;
  HONE_TRY_ASSIGN(made->program, train::Program::compile(graph));
  const auto& entries = params_.entries();
  at::NoGradGuard no_grad;
  for (const train::Program::Slot& slot : made->program.state()) {
    const train::Params::Entry* entry = params_.find(slot.name);
    if (!entry) return fail(Code::failed, "the supernet has no such tensor", slot.name);
    HONE_TRY_ASSIGN(const at::Tensor view, params_.slice(*entry, slot.shape()));
    MemberProgram::Slice s;
    s.entry = static_cast<size_t>(entry - entries.data());
    s.sizes = view.sizes().vec();
    s.strides = view.strides().vec();
    s.offset = view.storage_offset();
    s.whole = view.sizes() == entry->tensor.sizes();
    s.buffer = entry->buffer;
    made->slices.push_back(std::move(s));
  }
  order_.push_front(member);
  cache_[member] = {made, order_.begin()};
  if (cache_.size() > limit_) {
    cache_.erase(order_.back());
    order_.pop_back();
  }
  return std::shared_ptr<const MemberProgram>(std::move(made));
}

}  // namespace hone::methods
