// hone skip show: what a search has found, and how its scores came.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "retrieval/trained.h"
#include "rewrite/skip_set.h"
#include "run/format.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

struct Options {
  std::string set;
  Output output;
};

Result<Outcome> show(Options& o, const TextStyle& style) {
  std::error_code ec;
  const bool run = std::filesystem::is_directory(o.set, ec);
  HONE_TRY_ASSIGN(const SkipSet set, read_skip_set(o.set));
  // Names and costs of all candidates, where the network can be opened from here and is still the one.
  std::vector<SkipCandidate> candidates;
  if (auto network = open_network(run ? kept_or_located(set.network, kKeptNetwork, o.set) : set.network))
    if (auto found = skip_candidates(network->graph, set.variant); found && candidates_identity(*found) == set.identity) candidates = std::move(*found);
  const auto module = [&](size_t i) { return i < candidates.size() ? candidates[i].module : fmt::format("candidate {}", i); };

  Report report;
  report.command = "skip show";
  report.title = set.network;
  report.subtitle = set.set.empty() ? "no module left out" : fmt::format("{} {} left out, {}", set.set.size(), set.set.size() == 1 ? "module" : "modules", set.method == "given" ? "as given" : "chosen by " + set.method);
  if (!set.history.empty()) report.subtitle += fmt::format(", {} events", set.history.size());
  report.parts.push_back(Facts{"", "", {{"network", "", set.network}, {"method", "", set.method}, {"set", "", set.set}, {"seed", "", static_cast<int64_t>(set.seed)},
                                        {"events", "", static_cast<int64_t>(set.history.size())}}, false, kJson});
  Table table{"modules", "Modules", {{"index", "index"}, {"module", "module"}, {"left_out", "left out", Unit::none, false, kText | kJson | kCsv}, {"state", "", Unit::none, false, kHtml}, {"score", "score"}, {"macs", "MACs", Unit::count}}, {}};
  const size_t n = std::max(set.scores.size(), candidates.size());
  for (size_t i = 0; i < n; ++i) {
    const bool out = std::find(set.set.begin(), set.set.end(), static_cast<int64_t>(i)) != set.set.end();
    table.rows.push_back({static_cast<int64_t>(i), module(i), std::string(out ? "yes" : "no"), std::string(out ? "left out" : "kept"), i < set.scores.size() ? Cell{set.scores[i]} : Cell{}, i < candidates.size() ? Cell{candidates[i].macs} : Cell{}});
  }
  if (n == 0)
    for (size_t i = 0; i < set.set.size(); ++i) table.rows.push_back({set.set[i], set.modules[i], std::string("yes"), std::string("left out"), Cell{}, Cell{}});
  report.parts.push_back(std::move(table));
  if (set.history.size() > 1)
    report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Redundancy scores", .caption = "The modules with the largest scores are left out.", .table = "scores", .group = "module", .x = "step", .y = "score"});
  if (!candidates.empty() && !set.scores.empty())
    report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Score and cost", .caption = "Each module's score at the end, and what it costs.", .table = "modules", .label = "module", .group = "state", .x = "macs", .y = "score"});
  if (set.history.size() > 1) {
    Table curve{"scores", "Scores", {{"step", "step"}, {"module", "module"}, {"score", "score"}}, {}, true, kJson | kHtml};
    for (const SkipEvent& e : set.history)
      for (size_t i = 0; i < e.scores.size(); ++i) curve.rows.push_back({e.step, module(i), e.scores[i]});
    report.parts.push_back(std::move(curve));
  }
  return present(report, o.output, style);
}

}  // namespace

Command skip_show_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "skip show";
  c.summary = "What a search for a skip set has found";
  c.about = "Scores of every candidate, the set, and with --html the scores' way and the set against cost.";
  c.arguments.push_back({"SET", &o->set, "a search's run directory or a skip-set file"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone skip show runs/search --html search.html", "the search as a page with charts"}};
  c.run = [o](const TextStyle& style) { return show(*o, style); };
  return c;
}

}  // namespace hone::cli
