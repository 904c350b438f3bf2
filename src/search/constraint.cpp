#include "search/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "measure/device_cut.h"
#include "measure/predict.h"
#include "scale/closed_form.h"
#include "search/operators.h"
#include "zoo/space_draw.h"

namespace hone::search {

using namespace space;

namespace {

constexpr int kTries = 3000;      // draws of a window that other limits refuse
constexpr int kJointTries = 400;  // of whole draws, before limits count as contradicting each other

// The engine's blocks of a part (measure/device_block.h), for spaces that they describe.
std::vector<hone::Block> device_blocks(const Space& s, const Part& p) {
  const StageChoices& c = s.stages[p.stage];
  const bool mobile = c.block == space::Block::mobile;
  if (p.kind == Part::Kind::head) return {head_block(p.side, p.width, s.head_expand, s.head_width, s.classes)};
  if (p.kind == Part::Kind::block && !mobile) return {{"attention", {p.side, p.width, p.genes.value}}, {"feed_forward", {p.side, p.width, p.genes.mlp}}};
  std::vector<hone::Block> out;
  int64_t side = p.side;
  if (p.kind == Part::Kind::entry && p.stage == 0) {
    out.push_back(stem_block(side, 3, p.in, s.stem_stride));
    side = (side + s.stem_stride - 1) / s.stem_stride;
  }
  const int64_t stride = p.kind == Part::Kind::entry ? c.stride : 1;
  if (mobile)
    out.push_back({"mobile", {side, p.in, p.width, p.genes.expand, stride, p.genes.kernel, has_se(c, p.genes)}});
  else
    out.push_back({"downsample", {side, p.in, p.width, stride}});
  return out;
}

std::string one_line(const Space& s, const Member& m) {
  std::string text = print_member(s, m);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// A gene's next smaller choice.
template <class T>
bool lower(T& gene, const std::vector<int64_t>& choices) {
  const auto at = std::lower_bound(choices.begin(), choices.end(), static_cast<int64_t>(gene));
  if (at == choices.begin() || at == choices.end()) return false;
  gene = static_cast<T>(*(at - 1));
  return true;
}

// One gene, chosen at random, made smaller; nothing changes when it is the smallest already, or the member would not be valid.
void shrink(const Space& s, Member& m, Rng& rng) {
  Member smaller = m;
  if (rng.below(8) == 0) {
    lower(smaller.resolution, s.resolutions);
  } else {
    const size_t i = rng.below(m.stages);
    Genes& g = smaller.stage[i];
    const StageChoices& c = s.stages[i];
    int32_t depth = g.depth;
    switch (rng.below(4)) {
      case 0:
        if (lower(depth, c.depths)) set_depth(g, depth);
        break;
      case 1: lower(g.width, c.widths); break;
      default: {
        const size_t j = rng.below(static_cast<uint64_t>(g.depth));
        BlockGenes& b = g.block[j];
        const bool first = rng.below(2) == 0;
        if (!c.ses.empty() && rng.below(3) == 0)
          lower(b.se, c.ses);
        else if (c.block == space::Block::mobile)
          first ? lower(b.expand, c.expands) : lower(b.kernel, c.kernels);
        else
          first ? lower(b.mlp, c.mlps) : lower(b.value, c.values);
        if (s.sharing == Sharing::stage) g = shared(g.width, g.depth, b);
      }
    }
  }
  if (check(s, smaller)) m = smaller;
}

// Valid members that differ in one gene.
std::vector<Member> neighbours(const Space& s, const Member& m) {
  std::vector<Member> out;
  auto add = [&](const Member& other) {
    if (!(other == m) && check(s, other)) out.push_back(other);
  };
  for (const int64_t r : s.resolutions) {
    Member other = m;
    other.resolution = static_cast<int32_t>(r);
    add(other);
  }
  for (size_t i = 0; i < m.stages; ++i) {
    const StageChoices& c = s.stages[i];
    const Genes& now = m.stage[i];
    auto with = [&](Genes genes) {
      Member other = m;
      other.stage[i] = genes;
      add(other);
    };
    for (const int64_t d : c.depths) {
      Genes genes = now;
      set_depth(genes, d);
      with(genes);
    }
    for (const int64_t w : c.widths) {
      Genes genes = now;
      genes.width = static_cast<int32_t>(w);
      with(genes);
    }
    for (const Gene gene : kGenes)
      for (const int64_t v : choices_of(c, gene))
        for (int32_t j = 0; j < (s.sharing == Sharing::stage ? 1 : now.depth); ++j) {
          Genes genes = now;
          genes.block[static_cast<size_t>(j)].*gene = static_cast<uint8_t>(v);
          with(s.sharing == Sharing::stage ? shared(now.width, now.depth, genes.block[0]) : genes);
        }
  }
  return out;
}

}  // namespace

struct Constraint::State {
  Space space;
  CostTable table;
  Budget budget;
  std::optional<Predictor> predictor;
  bool blocks = false;  // latency adds up over parts
  std::vector<Member> cheapest;  // in each limit's quantity
  mutable std::map<hone::Block, double> times;
  mutable std::map<std::tuple<Quantity, double, double>, std::optional<Drawer>> drawers;  // by window

  Result<double> block_time(const hone::Block& b) const {
    auto at = times.find(b);
    if (at == times.end()) {
      HONE_TRY_ASSIGN(const double ms, predictor->inside(b));
      at = times.emplace(b, ms).first;
    }
    return at->second;
  }
  Result<double> part_time(const Part& p) const {
    double sum = 0;
    for (const hone::Block& b : device_blocks(space, p)) {
      HONE_TRY_ASSIGN(const double ms, block_time(b));
      sum += ms;
    }
    return sum;
  }

  Result<double> latency(const Member& m) const {
    double ms = predictor->per_network();
    if (!blocks) {
      HONE_TRY_ASSIGN(const std::vector<BlockCount> parts, parts_of(to_arch(space, m, "member")));
      for (const BlockCount& c : parts) {
        HONE_TRY_ASSIGN(const double each, block_time(c.block));
        ms += static_cast<double>(c.count) * each;
      }
      return ms;
    }
    Status status;
    for_each_part(space, m, [&](const Part& p) {
      if (!status) return;
      const auto t = part_time(p);
      if (t)
        ms += *t;
      else
        status = fail(t.error());
    });
    HONE_TRY(status);
    return ms;
  }

  // The limit's quantity as a sum over parts, with what is left of the amount after the constant; nothing where it is none.
  std::optional<PartCost> part_cost(const Limit& limit) const {
    switch (limit.quantity) {
      case Quantity::macs: return part_macs(table);
      case Quantity::params: return part_params(table);
      case Quantity::acts: return part_acts(table);
      case Quantity::memory: return std::nullopt;
      case Quantity::latency:
        if (!blocks) return std::nullopt;
        return [this](const Part& p) { return part_time(p).value_or(NAN); };
    }
    return std::nullopt;
  }
  double constant(const Limit& limit) const { return limit.quantity == Quantity::latency ? predictor->per_network() : 0; }
  static double amount(const Limit& limit) { return limit.quantity == Quantity::latency ? limit.amount / 1e6 : limit.amount; }

  Amounts amounts(const MemberCost& c) const {
    Amounts a;
    a.macs = c.counts.macs;
    a.params = c.counts.params;
    a.acts = c.counts.acts;
    a.peak_activation_bytes = c.memory.value_or(0);
    a.latency_ns = std::llround(1e6 * c.latency_ms.value_or(0));
    return a;
  }

  bool asks(Quantity q) const {
    return std::any_of(budget.limits.begin(), budget.limits.end(), [q](const Limit& l) { return l.quantity == q; });
  }

  Result<MemberCost> cost(const Member& m) const {
    const auto counts = table(m);
    if (!counts) {
      HONE_TRY(check(space, m));
      return fail(Code::invalid, "no costs are known of the member", one_line(space, m));
    }
    MemberCost c{*counts, {}, {}};
    if (asks(Quantity::memory)) {
      HONE_TRY_ASSIGN(c.memory, peak_memory(to_arch(space, m, "member")));
    }
    if (predictor) {
      HONE_TRY_ASSIGN(c.latency_ms, latency(m));
    }
    return c;
  }

  // Ends of what the space reaches in one quantity. The most memory, and latency that does not add up, are the largest member's:
  // every tensor grows with every gene.
  struct Reach {
    double least, most;
    Member cheapest;
  };
  // The member of least memory. A shortcut that stands only around equal widths keeps its block's input alive, so where a space
  // has such, members whose widths lie a choice apart may need less than the smallest.
  Result<std::pair<int64_t, Member>> leanest() const {
    Member best = smallest(space);
    HONE_TRY_ASSIGN(int64_t least, peak_memory(to_arch(space, best, "member")));
    const bool equal_only = std::any_of(space.stages.begin(), space.stages.end(), [](const StageChoices& c) { return c.shortcut == Shortcut::same; });
    for (unsigned apart = 1; equal_only && apart < 1u << space.stages.size(); ++apart) {   // 8 stages at most
      Member m = smallest(space);
      bool made = true;
      for (size_t i = 0; made && i < space.stages.size(); ++i) {
        const std::vector<int64_t>& widths = space.stages[i].widths;
        size_t at = apart >> i & 1;
        while (!space.widths_may_fall && i > 0 && at + 1 < widths.size() && widths[at] < m.stage[i - 1].width) ++at;
        made = at < widths.size();
        if (made) m.stage[i].width = static_cast<int32_t>(widths[at]);
      }
      if (!made) continue;
      HONE_TRY_ASSIGN(const int64_t bytes, peak_memory(to_arch(space, m, "member")));
      if (bytes < least) least = bytes, best = m;
    }
    return std::pair(least, best);
  }
  // The member of least time where parts do not add up: from the smallest by single genes, since a wider layer may be the faster one.
  Result<std::pair<double, Member>> fastest() const {
    Member best = smallest(space);
    HONE_TRY_ASSIGN(double least, latency(best));
    for (bool again = true; again;) {
      again = false;
      for (const Member& m : neighbours(space, best)) {
        HONE_TRY_ASSIGN(const double ms, latency(m));
        if (ms < least) least = ms, best = m, again = true;
      }
    }
    return std::pair(least, best);
  }
  Result<Reach> reach(const Limit& limit) const {
    if (const auto part = part_cost(limit)) {
      const Extremes e = extremes(space, *part);
      const double add = constant(limit);
      if (std::isfinite(e.least) && std::isfinite(e.most)) return Reach{e.least + add, e.most + add, e.cheapest};
      HONE_TRY(part_time_error());
    }
    HONE_TRY_ASSIGN(const MemberCost high, cost(largest(space)));
    if (limit.quantity == Quantity::memory) {
      HONE_TRY_ASSIGN(const auto low, leanest());
      return Reach{static_cast<double>(low.first), static_cast<double>(*high.memory), low.second};
    }
    HONE_TRY_ASSIGN(const auto low, fastest());
    return Reach{low.first, *high.latency_ms, low.second};
  }
  // Why a part has no time: what the largest and the smallest member say.
  Status part_time_error() const {
    for (const Member& m : {smallest(space), largest(space)})
      if (const auto ms = latency(m); !ms) return fail(ms.error());
    return fail(Code::failed, "the device table does not cover every block of the space");
  }

  // Every limit by itself, then all of them together.
  Status possible() {
    for (const Limit& limit : budget.limits) {
      HONE_TRY_ASSIGN(const Reach r, reach(limit));
      cheapest.push_back(r.cheapest);
      auto text = [&](double v) { return format_amount(std::llround(limit.quantity == Quantity::latency ? 1e6 * v : v), limit.quantity); };
      const double wish = amount(limit), slack = limit.exact ? kBudgetTolerance : 0;
      if (r.least > wish * (1 + slack))
        return fail(Code::budget_not_met, fmt::format("no member of the space {} meets {}{}{}: the least is {}", space.name, name(limit.quantity), limit.exact ? "=" : "<", text(wish), text(r.least)), budget.text,
                    fmt::format("the cheapest member is {}", one_line(space, r.cheapest)));
      if (limit.exact && r.most < wish * (1 - slack))
        return fail(Code::budget_not_met, fmt::format("no member of the space {} meets {}={}: the most is {}", space.name, name(limit.quantity), text(wish), text(r.most)), budget.text);
    }
    cheapest.push_back(smallest(space));
    for (const Member& m : cheapest) {
      HONE_TRY_ASSIGN(const MemberCost c, cost(m));
      if (hone::meets(amounts(c), budget)) return {};
    }
    Rng rng(1);
    HONE_TRY(draw(rng, 0));
    return {};
  }

  double fullness(const MemberCost& c) const {
    if (budget.limits.empty()) return 1;
    const Amounts a = amounts(c);
    double most = 0;
    for (const Limit& l : budget.limits) most = std::max(most, static_cast<double>(amount_of(a, l.quantity)) / l.amount);
    return most;
  }

  // Of members whose quantity lies in [lo, hi]; null where it does not add up, or there are none.
  const Drawer* drawer(const Limit& limit, double lo, double hi) const {
    const auto key = std::tuple(limit.quantity, lo, hi);
    auto at = drawers.find(key);
    if (at == drawers.end()) {
      std::optional<Drawer> made;
      if (const auto part = part_cost(limit)) {
        const double add = constant(limit);
        if (auto d = Drawer::make(space, *part, std::max(0.0, lo - add), hi - add)) made = std::move(*d);
      }
      at = drawers.emplace(key, std::move(made)).first;
    }
    return at->second ? &*at->second : nullptr;
  }
  const Drawer* near(const Limit& limit, double full) const {
    const double wish = amount(limit), low = limit.exact ? std::max(full, 1 - kBudgetTolerance) : full, high = limit.exact ? 1 + kBudgetTolerance : 1;
    return drawer(limit, wish * low, wish * high);
  }
  Limit first() const {
    Limit limit;
    limit.amount = INFINITY;
    return budget.limits.empty() ? limit : budget.limits[0];
  }

  Result<Member> draw(Rng& rng, double full) const {
    if (budget.limits.empty()) return sample(space, rng);
    std::vector<const Drawer*> use;
    for (size_t i = 0; i < budget.limits.size(); ++i)
      if (const Drawer* d = near(budget.limits[i], full)) use.push_back(d);
    for (int i = 0; i < (use.empty() ? kTries / 10 : kTries); ++i) {
      const Member m = use.empty() ? sample(space, rng) : (*use[rng.below(use.size())])(rng);
      HONE_TRY_ASSIGN(const MemberCost c, cost(m));
      if (hone::meets(amounts(c), budget) && fullness(c) >= full) return m;
    }
    // Limits that leave little of the space: a random member, made smaller until it meets them.
    for (int i = 0; i < (predictor && !blocks ? kJointTries / 10 : kJointTries); ++i) {  // cutting a network takes milliseconds
      Member m = sample(space, rng);
      for (int step = 0; step < 1000; ++step) {
        HONE_TRY_ASSIGN(const MemberCost c, cost(m));
        if (hone::meets(amounts(c), budget)) {
          if (fullness(c) >= full) return m;
          break;
        }
        if (fullness(c) < 1 - kBudgetTolerance) break;  // an exact limit is missed from below
        shrink(space, m, rng);
      }
    }
    for (const Member& m : cheapest) {
      HONE_TRY_ASSIGN(const MemberCost c, cost(m));
      if (hone::meets(amounts(c), budget) && fullness(c) >= full) return m;
    }
    return fail(Code::budget_not_met, fmt::format("no member of the space {} was found that meets all limits{}", space.name, full > 0 ? fmt::format(" and fills one to {:.0f} %", 100 * full) : ""), budget.text, "each can be met by itself: relax one");
  }
};

Constraint::Constraint(std::unique_ptr<State> state) : state_(std::move(state)) {}
Constraint::Constraint(Constraint&&) noexcept = default;
Constraint& Constraint::operator=(Constraint&&) noexcept = default;
Constraint::~Constraint() = default;

Result<Constraint> Constraint::make(const Space& space, const std::string& text) {
  HONE_TRY_ASSIGN(CostTable table, CostTable::make(space));
  auto state = std::make_unique<State>(State{space, std::move(table), {}, {}, false, {}, {}, {}});
  if (text.empty()) return Constraint(std::move(state));
  HONE_TRY_ASSIGN(const Budget wish, parse_budget(text));
  state->budget = wish;
  if (const Limit* limit = latency_limit(wish)) {
    HONE_TRY_ASSIGN(const DeviceTable device, read_table(limit->device));
    HONE_TRY_ASSIGN(state->predictor, Predictor::fit(device, TimeModel::table));
    state->blocks = has_blocks(to_arch(space, smallest(space), "member"));
  }
  const bool shares = std::any_of(wish.limits.begin(), wish.limits.end(), [](const Limit& l) { return l.percent; });
  if (shares) {
    HONE_TRY_ASSIGN(const MemberCost whole, state->cost(largest(space)));
    state->budget = resolve(wish, state->amounts(whole));
  }
  HONE_TRY(state->possible());
  return Constraint(std::move(state));
}

Result<Constraint> Constraint::on_device(const Space& space, const std::string& path) {
  HONE_TRY_ASSIGN(CostTable table, CostTable::make(space));
  auto state = std::make_unique<State>(State{space, std::move(table), {}, {}, false, {}, {}, {}});
  HONE_TRY_ASSIGN(const DeviceTable device, read_table(path));
  HONE_TRY_ASSIGN(state->predictor, Predictor::fit(device, TimeModel::table));
  state->blocks = has_blocks(to_arch(space, smallest(space), "member"));
  return Constraint(std::move(state));
}

const Space& Constraint::space() const { return state_->space; }
const CostTable& Constraint::table() const { return state_->table; }
const Budget& Constraint::budget() const { return state_->budget; }
bool Constraint::limited() const { return !state_->budget.limits.empty(); }
Result<MemberCost> Constraint::cost(const Member& member) const { return state_->cost(member); }
bool Constraint::meets(const MemberCost& cost) const { return !limited() || hone::meets(state_->amounts(cost), state_->budget); }
double Constraint::fullness(const MemberCost& cost) const { return state_->fullness(cost); }
Quantity Constraint::primary() const { return limited() ? state_->budget.limits[0].quantity : Quantity::macs; }
double Constraint::amount(const MemberCost& cost, Quantity q) const {
  const int64_t v = amount_of(state_->amounts(cost), q);
  return q == Quantity::latency ? static_cast<double>(v) / 1e6 : static_cast<double>(v);
}
Result<Member> Constraint::draw(Rng& rng, double fullness) const { return state_->draw(rng, fullness); }
Result<std::pair<double, double>> Constraint::range() const {
  const Limit limit = state_->first();
  HONE_TRY_ASSIGN(const State::Reach r, state_->reach(limit));
  return std::pair(r.least, std::min(r.most, State::amount(limit) * (limit.exact ? 1 + kBudgetTolerance : 1)));
}
Result<Member> Constraint::draw_between(Rng& rng, double lo, double hi) const {
  if (const Drawer* d = state_->drawer(state_->first(), lo, hi))
    for (int i = 0; i < kTries; ++i) {
      const Member m = (*d)(rng);
      HONE_TRY_ASSIGN(const MemberCost c, cost(m));
      if (meets(c)) return m;
    }
  return draw(rng);
}

}  // namespace hone::search
