#include "measure/device_build.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include "cost/profile.h"
#include "measure/device_frame.h"
#include "measure/predict.h"
#include "scale/closed_form.h"
#include "scale/scale.h"

namespace hone {

namespace {

constexpr size_t kFirstRows = 10;    // of each kind, spread over its sizes, before anything is fitted
constexpr size_t kChosen = 24;       // blocks chosen from one fit
constexpr size_t kLookedAt = 600;    // candidates that a choice compares
constexpr size_t kCutMembers = 300;  // of a space whose members are cut: each is built as a graph
constexpr double kScales[] = {0.25, 0.5, 2, 4};  // of given networks, in MACs

double steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// A plan while it is put together.
struct PlanMaker {
  explicit PlanMaker(std::string of) { plan.space = std::move(of); }

  BuildPlan plan;

  Probe& occurs(const Block& block, double often) {
    const auto [it, added] = index_.emplace(block, plan.blocks.size());
    if (added) plan.blocks.push_back({{print(block), {{block, 1}}, 0, [block] { return block_graph(block); }}, 0});
    plan.blocks[it->second].often += often;
    return plan.blocks[it->second].probe;
  }
  // What a network is cut into; `weight` for each occurrence.
  Status occur_cut(const Graph& graph, double weight) {
    HONE_TRY_ASSIGN(std::vector<CutBlock> cuts, cut_blocks(graph));
    for (CutBlock& c : cuts) {
      Probe& probe = occurs(c.block, weight * static_cast<double>(c.count));
      probe.name = std::move(c.label);
      probe.graph = [graph = std::move(c.graph)]() -> Result<Graph> { return graph; };
    }
    return {};
  }

 private:
  std::map<Block, size_t> index_;
};

}  // namespace

Result<Probe> probe_of(const space::Space& space, const space::Member& member) {
  std::string name = space::print_member(space, member);
  while (!name.empty() && name.back() == '\n') name.pop_back();
  const Arch arch = space::to_arch(space, member, std::move(name));
  HONE_TRY_ASSIGN(const ArchCost cost, count(arch));
  HONE_TRY_ASSIGN(std::vector<BlockCount> blocks, parts_of(arch));
  return Probe{arch.name, std::move(blocks), static_cast<double>(cost.acts), [arch] { return build(arch); }};
}

Result<Probe> probe_of(const space::Space& space, const std::string& encoding) {
  HONE_TRY_ASSIGN(const space::Member member, space::parse_member(space, encoding, "encoding"));
  return probe_of(space, member);
}

Result<Probe> probe_of(const Network& network) {
  HONE_TRY_ASSIGN(std::vector<BlockCount> blocks, blocks_of(network));
  HONE_TRY_ASSIGN(const Profile p, profile(network.graph));
  const Graph graph = network.graph;  // shares its tensors
  return Probe{network.name, std::move(blocks), static_cast<double>(p.totals.acts), [graph]() -> Result<Graph> { return graph; }};
}

Result<BuildPlan> plan_for(const space::Space& space, const std::string& name, uint64_t seed, size_t members, size_t networks) {
  PlanMaker make(name);
  Rng rng(seed);
  if (has_blocks(space::to_arch(space, space::smallest(space), "member"))) {
    for (size_t i = 0; i < members; ++i) {
      HONE_TRY_ASSIGN(const std::vector<BlockCount> blocks, blocks_of(space, space::sample(space, rng)));
      for (const BlockCount& c : blocks) make.occurs(c.block, static_cast<double>(c.count) / static_cast<double>(members));
    }
  } else {
    members = std::min(members, kCutMembers);
    for (size_t i = 0; i < members; ++i) {
      HONE_TRY_ASSIGN(const Graph graph, build(space::to_arch(space, space::sample(space, rng), "member")));
      HONE_TRY(make.occur_cut(graph, 1 / static_cast<double>(members)));
    }
  }
  for (size_t i = 0; i < networks; ++i) {
    HONE_TRY_ASSIGN(Probe p, probe_of(space, space::sample(space, rng)));
    make.plan.networks.push_back(std::move(p));
  }
  // What slows a large network, such as neighbours in a shared cache, hardly touches a small one: the anchor is the space's own.
  std::vector<std::pair<double, std::string>> by_size;
  for (const Probe& p : make.plan.networks) by_size.emplace_back(p.acts, p.name);
  std::sort(by_size.begin(), by_size.end());
  if (!by_size.empty()) make.plan.anchor = by_size[by_size.size() / 2].second;
  return std::move(make.plan);
}

Result<BuildPlan> plan_for(const std::vector<Network>& networks) {
  std::string names;
  for (const Network& n : networks) names += (names.empty() ? "" : " ") + n.name;
  PlanMaker make(std::move(names));
  auto add = [&](const Network& n) -> Status {
    HONE_TRY_ASSIGN(Probe whole, probe_of(n));
    if (n.arch && has_blocks(*n.arch))
      for (const BlockCount& c : whole.blocks) make.occurs(c.block, static_cast<double>(c.count));
    else
      HONE_TRY(make.occur_cut(n.graph, 1));
    make.plan.networks.push_back(std::move(whole));
    return {};
  };
  for (const Network& n : networks) HONE_TRY(add(n));
  const auto strategy = parse_strategy("dWr");
  for (const Network& n : networks) {
    if (!n.arch || !strategy) continue;
    for (const double factor : kScales) {
      const auto scaled = scale(*n.arch, *strategy, factor);
      if (!scaled) continue;  // a family without a rule
      auto graph = build(scaled->arch);
      if (graph) HONE_TRY(add({scaled->arch.name, std::move(*graph), scaled->arch}));
    }
  }
  return std::move(make.plan);
}

namespace {

class TableBuilder {
 public:
  TableBuilder(DeviceTable& table, const BuildPlan& plan, const Meter& meter, const BuildOptions& options)
      : table_(table), plan_(plan), meter_(meter), options_(options), now_(options.clock ? options.clock : steady_seconds), earlier_(table.device.seconds), began_(now_()) {
    for (size_t i = 0; i < table.rows.size(); ++i) row_of_[table.rows[i].block] = i;
    for (const NetworkRow& n : table.networks) measured_networks_.insert(n.network);
  }

  Status run() {
    const double for_blocks = options_.seconds * (1 - options_.network_share);
    HONE_TRY(first_rows(for_blocks));
    // Networks start early, so that a table cut off at any time has its correction, and both go on side by side.
    double on_blocks = spent(), on_networks = 0;
    bool blocks_left = true, networks_left = true;
    while (spent() < options_.seconds && (blocks_left || networks_left)) {
      const double begin = spent();
      const bool network_turn = networks_left && (!blocks_left || on_networks * (1 - options_.network_share) <= on_blocks * options_.network_share);
      if (network_turn) {
        HONE_TRY_ASSIGN(networks_left, some_networks());
        on_networks += spent() - begin;
      } else {
        HONE_TRY_ASSIGN(blocks_left, some_blocks());
        on_blocks += spent() - begin;
      }
    }
    return {};
  }

 private:
  double spent() const { return earlier_ + now_() - began_; }

  Status keep() {
    table_.device.seconds = spent();
    if (options_.progress) options_.progress({std::min(1.0, spent() / options_.seconds), table_.rows.size(), table_.networks.size(), open_});
    return options_.save ? options_.save(table_) : Status{};
  }

  Status measure_blocks(const std::vector<size_t>& chosen, double until) {
    for (size_t at = 0; at < chosen.size() && spent() < until; at += options_.at_once) {
      std::vector<Probe> probes;
      std::set<Block> frames;
      std::vector<std::pair<const Probe*, size_t>> wanted;  // candidate, place of its probe
      for (size_t i = at; i < std::min(chosen.size(), at + options_.at_once); ++i) {
        const Probe& alone = plan_.blocks[chosen[i]].probe;
        HONE_TRY_ASSIGN(const Graph part, alone.graph());
        HONE_TRY_ASSIGN(Framed framed, in_frame(part));
        Probe probe{alone.name, {{alone.blocks[0].block, framed.repeats}}, 0, [g = std::move(framed.graph)]() -> Result<Graph> { return g; }};
        if (framed.frame) {
          probe.blocks.insert(probe.blocks.begin(), {*framed.frame, 1});
          if (!row_of_.contains(*framed.frame) && frames.insert(*framed.frame).second)
            probes.push_back({print(*framed.frame), {{*framed.frame, 1}}, 0, [f = *framed.frame] { return frame_graph(f); }});
        }
        wanted.emplace_back(&alone, probes.size());
        probes.push_back(std::move(probe));
      }
      HONE_TRY_ASSIGN(const std::vector<MeasuredTime> times, meter_(probes));
      for (size_t i = 0; i < probes.size(); ++i)
        if (probes[i].blocks.size() == 1 && frames.contains(probes[i].blocks[0].block)) put(probes[i].blocks[0].block, times[i], "");
      for (const auto& [alone, place] : wanted) {
        const Block& block = alone->blocks[0].block;
        put(block, without_frame(probes[place].blocks, times[place]), block.kind.starts_with(kCutKind) ? alone->name : std::string());
      }
      HONE_TRY(keep());
    }
    return {};
  }

  // One block's share of a time; what noise leaves of a block that takes next to nothing is at least a hundredth of it.
  MeasuredTime without_frame(const std::vector<BlockCount>& blocks, const MeasuredTime& whole) const {
    const auto n = static_cast<double>(blocks.back().count);
    MeasuredTime frame;
    if (blocks.size() > 1) frame = table_.rows[row_of_.at(blocks[0].block)].time;
    auto half = [](const MeasuredTime& t) { return t.high > 0 ? (t.high - t.low) / 2 : 0.05 * t.ms; };
    MeasuredTime out;
    out.ms = std::max(whole.ms - frame.ms, 0.01 * whole.ms) / n;
    const double h = std::hypot(half(whole), half(frame)) / n;
    out.low = std::max(0.0, out.ms - h);
    out.high = out.ms + h;
    out.rounds = whole.rounds;
    return out;
  }

  // A second measurement replaces the first where it is the surer one.
  void put(const Block& block, const MeasuredTime& time, std::string label) {
    const auto [it, added] = row_of_.emplace(block, table_.rows.size());
    if (added)
      table_.rows.push_back({block, time, std::move(label)});
    else if (width(time) < width(table_.rows[it->second].time))
      table_.rows[it->second].time = time;
    ++tries_[block];
  }
  static double width(const MeasuredTime& t) { return t.high > 0 ? (t.high - t.low) / t.ms : 0.2; }

  // A few of every kind, as far apart as can be.
  Status first_rows(double until) {
    std::map<std::string, std::vector<size_t>> by_kind;
    for (size_t i = 0; i < plan_.blocks.size(); ++i) by_kind[plan_.blocks[i].probe.blocks[0].block.kind].push_back(i);
    std::vector<std::vector<size_t>> rounds(kFirstRows);
    for (const auto& [kind, all] : by_kind) {
      std::vector<std::vector<double>> taken;
      for (const BlockRow& row : table_.rows)
        if (row.block.kind == kind) taken.push_back(logs(row.block));
      for (size_t r = taken.size(); r < kFirstRows; ++r) {
        double best = -1;
        size_t at = 0;
        for (const size_t i : all) {
          const std::vector<double> p = logs(plan_.blocks[i].probe.blocks[0].block);
          // The first is the one that occurs most.
          double d = taken.empty() ? plan_.blocks[i].often : INFINITY;
          for (const auto& t : taken) d = std::min(d, distance(p, t));
          if (d > best) best = d, at = i;
        }
        if (best <= 0) break;  // all are measured
        taken.push_back(logs(plan_.blocks[at].probe.blocks[0].block));
        rounds[r].push_back(at);
      }
    }
    for (const auto& round : rounds) HONE_TRY(measure_blocks(round, until));
    return {};
  }
  static std::vector<double> logs(const Block& b) {
    std::vector<double> p;
    for (const int64_t s : b.sizes) p.push_back(std::log1p(static_cast<double>(s)));
    return p;
  }
  static double distance(const std::vector<double>& a, const std::vector<double>& b) {
    double d = 0;
    for (size_t i = 0; i < a.size(); ++i) d += (a[i] - b[i]) * (a[i] - b[i]);
    return d;
  }

  // Measures the blocks whose times leave the most open. False when little is left, or nothing.
  Result<bool> some_blocks() {
    const DeviceTable alone{table_.device, table_.space, table_.rows, {}};
    HONE_TRY_ASSIGN(const Predictor predictor, Predictor::fit(alone, TimeModel::table));
    struct Wish {
      double gain;
      size_t index;
    };
    std::vector<Wish> wishes;
    double open = 0, time = 0;
    const size_t step = std::max<size_t>(1, plan_.blocks.size() / kLookedAt);
    for (size_t i = turn_++ % step; i < plan_.blocks.size(); i += step) {
      const BuildPlan::Candidate& c = plan_.blocks[i];
      const Block& block = c.probe.blocks[0].block;
      const auto p = predictor.alone(block);
      if (!p) continue;
      const auto row = row_of_.find(block);
      double deviation = p->deviation;
      if (row != row_of_.end()) deviation = table_.rows[row->second].time.ms * width(table_.rows[row->second].time) / 4;
      time += c.often * p->ms;
      open += c.often * deviation;  // neighbours err together, so deviations add up
      // A row that stays unsure is left alone after some tries.
      const auto tried = tries_.find(block);
      if (row != row_of_.end() && (width(table_.rows[row->second].time) < 0.04 || (tried != tries_.end() && tried->second > 2))) continue;
      wishes.push_back({c.often * deviation, i});
    }
    if (time > 0) open_ = open / time;
    if (wishes.empty()) return step > 1 && turn_ < 2 * step;
    std::sort(wishes.begin(), wishes.end(), [](const Wish& a, const Wish& b) { return a.gain > b.gain || (a.gain == b.gain && a.index < b.index); });
    // One kind takes at most half, so that what one fit gets wrong does not take all the time.
    std::map<std::string, size_t> of_kind;
    std::vector<size_t> chosen;
    for (const Wish& w : wishes) {
      if (chosen.size() == kChosen) break;
      if (++of_kind[plan_.blocks[w.index].probe.blocks[0].block.kind] <= kChosen / 2) chosen.push_back(w.index);
    }
    HONE_TRY(measure_blocks(chosen, options_.seconds));
    return open_ > options_.enough;
  }

  Result<bool> some_networks() {
    std::vector<Probe> probes;
    while (next_network_ < plan_.networks.size() && probes.size() < std::max<size_t>(1, options_.at_once / 2)) {
      const Probe& p = plan_.networks[next_network_++];
      if (measured_networks_.insert(p.name).second) probes.push_back(p);
    }
    if (probes.empty()) return false;
    HONE_TRY_ASSIGN(const std::vector<MeasuredTime> times, meter_(probes));
    for (size_t i = 0; i < probes.size(); ++i) table_.networks.push_back({probes[i].name, probes[i].blocks, probes[i].acts, times[i]});
    HONE_TRY(keep());
    return true;
  }

  DeviceTable& table_;
  const BuildPlan& plan_;
  const Meter& meter_;
  const BuildOptions& options_;
  std::function<double()> now_;
  double earlier_, began_, open_ = 0;
  std::map<Block, size_t> row_of_;
  std::map<Block, int> tries_;
  std::set<std::string> measured_networks_;
  size_t next_network_ = 0, turn_ = 0;
};

}  // namespace

Status build_table(DeviceTable& table, const BuildPlan& plan, const Meter& meter, const BuildOptions& options) {
  if (plan.blocks.empty()) return fail(Code::usage, "nothing to measure");
  table.space = plan.space;
  return TableBuilder(table, plan, meter, options).run();
}

}  // namespace hone
