#include "methods/skip/evaluate.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <map>

#include "cost/profile.h"
#include "formats/checkpoint.h"
#include "retrieval/trained.h"
#include "run/progress.h"
#include "run/repeats.h"

namespace hone::methods {

namespace {

namespace fs = std::filesystem;

struct Opened {
  SkipOptions options;
  train::Compute compute;
  std::string checkpoint;
};

// The run's recipe, told to open what training left instead of what it began with.
Result<Opened> options_of(const std::string& path) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml")));
  const std::string task = recipe.text("task", "", "");
  if (task != "skip") return fail(Code::usage, fmt::format("a run of task skip is needed, this run's task is '{}'", task), path);
  Opened out;
  HONE_TRY_ASSIGN(out.compute, train::read_compute(recipe));
  SkipOptions& o = out.options;
  o = read_skip_options(recipe, out.compute);
  HONE_TRY_ASSIGN(out.checkpoint, checkpoint_of(run));
  o.network = kept_or_located(o.network, kKeptNetwork, path);
  o.weights.clear();
  o.search = false;
  o.set = run.file(kSkipSetFile);
  o.pictures.path = located(o.pictures.path, path);
  if (std::string& sketches = o.sketches.data.path; !sketches.empty() && sketches != "procedural") sketches = located(sketches, path);
  QuestionTrainOptions& q = o.questions;
  if (q.path.empty()) return out;
  if (q.path != "procedural") q.path = located(q.path, path);
  std::error_code ec;
  q.tokenizer = q.tokenizer.empty() || fs::exists(run.file("vocab.txt"), ec) ? run.file("vocab.txt") : located(q.tokenizer, path);
  if (fs::exists(run.file("answers.txt"), ec)) q.answers = run.file("answers.txt");
  return out;
}

double seconds_between(const std::string& began, const std::string& ended) {
  std::tm a{}, b{};
  if (!strptime(began.c_str(), "%Y-%m-%dT%H:%M:%SZ", &a) || !strptime(ended.c_str(), "%Y-%m-%dT%H:%M:%SZ", &b)) return 0;
  return static_cast<double>(timegm(&b) - timegm(&a));
}

double seconds_of(const std::string& path) {
  const auto run = RunDir::open(path);
  if (!run) return 0;
  const auto manifest = read_manifest(*run);
  double sum = 0;
  if (manifest)
    for (const Session& s : manifest->sessions) sum += seconds_between(s.began, s.ended);
  return sum;
}

// Both ways over all pairs of the split: text recall finds captions by pictures, image recall pictures by captions.
Status add_recall(SkipTask& task, const PairSet& pairs, SkipEvaluation& e) {
  HONE_TRY_ASSIGN(const Graph graph, task.subnets().graph(task.set(), 1));
  const auto captions = static_cast<int64_t>(pairs.picture_of.size());
  Progress progress("retrieve", pairs.pictures * captions, "pairs");
  PairOptions o;
  o.device = task.compute().device;
  o.compute = task.compute().type;
  o.progress = [&](int64_t done) { progress.step(done, {}); };
  HONE_TRY_ASSIGN(const PairScores s, score_pairs(graph, task.params(), pairs, o));
  const RecallScore r = recall({s.scores.const_data_ptr<float>(), static_cast<size_t>(s.scores.numel())}, pairs.picture_of, static_cast<size_t>(pairs.pictures));
  train::Metrics all;
  double sum = 0;
  for (const auto& [name, of] : {std::pair{"TR", r.text}, std::pair{"IR", r.image}})
    for (int k = 0; k < 3; ++k) {
      all.emplace_back(fmt::format("{}@{}", name, std::array{1, 5, 10}[static_cast<size_t>(k)]), of[k]);
      sum += of[k];
    }
  all.insert(all.begin(), {"mean recall", sum / 6});
  all.insert(all.end(), e.measures.begin(), e.measures.end());
  e.measures = std::move(all);
  e.pictures = pairs.pictures;
  e.encoded_macs = s.encoded_macs;
  e.pair_macs = s.pair_macs;
  return {};
}

std::string modules_text(const SkipSet& set) {
  std::string out;
  for (int64_t i : set.set) out += (out.empty() ? "" : ",") + std::to_string(i);
  return out;
}

}  // namespace

Result<std::unique_ptr<SkipTask>> open_skip_run(const std::string& path) {
  HONE_TRY_ASSIGN(const Opened opened, options_of(path));
  at::set_num_threads(opened.compute.threads);
  HONE_TRY_ASSIGN(auto task, SkipTask::make(opened.options, opened.compute, nullptr));
  HONE_TRY_ASSIGN(const Graph graph, task->subnets().graph(task->set(), 1));
  HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(opened.checkpoint));
  HONE_TRY_ASSIGN(const auto report, task->params().load(graph, std::move(tensors), /*strict=*/true, /*resize=*/false));
  (void)report;  // a search's checkpoint also holds what its set leaves out
  return task;
}

Result<SkipEvaluation> evaluate_skip(const std::string& path, const std::string& split, bool with_answers) {
  HONE_TRY_ASSIGN(const auto task, open_skip_run(path));
  SkipEvaluation e;
  e.run = path;
  e.split = split;
  HONE_TRY_ASSIGN(const SkipAnswers answers, task->answer(task->params(), task->set(), split));
  e.measures = answers.measures;
  if (e.measures.empty()) {
    HONE_TRY_ASSIGN(e.measures, task->source().measures(split, answers.chosen));
  }
  if (e.measures.empty() && !with_answers)
    return fail(Code::unsupported, fmt::format("the questions of split '{}' have no answers to compare with", split), path, "--answers FILE writes what the run answers");
  if (with_answers) {
    HONE_TRY_ASSIGN(e.answers, task->source().answers_file(split, answers.chosen));
  }
  e.notes = task->source().notes();
  HONE_TRY_ASSIGN(const auto pairs, task->source().pairs(split));
  if (pairs) HONE_TRY(add_recall(*task, *pairs, e));
  e.loss = answers.loss;
  e.examples = answers.examples;
  for (const auto& p : task->params().entries()) {
    if (p.buffer || !p.trainable) continue;
    e.trained += p.tensor.numel();
    if (is_adapter(p.name)) e.adapters += p.tensor.numel();
  }
  HONE_TRY_ASSIGN(const Graph graph, task->subnets().graph(task->set(), 1));
  HONE_TRY_ASSIGN(const Profile costs, profile(graph));
  HONE_TRY_ASSIGN(const Profile backbone, profile(task->subnets().base()));
  e.params = costs.totals.params;
  e.macs = costs.totals.macs;
  e.backbone_macs = backbone.totals.macs;
  e.candidates = static_cast<int64_t>(task->subnets().candidates().size());
  HONE_TRY_ASSIGN(e.set, read_skip_set(path));
  e.network = e.set.network;
  e.seconds = seconds_of(path);
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml")));
  std::error_code ec;
  if (const std::string from = located(recipe.text("skip.set", "", ""), path); !from.empty() && fs::is_directory(from, ec)) e.search_seconds = seconds_of(from);
  return e;
}

Facts answers_facts(const SkipEvaluation& e, const std::string& file) {
  std::string notes;
  for (const std::string& n : e.notes) notes += (notes.empty() ? "" : "; ") + n;
  Facts facts{"answers", "Answers", {{"file", "file", file}, {"run", "run", e.run}, {"split", "split", e.split}, {"questions", "questions", e.examples, Unit::count}}};
  if (!notes.empty()) facts.facts.push_back({"notes", "notes", notes});
  return facts;
}

Result<Report> skip_report(const std::vector<SkipEvaluation>& runs, const std::vector<double>& ms) {
  const SkipEvaluation& first = runs.at(0);
  const std::string measure = first.measures.at(0).first;
  for (const SkipEvaluation& e : runs)
    if (e.examples != first.examples || e.measures.at(0).first != measure)
      return fail(Code::usage, fmt::format("{} was measured on {} examples, {} on {}: they cannot be compared", first.run, first.examples, e.run, e.examples), {}, "evaluate runs of one data set together");
  Report report;
  report.command = "eval";
  report.title = runs.size() == 1 ? first.run : fmt::format("{} runs", runs.size());
  report.subtitle = fmt::format("{}, {} split, {} examples", first.network, first.split, first.examples);
  report.parts.push_back(Facts{"", "", {{"network", "network", first.network}, {"split", "split", first.split}, {"examples", "examples", first.examples, Unit::count}, {"measure", "compared by", measure},
                                        {"backbone_macs", "MACs, nothing added or left out", first.backbone_macs, Unit::count}}, true});
  if (first.pictures > 0)
    report.parts.push_back(Facts{"retrieval", "Retrieval over all pairs", {{"pictures", "pictures", first.pictures, Unit::count}, {"captions", "captions", first.examples, Unit::count},
                                                                          {"encoded_macs", "MACs of one picture and one caption, once each", first.encoded_macs, Unit::count}, {"pair_macs", "MACs of a pair", first.pair_macs, Unit::count}}});
  const bool timed = ms.size() == runs.size();
  const uint8_t if_timed = timed ? uint8_t{kAll} : uint8_t{0}, data = kJson | kCsv;
  Table methods{"methods", "By method",
                {{"method", "method"}, {"runs", "runs", Unit::count}, {"score", measure, Unit::share, true}, {"deviation", "+- runs", Unit::share}, {"adapters", "in adapters", Unit::count}, {"trained", "trained", Unit::count},
                 {"macs", "MACs", Unit::count}, {"percent", "to the backbone", Unit::percent}, {"ms", "time", Unit::milliseconds, false, if_timed}, {"skipped", "left out", Unit::count}, {"seconds", "training, s", Unit::none},
                 {"search_seconds", "search, s", Unit::none}, {"low", "", Unit::share, false, data | kHtml}, {"high", "", Unit::share, false, data | kHtml}}, {}};
  Table by_run{"runs", "By run", {{"run", "run"}, {"method", "method"}, {"skipped", "left out"}, {"chosen_by", "chosen by"}, {"loss", "loss"}}, {}};
  for (const auto& [name, value] : first.measures) by_run.columns.push_back({name, name, Unit::share});
  for (const Column& c : {Column{"macs", "MACs", Unit::count}, Column{"params", "parameters", Unit::count}, Column{"ms", "time", Unit::milliseconds, false, if_timed}}) by_run.columns.push_back(c);
  std::vector<std::string> order;
  std::map<std::string, std::vector<size_t>> of;
  for (size_t i = 0; i < runs.size(); ++i) {
    const std::string method = method_of(runs[i].run);
    if (of[method].empty()) order.push_back(method);
    of[method].push_back(i);
    const SkipEvaluation& e = runs[i];
    std::vector<Cell> row = {e.run, method, e.set.set.empty() ? std::string("-") : modules_text(e.set), e.set.set.empty() ? std::string("-") : e.set.method, e.loss};
    for (const auto& [name, value] : first.measures) {
      const auto own = std::ranges::find(e.measures, name, &train::Metrics::value_type::first);
      row.push_back(own == e.measures.end() ? Cell() : Cell(own->second));
    }
    row.insert(row.end(), {e.macs, e.params, timed ? Cell(ms[i]) : Cell()});
    by_run.rows.push_back(std::move(row));
  }
  const auto mean = [&](const std::vector<size_t>& which, auto value) {
    std::vector<double> all;
    for (size_t i : which) all.push_back(value(i));
    return spread_of(all);
  };
  for (const std::string& method : order) {
    const auto& which = of[method];
    const Spread score = mean(which, [&](size_t i) { return runs[i].measures[0].second; });
    const double macs = mean(which, [&](size_t i) { return static_cast<double>(runs[i].macs); }).mean, backbone = static_cast<double>(runs[which[0]].backbone_macs);
    const double seconds = mean(which, [&](size_t i) { return runs[i].seconds; }).mean, search = mean(which, [&](size_t i) { return runs[i].search_seconds; }).mean;
    methods.rows.push_back({method, static_cast<int64_t>(which.size()), score.mean, score.n > 1 ? Cell(score.deviation) : Cell(), runs[which[0]].adapters, runs[which[0]].trained, static_cast<int64_t>(macs),
                            100 * (macs / backbone - 1), timed ? Cell(mean(which, [&](size_t i) { return ms[i]; }).mean) : Cell(), static_cast<int64_t>(runs[which[0]].set.set.size()), seconds > 0 ? Cell(seconds) : Cell(),
                            search > 0 ? Cell(search) : Cell(), score.mean - score.deviation, score.mean + score.deviation});
  }
  const size_t several = methods.rows.size();
  report.parts.push_back(std::move(methods));
  if (several > 1) {
    for (const auto& [x, title] : {std::pair{"macs", "Accuracy against MACs"}, {"ms", "Accuracy against time"}}) {
      if (std::string_view(x) == "ms" && !timed) continue;
      Chart chart;
      chart.kind = Chart::Kind::scatter;
      chart.title = title;
      chart.caption = std::string("Colours: how many modules are left out.") + (runs.size() > several ? " Bars: one standard deviation over the runs of a method." : "");
      chart.table = "methods";
      chart.x = x;
      chart.y = "score";
      chart.low = "low";
      chart.high = "high";
      chart.label = "method";
      chart.group = "skipped";
      report.parts.push_back(std::move(chart));
    }
  }
  report.parts.push_back(std::move(by_run));
  return report;
}

}  // namespace hone::methods
