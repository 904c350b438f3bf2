// hone train: a recipe becomes a run directory, or goes on where its last process stopped.
#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "core/plugin.h"
#include "train/plugin_api.h"

namespace hone::cli {

namespace {

struct Options {
  std::string recipe;
  std::optional<std::string> run;
  std::vector<std::string> settings;
  bool frozen = false;
  Output output;
};

Table metrics_table(const train::TrainReply& reply) {
  Table table{"metrics", "Metrics", {{"metric", "metric"}, {"best", "best"}, {"last", "last"}}, {}};
  for (const auto& [name, value] : reply.last) {
    double best = NAN;
    for (const auto& [n, v] : reply.best)
      if (n == name) best = v;
    table.rows.push_back({name, best, value});
  }
  return table;
}

Result<Outcome> run_train(Options& o, const TextStyle& style) {
  std::error_code ec;
  if (!o.run && std::filesystem::is_directory(o.recipe, ec)) o.run = o.recipe;  // a run goes on by its own recipe
  if (!o.frozen && !o.run) return fail(Code::usage, "RUN is missing: the run directory", {}, "hone train --help");
  HONE_TRY_ASSIGN(train::TrainReply reply, ask_plugin<train::TrainRun>("hone_train", "hone_train_run", {o.recipe, o.run.value_or(""), o.settings, o.frozen}));
  if (o.frozen) return Outcome{std::move(reply.frozen)};
  if (reply.rank != 0) return Outcome{};  // rank 0 speaks for all
  Report report;
  report.command = "train";
  report.title = *o.run;
  report.subtitle = fmt::format("{} steps{}, best at step {}", reply.steps, reply.stopped_early ? " (stopped early)" : "", reply.best_step);
  report.parts.push_back(Facts{"", "", {{"run", "", *o.run}, {"steps", "", reply.steps}, {"best_step", "", reply.best_step}, {"stopped_early", "", reply.stopped_early}, {"watched", "", reply.watched}}, false, kJson});
  report.parts.push_back(metrics_table(reply));
  return present(report, o.output, style);
}

}  // namespace

Command train_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "train";
  c.summary = "Train by a recipe, or go on with a run";
  c.about =
      "Run again after a crash, a kill or a full disk, the same command goes on from the last checkpoint; on a CPU the weights come out as if nothing had happened, byte for byte. "
      "Under torchrun, srun or hone launch the processes share the work of one run.";
  c.arguments = {{"RECIPE", &o->recipe, "a recipe (.toml), or a run directory to go on with"}, {"RUN", &o->run, "the run directory, made when it is not there; a run's own may be left out", false}};
  c.options = {{"--set", "KEY=VALUE", &o->settings, "a value over the recipe's, as in optimiser.lr=0.1"},
               {"--frozen", "", &o->frozen, "print the recipe with every default written out, and stop"}};
  add_output(c, o->output, false, false);
  c.examples = {{"hone train recipes/classify/patterns.toml runs/first", "a first network, in a minute and without data"},
                {"hone train runs/first", "goes on where it stopped"},
                {"hone train recipes/classify/folder.toml runs/mine --set data.path=photos.zip", "class folders in an archive"}};
  c.run = [o](const TextStyle& style) { return run_train(*o, style); };
  return c;
}

}  // namespace hone::cli
