#include "methods/supernet/conflict.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>
#include <unordered_map>

namespace hone::methods {

namespace {

double cosine_of(double dot, double first, double second) { return first > 0 && second > 0 ? dot / std::sqrt(first * second) : 0; }

// The middle or the front of `t` that a tensor of `sizes` would use.
at::Tensor shared_part(at::Tensor t, const std::vector<int64_t>& sizes, int64_t centred) {
  for (int64_t d = 0; d < t.dim(); ++d) {
    const int64_t extra = t.size(d) - sizes[static_cast<size_t>(d)];
    if (extra > 0) t = t.narrow(d, centred >= 0 && d >= centred ? extra / 2 : 0, sizes[static_cast<size_t>(d)]);
  }
  return t;
}

size_t part_of(const std::string& name, size_t stages) {
  if (name.starts_with("first_conv")) return 0;
  if (name.starts_with("stages.")) return 1 + static_cast<size_t>(name[7] - '0');   // at most kMaxStages, which is 8
  return 1 + stages;
}

}  // namespace

double Agreement::cosine() const { return cosine_of(dot, first, second); }

std::vector<std::string> agreement_parts(const space::Space& space) {
  std::vector<std::string> parts = {"first conv"};
  for (const auto& stage : space.stages) parts.push_back(stage.name);
  parts.push_back("head");
  return parts;
}

Agreement agreement(const Store& store, const MemberGradient& a, const MemberGradient& b) {
  at::NoGradGuard no_grad;
  Agreement out;
  const size_t stages = store.space().stages.size();
  out.stage_dot.assign(stages + 2, 0);
  out.stage_first = out.stage_second = out.stage_dot;
  std::unordered_map<size_t, size_t> of_b;   // entry -> slice
  for (size_t i = 0; i < b.grads.size(); ++i)
    if (b.grads[i].defined()) of_b.emplace(b.program->slices[i].entry, i);
  for (size_t i = 0; i < a.grads.size(); ++i) {
    if (!a.grads[i].defined()) continue;
    const auto found = of_b.find(a.program->slices[i].entry);
    if (found == of_b.end()) continue;
    const train::Params::Entry& entry = store.params().entries()[a.program->slices[i].entry];
    const at::Tensor &x = a.grads[i], &y = b.grads[found->second];
    std::vector<int64_t> sizes;
    for (int64_t d = 0; d < x.dim(); ++d) sizes.push_back(std::min(x.size(d), y.size(d)));
    const at::Tensor p = shared_part(x, sizes, entry.centred).to(at::kCPU, at::kDouble).reshape({-1}), q = shared_part(y, sizes, entry.centred).to(at::kCPU, at::kDouble).reshape({-1});
    const double dot = p.dot(q).item<double>(), first = p.dot(p).item<double>(), second = q.dot(q).item<double>();
    const size_t part = part_of(entry.name, stages);
    out.dot += dot, out.first += first, out.second += second;
    out.stage_dot[part] += dot, out.stage_first[part] += first, out.stage_second[part] += second;
    ++out.tensors;
    out.negative += dot < 0;
  }
  return out;
}

}  // namespace hone::methods
