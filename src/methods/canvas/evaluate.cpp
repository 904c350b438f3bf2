#include "methods/canvas/evaluate.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include "cost/profile.h"
#include "methods/canvas/trained.h"
#include "methods/distil/trained.h"
#include "retrieval/embeddings.h"
#include "run/repeats.h"

namespace hone::methods {

namespace {

struct CanvasRanks {
  std::vector<std::vector<int64_t>> ranks;  // canvas, query
  std::vector<int64_t> flops, macs;         // of the encoder
};

Result<CanvasRanks> rank_everywhere(const TrainedEncoder& t, const SketchPhotoSet& set, const PhotoCache& photos, const std::vector<uint32_t>& items, Evaluation* facts) {
  const std::vector<uint32_t> gallery = set.gallery(items);
  std::map<uint32_t, uint32_t> position;
  for (size_t i = 0; i < gallery.size(); ++i) position[gallery[i]] = static_cast<uint32_t>(i);
  std::vector<uint32_t> truth;
  for (uint32_t i : items) truth.push_back(position.at(set.items[i].photo));
  HONE_TRY_ASSIGN(const Embeddings vectors, embed_photos(t.encoder, t.encoder.params(), photos, gallery));
  CanvasRanks out;
  for (int64_t canvas : t.encoder.options().canvases) {
    HONE_TRY_ASSIGN(const Graph graph, at_canvas(t.encoder.options(), t.encoder.graph(), canvas));
    HONE_TRY_ASSIGN(const Profile p, profile(graph));
    HONE_TRY_ASSIGN(const int64_t flops, paper_flops(graph));
    out.flops.push_back(flops);
    out.macs.push_back(p.totals.macs);
    if (facts) facts->params = p.totals.params;
    HONE_TRY_ASSIGN(const Embeddings queries, embed_sketches(t.encoder, t.encoder.params(), set, items, canvas));
    HONE_TRY_ASSIGN(std::vector<int64_t> r, ranks(queries, vectors, truth));
    out.ranks.push_back(std::move(r));
    std::set<std::string> categories;
    for (uint32_t g : gallery) categories.insert(set.photos[g].category);
    if (facts && categories.size() > 1 && canvas == t.encoder.side()) {
      std::vector<std::string> of_query, of_photo;
      for (uint32_t i : items) of_query.push_back(set.photos[set.items[i].photo].category);
      for (uint32_t g : gallery) of_photo.push_back(set.photos[g].category);
      HONE_TRY_ASSIGN(facts->map, mean_average_precision(queries, vectors, of_query, of_photo));
    }
  }
  if (facts) facts->gallery = static_cast<int64_t>(gallery.size());
  return out;
}

double hit(int64_t rank, int64_t q) { return rank <= q ? 1 : 0; }

// One canvas per query.
Scores chosen(std::string name, const CanvasRanks& r, const std::vector<size_t>& which, const std::vector<int64_t>& canvases) {
  Scores s{std::move(name), {}, {}, {}, {}, {}, {}, {}};
  for (size_t i = 0; i < which.size(); ++i) {
    const int64_t rank = r.ranks[which[i]][i];
    s.hit1.push_back(hit(rank, 1));
    s.hit5.push_back(hit(rank, 5));
    s.hit10.push_back(hit(rank, 10));
    s.reciprocal.push_back(1.0 / static_cast<double>(rank));
    s.flops.push_back(static_cast<double>(r.flops[which[i]]));
    s.macs.push_back(static_cast<double>(r.macs[which[i]]));
    s.canvas.push_back(canvases[which[i]]);
  }
  return s;
}

// Canvases drawn by chance, `share` of each: expected scores.
Scores mixed(std::string name, const CanvasRanks& r, const std::vector<double>& share) {
  Scores s{std::move(name), {}, {}, {}, {}, {}, {}, {}};
  const size_t n = r.ranks[0].size();
  for (auto* v : {&s.hit1, &s.hit5, &s.hit10, &s.reciprocal, &s.flops, &s.macs}) v->assign(n, 0);
  s.canvas.assign(n, 0);
  for (size_t i = 0; i < n; ++i)
    for (size_t c = 0; c < share.size(); ++c) {
      const int64_t rank = r.ranks[c][i];
      s.hit1[i] += share[c] * hit(rank, 1);
      s.hit5[i] += share[c] * hit(rank, 5);
      s.hit10[i] += share[c] * hit(rank, 10);
      s.reciprocal[i] += share[c] / static_cast<double>(rank);
      s.flops[i] += share[c] * static_cast<double>(r.flops[c]);
      s.macs[i] += share[c] * static_cast<double>(r.macs[c]);
    }
  return s;
}

double mean(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += x;
  return v.empty() ? 0 : sum / static_cast<double>(v.size());
}

// Sketches by their number of strokes, in up to five groups of about equal size: the canvases that the selector chose in each.
void add_choices_by_strokes(Report& report, const std::vector<Evaluation>& runs) {
  struct Choice {
    int64_t strokes, canvas;
  };
  std::vector<Choice> choices;
  for (const Evaluation& e : runs)
    for (const Scores& s : e.scores)
      for (size_t i = 0; s.name == "selector" && i < s.canvas.size(); ++i) choices.push_back({e.strokes[i], s.canvas[i]});
  std::ranges::sort(choices, {}, &Choice::strokes);
  Table table{"strokes", "Canvases chosen by number of strokes", {{"strokes", "strokes"}, {"sketches", "sketches"}}, {}};
  Chart chart;
  chart.kind = Chart::Kind::histogram;
  chart.title = "Canvases chosen against stroke count";
  chart.table = "strokes";
  chart.label = "strokes";
  chart.shares = true;
  for (int64_t canvas : runs[0].canvases) {
    chart.values.push_back(fmt::format("canvas_{}", canvas));
    table.columns.push_back({chart.values.back(), fmt::format("{}", canvas), Unit::share});
  }
  for (size_t begin = 0; begin < choices.size();) {
    size_t end = std::min(choices.size(), begin + (choices.size() + 4) / 5);
    while (end < choices.size() && choices[end].strokes == choices[end - 1].strokes) ++end;  // a count stays in one group
    const int64_t from = choices[begin].strokes, to = choices[end - 1].strokes;
    std::vector<Cell> row{from == to ? fmt::format("{}", from) : fmt::format("{}-{}", from, to), static_cast<int64_t>(end - begin)};
    for (int64_t canvas : runs[0].canvases) {
      const auto n = std::count_if(choices.begin() + static_cast<std::ptrdiff_t>(begin), choices.begin() + static_cast<std::ptrdiff_t>(end), [&](const Choice& c) { return c.canvas == canvas; });
      row.push_back(static_cast<double>(n) / static_cast<double>(end - begin));
    }
    table.rows.push_back(std::move(row));
    begin = end;
  }
  report.parts.push_back(std::move(table));
  report.parts.push_back(std::move(chart));
}

// The mix of two canvases that costs no more than `flops` and did best on other queries: what a user without a selector
// would set up. Shares by canvas.
std::vector<double> best_mix(const CanvasRanks& known, double flops) {
  const size_t k = known.ranks.size();
  std::vector<double> accuracy(k), best(k);
  for (size_t c = 0; c < k; ++c) accuracy[c] = acc_at(known.ranks[c], 1);
  double most = -1;
  for (size_t a = 0; a < k; ++a)
    for (size_t b = a; b < k; ++b) {
      const double fa = static_cast<double>(known.flops[a]), fb = static_cast<double>(known.flops[b]);
      if (fa > flops) continue;
      const double share = fb <= flops ? 1 : (flops - fa) / (fb - fa);  // of b, as much as the budget allows
      const double expected = (1 - share) * accuracy[a] + share * accuracy[b];
      if (expected <= most) continue;
      most = expected;
      best.assign(k, 0);
      best[a] += 1 - share;
      best[b] += share;
    }
  if (most < 0) best[0] = 1;  // even the smallest canvas costs more
  return best;
}

}  // namespace

Result<Evaluation> evaluate(const std::string& run, const std::string& split_name) {
  if (split_name != "test" && split_name != "validation") return fail(Code::usage, fmt::format("there is no split '{}'", split_name), "--split", "test or validation");
  std::optional<TrainedSelector> selector;
  HONE_TRY_ASSIGN(const std::string task, task_of(run));
  std::string encoder_run = run;
  if (task == "canvas") {
    HONE_TRY_ASSIGN(selector, open_selector(run));
    encoder_run = selector->run.encoder;
  }
  HONE_TRY_ASSIGN(const TrainedEncoder t, open_trained(encoder_run));
  HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(t.run.data));
  const Splits splits = split(set, t.run.data.validation, t.run.data.split_seed);
  const std::vector<uint32_t>& items = split_name == "test" ? splits.test : splits.validation;
  if (items.empty()) return fail(Code::invalid, fmt::format("the {} split is empty", split_name), t.run.data.path);
  std::vector<uint32_t> needed = set.gallery(items);
  for (uint32_t p : set.gallery(splits.validation)) needed.push_back(p);
  HONE_TRY_ASSIGN(const PhotoCache photos, PhotoCache::load(set, needed, t.encoder.side(), static_cast<int>(std::max(1u, std::thread::hardware_concurrency()))));

  Evaluation e;
  e.run = run;
  e.net = t.run.net;
  e.split = split_name;
  e.data = t.run.data.path;
  e.notes = set.notes;
  e.queries = static_cast<int64_t>(items.size());
  e.canvases = t.encoder.options().canvases;
  HONE_TRY_ASSIGN(const CanvasRanks r, rank_everywhere(t, set, photos, items, &e));
  e.canvas_flops = r.flops;
  const size_t k = e.canvases.size(), n = items.size();
  for (size_t c = 0; c < k; ++c) e.scores.push_back(chosen(fmt::format("canvas {}", e.canvases[c]), r, std::vector<size_t>(n, c), e.canvases));
  if (!selector) return e;

  const torch::autograd::AutoGradMode no_grad(false);
  for (const auto& entry : selector->selector.params().entries()) e.selector_params += entry.buffer ? 0 : entry.tensor.numel();
  std::vector<at::Tensor> rows;
  for (uint32_t i : items) {
    rows.push_back(selector->selector.rows(set.items[i].sketch));
    e.points.push_back(rows.back().size(0));
    e.strokes.push_back(static_cast<int64_t>(set.items[i].sketch.strokes.size()));
  }
  const at::Tensor pick = selector->selector.logits(rows, selector->selector.params()).argmax(1);
  std::vector<size_t> which;
  for (size_t i = 0; i < n; ++i) which.push_back(static_cast<size_t>(pick[static_cast<int64_t>(i)].item<int64_t>()));
  Scores learned = chosen("selector", r, which, e.canvases);
  for (size_t i = 0; i < n; ++i) {
    HONE_TRY_ASSIGN(const Graph graph, selector->selector.graph(e.points[i]));
    HONE_TRY_ASSIGN(const Profile p, profile(graph));
    learned.flops[i] += static_cast<double>(selector->selector.flops(e.points[i]));
    learned.macs[i] += static_cast<double>(p.totals.macs);
  }
  const double budget = mean(learned.flops);
  e.scores.push_back(mixed("random", r, std::vector<double>(k, 1.0 / static_cast<double>(k))));
  HONE_TRY_ASSIGN(const CanvasRanks known, rank_everywhere(t, set, photos, splits.validation, nullptr));
  e.scores.push_back(mixed("best fixed mix", r, best_mix(known, budget)));
  e.scores.push_back(std::move(learned));
  std::vector<size_t> ideal;
  for (size_t i = 0; i < n; ++i) {
    size_t best = 0;  // the smallest canvas that gets the best rank
    for (size_t c = 1; c < k; ++c)
      if (r.ranks[c][i] < r.ranks[best][i]) best = c;
    ideal.push_back(best);
  }
  e.scores.push_back(chosen("oracle", r, ideal, e.canvases));
  return e;
}

Result<Report> evaluation_report(const std::vector<Evaluation>& runs, const std::vector<Evaluation>& against) {
  const Evaluation& first = runs.at(0);
  for (const auto* side : {&runs, &against})
    for (const Evaluation& e : *side)
      if (e.queries != first.queries || e.split != first.split)
        return fail(Code::usage, fmt::format("{} has {} queries of the {} split, {} has {} of {}: they cannot be compared", first.run, first.queries, first.split, e.run, e.queries, e.split));
  for (const Evaluation& e : runs)
    if (e.scores.size() != first.scores.size() || e.canvases != first.canvases) return fail(Code::usage, fmt::format("{} and {} are different methods: seeds of one method have the same canvases", first.run, e.run), {}, "use --against for the other method");

  Report report;
  report.command = "eval";
  report.title = first.net;
  report.subtitle = fmt::format("{}, {} split: {} sketches, gallery of {} photos{}", first.run, first.split, first.queries, first.gallery, runs.size() > 1 ? fmt::format(", mean of this run and {} more", runs.size() - 1) : "");
  std::vector<std::string> names;
  for (const Evaluation& e : runs) names.push_back(e.run);
  Facts facts{"", "", {{"runs", "", names, Unit::none, "", kJson}, {"split", "", first.split, Unit::none, "", kJson}, {"network", "network", first.net}, {"queries", "sketches", first.queries, Unit::none, "", kJson},
                       {"gallery", "photos", first.gallery, Unit::none, "", kJson}, {"params", "parameters", first.params + first.selector_params, Unit::count, first.selector_params ? "selector included" : ""}}, true};
  if (first.map >= 0) {
    double map = 0;
    for (const Evaluation& e : runs) map += e.map / static_cast<double>(runs.size());
    facts.facts.push_back({"map", "mAP by category", map, Unit::share});
  }
  report.parts.push_back(std::move(facts));

  Table table{"methods", "Accuracy and cost of one sketch",
              {{"method", "method"}, {"acc1", "Acc@1", Unit::share, true}, {"acc1_sd", "+- runs", Unit::share, false, runs.size() > 1 ? uint8_t{kAll} : uint8_t{kJson | kCsv}}, {"acc5", "Acc@5", Unit::share}, {"acc10", "Acc@10", Unit::share}, {"mrr", "1/rank"},
               {"flops", "FLOPs", Unit::count}, {"macs", "MACs", Unit::count}, {"flops_share", "of full", Unit::share}}, {}};
  const auto pooled = [&](const std::vector<Evaluation>& of, size_t s, auto field) {
    std::vector<double> out;
    for (const Evaluation& e : of) out.push_back(mean(e.scores[s].*field));
    return out;
  };
  const double full = mean(pooled(runs, first.canvases.size() - 1, &Scores::flops));
  for (size_t s = 0; s < first.scores.size(); ++s) {
    const Spread acc = spread_of(pooled(runs, s, &Scores::hit1));
    const double flops = mean(pooled(runs, s, &Scores::flops));
    table.rows.push_back({first.scores[s].name, acc.mean, acc.n > 1 ? Cell(acc.deviation) : Cell(), mean(pooled(runs, s, &Scores::hit5)), mean(pooled(runs, s, &Scores::hit10)),
                          mean(pooled(runs, s, &Scores::reciprocal)), static_cast<int64_t>(std::llround(flops)), static_cast<int64_t>(std::llround(mean(pooled(runs, s, &Scores::macs)))), flops / full});
  }
  report.parts.push_back(std::move(table));
  report.parts.push_back(Note{Note::Level::info, "FLOPs as the paper counts them: 2 x (MACs + bias adds + 2 an element of BatchNorm + 1 an activation + inputs of pools)"});
  report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Accuracy against work",
                               .caption = fmt::format("FLOPs of one sketch{}; up and to the left is better.", first.points.empty() ? "" : ", the policy's own included"), .table = "methods", .label = "method",
                               .x = "flops", .y = "acc1", .log_x = true});

  // Canvases chosen, and how they go with the strokes.
  if (!first.points.empty()) {
    Table histogram{"canvases", "Canvases chosen", {{"canvas", "canvas"}, {"share", "share of sketches", Unit::share, true}, {"points", "points of their strokes, median"}}, {}};
    for (int64_t canvas : first.canvases) {
      double count = 0;
      std::vector<int64_t> points;
      for (const Evaluation& e : runs)
        for (const Scores& s : e.scores)
          if (s.name == "selector")
            for (size_t i = 0; i < s.canvas.size(); ++i)
              if (s.canvas[i] == canvas) ++count, points.push_back(e.points[i]);
      std::sort(points.begin(), points.end());
      histogram.rows.push_back({canvas, count / static_cast<double>(first.queries * static_cast<int64_t>(runs.size())), points.empty() ? Cell() : Cell(points[points.size() / 2])});
    }
    report.parts.push_back(std::move(histogram));
    add_choices_by_strokes(report, runs);
  }
  if (!against.empty()) {
    Table compare{"comparison", "Against the other method, paired bootstrap over sketches and runs",
                  {{"method", "method"}, {"other", "against"}, {"difference", "Acc@1 difference", Unit::share}, {"low", "95 % from", Unit::share}, {"high", "to", Unit::share}}, {}};
    const auto rows = [](const std::vector<Evaluation>& of, const std::string& name) {
      std::vector<std::vector<double>> out;
      for (const Evaluation& e : of)
        for (const Scores& s : e.scores)
          if (s.name == name) out.push_back(s.hit1);
      return out;
    };
    for (const Scores& s : first.scores) {
      auto other = rows(against, s.name);
      std::string name = s.name;
      if (other.empty()) {
        name = against[0].scores[against[0].canvases.size() - 1].name;
        other = rows(against, name);
      }
      HONE_TRY_ASSIGN(const Interval i, paired_bootstrap(rows(runs, s.name), other, 1));
      compare.rows.push_back({s.name, name, i.mean, i.low, i.high});
    }
    report.parts.push_back(std::move(compare));
  } else if (!first.points.empty()) {
    Table compare{"comparison", "Selector against the others, paired bootstrap over sketches and runs",
                  {{"other", "against"}, {"difference", "Acc@1 difference", Unit::share}, {"low", "95 % from", Unit::share}, {"high", "to", Unit::share}, {"flops_ratio", "FLOPs", Unit::share}}, {}};
    const auto rows = [&](size_t s) {
      std::vector<std::vector<double>> out;
      for (const Evaluation& e : runs) out.push_back(e.scores[s].hit1);
      return out;
    };
    size_t own = 0;
    while (first.scores[own].name != "selector") ++own;
    for (size_t s = 0; s < first.scores.size(); ++s) {
      if (s == own) continue;
      HONE_TRY_ASSIGN(const Interval i, paired_bootstrap(rows(own), rows(s), 1));
      compare.rows.push_back({first.scores[s].name, i.mean, i.low, i.high, mean(pooled(runs, own, &Scores::flops)) / mean(pooled(runs, s, &Scores::flops))});
    }
    report.parts.push_back(std::move(compare));
  }
  Table notes{"notes", "", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}, {}, false, kJson};
  for (const DataNote& note : first.notes) {
    notes.rows.push_back({note.kind, note.count, note.examples});
    report.parts.push_back(Note{Note::Level::warning, fmt::format("{}: {}", first.data, describe(note))});
  }
  report.parts.push_back(std::move(notes));
  return report;
}

}  // namespace hone::methods
