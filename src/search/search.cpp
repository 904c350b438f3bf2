#include "search/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "search/plan.h"

namespace hone::search {

using namespace space;

namespace {

constexpr std::pair<Method, const char*> kMethods[] = {{Method::evolution, "evolution"}, {Method::front, "front"}, {Method::random, "random"}, {Method::exhaustive, "exhaustive"}};
constexpr int64_t kMostExhaustive = 200'000;
constexpr int64_t kBatch = 256;  // members of random and exhaustive search that are handed out at once

// Tells banks apart: a run that was trained further may have others though its best weights are the same.
double number_of(const std::vector<Member>& bank) {
  uint32_t sum = 0;
  for (const Member& m : bank) sum = sum * 31 + static_cast<uint32_t>(hash(m));
  return sum;
}

// What an archive's name and first line say of a search.
std::vector<std::pair<std::string, double>> numbers_of(const SearchOptions& o, const std::vector<Member>& bank) {
  auto real = [](int64_t v) { return static_cast<double>(v); };
  const Variation& v = o.variation;
  std::vector<std::pair<std::string, double>> all = {{"generations", real(o.generations)}, {"population", real(o.population)}, {"parents", real(o.parents)}, {"mutations", real(o.mutations)}, {"crossovers", real(o.crossovers)}, {"tries", real(o.tries)},
          {"evaluations", real(o.evaluations)}, {"depth_probability", v.depth}, {"gene_probability", v.gene}, {"resolution_probability", v.resolution}, {"random_choice", v.random_choice}, {"window", o.window},
          {"floor", real(o.floor)}, {"resolution_rule", real(o.resolution_rule)}, {"predictor", real(static_cast<int64_t>(o.predictor))}, {"screen", real(o.screen)}};
  if (!bank.empty() && (o.method == Method::evolution || o.method == Method::front)) all.emplace_back("bank", number_of(bank));
  std::sort(all.begin(), all.end());
  return all;
}

int64_t evaluations_of(const SearchOptions& o) { return o.population + o.generations * (o.mutations + o.crossovers); }

Result<std::string> search_random(const Plan& plan, const Scorer& scorer, Evaluator& evaluator) {
  Rng rng(static_cast<uint64_t>(plan.options.seed));
  const int64_t wanted = plan.options.evaluations > 0 ? plan.options.evaluations : evaluations_of(plan.options);
  for (int64_t done = 0; done < wanted;) {
    std::vector<Candidate> batch;
    HONE_TRY(fill(plan, {scorer.space, scorer.weights, {}, {}}, evaluator, rng, std::min(kBatch, wanted - done), 0, batch));
    if (batch.empty()) return fmt::format("no further member within the budget was met in {} draws", plan.options.tries * std::min(kBatch, wanted - done) + 100);
    HONE_TRY(evaluator(batch));
    done += static_cast<int64_t>(batch.size());
  }
  return fmt::format("all {} draws", wanted);
}

Status check_small(const Space& s) {
  const auto n = size(s);
  if (n && *n <= kMostExhaustive) return {};
  return fail(Code::usage, fmt::format("the space {} has {:.3g} members, exhaustive search takes {} at most", s.name, size_estimate(s), kMostExhaustive), "--method exhaustive", "evolution, front or random search larger ones");
}

Result<std::string> search_exhaustive(const Plan& plan, Evaluator& evaluator) {
  std::vector<Candidate> batch;
  Status status;
  for_each_member(plan.space(), [&](const Member& m) {
    const auto cost = plan.legal(m);
    if (!cost) status = fail(cost.error());
    if (status && *cost) batch.push_back({m, **cost, "all", 0, {}});
    if (status && static_cast<int64_t>(batch.size()) == kBatch) {
      if (const auto done = evaluator(batch); !done) status = fail(done.error());
      batch.clear();
    }
    return status.has_value();
  });
  HONE_TRY(status);
  HONE_TRY(evaluator(batch));
  return std::string("every member within the budget");
}

}  // namespace

std::string_view name(Method method) {
  for (const auto& [m, text] : kMethods)
    if (m == method) return text;
  return "?";
}
std::optional<Method> parse_method(std::string_view text) {
  for (const auto& [m, word] : kMethods)
    if (word == text) return m;
  return std::nullopt;
}

SearchOptions SearchOptions::spaceevo() {
  SearchOptions o;
  o.generations = 20;
  o.variation.depth = o.variation.gene = 0.3;
  o.variation.resolution = 0.5;
  return o;
}

Status check(const SearchOptions& o) {
  auto whole = [](const char* name, int64_t v, int64_t low, int64_t high) -> Status {
    if (v >= low && v <= high) return {};
    return fail(Code::usage, fmt::format("{} is {}, expected {} to {}", name, v, low, high));
  };
  auto share = [](const char* name, double v) -> Status {
    if (v >= 0 && v <= 1) return {};
    return fail(Code::usage, fmt::format("{} is {}, expected 0 to 1", name, v));
  };
  HONE_TRY(whole("seed", o.seed, 0, INT64_MAX));
  HONE_TRY(whole("images", o.images, 0, INT32_MAX));
  HONE_TRY(whole("generations", o.generations, 0, 100000));
  HONE_TRY(whole("population", o.population, 1, 1000000));
  HONE_TRY(whole("parents", o.parents, 1, 1000000));
  HONE_TRY(whole("mutations", o.mutations, 0, 1000000));
  HONE_TRY(whole("crossovers", o.crossovers, 0, 1000000));
  HONE_TRY(whole("tries", o.tries, 1, 10000));
  HONE_TRY(whole("evaluations", o.evaluations, 0, 100000000));
  HONE_TRY(whole("screen", o.screen, 1, 1000));
  HONE_TRY(share("depth_probability", o.variation.depth));
  HONE_TRY(share("gene_probability", o.variation.gene));
  HONE_TRY(share("resolution_probability", o.variation.resolution));
  HONE_TRY(share("random_choice", o.variation.random_choice));
  if (o.window != -1) HONE_TRY(share("window", o.window));
  return {};
}

Result<SearchResult> run_search(const Scorer& scorer, const SearchOptions& options, const std::string& folder, const OnEvaluated& on_evaluated) {
  HONE_TRY(check(options));
  if (scorer.workers.empty()) return fail(Code::failed, "nothing scores members");
  if (options.method == Method::exhaustive) HONE_TRY(check_small(scorer.space));
  HONE_TRY_ASSIGN(const Plan plan, Plan::make(scorer.space, options));
  SearchResult result;
  result.header = {scorer.space, std::string(name(options.method)), options.budget, options.split, scorer.weights, options.seed, options.images, numbers_of(options, scorer.bank)};
  result.path = folder + "/" + result.header.id() + ".jsonl";
  result.notes = plan.notes;
  HONE_TRY_ASSIGN(Archive archive, Archive::open(result.path, result.header));
  result.found = archive.found();
  const int64_t expected = options.method == Method::random && options.evaluations > 0 ? options.evaluations : options.method == Method::exhaustive ? size(scorer.space).value_or(0) : evaluations_of(options);
  Evaluator evaluator(scorer, archive, expected, on_evaluated);
  Screen screen(plan, evaluator);
  auto run = [&]() -> Result<std::string> {
    switch (options.method) {
      case Method::evolution: return search_evolution(plan, scorer, evaluator, screen);
      case Method::front: return search_front(plan, scorer, evaluator, screen);
      case Method::random: return search_random(plan, scorer, evaluator);
      case Method::exhaustive: return search_exhaustive(plan, evaluator);
    }
    return fail(Code::failed, "no such method");
  };
  HONE_TRY_ASSIGN(result.ended, run());
  if (options.method == Method::random || options.method == Method::exhaustive) screen.learn();
  result.hold_out = screen.hold_out();
  result.entries.assign(archive.entries().begin(), archive.entries().begin() + static_cast<ptrdiff_t>(evaluator.done()));
  result.quantity = plan.constraint.primary();
  for (const Entry& e : result.entries) result.ranked.push_back(e.index);
  result.front = pareto_front(result.entries, result.ranked, [&](const Entry& e) { return plan.constraint.amount(e.cost, result.quantity); });
  std::sort(result.ranked.begin(), result.ranked.end(), [&](int64_t a, int64_t b) { return better(result.entries[static_cast<size_t>(a)], result.entries[static_cast<size_t>(b)]); });
  return result;
}

std::vector<int64_t> to_retest(const SearchResult& r, int64_t count) {
  const bool front = r.header.method == name(Method::front) || r.header.method == name(Method::exhaustive);
  const std::vector<int64_t>& from = front ? r.front : r.ranked;
  const auto n = std::min(static_cast<size_t>(std::max<int64_t>(0, count)), from.size());
  std::vector<int64_t> out;
  for (size_t i = 0; i < n; ++i) out.push_back(from[front && n > 1 ? i * (from.size() - 1) / (n - 1) : i]);
  return out;
}

Status retest(SearchResult& r, const Fitness& fitness, int64_t count) {
  for (const int64_t index : to_retest(r, count)) {
    HONE_TRY_ASSIGN(const methods::MemberScore score, fitness(r.entries[static_cast<size_t>(index)].member));
    r.retests.push_back({index, score});
  }
  return {};
}

std::pair<double, double> interval(double share, int64_t n) {
  constexpr double z = 1.959964;
  if (n < 1) return {0, 1};
  const auto count = static_cast<double>(n);
  const double scale = 1 + z * z / count, middle = (share + z * z / (2 * count)) / scale;
  const double half = z / scale * std::sqrt(std::max(0.0, share * (1 - share)) / count + z * z / (4 * count * count));
  return {std::max(0.0, middle - half), std::min(1.0, middle + half)};
}

std::vector<int64_t> pareto_front(const std::vector<Entry>& entries, const std::vector<int64_t>& among, const std::function<double(const Entry&)>& cost) {
  std::vector<int64_t> order = among;
  auto at = [&](int64_t i) -> const Entry& { return entries[static_cast<size_t>(i)]; };
  std::sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    const double ca = cost(at(a)), cb = cost(at(b));
    return ca != cb ? ca < cb : better(at(a), at(b));
  });
  std::vector<int64_t> front;
  double best = -1;
  for (const int64_t i : order)
    if (at(i).score.accuracy > best) {
      best = at(i).score.accuracy;
      front.push_back(i);
    }
  return front;
}

}  // namespace hone::search
