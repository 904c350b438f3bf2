#include "train/optimiser.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "train/clip.h"
#include "train/kernels/adam.h"
#include "train/pattern.h"

namespace hone::train {

namespace {

// Norm scales, biases and learnt tokens: regularising them costs accuracy (He et al. 2019, section 3.1).
bool exempt(const std::string& name, const at::Tensor& p) {
  if (p.dim() < 2) return true;
  for (const char* part : {"pos_embed", "position_embed", "cls_token", "dist_token", "class_token", "relative_position_bias_table"})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

// The fused kernels walk memory: a gradient must lie as its parameter does. Dimensions of one element lie anyhow.
at::Tensor aligned(const at::Tensor& grad, const at::Tensor& p) {
  bool alike = grad.scalar_type() == p.scalar_type();
  for (int64_t d = 0; d < p.dim(); ++d) alike = alike && (p.size(d) == 1 || grad.stride(d) == p.stride(d));
  if (alike) return grad.as_strided(p.sizes(), p.strides());
  return at::empty_like(p, at::MemoryFormat::Preserve).copy_(grad);
}

}  // namespace

Optimiser::Optimiser(const OptimiserOptions& options, const Params& params) : options_(options) {
  for (size_t e = 0; e < params.entries().size(); ++e) {
    const Params::Entry& entry = params.entries()[e];
    if (!entry.trainable) continue;
    const auto rule = std::ranges::find_if(options.rules, [&](const OptimiserOptions::Rule& r) { return matches(r.pattern, entry.name); });
    Group group{1, options.weight_decay};
    if (rule != options.rules.end()) group = {rule->lr, options.weight_decay * rule->weight_decay};
    else if (!options.decay_all && exempt(entry.name, entry.tensor)) group.weight_decay = 0;
    const auto same = std::ranges::find_if(groups_, [&](const Group& g) { return g.lr == group.lr && g.weight_decay == group.weight_decay; });
    Slot slot;
    slot.entry = e;
    slot.group = static_cast<size_t>(same - groups_.begin());
    if (same == groups_.end()) groups_.push_back(group);
    parameters_.push_back(entry.tensor);
    names_.push_back(entry.name);
    slots_.push_back(std::move(slot));
  }
}

void Optimiser::zero_grad() {
  for (const at::Tensor& p : parameters_) p.mutable_grad() = at::Tensor();
}

void Optimiser::step(double factor, const AdaptiveClip& clip, Average* average, const Params& params) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const bool moments = options_.kind != OptimiserOptions::Kind::sgd;
    if (!parameters_[i].grad().defined() || slot.first.defined() || (!moments && options_.momentum == 0)) continue;
    slot.first = at::zeros_like(parameters_[i], at::MemoryFormat::Preserve);
    if (!moments) continue;
    slot.second = at::zeros_like(parameters_[i], at::MemoryFormat::Preserve);
    slot.steps = at::zeros({}, parameters_[i].options().dtype(at::kFloat));
  }
  const std::vector<bool> done = step_in_one_pass(factor, clip, average);
  if (clip.factor > 0) {
    std::vector<at::Tensor> clipped;
    for (size_t i = 0; i < slots_.size(); ++i)
      if (!done[i] && clip.of[i]) clipped.push_back(parameters_[i]);
    clip_adaptive(clipped, clip.factor, clip.eps);
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<size_t> members;
    for (size_t i = 0; i < slots_.size(); ++i)
      if (!done[i] && slots_[i].group == g && parameters_[i].grad().defined()) members.push_back(i);
    const double lr = options_.lr * groups_[g].lr * factor;
    switch (options_.kind) {
      case OptimiserOptions::Kind::sgd: step_sgd(groups_[g], members, lr); break;
      case OptimiserOptions::Kind::lamb: step_lamb(groups_[g], members, lr); break;
      default: step_adam(groups_[g], members, lr); break;
    }
  }
  if (!average) return;
  std::vector<bool> averaged(params.entries().size(), false);
  for (size_t i = 0; i < slots_.size(); ++i) averaged[slots_[i].entry] = done[i];
  average->update(params, averaged);
}

// Steps, clips and averages what the kernel takes; which those are, by position.
std::vector<bool> Optimiser::step_in_one_pass(double factor, const AdaptiveClip& clip, Average* average) {
  std::vector<bool> done(slots_.size(), false);
  const bool decoupled = options_.kind == OptimiserOptions::Kind::adamw;
  if (!decoupled && options_.kind != OptimiserOptions::Kind::adam) return done;
  std::vector<AdamItem> items;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!parameters_[i].grad().defined()) continue;
    AdamItem item{parameters_[i], aligned(parameters_[i].grad(), parameters_[i]), slot.first, slot.second, average ? average->params().entries()[slot.entry].tensor : at::Tensor()};
    item.lr = options_.lr * groups_[slot.group].lr * factor;
    item.weight_decay = groups_[slot.group].weight_decay;
    item.clip = clip.factor > 0 && clip.of[i];
    if (!has_adam_update(item)) continue;
    float* steps = slot.steps.mutable_data_ptr<float>();
    item.steps = static_cast<int64_t>(*steps += 1);
    done[i] = true;
    items.push_back(std::move(item));
  }
  AdamUpdate how{options_.beta1, options_.beta2, options_.eps, decoupled, clip.factor, clip.eps};
  if (average) how.average_share = 1 - average->next_decay();
  adam_update(items, how);
  return done;
}

// With dampening 0 a momentum that starts at zero equals PyTorch's, which starts as a copy of the gradient.
void Optimiser::step_sgd(const Group& group, const std::vector<size_t>& members, double lr) {
  if (members.empty()) return;
  std::vector<at::Tensor> params, grads, momenta;
  for (size_t i : members) {
    params.push_back(parameters_[i]);
    grads.push_back(aligned(parameters_[i].grad(), parameters_[i]));
    if (options_.momentum != 0) momenta.push_back(slots_[i].first);
  }
  at::_fused_sgd_(params, grads, momenta, group.weight_decay, options_.momentum, lr, /*dampening=*/0, options_.nesterov, /*maximize=*/false, /*is_first_step=*/false);
}

void Optimiser::step_adam(const Group& group, const std::vector<size_t>& members, double lr) {
  if (members.empty()) return;
  std::vector<at::Tensor> params, grads, first, second, steps;
  for (size_t i : members) {
    Slot& slot = slots_[i];
    params.push_back(parameters_[i]);
    grads.push_back(aligned(parameters_[i].grad(), parameters_[i]));
    first.push_back(slot.first);
    second.push_back(slot.second);
    steps.push_back(slot.steps.add_(1));
  }
  if (options_.kind == OptimiserOptions::Kind::adam)
    at::_fused_adam_(params, grads, first, second, {}, steps, lr, options_.beta1, options_.beta2, group.weight_decay, options_.eps, false, false);
  else
    at::_fused_adamw_(params, grads, first, second, {}, steps, lr, options_.beta1, options_.beta2, group.weight_decay, options_.eps, false, false);
}

void Optimiser::step_lamb(const Group& group, const std::vector<size_t>& members, double lr) {
  for (size_t i : members) {
    Slot& slot = slots_[i];
    const at::Tensor &p = parameters_[i], grad = p.grad();
    const double t = slot.steps.add_(1).item<double>();
    slot.first.mul_(options_.beta1).add_(grad, 1 - options_.beta1);
    slot.second.mul_(options_.beta2).addcmul_(grad, grad, 1 - options_.beta2);
    const double c1 = 1 - std::pow(options_.beta1, t), c2 = 1 - std::pow(options_.beta2, t);
    at::Tensor update = (slot.first / c1).div_((slot.second.sqrt() / std::sqrt(c2)).add_(options_.eps));
    if (group.weight_decay != 0) {
      update.add_(p, group.weight_decay);
      const at::Tensor weight = at::linalg_vector_norm(p), size = at::linalg_vector_norm(update);
      update.mul_(at::where((weight > 0).logical_and(size > 0), weight / size, at::ones_like(weight)));
    }
    p.add_(update, -lr);
  }
}

State Optimiser::save() const {
  State state;
  state.set("kind", static_cast<int64_t>(options_.kind));
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.first.defined()) state.tensors["first." + names_[i]] = slot.first;
    if (slot.second.defined()) state.tensors["second." + names_[i]] = slot.second;
    if (slot.steps.defined()) state.tensors["steps." + names_[i]] = slot.steps;
  }
  return state;
}

Status Optimiser::load(const State& state) {
  HONE_TRY_ASSIGN(const int64_t kind, state.integer("kind"));
  if (kind != static_cast<int64_t>(options_.kind)) return fail(Code::invalid, "the saved state is another optimiser's", "optimiser");
  size_t used = 0;
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    const auto take = [&](const char* part, at::Tensor& to, const at::Tensor& like) -> Status {
      const auto found = state.tensors.find(part + names_[i]);
      to = at::Tensor();
      if (found == state.tensors.end()) return {};
      if (found->second.sizes() != like.sizes()) return fail(Code::invalid, "the saved state has another shape", part + names_[i]);
      to = at::empty_like(like, at::MemoryFormat::Preserve).copy_(found->second);
      ++used;
      return {};
    };
    at::NoGradGuard no_grad;
    HONE_TRY(take("first.", slot.first, parameters_[i].detach()));
    HONE_TRY(take("second.", slot.second, parameters_[i].detach()));
    HONE_TRY(take("steps.", slot.steps, at::empty({}, parameters_[i].options().dtype(at::kFloat).requires_grad(false))));
  }
  if (used != state.tensors.size()) return fail(Code::invalid, fmt::format("the saved state has {} tensors that no trainable parameter asks for", state.tensors.size() - used), "optimiser");
  return {};
}

}  // namespace hone::train
