#include "methods/supernet/store.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <optional>

#include "ir/infer.h"
#include "train/kernels/strided.h"

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

constexpr int64_t kAligned = 16;   // floats; where packed tensors begin

// What as_strided gives, without libtorch's dispatcher, which a member asks three hundred times.
at::Tensor view_of(const at::Tensor& memory, at::IntArrayRef sizes, at::IntArrayRef strides, int64_t offset) {
  auto view = at::detail::make_tensor<c10::TensorImpl>(c10::TensorImpl::VIEW, c10::Storage(memory.storage()), memory.key_set(), memory.dtype());
  view.unsafeGetTensorImpl()->set_storage_offset(memory.storage_offset() + offset);
  view.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
  return view;
}

// The strides that train::Params gives a tensor of this shape: NHWC for weights of convolutions, unless both orders are one.
std::vector<int64_t> own_strides(at::IntArrayRef sizes) {
  std::vector<size_t> order(sizes.size());   // innermost first
  for (size_t i = 0; i < order.size(); ++i) order[i] = order.size() - 1 - i;
  if (sizes.size() == 4 && sizes[1] > 1 && (sizes[2] > 1 || sizes[3] > 1)) order = {1, 3, 2, 0};
  std::vector<int64_t> out(sizes.size());
  int64_t step = 1;
  for (const size_t d : order) {
    out[d] = step;
    step *= std::max<int64_t>(1, sizes[d]);
  }
  return out;
}

bool same_memory(at::IntArrayRef sizes, at::IntArrayRef a, at::IntArrayRef b) {
  for (size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] != 1 && a[d] != b[d]) return false;
  return true;
}

bool plain(const at::Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat; }

}  // namespace

std::vector<at::Tensor> MemberProgram::tensors(const train::Params& params, bool leaves) const {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> out;
  out.reserve(slices.size());
  std::vector<train::StridedPair> copies;
  at::Tensor memory;
  for (const Slice& s : slices) {
    const train::Params::Entry& entry = params.entries()[s.entry];
    const bool pack = s.packed_at >= 0;
    at::Tensor view = view_of(entry.tensor, s.sizes, pack || s.buffer || s.whole ? s.strides : s.own_strides, s.offset);
    if (pack) {
      if (!memory.defined()) memory = at::empty({packed}, entry.tensor.options().requires_grad(false));
      at::Tensor own = view_of(memory, s.sizes, s.own_strides, s.packed_at);
      if (plain(own)) copies.push_back({own, std::move(view)});
      else own.copy_(view);
      view = std::move(own);
    }
    if (leaves && entry.trainable) view.set_requires_grad(true);
    out.push_back(std::move(view));
  }
  train::copy_all(copies);
  return out;
}

void add_gradients(const MemberProgram& member, const train::Params& params, const std::vector<at::Tensor>& leaves, std::vector<at::Tensor>& grads) {
  at::NoGradGuard no_grad;
  grads.resize(params.entries().size());
  std::vector<train::StridedPair> sums;
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
    at::Tensor to = view_of(whole, s.sizes, s.strides, s.offset);
    if (plain(to) && plain(part)) sums.push_back({std::move(to), std::move(part)});
    else to.add_(part);
  }
  train::add_all(sums);
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

Result<std::shared_ptr<const MemberProgram>> Store::compile(const space::Member& member) const {
  HONE_TRY_ASSIGN(const Graph graph, this->graph(member));
  auto made = std::make_shared<MemberProgram>();
  made->member = member;
  HONE_TRY_ASSIGN(made->program, train::Program::compile(graph));
  const auto& entries = params_.entries();
  at::NoGradGuard no_grad;
  for (const train::Program::Slot& slot : made->program.state()) {
    const train::Params::Entry* entry = params_.find(slot.name);
    if (!entry) return fail(Code::failed, "the supernet has no such tensor", slot.name);
    MemberProgram::Slice s;
    HONE_TRY_ASSIGN(s.offset, params_.offset(*entry, slot.shape()));
    s.entry = static_cast<size_t>(entry - entries.data());
    s.sizes = slot.sizes;
    s.strides = entry->tensor.strides().vec();
    s.own_strides = own_strides(s.sizes);
    s.whole = slot.shape() == entry->tensor.sizes();
    s.buffer = entry->buffer;
    if (!s.whole && !s.buffer && !same_memory(s.sizes, s.strides, s.own_strides)) {   // kernels are chosen by strides, and would pack it themselves
      s.packed_at = made->packed;
      made->packed += (c10::multiply_integers(s.sizes) + kAligned - 1) / kAligned * kAligned;
    }
    made->slices.push_back(std::move(s));
  }
  return std::shared_ptr<const MemberProgram>(std::move(made));
}

void Store::keep(std::shared_ptr<const MemberProgram> program) {
  const space::Member& member = order_.emplace_front(program->member);
  cache_[member] = {std::move(program), order_.begin()};
  if (cache_.size() <= limit_) return;
  cache_.erase(order_.back());
  order_.pop_back();
}

Result<std::shared_ptr<const MemberProgram>> Store::program(const space::Member& member) {
  if (const auto found = cache_.find(member); found != cache_.end()) {
    order_.splice(order_.begin(), order_, found->second.used);
    return found->second.program;
  }
  HONE_TRY_ASSIGN(std::shared_ptr<const MemberProgram> made, compile(member));
  keep(made);
  return made;
}

Status Store::prepare(const std::vector<space::Member>& members) {
  std::vector<space::Member> missing;
  for (const space::Member& m : members) {
    if (const auto found = cache_.find(m); found != cache_.end()) order_.splice(order_.begin(), order_, found->second.used);
    else if (std::ranges::find(missing, m) == missing.end()) missing.push_back(m);
  }
  if (members.size() > limit_) return {};
  std::vector<std::optional<Result<std::shared_ptr<const MemberProgram>>>> made(missing.size());
  at::parallel_for(0, static_cast<int64_t>(missing.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) made[static_cast<size_t>(i)] = compile(missing[static_cast<size_t>(i)]);
  });
  for (auto& one : made) {
    HONE_TRY(*one);
    keep(std::move(**one));
  }
  return {};
}

}  // namespace hone::methods
