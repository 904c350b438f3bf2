// hone runs, hone runs show, hone runs compare: what run directories hold.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "run/run_report.h"

namespace hone::cli {

namespace {

struct Options {
  std::vector<std::string> folders;
  std::string a, b;
  Output output;
};

Result<Outcome> list(Options& o, const TextStyle& style) {
  if (o.folders.empty()) o.folders.emplace_back(".");
  std::vector<std::string> paths;
  for (const std::string& folder : o.folders) {
    std::error_code failed;
    if (!std::filesystem::is_directory(folder, failed)) return fail(Code::not_found, "no such folder", folder);
    for (std::string path : find_runs(folder)) paths.push_back(path.compare(0, 2, "./") == 0 ? path.substr(2) : std::move(path));
  }
  return present(list_report(paths), o.output, style);
}

Result<Outcome> show(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(o.a));
  HONE_TRY_ASSIGN(const Report report, run_report(run));
  return present(report, o.output, style);
}

Result<Outcome> compare(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const RunDir a, RunDir::open(o.a));
  HONE_TRY_ASSIGN(const RunDir b, RunDir::open(o.b));
  HONE_TRY_ASSIGN(const Report report, compare_report(a, b));
  return present(report, o.output, style);
}

}  // namespace

Command runs_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "runs";
  c.summary = "The run directories beneath a folder";
  c.about = "Lists runs with their state (running, finished, stopped), last step, best figure of the watched metric, and the time since their last event.";
  c.arguments = {{"DIR", &o->folders, "folders to look in (the current one by default)", false}};
  add_output(c, o->output, true, true);
  c.examples = {{"hone runs", "every run beneath this folder"}, {"hone runs runs/chairs --json", "for a program"}};
  c.run = [o](const TextStyle& style) { return list(*o, style); };
  return c;
}

Command runs_show_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "runs show";
  c.summary = "One run: figures, sessions, data, curves";
  c.arguments = {{"RUN", &o->a, "a run directory"}};
  add_output(c, o->output, true, true);
  c.examples = {{"hone runs show runs/a", "its figures, and who worked on it when"}, {"hone runs show runs/a --html a.html", "with its curves"}};
  c.run = [o](const TextStyle& style) { return show(*o, style); };
  return c;
}

Command runs_compare_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "runs compare";
  c.summary = "What differs between two runs: recipes and results";
  c.arguments = {{"A", &o->a, "a run directory"}, {"B", &o->b, "another one"}};
  add_output(c, o->output, true, true);
  c.examples = {{"hone runs compare runs/a runs/b", "recipe and figures side by side"}, {"hone runs compare runs/a runs/b --html both.html", "with both runs' curves in one picture"}};
  c.run = [o](const TextStyle& style) { return compare(*o, style); };
  return c;
}

}  // namespace hone::cli
