#include "train/loop.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>

#include "data/shuffle.h"
#include "run/progress.h"
#include "train/average.h"
#include "train/clip.h"
#include "train/loop_options.h"
#include "train/pattern.h"
#include "train/run_files.h"

namespace hone::train {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// What the loop itself remembers between steps; goes into every checkpoint.
struct Memory {
  int64_t step = 0;
  double rate = 1;                // factor on the learning rate that roll-backs have left
  int64_t rollbacks = 0;
  double first_loss = NAN;
  std::deque<double> losses;      // of the running median
  Metrics best, last;
  int64_t best_step = 0, worse = 0;  // validations since the best one
  bool stopped_early = false;

  State save() const {
    State s;
    s.set("rate", rate);
    s.set("rollbacks", rollbacks);
    s.set("first_loss", first_loss);
    s.set("best_step", best_step);
    s.set("worse", worse);
    s.set("stopped_early", static_cast<int64_t>(stopped_early));
    at::Tensor window = at::empty({static_cast<int64_t>(losses.size())}, at::kDouble);
    std::ranges::copy(losses, window.mutable_data_ptr<double>());
    s.tensors["losses"] = window;
    for (auto [part, metrics] : {std::pair{"best", &best}, std::pair{"last", &last}})
      for (size_t i = 0; i < metrics->size(); ++i) s.set(fmt::format("{}.{:03}.{}", part, i, (*metrics)[i].first), (*metrics)[i].second);  // in their order
    return s;
  }

  Status load(const State& s) {
    HONE_TRY_ASSIGN(rate, s.real("rate"));
    HONE_TRY_ASSIGN(rollbacks, s.integer("rollbacks"));
    HONE_TRY_ASSIGN(first_loss, s.real("first_loss"));
    HONE_TRY_ASSIGN(best_step, s.integer("best_step"));
    HONE_TRY_ASSIGN(worse, s.integer("worse"));
    HONE_TRY_ASSIGN(const int64_t stopped, s.integer("stopped_early"));
    stopped_early = stopped != 0;
    losses.clear();
    if (const auto window = s.tensors.find("losses"); window != s.tensors.end() && window->second.scalar_type() == at::kDouble)
      losses.assign(window->second.const_data_ptr<double>(), window->second.const_data_ptr<double>() + window->second.numel());
    for (auto [part, metrics] : {std::pair{"best", &best}, std::pair{"last", &last}}) {
      metrics->clear();
      for (const auto& [name, text] : s.part(part).texts) {
        if (name.size() < 5) return fail(Code::invalid, "a metric without a name", name);
        HONE_TRY_ASSIGN(const double value, s.real(std::string(part) + "." + name));
        metrics->emplace_back(name.substr(4), value);
      }
    }
    return {};
  }
};

double median(std::deque<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

class Loop {
 public:
  Loop(const LoopOptions& options, RunDir& run, Task& task, Ranks& ranks)
      : o_(options), run_(run), task_(task), ranks_(ranks), params_(task.params()), optimiser_(options.optimiser, params_), schedule_(options.schedule_for(task.steps_per_epoch())) {
    if (o_.average_decay > 0) average_.emplace(params_, o_.average_decay, o_.average_warm_up);
    if (ranks.world() > 1) sum_ = std::make_unique<GradientSum>(ranks, optimiser_.parameters());
    adaptive_ = {o_.clip_adaptive, o_.clip_eps, {}};
    for (const std::string& name : optimiser_.names()) adaptive_.of.push_back(!matches_any(o_.clip_exclude, name));
    // Every rank computes as many micro-batches as the others.
    const int64_t world = ranks.world();
    micros_ = (o_.accumulate + world - 1) / world * world;
  }

  Result<Finished> run() {
    if (optimiser_.parameters().empty()) return fail(Code::invalid, "no parameter is trainable");
    HONE_TRY(begin());
    const int64_t total = schedule_.total;
    std::optional<Progress> progress;
    if (ranks_.first()) progress.emplace("train", total, task_.unit(), static_cast<double>(task_.samples_per_step()), memory_.step);
    if (progress && memory_.step == 0)
      for (const std::string& note : task_.notes()) progress->say(note);
    auto mark = Clock::now();
    int64_t marked = memory_.step;
    while (memory_.step < total && !memory_.stopped_early) {
      const int64_t step = memory_.step;
      HONE_TRY(gradients(step));
      if (const std::string why = divergence(); !why.empty()) {
        HONE_TRY(roll_back(why));
        if (progress) progress->say(fmt::format("step {}: {}; back to step {} at {:.4g} of the rate", step, why, memory_.step, memory_.rate));
        mark = Clock::now();
        marked = memory_.step;
        continue;
      }
      update(step);
      HONE_TRY(task_.after_step(step, ranks_));
      memory_.step = step + 1;
      if (log_)
        for (Event& event : task_.news(step)) {
          event.step = memory_.step;
          HONE_TRY(log_->append(event));
        }
      if (memory_.step % o_.log_every == 0 || memory_.step == total) {
        const double rate = static_cast<double>((memory_.step - marked) * task_.samples_per_step()) / std::max(1e-9, seconds_since(mark));
        HONE_TRY(log_step(step, rate));
        mark = Clock::now();
        marked = memory_.step;
      }
      if (progress) progress->step(memory_.step, {{"loss", loss_}, {"rate", last_rate_}});
      const bool validated = due(validation_rhythm()) || memory_.step == total;
      if (validated) {
        const auto before = Clock::now();
        HONE_TRY(validate(progress ? &*progress : nullptr));
        mark += Clock::now() - before;
      }
      if (validated || due(o_.checkpoint_every > 0 ? o_.checkpoint_every : task_.steps_per_epoch())) HONE_TRY(checkpoint());
    }
    return finish();
  }

 private:
  bool due(int64_t rhythm) const { return rhythm > 0 && memory_.step % rhythm == 0; }
  int64_t validation_rhythm() const {
    return o_.validate_every <= 0 ? 0 : std::max<int64_t>(1, std::llround(o_.validate_every * static_cast<double>(task_.steps_per_epoch())));
  }

  // Resumes from the last checkpoint, or writes the first one: a roll-back always has somewhere to go.
  Status begin() {
    if (ranks_.first()) HONE_TRY(recover_checkpoint(run_));
    HONE_TRY(ranks_.barrier());
    HONE_TRY_ASSIGN(const auto saved, read_checkpoint(run_));
    if (saved) HONE_TRY(restore_from(*saved));
    if (ranks_.first()) {
      HONE_TRY(begin_session(run_, static_cast<int64_t>(o_.compute.seed), memory_.step, task_.data(),
                             {{"torch", TORCH_VERSION}, {"threads", std::to_string(o_.compute.threads)}, {"ranks", std::to_string(ranks_.world())}}, o_.compute.device.str()));
      HONE_TRY(run_.truncate_events(memory_.step));
      HONE_TRY_ASSIGN(Log log, Log::open(run_));
      log_.emplace(std::move(log));
      if (!saved)
        for (const std::string& note : task_.notes()) HONE_TRY(log_->append({0, "note", {{"text", note}}}));
    }
    if (!saved) HONE_TRY(checkpoint());
    return ranks_.barrier();
  }

  Status restore_from(const Checkpoint& saved) {
    std::map<std::string, at::Tensor> tensors;
    for (const auto& [name, tensor] : saved.params) {
      HONE_TRY_ASSIGN(tensors[name], to_torch(tensor));
    }
    HONE_TRY(restore(params_, tensors));
    HONE_TRY(optimiser_.load(saved.state.part("optimiser")));
    if (average_) HONE_TRY(average_->load(saved.state.part("average")));
    HONE_TRY(task_.load(saved.state.part("task")));
    HONE_TRY(memory_.load(saved.state.part("loop")));
    HONE_TRY_ASSIGN(memory_.step, saved.state.integer("step"));
    return {};
  }

  Status checkpoint() {
    if (!ranks_.first()) return {};
    State state;
    state.set("step", memory_.step);
    state.put("optimiser", optimiser_.save());
    if (average_) state.put("average", average_->save());
    state.put("task", task_.save());
    state.put("loop", memory_.save());
    return write_checkpoint(run_, params_, state);
  }

  // Forward and backward of this rank's micro-batches; gradients and losses are then those of the whole step.
  Status gradients(int64_t step) {
    optimiser_.zero_grad();
    names_.clear();
    at::Tensor values;
    for (int64_t micro = ranks_.rank(); micro < micros_; micro += ranks_.world()) {
      HONE_TRY_ASSIGN(const Losses losses, task_.forward(step, micro, micros_));
      if (!losses.total.defined() || losses.total.dim() != 0 || !(task_.runs_backward() || losses.total.requires_grad()))
        return fail(Code::failed, "the task's loss is no scalar that depends on trainable parameters", fmt::format("step {}", step));
      const bool last = micro + ranks_.world() >= micros_;
      if (sum_ && last) sum_->prepare();
      if (!task_.runs_backward()) torch::autograd::backward({micros_ > 1 ? losses.total / static_cast<double>(micros_) : losses.total}, {});
      at::NoGradGuard no_grad;
      std::vector<at::Tensor> scalars = {losses.total.detach().to(at::kFloat)};
      names_ = {"loss"};
      for (const auto& [name, value] : losses.parts) {
        names_.push_back(name);
        scalars.push_back(value.detach().to(at::kFloat));
      }
      const at::Tensor row = at::stack(scalars) / static_cast<double>(micros_);
      values = values.defined() ? values + row : row;
    }
    if (sum_) {
      HONE_TRY(sum_->finish());
      HONE_TRY(ranks_.sum(values));
      HONE_TRY(average_buffers());
    }
    const at::Tensor here = values.to(at::kCPU, at::kDouble).contiguous();
    values_.assign(here.const_data_ptr<double>(), here.const_data_ptr<double>() + here.numel());
    loss_ = values_[0];
    return task_.gradients_done(step, ranks_);
  }

  // Running statistics differ between ranks, which saw different micro-batches: their mean goes on.
  Status average_buffers() {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> flat, own;
    for (const Params::Entry& entry : params_.entries())
      if (entry.buffer && at::isFloatingType(entry.tensor.scalar_type())) {
        own.push_back(entry.tensor);
        flat.push_back(entry.tensor.reshape({-1}).to(at::kFloat));
      }
    if (own.empty()) return {};
    at::Tensor all = at::cat(flat);
    HONE_TRY(ranks_.sum(all));
    all.div_(ranks_.world());
    int64_t at = 0;
    for (const at::Tensor& t : own) {
      t.copy_(all.narrow(0, at, t.numel()).view(t.sizes()));
      at += t.numel();
    }
    return {};
  }

  // Why the step's loss is no longer believed; "" when it is.
  std::string divergence() {
    if (!std::isfinite(loss_)) {
      const std::string blamed = task_.blame();
      return fmt::format("the loss is {}{}{}", loss_, blamed.empty() ? "" : " in ", blamed);
    }
    if (std::isnan(memory_.first_loss)) memory_.first_loss = loss_;
    if (o_.guard_spike > 0 && memory_.losses.size() >= static_cast<size_t>(std::min<int64_t>(o_.guard_window, 10))) {
      const double usual = median(memory_.losses);
      if (loss_ > o_.guard_spike * std::fabs(usual) && loss_ > memory_.first_loss) return fmt::format("the loss is {:.6g}, {:.3g} times its running median", loss_, loss_ / std::fabs(usual));
    }
    memory_.losses.push_back(loss_);
    if (memory_.losses.size() > static_cast<size_t>(o_.guard_window)) memory_.losses.pop_front();
    return "";
  }

  Status roll_back(const std::string& why) {
    const int64_t at = memory_.step, times = memory_.rollbacks + 1;
    const double rate = memory_.rate * o_.guard_rate;
    if (times > o_.guard_times)
      return fail(Code::failed, fmt::format("training diverged: {}, after {} roll-backs", why, memory_.rollbacks), fmt::format("step {}", at), "lower optimiser.lr, clip gradients ([clip] norm), or look at the data of that step");
    HONE_TRY_ASSIGN(const auto saved, read_checkpoint(run_));
    if (!saved) return fail(Code::failed, "training diverged and the last checkpoint is gone: " + why, run_.path());
    HONE_TRY(restore_from(*saved));
    memory_.rate = rate;
    memory_.rollbacks = times;
    HONE_TRY(ranks_.barrier());  // nobody replaces what another still reads
    if (log_) {
      HONE_TRY(run_.truncate_events(memory_.step));
      HONE_TRY(log_->append({memory_.step, "note", {{"text", fmt::format("step {}: {}; rolled back to step {}, learning rate times {:.4g}", at, why, memory_.step, memory_.rate)}}}));
    }
    return checkpoint();  // a crash from here on remembers the roll-back
  }

  void update(int64_t step) {
    norm_ = o_.clip_norm > 0 ? clip_norm(optimiser_.parameters(), o_.clip_norm) : NAN;
    if (o_.clip_value > 0) clip_value(optimiser_.parameters(), o_.clip_value);
    const double factor = schedule_.factor(step) * memory_.rate;
    last_rate_ = o_.optimiser.lr * factor;
    optimiser_.step(factor, adaptive_, average_ ? &*average_ : nullptr, params_);
  }

  Status log_step(int64_t step, double per_second) {
    if (!log_) return {};
    Event event{step + 1, "train", {}};
    for (size_t i = 0; i < names_.size(); ++i) event.values.emplace_back(names_[i], values_[i]);
    event.values.emplace_back("rate", last_rate_);
    if (o_.clip_norm > 0) event.values.emplace_back("gradient_norm", norm_);
    event.values.emplace_back("per_second", per_second);
    return log_->append(event);
  }

  // Rank 0 validates; the others wait and take over what it decided.
  Status validate(Progress* progress) {
    at::Tensor decision = at::zeros({4}, at::TensorOptions(at::kDouble).device(o_.compute.device));
    Status status;
    if (ranks_.first()) {
      status = validate_here(progress);
      const double values[4] = {status ? 1.0 : 0.0, static_cast<double>(memory_.best_step), static_cast<double>(memory_.worse), memory_.stopped_early ? 1.0 : 0.0};
      decision.copy_(at::from_blob(const_cast<double*>(values), {4}, at::kDouble));
    }
    HONE_TRY(ranks_.broadcast(decision));
    if (!status) return status;
    const at::Tensor here = decision.to(at::kCPU);
    const double* values = here.const_data_ptr<double>();
    if (values[0] == 0) return fail(Code::failed, "rank 0 could not validate");
    memory_.best_step = static_cast<int64_t>(values[1]);
    memory_.worse = static_cast<int64_t>(values[2]);
    memory_.stopped_early = values[3] != 0;
    return {};
  }

  Status validate_here(Progress* progress) {
    Params candidate = (average_ ? average_->params() : params_).clone();
    HONE_TRY(task_.prepare(candidate));
    HONE_TRY_ASSIGN(memory_.last, task_.validate(candidate));
    Event event{memory_.step, "validate", {}};
    std::string line = fmt::format("step {}:", memory_.step);
    for (const auto& [name, value] : memory_.last) {
      event.values.emplace_back(name, value);
      line += fmt::format("  {} {:.4g}", name, value);
    }
    HONE_TRY_ASSIGN(const bool better, improves());
    memory_.worse = better ? 0 : memory_.worse + 1;
    if (better) {
      memory_.best = memory_.last;
      memory_.best_step = memory_.step;
      HONE_TRY(write_params(run_, "best", candidate, {{"step", std::to_string(memory_.step)}, {"averaged", average_ ? "yes" : "no"}}));
    }
    if (o_.patience > 0 && memory_.worse >= o_.patience) memory_.stopped_early = true;
    if (progress) progress->say(line + (better ? "  (best)" : ""));
    return log_->append(event);
  }

  // The watched metric of the newest validation against the best one. A task without metrics keeps its newest parameters.
  Result<bool> improves() const {
    std::string name = task_.watched();
    const bool smaller = name.starts_with("-");
    if (smaller) name.erase(0, 1);
    const auto value_in = [&](const Metrics& metrics) {
      const auto found = std::ranges::find(metrics, name, &Metrics::value_type::first);
      return found == metrics.end() ? std::optional<double>() : std::optional<double>(found->second);
    };
    if (memory_.last.empty() || task_.keeps_newest()) return true;
    const auto now = value_in(memory_.last), before = value_in(memory_.best);
    if (!now) return fail(Code::failed, fmt::format("validation gives no '{}', which chooses the best checkpoint", name));
    if (std::isnan(*now)) return false;
    return !before || (smaller ? *now < *before : *now > *before);
  }

  Result<Finished> finish() {
    Finished done{memory_.step, memory_.best, memory_.last, memory_.best_step, memory_.stopped_early};
    if (ranks_.first()) {
      HONE_TRY(write_result(run_, done, task_.watched()));
      HONE_TRY(end_session(run_));
      HONE_TRY(write_report(run_));
    }
    HONE_TRY(ranks_.barrier());
    return done;
  }

  const LoopOptions& o_;
  RunDir& run_;
  Task& task_;
  Ranks& ranks_;
  Params& params_;
  Optimiser optimiser_;
  Schedule schedule_;
  std::optional<Average> average_;
  std::unique_ptr<GradientSum> sum_;
  AdaptiveClip adaptive_;
  std::optional<Log> log_;       // rank 0
  int64_t micros_ = 1;
  Memory memory_;
  std::vector<std::string> names_;   // of the step's losses
  std::vector<double> values_;
  double loss_ = 0, norm_ = 0, last_rate_ = 0;
};

}  // namespace

at::Generator step_generator(const Compute& compute, int64_t step, int64_t micro) {
  at::Generator generator = at::globalContext().defaultGenerator(compute.device).clone();
  generator.set_current_seed(derive_seed(compute.seed, static_cast<uint64_t>(step), static_cast<uint64_t>(micro)));
  return generator;
}

Result<Finished> train(const LoopOptions& options, RunDir& run, Task& task, Ranks& ranks) {
  try {
    at::set_num_threads(options.compute.threads);
    return Loop(options, run, task, ranks).run();
  } catch (const c10::Error& e) {
    return fail(Code::failed, fmt::format("libtorch: {}", e.what_without_backtrace()));
  } catch (const std::exception& e) {
    return fail(Code::failed, e.what());
  }
}

}  // namespace hone::train
