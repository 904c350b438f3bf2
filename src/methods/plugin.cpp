// The entries of libhone_train.so: train/plugin_api.h, train/check.h, train/torch_engine.h, methods/plugin_api.h.
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <exception>

#include "core/file.h"
#include "methods/canvas/evaluate.h"
#include "methods/plugin_api.h"
#include "methods/skip/evaluate.h"
#include "methods/supernet/analyse.h"
#include "methods/supernet/open.h"
#include "methods/tasks.h"
#include "retrieval/trained.h"
#include "run/progress.h"
#include "train/check.h"
#include "train/memory.h"
#include "train/plugin_api.h"
#include "train/torch_engine.h"

namespace hone::methods {

namespace {

Result<train::TrainReply> run(const train::TrainRequest& request) {
  train::TrainReply reply;
  if (request.frozen_only) {
    HONE_TRY_ASSIGN(reply.frozen, train::frozen_recipe(request.recipe, request.settings, tasks()));
    return reply;
  }
  HONE_TRY_ASSIGN(train::Trained trained, train::run_training(request.recipe, request.run, request.settings, tasks()));
  const train::Finished& f = trained.finished;
  return train::TrainReply{"", f.steps, f.best_step, f.stopped_early, trained.rank, trained.watched, f.best, f.last};
}

Result<Report> evaluate_skip_runs(const EvalRequest& request) {
  if (!request.against.empty()) return fail(Code::usage, "compares sketch runs", "--against", "give runs of task skip together: NAME-0, NAME-1, ... are one method");
  if (!request.answers.empty()) {
    if (request.runs.size() > 1) return fail(Code::usage, fmt::format("holds the answers of one run, {} are given", request.runs.size()), "--answers");
    HONE_TRY(check_writable(request.answers, request.force));
  }
  std::vector<SkipEvaluation> runs;
  Progress progress("evaluate", static_cast<int64_t>(request.runs.size()), "runs");
  for (const std::string& run : request.runs) {
    HONE_TRY_ASSIGN(SkipEvaluation e, evaluate_skip(run, request.split, !request.answers.empty()));
    runs.push_back(std::move(e));
    progress.step(static_cast<int64_t>(runs.size()), {});
  }
  Facts written;
  if (!request.answers.empty()) {
    HONE_TRY(write_file(request.answers, runs[0].answers, request.force));
    written = answers_facts(runs[0], request.answers);
    if (runs[0].measures.empty()) {
      Report report;
      report.command = "eval";
      report.title = runs[0].run;
      report.subtitle = fmt::format("{}, {} split: nothing to compare with", runs[0].network, request.split);
      report.parts.push_back(std::move(written));
      return report;
    }
  }
  std::vector<double> ms;
  if (request.times) {
    HONE_TRY_ASSIGN(ms, request.times(request.runs));
  }
  HONE_TRY_ASSIGN(Report report, skip_report(runs, ms));
  if (!written.facts.empty()) report.parts.push_back(std::move(written));
  return report;
}

Result<Report> evaluate_runs(const EvalRequest& request) {
  HONE_TRY_ASSIGN(const std::string task, task_of(request.runs.at(0)));
  if (task == "skip") return evaluate_skip_runs(request);
  if (request.times) return fail(Code::usage, "times runs of task skip", "--measure", "hone bench takes any run");
  if (!request.answers.empty()) return fail(Code::usage, "writes answers of runs of task skip", "--answers");
  std::vector<Evaluation> runs, against;
  for (const std::string& run : request.runs) {
    HONE_TRY_ASSIGN(Evaluation e, evaluate(run, request.split));
    runs.push_back(std::move(e));
  }
  for (const std::string& run : request.against) {
    HONE_TRY_ASSIGN(Evaluation e, evaluate(run, request.split));
    against.push_back(std::move(e));
  }
  return evaluation_report(runs, against);
}

// libtorch throws; nothing of that may cross into the command line.
template <class T, class Work>
void guarded(Result<T>& reply, const Work& work) {
  train::keep_freed_memory();
  train::keep_compiled_kernels();
  try {
    reply = work();
  } catch (const c10::Error& e) {
    reply = fail(Code::failed, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    reply = fail(Code::failed, "out of memory", {}, "take a smaller batch");
  } catch (const std::exception& e) {
    reply = fail(Code::failed, e.what());
  }
}

// The same with nothing thrown across the border.
class GuardedSupernet : public Supernet {
 public:
  static Result<std::unique_ptr<Supernet>> open(const SupernetRequest& request) {
    HONE_TRY_ASSIGN(auto inner, TrainedSupernet::open(request));
    auto out = std::make_unique<GuardedSupernet>();
    out->inner_ = std::move(inner);
    return std::unique_ptr<Supernet>(std::move(out));
  }
  const space::Space& space() const override { return inner_->space(); }
  Result<MemberScore> score(const space::Member& member, const std::string& split) override {
    Result<MemberScore> reply;
    guarded(reply, [&] { return inner_->score(member, split); });
    return reply;
  }
  Result<Network> network(const space::Member& member) override {
    Result<Network> reply;
    guarded(reply, [&] { return inner_->network(member); });
    return reply;
  }
  std::string weights() const override { return inner_->weights(); }
  Result<std::vector<space::Member>> bank() const override {
    Result<std::vector<space::Member>> reply;
    guarded(reply, [&] { return inner_->bank(); });
    return reply;
  }

 private:
  std::unique_ptr<TrainedSupernet> inner_;
};

}  // namespace

}  // namespace hone::methods

#define HONE_EXPORT extern "C" __attribute__((visibility("default")))

HONE_EXPORT void hone_train_run(const hone::train::TrainRequest& request, hone::Result<hone::train::TrainReply>& reply) {
  hone::methods::guarded(reply, [&] { return hone::methods::run(request); });
}

HONE_EXPORT hone::Engine* hone_engine() { return &hone::train::torch_engine(); }

HONE_EXPORT void hone_check_run(const hone::train::CheckRequest& request, hone::Result<hone::RunCheck>& reply) {
  hone::methods::guarded(reply, [&] { return hone::train::check(request); });
}

HONE_EXPORT void hone_eval_run(const hone::methods::EvalRequest& request, hone::Result<hone::Report>& reply) {
  hone::methods::guarded(reply, [&] { return hone::methods::evaluate_runs(request); });
}

HONE_EXPORT void hone_supernet_open(const hone::methods::SupernetRequest& request, hone::Result<std::unique_ptr<hone::methods::Supernet>>& reply) {
  hone::methods::guarded(reply, [&]() -> hone::Result<std::unique_ptr<hone::methods::Supernet>> {
    HONE_TRY_ASSIGN(auto opened, hone::methods::GuardedSupernet::open(request));
    return opened;
  });
}

HONE_EXPORT void hone_supernet_eval(const hone::methods::SupernetEvalRequest& request, hone::Result<hone::Report>& reply) {
  hone::methods::guarded(reply, [&] { return hone::methods::supernet_accuracy(request); });
}

HONE_EXPORT void hone_supernet_conflict(const hone::methods::SupernetConflictRequest& request, hone::Result<hone::Report>& reply) {
  hone::methods::guarded(reply, [&] { return hone::methods::supernet_conflict(request); });
}
