#include "train/average.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>

namespace hone::train {

Average::Average(const Params& params, double decay, bool warm_up) : average_(params.clone()), decay_(decay), warm_up_(warm_up) {}

double Average::next_decay() const {
  const auto n = static_cast<double>(updates_ + 1);
  return warm_up_ ? std::min(decay_, (1 + n) / (10 + n)) : decay_;
}

void Average::update(const Params& params, const std::vector<bool>& done) {
  at::NoGradGuard no_grad;
  const double decay = next_decay();
  ++updates_;
  std::vector<at::Tensor> to, from;
  for (size_t i = 0; i < average_.entries().size(); ++i) {
    if (i < done.size() && done[i]) continue;
    const at::Tensor &own = average_.entries()[i].tensor, now = params.entries()[i].tensor.detach();
    if (!at::isFloatingType(own.scalar_type())) {
      own.copy_(now);
      continue;
    }
    to.push_back(own);
    from.push_back(now);
  }
  if (!to.empty()) at::_foreach_lerp_(to, from, 1 - decay);
}

State Average::save() const {
  State state;
  for (const Params::Entry& entry : average_.entries()) state.tensors["tensor." + entry.name] = entry.tensor;
  state.set("updates", updates_);
  return state;
}

Status Average::load(const State& state) {
  HONE_TRY(restore(average_, state.part("tensor").tensors));
  HONE_TRY_ASSIGN(updates_, state.integer("updates"));
  return {};
}

Status restore(Params& params, const std::map<std::string, at::Tensor>& tensors) {
  at::NoGradGuard no_grad;
  for (const Params::Entry& entry : params.entries()) {
    const auto found = tensors.find(entry.name);
    if (found == tensors.end()) return fail(Code::invalid, "the checkpoint lacks this tensor", entry.name);
    if (found->second.sizes() != entry.tensor.sizes() || found->second.scalar_type() != entry.tensor.scalar_type())
      return fail(Code::invalid, "the checkpoint has this tensor in another shape or type", entry.name);
    entry.tensor.copy_(found->second);
  }
  if (tensors.size() != params.entries().size()) return fail(Code::invalid, fmt::format("the checkpoint has {} tensors, the network {}", tensors.size(), params.entries().size()));
  return {};
}

}  // namespace hone::train
