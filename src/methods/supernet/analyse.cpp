#include "methods/supernet/analyse.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/shuffle.h"
#include "methods/supernet/conflict.h"
#include "methods/supernet/open.h"
#include "run/progress.h"
#include "run/repeats.h"

namespace hone::methods {

namespace {

enum Purpose : uint64_t { kMembers = 0x7c01, kConflict };

double mega(double v) { return v / 1e6; }

// A group of members of about one cost.
struct Group {
  std::string name;
  std::vector<space::Member> members;
  double cost = 0;   // mean, MMACs
};

Result<std::vector<Group>> groups_of(const Sampler& sampler, int64_t members) {
  const space::Space& s = sampler.space();
  std::vector<Group> out = {{"smallest", {space::smallest(s)}, 0}};
  for (size_t level = 0; level < sampler.levels().size(); ++level) {
    Group g{fmt::format("{:.4g} M", mega(static_cast<double>(sampler.levels()[level]))), {}, 0};
    Rng rng(derive_seed(0, kMembers, static_cast<uint64_t>(sampler.levels()[level])));
    for (int64_t i = 0; i < members; ++i) g.members.push_back(sampler.explore(level, rng));
    out.push_back(std::move(g));
  }
  out.push_back({"largest", {space::largest(s)}, 0});
  for (Group& g : out)
    for (const space::Member& m : g.members) g.cost += mega(static_cast<double>(sampler.cost(m))) / static_cast<double>(g.members.size());
  return out;
}

SupernetRequest request_of(const std::string& run, int threads, const std::vector<std::string>& settings) {
  SupernetRequest r;
  r.run = run;
  r.threads = threads;
  r.settings = settings;
  return r;
}

SupernetRequest request_of(const SupernetEvalRequest& r, const std::string& run) {
  SupernetRequest out = request_of(run, r.threads, r.settings);
  out.images = r.images;
  out.calibration_batches = r.calibration_batches;
  return out;
}

// Members that were named, in every run by itself and over the runs.
Result<Report> accuracy_of_named(const SupernetEvalRequest& request) {
  Table rows{"members", "By run", {{"arch", "member"}, {"run", "run"}, {"mmacs", "MMACs"}, {"params", "parameters", Unit::count}, {"top1", "top-1", Unit::share}, {"loss", "loss"}, {"images", "pictures", Unit::count, false, kJson}, {"encoding", "encoding", Unit::none, false, kJson | kHtml}}, {}};
  std::vector<std::vector<double>> accuracy(request.archs.size());
  std::vector<double> cost(request.archs.size());
  std::string name;
  for (const std::string& run : request.runs) {
    HONE_TRY_ASSIGN(const auto supernet, TrainedSupernet::open(request_of(request, run)));
    const space::Space& s = supernet->space();
    name = s.name;
    HONE_TRY_ASSIGN(const space::CostTable costs, space::CostTable::make(s));
    std::vector<space::Member> members;   // a foreign one is said before anything is scored
    for (const std::string& file : request.archs) {
      HONE_TRY_ASSIGN(space::Member m, space::read_member(s, file));
      members.push_back(m);
    }
    Progress progress("evaluate " + run, static_cast<int64_t>(members.size()), "members");
    for (size_t i = 0; i < members.size(); ++i) {
      HONE_TRY_ASSIGN(const MemberScore score, supernet->score(members[i], request.split));
      const space::Cost c = costs(members[i]).value_or(space::Cost{});
      cost[i] = mega(static_cast<double>(c.macs));
      accuracy[i].push_back(score.accuracy);
      std::string encoding = space::print_member(s, members[i]);
      encoding.pop_back();
      rows.rows.push_back({request.archs[i], run, cost[i], c.params, score.accuracy, score.loss, score.images, std::move(encoding)});
      progress.step(static_cast<int64_t>(i) + 1, {});
    }
  }
  Report report;
  report.command = "supernet eval";
  report.title = fmt::format("Members of {}", name);
  report.subtitle = fmt::format("inherited weights after recalibration, {} split", request.split);
  if (request.runs.size() > 1) {
    Table means{"over_runs", "Over the runs", {{"arch", "member"}, {"mmacs", "MMACs"}, {"runs", "runs", Unit::count}, {"top1", "top-1", Unit::share}, {"deviation", "+-", Unit::share}}, {}};
    for (size_t i = 0; i < accuracy.size(); ++i) {
      const Spread a = spread_of(accuracy[i]);
      means.rows.push_back({request.archs[i], cost[i], a.n, a.mean, a.deviation});
    }
    report.parts.push_back(std::move(means));
  }
  report.parts.push_back(std::move(rows));
  return report;
}

}  // namespace

namespace {

// What one method's runs got in one group of members.
struct GroupScores {
  std::vector<double> accuracy, loss;   // by run: means over the group's members
  double best = 0;
};

struct Scores {
  space::Space space;                   // of the first run, whose levels members are drawn of
  std::vector<Group> groups;            // smallest, levels, largest
  std::vector<std::string> methods;
  std::map<std::pair<std::string, size_t>, GroupScores> of;   // by method and group
  Table by_run{"by_run", "By run: mean over the levels", {{"run", "run"}, {"method", "method"}, {"top1", "top-1", Unit::share}, {"loss", "loss"}}, {}};
  int64_t images = 0;
};

// All runs are of one space, which is known before the first member is scored.
Result<std::vector<std::unique_ptr<TrainedSupernet>>> open_alike(const SupernetEvalRequest& request) {
  std::vector<std::unique_ptr<TrainedSupernet>> out;
  for (const std::string& run : request.runs) {
    HONE_TRY_ASSIGN(auto supernet, TrainedSupernet::open(request_of(request, run)));
    space::Space own = supernet->space();
    if (!out.empty()) own.levels = out[0]->space().levels;   // members are of the first run's levels
    if (!out.empty() && !(own == out[0]->space())) return fail(Code::usage, "is of another space than " + request.runs[0], run, "compare runs of one space");
    out.push_back(std::move(supernet));
  }
  return out;
}

Status score_run(Scores& scores, TrainedSupernet& supernet, const std::string& run, const std::string& split) {
  const std::string method = method_of(run);
  if (std::find(scores.methods.begin(), scores.methods.end(), method) == scores.methods.end()) scores.methods.push_back(method);
  int64_t done = 0, total = 0;
  for (const Group& g : scores.groups) total += static_cast<int64_t>(g.members.size());
  Progress progress("evaluate " + run, total, "members");
  std::vector<double> level_accuracy, level_loss;
  for (size_t i = 0; i < scores.groups.size(); ++i) {
    GroupScores& own = scores.of[{method, i}];
    std::vector<double> accuracy, loss;
    for (const space::Member& m : scores.groups[i].members) {
      HONE_TRY_ASSIGN(const MemberScore score, supernet.score(m, split));
      accuracy.push_back(score.accuracy);
      loss.push_back(score.loss);
      scores.images = score.images;
      progress.step(++done, {});
    }
    own.accuracy.push_back(spread_of(accuracy).mean);
    own.loss.push_back(spread_of(loss).mean);
    own.best = std::max(own.best, *std::max_element(accuracy.begin(), accuracy.end()));
    if (i == 0 || i + 1 == scores.groups.size()) continue;   // the ends of the range are no levels
    level_accuracy.push_back(own.accuracy.back());
    level_loss.push_back(own.loss.back());
  }
  if (!level_accuracy.empty()) scores.by_run.rows.push_back({run, method, spread_of(level_accuracy).mean, spread_of(level_loss).mean});
  return {};
}

// One run has no spread.
Cell deviation_cell(const Spread& s) { return s.n > 1 ? Cell(s.deviation) : Cell(); }

Report accuracy_report(Scores scores, const std::string& split) {
  Report report;
  report.command = "supernet eval";
  report.title = fmt::format("Members of {}", scores.space.name);
  report.subtitle = fmt::format("inherited weights after recalibration, {} pictures of the {} split", scores.images, split);
  report.parts.push_back(Facts{"", "", {{"space", "space", scores.space.name}, {"split", "split", split}, {"images", "pictures", scores.images}}});
  Table table{"groups", "Top-1 over the cost range",
              {{"method", "method"}, {"group", "members of"}, {"mmacs", "MMACs"}, {"members", "members", Unit::count}, {"runs", "runs", Unit::count}, {"top1", "top-1", Unit::share}, {"deviation", "over runs +-", Unit::share},
               {"best", "best member", Unit::share}, {"loss", "loss"}, {"low", "low", Unit::share, false, kJson | kHtml}, {"high", "high", Unit::share, false, kJson | kHtml}},
              {}};
  Table means{"methods", "Mean over the levels, seed by seed", {{"method", "method"}, {"runs", "runs", Unit::count}, {"top1", "top-1", Unit::share}, {"deviation", "over runs +-", Unit::share}}, {}};
  for (const std::string& method : scores.methods) {
    std::vector<double> over_levels;
    for (size_t i = 0; i < scores.groups.size(); ++i) {
      const GroupScores& own = scores.of[{method, i}];
      const Spread a = spread_of(own.accuracy), l = spread_of(own.loss);
      table.rows.push_back({method, scores.groups[i].name, scores.groups[i].cost, static_cast<int64_t>(scores.groups[i].members.size()), a.n, a.mean, deviation_cell(a), own.best, l.mean, a.mean - a.deviation, a.mean + a.deviation});
      if (i > 0 && i + 1 < scores.groups.size()) {
        over_levels.resize(own.accuracy.size());
        for (size_t r = 0; r < own.accuracy.size(); ++r) over_levels[r] += own.accuracy[r] / static_cast<double>(scores.groups.size() - 2);
      }
    }
    if (over_levels.empty()) continue;
    const Spread s = spread_of(over_levels);
    means.rows.push_back({method, s.n, s.mean, deviation_cell(s)});
  }
  report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Accuracy over the cost range", .caption = "The band is one standard deviation over runs.", .table = "groups", .group = "method", .x = "mmacs", .y = "top1", .low = "low", .high = "high", .log_x = true});
  report.parts.push_back(std::move(means));
  report.parts.push_back(std::move(table));
  report.parts.push_back(std::move(scores.by_run));
  return report;
}

}  // namespace

Result<Report> supernet_accuracy(const SupernetEvalRequest& request) {
  if (!request.archs.empty()) return accuracy_of_named(request);
  if (request.members < 1) return fail(Code::usage, "at least one member of a level is needed", "--members");
  HONE_TRY_ASSIGN(auto supernets, open_alike(request));
  Scores scores;
  scores.space = supernets.at(0)->space();
  SamplerOptions plain;
  plain.levels = !scores.space.levels.at.empty();
  HONE_TRY_ASSIGN(const Sampler sampler, Sampler::make(scores.space, plain));
  HONE_TRY_ASSIGN(scores.groups, groups_of(sampler, request.members));
  for (size_t i = 0; i < supernets.size(); ++i) {
    HONE_TRY(score_run(scores, *supernets[i], request.runs[i], request.split));
    supernets[i].reset();   // with the pictures that it keeps
  }
  return accuracy_report(std::move(scores), request.split);
}

namespace {

struct Subject {
  space::Member member;
  size_t level = 0;
  bool banked = false;
  double cost = 0;   // MMACs
};

struct Pair {
  size_t a = 0, b = 0;
  double cosine = 0, negative = 0;          // means over batches; share of tensors
  std::vector<double> parts;
};

// The batch's gradient of every subject; training's statistics are left alone.
Result<std::vector<MemberGradient>> gradients(TrainedSupernet& supernet, const std::vector<Subject>& subjects, const train::Batch& batch) {
  std::vector<MemberGradient> out;
  for (const Subject& s : subjects) {
    HONE_TRY_ASSIGN(const auto program, supernet.store().program(s.member));
    auto leaves = program->tensors(supernet.store().params());
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (program->slices[i].buffer) leaves[i] = leaves[i].clone();
      else leaves[i] = leaves[i].detach().set_requires_grad(true);
    }
    train::RunOptions run;
    run.training = true;
    run.batch_norm = train::BatchNorm::train;
    run.generator = train::step_generator(supernet.options().compute, 0, 0);
    HONE_TRY_ASSIGN(const auto logits, program->program.run({resized(batch.images, s.member.resolution)}, leaves, run));
    torch::autograd::backward({at::cross_entropy_loss(logits[0].to(at::kFloat), batch.labels, {}, at::Reduction::Mean, -100, supernet.options().label_smoothing)}, {});
    MemberGradient g{program, {}};
    for (const at::Tensor& leaf : leaves) g.grads.push_back(leaf.requires_grad() ? leaf.grad() : at::Tensor());
    out.push_back(std::move(g));
  }
  return out;
}

// Differences of cost that pairs are put together by, as shares of the highest level: the published space's 50, 100, 200, 400
// and 800 of 1200 MMACs.
constexpr double kEdges[] = {0, 1 / 24.0, 1 / 12.0, 1 / 6.0, 1 / 3.0, 2 / 3.0, INFINITY};

// As many drawn members of every level as wanted, and of its bank where the run has banks of these levels.
std::vector<Subject> subjects_of(const Sampler& sampler, const std::vector<Bank>& banks, int64_t members) {
  std::vector<Subject> out;
  for (size_t level = 0; level < sampler.levels().size(); ++level) {
    Rng rng(derive_seed(0, kConflict, static_cast<uint64_t>(sampler.levels()[level])));
    for (int64_t i = 0; i < members; ++i) out.push_back({sampler.explore(level, rng), level, false, 0});
    if (level >= banks.size()) continue;
    std::vector<BankEntry> best = banks[level].entries;
    std::sort(best.begin(), best.end(), [](const BankEntry& a, const BankEntry& b) { return a.quality > b.quality; });
    for (size_t i = 0; i < std::min(best.size(), static_cast<size_t>(members)); ++i) out.push_back({best[i].member, level, true, 0});
  }
  for (Subject& subject : out) subject.cost = mega(static_cast<double>(sampler.cost(subject.member)));
  return out;
}

// Every pair's cosine, the mean over batches that all subjects see.
Result<std::vector<Pair>> compare(TrainedSupernet& supernet, const std::vector<Subject>& subjects, int64_t batches, const std::string& run) {
  std::vector<Pair> pairs;
  for (size_t a = 0; a < subjects.size(); ++a)
    for (size_t b = a + 1; b < subjects.size(); ++b) pairs.push_back({a, b, 0, 0, std::vector<double>(supernet.space().stages.size() + 2, 0)});
  HONE_TRY_ASSIGN(const train::TrainingBatches* training, supernet.training());
  Progress progress("conflict " + run, batches, "batches");
  const auto n = static_cast<double>(batches);
  for (int64_t k = 0; k < batches; ++k) {
    HONE_TRY_ASSIGN(train::Batch batch, training->batch_of(k, 0, 1));
    const at::Device device = supernet.options().compute.device;
    batch = {batch.images.to(device), batch.labels.to(device)};
    HONE_TRY_ASSIGN(const auto grads, gradients(supernet, subjects, batch));
    for (Pair& p : pairs) {
      const Agreement g = agreement(supernet.store(), grads[p.a], grads[p.b]);
      p.cosine += g.cosine() / n;
      p.negative += static_cast<double>(g.negative) / static_cast<double>(std::max<int64_t>(1, g.tensors)) / n;
      for (size_t i = 0; i < p.parts.size(); ++i)
        if (g.stage_first[i] > 0 && g.stage_second[i] > 0) p.parts[i] += g.stage_dot[i] / std::sqrt(g.stage_first[i] * g.stage_second[i]) / n;
    }
    progress.step(k + 1, {});
  }
  return pairs;
}

// What the pairs of all runs say, run by run.
struct ConflictTables {
  Table bins{"differences", "By difference of cost", {{"run", "run"}, {"from", "from MMACs"}, {"to", "to"}, {"difference", "mean MMACs", Unit::none, false, kJson | kHtml}, {"pairs", "pairs", Unit::count}, {"cosine", "cosine"}, {"deviation", "+-"},
             {"conflicts", "pairs below 0", Unit::share}, {"tensors", "tensors below 0", Unit::share}}, {}};
  Table members{"levels", "Within a level", {{"run", "run"}, {"which", "pairs of"}, {"pairs", "pairs", Unit::count}, {"cosine", "cosine"}, {"deviation", "+-"}, {"tensors", "tensors below 0", Unit::share}}, {}};
  Table stages{"parts", "By part of the network", {{"run", "run"}, {"part", "part"}, {"cosine", "cosine, same level"}, {"far", "cosine, farthest"}}, {}};
  Table points{"pairs", "Pairs", {{"name", "", Unit::none, false, kHtml}, {"group", "members"}, {"difference", "difference, MMACs"}, {"cosine", "cosine"}}, {}, true, kJson | kHtml};

  void add(const std::string& run, bool alone, const Sampler& sampler, const std::vector<Subject>& subjects, const std::vector<Pair>& pairs) {
    const auto difference_of = [&](const Pair& p) { return std::abs(subjects[p.a].cost - subjects[p.b].cost); };
    const auto in_bank = [&](const Pair& p) { return subjects[p.a].banked && subjects[p.b].banked && subjects[p.a].level == subjects[p.b].level; };
    const auto drawn = [&](const Pair& p) { return !subjects[p.a].banked && !subjects[p.b].banked; };
    const auto same_level = [&](const Pair& p) { return subjects[p.a].level == subjects[p.b].level; };
    const auto summary = [&](const auto& wanted) {
      std::vector<double> cosines, negatives, differences;
      double below = 0;
      for (const Pair& p : pairs) {
        if (!wanted(p)) continue;
        cosines.push_back(p.cosine);
        negatives.push_back(p.negative);
        differences.push_back(difference_of(p));
        below += p.cosine < 0;
      }
      return std::tuple{spread_of(cosines), spread_of(negatives).mean, spread_of(differences).mean, cosines.empty() ? 0 : below / static_cast<double>(cosines.size())};
    };
    const double top = mega(static_cast<double>(sampler.levels().back()));
    for (size_t i = 0; i + 1 < std::size(kEdges); ++i) {
      const double from = kEdges[i] * top, to = kEdges[i + 1] * top;
      const auto [c, negative, difference, below] = summary([&](const Pair& p) { return drawn(p) && difference_of(p) >= from && difference_of(p) < to; });
      if (c.n > 0) bins.rows.push_back({run, from, std::isinf(to) ? Cell() : Cell(to), difference, c.n, c.mean, c.deviation, below, negative});
    }
    const auto add_level = [&](const char* which, const auto& wanted) {
      const auto [c, negative, difference, below] = summary(wanted);
      (void)difference, (void)below;
      if (c.n > 0) members.rows.push_back({run, std::string(which), c.n, c.mean, c.deviation, negative});
    };
    add_level("drawn members", [&](const Pair& p) { return drawn(p) && same_level(p); });
    add_level("members of the bank", in_bank);
    const std::vector<std::string> names = agreement_parts(sampler.space());
    for (size_t i = 0; i < names.size(); ++i) {
      std::vector<double> near, far;
      for (const Pair& p : pairs) {
        if (!drawn(p)) continue;
        const size_t low = std::min(subjects[p.a].level, subjects[p.b].level), high = std::max(subjects[p.a].level, subjects[p.b].level);
        if (low == high) near.push_back(p.parts[i]);
        if (low == 0 && high + 1 == sampler.levels().size()) far.push_back(p.parts[i]);
      }
      stages.rows.push_back({run, names[i], spread_of(near).mean, spread_of(far).mean});
    }
    for (const Pair& p : pairs)
      if (drawn(p) || in_bank(p)) points.rows.push_back({std::string(), (alone ? "" : run + ", ") + (drawn(p) ? "drawn" : "of a level's bank"), difference_of(p), p.cosine});
  }
};

}  // namespace

Result<Report> supernet_conflict(const SupernetConflictRequest& request) {
  if (request.members < 2 || request.batches < 1) return fail(Code::usage, "two members of a level and a batch are the least", "--members, --batches");
  ConflictTables tables;
  std::optional<space::Levels> levels;   // of the first run: members are drawn alike for all
  for (const std::string& run : request.runs) {
    HONE_TRY_ASSIGN(const auto supernet, TrainedSupernet::open(request_of(run, request.threads, request.settings)));
    HONE_TRY_ASSIGN(const Sampler trained, supernet->sampler());
    space::Space s = supernet->space();
    const bool own_levels = !levels || s.levels == *levels;   // banks are of a run's own levels
    if (!levels) levels = s.levels;
    s.levels = *levels;
    if (s.levels.at.empty()) return fail(Code::usage, "the space has no complexity levels to draw members of", run, "--set 'levels.mmacs=[1, 2, 4]' --set levels.window=0.5");
    HONE_TRY_ASSIGN(const Sampler sampler, Sampler::make(s, SamplerOptions{}));
    const std::vector<Subject> subjects = subjects_of(sampler, own_levels ? trained.banks() : std::vector<Bank>{}, request.members);
    HONE_TRY_ASSIGN(const std::vector<Pair> pairs, compare(*supernet, subjects, request.batches, run));
    tables.add(run, request.runs.size() == 1, sampler, subjects, pairs);
  }
  Report report;
  report.command = "supernet conflict";
  report.title = "Gradient conflict";
  report.subtitle = "cosine between members' gradients on the weights that both use";
  report.parts.push_back(Chart{.kind = Chart::Kind::curves, .title = "Cosine between gradients by difference of cost", .caption = fmt::format("Every point is the mean over pairs of members drawn at random, each pair over {} batches.", request.batches), .table = "differences", .group = "run", .x = "difference", .y = "cosine"});
  report.parts.push_back(Chart{.kind = Chart::Kind::scatter, .title = "Pair by pair", .caption = "Members drawn of any two levels, and pairs of one level's memory bank.", .table = "pairs", .label = "name", .group = "group", .x = "difference", .y = "cosine"});
  for (Table* t : {&tables.points, &tables.bins, &tables.members, &tables.stages}) report.parts.push_back(std::move(*t));
  return report;
}

}  // namespace hone::methods
