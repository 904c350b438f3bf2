#include "train/loop_options.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <thread>

namespace hone::train {

namespace {

OptimiserOptions read_optimiser(Recipe& r) {
  OptimiserOptions o;
  using Kind = OptimiserOptions::Kind;
  const std::string kind = r.text("optimiser.kind", "adamw", "which rule steps the weights", {"sgd", "adam", "adamw", "lamb"});
  o.kind = kind == "sgd" ? Kind::sgd : kind == "adam" ? Kind::adam : kind == "lamb" ? Kind::lamb : Kind::adamw;
  o.lr = r.real("optimiser.lr", 1e-3, "learning rate that the schedule multiplies", 0);
  o.weight_decay = r.real("optimiser.weight_decay", 0, "sgd and adam add it to the gradient; adamw and lamb decouple it", 0);
  o.momentum = r.real("optimiser.momentum", 0.9, "sgd only", 0, 1);
  o.nesterov = r.flag("optimiser.nesterov", false, "sgd only");
  o.beta1 = r.real("optimiser.beta1", 0.9, "adam, adamw, lamb", 0, 1);
  o.beta2 = r.real("optimiser.beta2", 0.999, "adam, adamw, lamb", 0, 1);
  o.eps = r.real("optimiser.eps", 1e-8, "adam, adamw, lamb", 0);
  o.decay_all = r.text("optimiser.decay", "matrices", "matrices: vectors, position tables and class tokens do not decay", {"matrices", "all"}) == "all";
  const int64_t rules = r.tables("optimiser.rule");
  for (int64_t i = 0; i < rules; ++i) {
    const std::string at = fmt::format("optimiser.rule.{}.", i);
    OptimiserOptions::Rule rule;
    rule.pattern = r.text(at + "pattern", "*", "parameters by name; * stands for any characters");
    rule.lr = r.real(at + "lr", 1, "multiplies the learning rate", 0);
    rule.weight_decay = r.real(at + "weight_decay", 1, "multiplies the weight decay", 0);
    o.rules.push_back(std::move(rule));
  }
  return o;
}

void read_schedule(Recipe& r, LoopOptions& o) {
  using Kind = Schedule::Kind;
  const std::vector<std::pair<std::string, Kind>> kinds = {{"constant", Kind::constant}, {"step", Kind::step}, {"multi_step", Kind::multi_step}, {"cosine", Kind::cosine},
                                                           {"linear", Kind::linear}, {"polynomial", Kind::polynomial}, {"one_cycle", Kind::one_cycle}};
  std::vector<std::string> names;
  for (const auto& [name, kind] : kinds) names.push_back(name);
  const std::string kind = r.text("schedule.kind", "cosine", "shape of the learning rate over the run", names);
  for (const auto& [name, k] : kinds)
    if (name == kind) o.schedule.kind = k;
  o.warmup = r.real("schedule.warmup", 0, "epochs of linear rise (not one_cycle)", 0);
  o.schedule.warmup_start = r.real("schedule.warmup_start", 0, "factor that the rise starts from", 0, 1);
  o.schedule.final_factor = r.real("schedule.final", 0, "factor at the end: cosine, linear, polynomial, one_cycle", 0);
  o.every = r.real("schedule.every", 1, "step: epochs between the marks", 0);
  o.milestones = r.reals("schedule.milestones", {}, "multi_step: epochs of the marks");
  o.schedule.gamma = r.real("schedule.gamma", 0.1, "step, multi_step: factor at a mark", 0);
  o.schedule.power = r.real("schedule.power", 1, "polynomial", 0);
  o.schedule.rise = r.real("schedule.rise", 0.3, "one_cycle: share of the run that rises", 0, 1);
  o.schedule.start_factor = r.real("schedule.start", 0.04, "one_cycle: factor at the beginning", 0, 1);
}

int64_t to_steps(double epochs, int64_t steps_per_epoch) {
  return static_cast<int64_t>(std::llround(std::min(epochs * static_cast<double>(std::max<int64_t>(steps_per_epoch, 1)), 1e15)));
}

}  // namespace

Result<Compute> read_compute(Recipe& r) {
  Compute compute;
  const std::string device = r.text("train.device", "auto", "auto: a GPU where there is one", {"auto", "cpu", "cuda"});
  if (device == "cuda" && !at::hasCUDA()) return fail(r.error("train.device", "no CUDA device is there", "device = \"cpu\", or install a CUDA build of torch"));
  // Ranks on one machine take a GPU each and share the cores.
  HONE_TRY_ASSIGN(const Place place, place_from_environment());
  if (device != "cpu" && at::hasCUDA()) compute.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(place.local_rank % std::max<int>(1, static_cast<int>(at::detail::getCUDAHooks().deviceCount()))));
  compute.type = r.text("train.precision", "fp32", "bf16: products in bf16, norms and losses in fp32", {"fp32", "bf16"}) == "bf16" ? at::kBFloat16 : at::kFloat;
  compute.threads = static_cast<int>(r.integer("train.threads", 0, "of libtorch; 0: one a core, shared among the ranks of a machine. Resuming is exact with the same number", 0, 4096));
  if (compute.threads == 0) compute.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / place.local_world);
  compute.seed = static_cast<uint64_t>(r.integer("train.seed", 0, "of weights, data order, augmentation and dropout", 0));
  return compute;
}

Result<std::shared_ptr<const LoopOptions>> read_loop_options(Recipe& r) {
  auto o = std::make_shared<LoopOptions>();
  HONE_TRY_ASSIGN(o->compute, read_compute(r));
  o->epochs = r.real("train.epochs", 10, "passes over the training data", 0);
  o->steps = r.integer("train.steps", 0, "optimiser steps instead of epochs, where above 0", 0, int64_t{1} << 40);
  o->accumulate = r.integer("train.accumulate", 1, "micro-batches that a step's batch is cut into, to save memory", 1, 1 << 16);
  o->log_every = r.integer("train.log_every", 20, "steps between training events", 1);
  o->validate_every = r.real("train.validate_every", 1, "epochs between validations; 0: only at the end", 0);
  o->patience = r.integer("train.patience", 0, "validations without a better one before the run stops; 0: never", 0);
  o->timeout = r.real("train.timeout", 1800, "seconds that the ranks of a distributed run wait for each other", 1, 1e7);
  o->optimiser = read_optimiser(r);
  read_schedule(r, *o);
  o->clip_norm = r.real("clip.norm", 0, "largest norm of all gradients together; 0: off", 0);
  o->clip_value = r.real("clip.value", 0, "largest magnitude of a gradient's element; 0: off", 0);
  o->clip_adaptive = r.real("clip.adaptive", 0, "adaptive clipping: largest ratio of a unit's gradient to its weights; 0: off", 0);
  o->clip_eps = r.real("clip.eps", 1e-3, "adaptive: smallest norm that a unit counts with", 0);
  o->clip_exclude = r.texts("clip.exclude", {}, "adaptive: patterns of parameters left alone (the classifier)");
  o->average_decay = r.real("average.decay", 0, "exponential moving average of the weights, which is validated and kept; 0: off", 0, 1);
  o->average_warm_up = r.flag("average.warm_up", true, "smaller decay at first: (1 + n) / (10 + n)");
  o->guard_spike = r.real("guard.spike", 20, "a loss above this many running medians (and above the first) is divergence; 0: only NaN and infinity", 0);
  o->guard_rate = r.real("guard.rate", 0.5, "factor on the learning rate after a roll-back", 0, 1);
  o->guard_times = r.integer("guard.times", 3, "roll-backs before the run gives up", 0, 1000);
  o->guard_window = r.integer("guard.window", 100, "steps of the running median", 1, 100000);
  o->checkpoint_every = r.integer("checkpoint.every", 0, "steps between checkpoints; 0: once an epoch and after every validation", 0);
  return std::shared_ptr<const LoopOptions>(std::move(o));
}

int64_t LoopOptions::total_steps(int64_t steps_per_epoch) const { return steps > 0 ? steps : to_steps(epochs, steps_per_epoch); }

Schedule LoopOptions::schedule_for(int64_t steps_per_epoch) const {
  Schedule s = schedule;
  s.total = total_steps(steps_per_epoch);
  s.warmup = to_steps(warmup, steps_per_epoch);
  s.every = std::max<int64_t>(1, to_steps(every, steps_per_epoch));
  for (double m : milestones) s.milestones.push_back(to_steps(m, steps_per_epoch));
  return s;
}

}  // namespace hone::train
