// hone eval: what trained runs are worth.
#include <memory>

#include "cli/commands.h"
#include "core/plugin.h"
#include "methods/plugin_api.h"

namespace hone::cli {

Command eval_command() {
  struct Options {
    methods::EvalRequest request;
    Output output;
  };
  auto o = std::make_shared<Options>();
  o->request.runs.clear();
  Command c;
  c.name = "eval";
  c.summary = "Measures trained runs on held-out data";
  c.about = "Several runs are one method trained with several seeds: means and spread. --against compares with another method's runs by paired bootstrap.";
  c.arguments = {{"RUN", &o->request.runs, "run directories"}};
  c.options.push_back({"--against", "RUN", &o->request.against, "a run of the method to compare with; may be repeated"});
  c.options.push_back({"--split", "NAME", &o->request.split, "test (default) or validation", {"test", "validation"}});
  add_output(c, o->output, true, true);
  c.examples = {{"hone eval runs/student", "accuracy and FLOPs at every canvas"},
                {"hone eval runs/distilled-0 runs/distilled-1 --against runs/alone-0 --against runs/alone-1", "two seeds of each, and what distillation won"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    HONE_TRY_ASSIGN(void* symbol, plugin_symbol("hone_train", "hone_eval_run"));
    Result<Report> report;
    reinterpret_cast<methods::EvalRun*>(symbol)(o->request, report);
    if (!report) return fail(std::move(report).error());
    return present(*report, o->output, style);
  };
  return c;
}

}  // namespace hone::cli
