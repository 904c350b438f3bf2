#include "train/optimiser.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

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

// The fused kernels walk memory: a gradient must lie as its parameter does.
at::Tensor aligned(const at::Tensor& grad, const at::Tensor& p) {
  if (grad.strides() == p.strides() && grad.scalar_type() == p.scalar_type()) return grad;
  return at::empty_like(p, at::MemoryFormat::Preserve).copy_(grad);
}

}  // namespace

Optimiser::Optimiser(const OptimiserOptions& options, const Params& params) : options_(options) {
  for (const Params::Entry& entry : params.entries()) {
    if (!entry.trainable) continue;
    const auto rule = std::ranges::find_if(options.rules, [&](const OptimiserOptions::Rule& r) { return matches(r.pattern, entry.name); });
    Group group{1, options.weight_decay};
    if (rule != options.rules.end()) group = {rule->lr, options.weight_decay * rule->weight_decay};
    else if (!options.decay_all && exempt(entry.name, entry.tensor)) group.weight_decay = 0;
    const auto same = std::ranges::find_if(groups_, [&](const Group& g) { return g.lr == group.lr && g.weight_decay == group.weight_decay; });
    Slot slot;
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

void Optimiser::step(double factor) {
  at::NoGradGuard no_grad;
  for (size_t g = 0; g < groups_.size(); ++g) {
    std::vector<size_t> members;
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.group != g || !parameters_[i].grad().defined()) continue;
      const bool moments = options_.kind != OptimiserOptions::Kind::sgd;
      if (!slot.first.defined() && (moments || options_.momentum != 0)) {
        slot.first = at::zeros_like(parameters_[i], at::MemoryFormat::Preserve);
        if (moments) {
          slot.second = at::zeros_like(parameters_[i], at::MemoryFormat::Preserve);
          slot.steps = at::zeros({}, parameters_[i].options().dtype(at::kFloat));
        }
      }
      members.push_back(i);
    }
    const double lr = options_.lr * groups_[g].lr * factor;
    switch (options_.kind) {
      case OptimiserOptions::Kind::sgd: step_sgd(groups_[g], members, lr); break;
      case OptimiserOptions::Kind::lamb: step_lamb(groups_[g], members, lr); break;
      default: step_adam(groups_[g], members, lr); break;
    }
  }
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
