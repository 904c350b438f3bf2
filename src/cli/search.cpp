// hone search, hone pick: networks of a supernet that do well within a budget.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "core/file.h"
#include "core/plugin.h"
#include "methods/plugin_api.h"
#include "retrieval/trained.h"
#include "run/manifest.h"
#include "run/progress.h"
#include "run/run_dir.h"
#include "search/search_report.h"

namespace hone::cli {

namespace {

struct Options {
  std::string run, budget, method = "evolution", predictor = "none", preset = "elasticvit", split = "search";
  std::optional<std::string> file;
  std::optional<int64_t> generations, population, parents, mutations, crossovers, tries, evaluations, screen, seed, images, calibration, workers, threads, retest;
  std::optional<double> depth, gene, resolution, random_choice, window;
  bool no_floor = false;
  std::vector<std::string> settings;
  Output output;
};

template <class T, class U>
void take(const std::optional<T>& given, U& value) {
  if (given) value = *given;
}

search::SearchOptions options_of(const Options& o) {
  search::SearchOptions s = o.preset == "spaceevo" ? search::SearchOptions::spaceevo() : search::SearchOptions{};
  s.method = *search::parse_method(o.method);
  s.budget = o.budget;
  s.split = o.split;
  s.predictor = o.predictor == "ridge" ? search::PredictorKind::ridge : o.predictor == "mlp" ? search::PredictorKind::mlp : search::PredictorKind::none;
  s.floor = !o.no_floor;
  take(o.generations, s.generations), take(o.population, s.population), take(o.parents, s.parents), take(o.mutations, s.mutations), take(o.crossovers, s.crossovers);
  take(o.tries, s.tries), take(o.evaluations, s.evaluations), take(o.screen, s.screen), take(o.seed, s.seed), take(o.images, s.images), take(o.window, s.window);
  take(o.depth, s.variation.depth), take(o.gene, s.variation.gene), take(o.resolution, s.variation.resolution), take(o.random_choice, s.variation.random_choice);
  return s;
}

// One supernet for each worker: they are not made for several threads.
Result<search::Scorer> open_scorer(const Options& o, std::vector<std::unique_ptr<methods::Supernet>>& nets) {
  const int64_t workers = o.workers.value_or(1);
  methods::SupernetRequest request{o.run, static_cast<int>(o.threads.value_or(1)), o.calibration.value_or(-1), o.images.value_or(0), o.settings};
  search::Scorer scorer;
  for (int64_t i = 0; i < workers; ++i) {
    HONE_TRY_ASSIGN(auto net, ask_plugin<methods::SupernetOpen>("hone_train", "hone_supernet_open", request));
    nets.push_back(std::move(net));
    scorer.workers.emplace_back([net = nets.back().get(), split = o.split](const space::Member& m) { return net->score(m, split); });
  }
  scorer.space = nets[0]->space();
  scorer.weights = nets[0]->weights();
  HONE_TRY_ASSIGN(scorer.bank, nets[0]->bank());
  return scorer;
}

// The best once more, on the whole validation split; nothing where that chose them.
Status retest(const Options& o, search::SearchResult& result) {
  const int64_t count = o.split == "val" ? 0 : static_cast<int64_t>(search::to_retest(result, o.retest.value_or(10)).size());
  if (count == 0) return {};
  HONE_TRY_ASSIGN(const auto net, ask_plugin<methods::SupernetOpen>("hone_train", "hone_supernet_open", {o.run, static_cast<int>(o.threads.value_or(1)), o.calibration.value_or(-1), 0, o.settings}));
  Progress progress("test again", count, "networks");
  return search::retest(result, [&, done = int64_t{0}](const space::Member& m) mutable {
    auto score = net->score(m, "val");
    progress.step(++done, {});
    return score;
  }, count);
}

Status write_member(const space::Space& s, const space::Member& m, const std::string& path, bool force) { return write_file(path, print_member(s, m), force); }

Status check_file(const Options& o) {
  if (!o.file) return {};
  if (!o.file->ends_with(".json")) return fail(Code::usage, "an encoding's file ends with .json", *o.file);
  return check_writable(*o.file, o.output.force);
}

Result<Outcome> run_search(const Options& o, const TextStyle& style) {
  const search::SearchOptions wish = options_of(o);
  HONE_TRY(search::check(wish));
  if (!o.budget.empty()) HONE_TRY(parse_budget(o.budget));
  if (o.budget.empty() && wish.method == search::Method::evolution) return fail(Code::usage, "evolution searches within a budget", "--budget", "such as --budget 'macs<20M'; --method front needs none");
  if (o.retest && (*o.retest < 0 || *o.retest > 10000)) return fail(Code::usage, fmt::format("{} members, expected 0 to 10000", *o.retest), "--retest");
  if (o.calibration && *o.calibration < 0) return fail(Code::usage, fmt::format("{} batches, expected 0 or more", *o.calibration), "--calibration");
  if (o.workers && (*o.workers < 1 || *o.workers > 256)) return fail(Code::usage, fmt::format("{} workers, expected 1 to 256", *o.workers), "--workers");
  if (o.threads && (*o.threads < 1 || *o.threads > 1024)) return fail(Code::usage, fmt::format("{} threads, expected 1 to 1024", *o.threads), "--threads");
  HONE_TRY(check_file(o));
  HONE_TRY(RunDir::open(o.run));
  std::vector<std::unique_ptr<methods::Supernet>> nets;
  HONE_TRY_ASSIGN(const search::Scorer scorer, open_scorer(o, nets));
  std::optional<Progress> progress;
  auto result = search::run_search(scorer, wish, o.run + "/search", [&](int64_t done, int64_t expected, const search::Entry& best) {
    if (!progress) progress.emplace("search", expected, "networks", 1, done - 1);  // what the archive answered is no speed
    progress->step(done, {{"best", best.score.accuracy}, {"MMACs", static_cast<double>(best.cost.counts.macs) / 1e6}});
  });
  if (progress && result) progress->end(result->ended);
  progress.reset();
  if (!result) return fail(result.error());
  HONE_TRY(retest(o, *result));
  HONE_TRY_ASSIGN(Outcome outcome, present(search::search_report(*result, o.run), o.output, style));
  if (o.file && !result->ranked.empty()) {
    HONE_TRY(write_member(scorer.space, result->entries[static_cast<size_t>(result->ranked[0])].member, *o.file, o.output.force));
    outcome.diagnostics += fmt::format("wrote {}\n", *o.file);
  }
  return outcome;
}

Result<Outcome> run_pick(const Options& o, const TextStyle& style) {
  if (o.budget.empty()) return fail(Code::usage, "say within what", "--budget", "such as --budget 'macs<20M'");
  HONE_TRY(parse_budget(o.budget));
  HONE_TRY(check_file(o));
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(o.run));
  // Archives outlive the checkpoint: without one the newest archive says which weights are meant.
  std::string weights;
  if (const auto checkpoint = checkpoint_of(run)) {
    HONE_TRY_ASSIGN(const std::string sum, file_checksum(*checkpoint));
    weights = methods::weights_id(sum);
  }
  HONE_TRY_ASSIGN(const search::Picked picked, search::pick(o.run + "/search", o.budget, weights));
  HONE_TRY_ASSIGN(Outcome outcome, present(search::pick_report(picked, o.run, o.budget), o.output, style));
  if (o.file) {
    HONE_TRY(write_member(picked.header.space, picked.entry.member, *o.file, o.output.force));
    outcome.diagnostics += fmt::format("wrote {}\n", *o.file);
  }
  return outcome;
}

// What both commands ask: within what, and where to write the best.
void add_budget(Command& c, Options& o) { c.options.push_back({"--budget", "BUDGET", &o.budget, "macs, params, acts, memory or latency with = or <, as in 'macs<20M,latency<8ms@DEVICE.json'"}); }
void add_file(Command& c, Options& o) { c.options.push_back({"-o,--output", "FILE.json", &o.file, "write the best member's encoding"}); }

}  // namespace

Command search_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "search";
  c.summary = "Networks of a trained supernet that do well within a budget";
  c.about = "Scores members with the weights that the supernet lends them, BatchNorm statistics measured anew. Every score is a line of RUN/search/ID.jsonl; the same command goes on where it was stopped. docs/search.md explains methods and numbers.";
  c.arguments = {{"RUN", &o->run, "directory of a supernet run"}};
  add_budget(c, *o);
  c.options.push_back({"--method", "NAME", &o->method, "evolution (default), front: accuracy against cost at once, random, or exhaustive", {"evolution", "front", "random", "exhaustive"}});
  c.options.push_back({"--preset", "NAME", &o->preset, "numbers of a published search: elasticvit (default), or spaceevo, made for latency", {"elasticvit", "spaceevo"}});
  c.options.push_back({"--predictor", "KIND", &o->predictor, "children are screened by predicted accuracy: none (default), ridge or mlp", {"none", "ridge", "mlp"}});
  c.options.push_back({"--screen", "N", &o->screen, "with a predictor: children made for each that is scored, 4 unless told"});
  c.options.push_back({"--generations", "N", &o->generations, "40 unless told (spaceevo 20)"});
  c.options.push_back({"--population", "N", &o->population, "of the first generation, 512 unless told"});
  c.options.push_back({"--parents", "N", &o->parents, "best members that children are made from, 256 unless told"});
  c.options.push_back({"--mutations", "N", &o->mutations, "a generation, 128 unless told"});
  c.options.push_back({"--crossovers", "N", &o->crossovers, "a generation, 128 unless told"});
  c.options.push_back({"--evaluations", "N", &o->evaluations, "of random search; as many as evolution's unless told"});
  c.options.push_back({"--tries", "N", &o->tries, "for each child, 10 unless told"});
  c.options.push_back({"--depth-probability", "P", &o->depth, "of redrawing a member's depths, 0.4 unless told (spaceevo 0.3)"});
  c.options.push_back({"--gene-probability", "P", &o->gene, "of redrawing each other gene, 0.2 unless told (spaceevo 0.3)"});
  c.options.push_back({"--resolution-probability", "P", &o->resolution, "of redrawing the resolution, 0.2 unless told (spaceevo 0.5)"});
  c.options.push_back({"--random-choice", "P", &o->random_choice, "of a redrawn gene to be any choice, not the smallest, 0.45 unless told"});
  c.options.push_back({"--window", "SHARE", &o->window, "candidates lie within this share below a limit; the space's level window, or 0.1, unless told"});
  c.options.push_back({"--no-floor", "", &o->no_floor, "also genes below the smallest network of the budget's level"});
  c.options.push_back({"--split", "NAME", &o->split, "of the data that scores are measured on: search (default), training pictures that the run kept back, or val", {"search", "val"}});
  c.options.push_back({"--images", "N", &o->images, "of the split, all unless told"});
  c.options.push_back({"--retest", "N", &o->retest, "best members tested again on the whole val split, 10 unless told; 0: none"});
  c.options.push_back({"--calibration", "N", &o->calibration, "training batches for BatchNorm statistics, as the recipe says unless told; 0: training's own, mixed over all members"});
  c.options.push_back({"--workers", "N", &o->workers, "networks scored side by side, 1 unless told"});
  c.options.push_back({"--threads", "N", &o->threads, "of each worker, 1 unless told"});
  c.options.push_back({"--seed", "S", &o->seed, "2012 unless told"});
  c.options.push_back({"--set", "KEY=VALUE", &o->settings, "over the run's recipe, such as where the data lie"});
  add_file(c, *o);
  add_output(c, o->output, true, true);
  c.examples = {{"hone search runs/supernet --budget 'macs<20M'", "the best network of 20 M multiply-adds"},
                {"hone search runs/supernet --method front --html front.html", "the whole front of accuracy against MACs, with its picture"}};
  c.run = [o](const TextStyle& style) { return run_search(*o, style); };
  return c;
}

Command pick_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "pick";
  c.summary = "The best network within a budget that searches of a run have met";
  c.about = "Reads the archives of RUN/search; nothing is scored. hone export RUN --arch FILE.json makes a stand-alone network of it.";
  c.arguments = {{"RUN", &o->run, "directory of a supernet run that was searched"}};
  add_budget(c, *o);
  add_file(c, *o);
  add_output(c, o->output, true, true);
  c.examples = {{"hone pick runs/supernet --budget 'macs<15M' -o small.json", "an encoding to export"}};
  c.run = [o](const TextStyle& style) { return run_pick(*o, style); };
  return c;
}

}  // namespace hone::cli
