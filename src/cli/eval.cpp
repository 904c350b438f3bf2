// hone eval: what trained runs are worth.
#include <algorithm>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/timing_options.h"
#include "core/plugin.h"
#include "measure/load.h"
#include "methods/plugin_api.h"
#include "run/progress.h"

namespace hone::cli {

namespace {

struct Options {
  methods::EvalRequest request;
  bool measure = false;
  std::optional<std::string> answers;
  TimingFlags timing;
  Output output;
};

constexpr double kSecondsEach = 3;  // of measuring, for each run

// Runs as networks, in turn (measure/timing.h).
Result<std::vector<double>> times_of(const std::vector<std::string>& runs, const TimingFlags& flags) {
  HONE_TRY_ASSIGN(const EngineOptions options, engine_options(flags));
  HONE_TRY_ASSIGN(TimingOptions timing, timing_options(flags, kSecondsEach * static_cast<double>(runs.size())));
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(flags.engine));
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.threads));
  std::vector<std::unique_ptr<EngineSession>> sessions;
  std::vector<Candidate> candidates;
  for (const std::string& run : runs) {
    NetworkOptions asked;
    asked.net = run;
    HONE_TRY_ASSIGN(const Network network, open(asked));
    HONE_TRY_ASSIGN(auto session, load_ready(*engine, network.graph, options, static_cast<uint64_t>(flags.seed.value_or(0))));
    candidates.push_back(candidate(run, *session));
    sessions.push_back(std::move(session));
  }
  Progress progress("measuring", 100, "%");
  timing.progress = [&](double share) { progress.step(static_cast<int64_t>(share * 100)); };
  HONE_TRY_ASSIGN(const Measurement measured, measure(candidates, timing));
  std::vector<double> out;
  for (const Timing& t : measured.timings) out.push_back(t.median);
  return out;
}

Result<Outcome> run(Options& o, const TextStyle& style) {
  HONE_TRY(check_used(o.timing, o.measure));
  if (o.measure) o.request.times = [&](const std::vector<std::string>& runs) { return times_of(runs, o.timing); };
  o.request.answers = o.answers.value_or("");
  o.request.force = o.output.force;
  HONE_TRY_ASSIGN(const Report report, ask_plugin<methods::EvalRun>("hone_train", "hone_eval_run", o.request));
  return present(report, o.output, style);
}

}  // namespace

Command eval_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "eval";
  c.summary = "Measures trained runs on held-out data";
  c.about =
      "Sketch runs and selectors: several runs are one method trained with several seeds, means and spread; --against compares with another method's runs by paired bootstrap. "
      "Runs of task skip: NAME-0, NAME-1, ... are one method each; the official measures of their data against parameters, MACs and time.";
  c.arguments = {{"RUN", &o->request.runs, "run directories"}};
  c.options.push_back({"--against", "RUN", &o->request.against, "a run of the method to compare with"});
  c.options.push_back({"--split", "NAME", &o->request.split, "test (default) or validation; of a run of task skip any split of its data"});
  c.options.push_back({"--answers", "FILE", &o->answers, "also write what a run of task skip answers, as the evaluation servers of VQAv2 (JSON) and NLVR2 (CSV) take it; the split's own answers need not be known"});
  c.options.push_back({"--measure", "", &o->measure, "also time one inference of each run of task skip"});
  add_timing(c, o->timing, "of measuring at most (default: 3 for each run)");
  add_output(c, o->output, true, true);
  c.examples = {{"hone eval runs/student", "accuracy and FLOPs at every canvas"},
                {"hone eval runs/distilled-0 runs/distilled-1 --against runs/alone-0 --against runs/alone-1", "two seeds of each, and what distillation won"},
                {"hone eval runs/adapted-0 --split test-dev --answers answers.json", "a submission to VQAv2's server"},
                {"hone eval runs/adapted-0 runs/adapted-1 runs/all-0 runs/all-1 --measure --html skip.html", "accuracy of two ways to adapt a network against MACs and time"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
