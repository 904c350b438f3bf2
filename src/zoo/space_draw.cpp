#include "zoo/space_draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace hone::space {

namespace {

double number(const std::optional<Cost>& cost, int64_t Cost::*field) { return cost ? static_cast<double>((*cost).*field) : 0; }

}  // namespace

PartCost part_macs(const CostTable& table) {
  return [&table](const Part& p) { return number(table(p), &Cost::macs); };
}
PartCost part_params(const CostTable& table) {
  return [&table](const Part& p) { return number(table(p), &Cost::params); };
}
PartCost part_acts(const CostTable& table) {
  return [&table](const Part& p) { return number(table(p), &Cost::acts); };
}
PartCost part_counted(const Space& space, const CostTable& table) {
  return [&table, field = space.counter == Counter::elasticvit ? &Cost::authors_macs : &Cost::macs](const Part& p) { return number(table(p), field); };
}

namespace {

// One decision of the sampler: with genes per stage a whole stage, with genes per block a stage's width, depth and first block,
// or a further block. Edges also stand for the resolution (from the root) and the head (to the end).
struct Edge {
  double probability = 1, cost = 0;
  uint32_t target = 0;
  int32_t bins = 0;
  int32_t value = 0;     // resolution or width
  uint8_t depth = 0;     // 0: a further block
  uint8_t position = 0;  // of the block
  BlockGenes genes;
};

struct Node {
  enum class Kind : uint8_t { root, stage, block, head, end } kind = Kind::end;
  uint8_t stage = 0;
  uint32_t first = 0, last = 0;  // of its edges
};

// The sampler as a graph without cycles. Nodes stand in the order of decisions: edges lead to later ones.
struct Paths {
  std::vector<Node> nodes;
  std::vector<Edge> edges;
  int32_t longest = 0;  // edges of the longest path
};

class PathMaker {
 public:
  PathMaker(const Space& space, const PartCost& cost) : space_(space), cost_(cost) {}

  Paths make() {
    const size_t root = node(Node::Kind::root, 0), count = space_.resolutions.size();
    std::vector<std::vector<Pending>> entries(count);  // per resolution: nodes that wait for their edges
    out_.nodes[root].first = 0;
    for (size_t r = 0; r < count; ++r) {
      // Stage 0 has one node for each resolution, later stages one for each width before.
      out_.edges.push_back({1.0 / static_cast<double>(count), 0, 0, 0, static_cast<int32_t>(space_.resolutions[r]), 0, 0, {}});
    }
    out_.nodes[root].last = static_cast<uint32_t>(out_.edges.size());
    for (size_t r = 0; r < count; ++r) out_.edges[r].target = static_cast<uint32_t>(resolution(space_.resolutions[r]));
    const size_t end = node(Node::Kind::end, 0);
    for (const size_t h : heads_) out_.edges[out_.nodes[h].first].target = static_cast<uint32_t>(end);
    out_.longest = 1;  // the head; choosing a resolution costs nothing
    for (const StageChoices& c : space_.stages) out_.longest += static_cast<int32_t>(space_.sharing == Sharing::stage ? 1 : c.depths.back() + (c.block == Block::transformer));
    return std::move(out_);
  }

 private:
  struct Pending {
    size_t node;
    int64_t in;
  };

  size_t node(Node::Kind kind, size_t stage) {
    out_.nodes.push_back({kind, static_cast<uint8_t>(stage), 0, 0});
    return out_.nodes.size() - 1;
  }

  // All nodes of one resolution; the first one is returned.
  size_t resolution(int64_t resolution) {
    std::vector<Pending> open{{node(Node::Kind::stage, 0), 0}};
    const size_t entry = open[0].node;
    int64_t side = resolution;
    for (size_t i = 0; i < space_.stages.size(); ++i) {
      const StageChoices& c = space_.stages[i];
      const bool mobile = c.block == Block::mobile;
      int64_t after = i == 0 ? (side + space_.stem_stride - 1) / space_.stem_stride : side;
      after = (after + c.stride - 1) / c.stride;
      const std::vector<BlockGenes> genes = genes_of(c);
      const bool last = i + 1 == space_.stages.size();

      // Nodes of blocks that are left to choose, by width and number of them; then those behind the stage.
      const auto most = static_cast<size_t>(space_.sharing == Sharing::block ? c.depths.back() - 1 + !mobile : 0);
      std::vector<std::vector<size_t>> blocks(c.widths.size());
      for (size_t left = most; left > 0; --left)
        for (size_t w = 0; w < c.widths.size(); ++w) blocks[w].push_back(node(Node::Kind::block, i));
      std::vector<Pending> behind;
      for (int64_t w : c.widths) behind.push_back({node(last ? Node::Kind::head : Node::Kind::stage, last ? i : i + 1), w});
      auto with_left = [&](size_t w, int64_t left) { return left == 0 ? behind[w].node : blocks[w][most - static_cast<size_t>(left)]; };

      std::vector<std::vector<double>> unit(c.widths.size());  // of a further block, by width and genes
      for (size_t w = 0; w < c.widths.size(); ++w)
        for (const BlockGenes& g : genes) unit[w].push_back(cost_({Part::Kind::block, resolution, after, i, c.widths[w], c.widths[w], g}));

      for (const Pending& p : open) stage_edges(p, i, side, resolution, genes, unit, with_left);
      for (size_t w = 0; w < c.widths.size(); ++w)
        for (int64_t left = static_cast<int64_t>(most); left > 0; --left) {
          Node& n = out_.nodes[with_left(w, left)];
          n.first = static_cast<uint32_t>(out_.edges.size());
          for (size_t g = 0; g < genes.size(); ++g)
            out_.edges.push_back({1.0 / static_cast<double>(genes.size()), unit[w][g], static_cast<uint32_t>(with_left(w, left - 1)), 0, 0, 0, static_cast<uint8_t>(left), genes[g]});
          n.last = static_cast<uint32_t>(out_.edges.size());
        }
      open = std::move(behind);
      side = after;
    }
    for (const Pending& p : open) {
      Node& n = out_.nodes[p.node];
      n.first = static_cast<uint32_t>(out_.edges.size());
      out_.edges.push_back({1, cost_({Part::Kind::head, resolution, side, space_.stages.size() - 1, p.in, p.in, {}}), 0, 0, 0, 0, 0, {}});
      n.last = static_cast<uint32_t>(out_.edges.size());
      heads_.push_back(p.node);
    }
    return entry;
  }

  template <class WithLeft>
  void stage_edges(const Pending& p, size_t i, int64_t side, int64_t resolution, const std::vector<BlockGenes>& genes, const std::vector<std::vector<double>>& unit, const WithLeft& with_left) {
    const StageChoices& c = space_.stages[i];
    const bool mobile = c.block == Block::mobile, shared = space_.sharing == Sharing::stage;
    size_t from = 0;
    while (i > 0 && !space_.widths_may_fall && from + 1 < c.widths.size() && c.widths[from] < p.in) ++from;
    const auto widths = static_cast<double>(c.widths.size() - from), depths = static_cast<double>(c.depths.size());
    out_.nodes[p.node].first = static_cast<uint32_t>(out_.edges.size());
    for (size_t w = from; w < c.widths.size(); ++w) {
      const int64_t width = c.widths[w], in = i == 0 ? width : p.in;
      const Part entry{Part::Kind::entry, resolution, side, i, in, width, {}};
      const double downsample = mobile ? 0 : cost_(entry);
      // A transformer stage of blocks with their own genes chooses its width and depth alone.
      const bool blocks_follow = !shared && !mobile;
      for (size_t g = 0; g < (blocks_follow ? 1 : genes.size()); ++g) {
        Part first = entry;
        first.genes = genes[g];
        const double start = mobile ? cost_(first) : downsample;
        for (int64_t d : c.depths) {
          Edge e{1 / (widths * depths), start, 0, 0, static_cast<int32_t>(width), static_cast<uint8_t>(d), 0, {}};
          if (!blocks_follow) {
            e.genes = genes[g];
            e.probability /= static_cast<double>(genes.size());
          }
          if (shared) e.cost += static_cast<double>(d - mobile) * unit[w][g];
          e.target = static_cast<uint32_t>(with_left(w, shared ? 0 : d - mobile));
          out_.edges.push_back(e);
        }
      }
    }
    out_.nodes[p.node].last = static_cast<uint32_t>(out_.edges.size());
  }

  const Space& space_;
  const PartCost& cost_;
  Paths out_;
  std::vector<size_t> heads_;
};

// The member that a path builds up, edge by edge.
struct Walker {
  const Space& space;
  Member member;

  explicit Walker(const Space& s) : space(s) { member.stages = static_cast<uint32_t>(s.stages.size()); }
  void take(const Node& n, const Edge& e) {
    if (n.kind == Node::Kind::root) member.resolution = e.value;
    if (n.kind == Node::Kind::stage) {
      Genes& g = member.stage[n.stage];
      g = shared(e.value, e.depth, space.sharing == Sharing::stage ? e.genes : BlockGenes{});
      g.block[0] = e.genes;
    }
    if (n.kind == Node::Kind::block) {  // `position` blocks were left
      Genes& g = member.stage[n.stage];
      g.block[static_cast<size_t>(g.depth - e.position)] = e.genes;
    }
  }
};

// Least and most cost of a completion, and the edges that give them.
struct Ends {
  std::vector<double> least, most;
  std::vector<uint32_t> cheapest, dearest;
};
Ends ends_of(const Paths& p) {
  const size_t n = p.nodes.size();
  Ends e{std::vector<double>(n), std::vector<double>(n), std::vector<uint32_t>(n), std::vector<uint32_t>(n)};
  for (size_t v = n; v-- > 0;)
    for (uint32_t i = p.nodes[v].first; i < p.nodes[v].last; ++i) {
      const Edge& edge = p.edges[i];
      const double low = edge.cost + e.least[edge.target], high = edge.cost + e.most[edge.target];
      if (i == p.nodes[v].first || low < e.least[v]) e.least[v] = low, e.cheapest[v] = i;
      if (i == p.nodes[v].first || high > e.most[v]) e.most[v] = high, e.dearest[v] = i;
    }
  return e;
}
Member follow(const Space& space, const Paths& p, const std::vector<uint32_t>& choice) {
  Walker walker(space);
  for (size_t v = 0; p.nodes[v].kind != Node::Kind::end; v = p.edges[choice[v]].target) walker.take(p.nodes[v], p.edges[choice[v]]);
  return walker.member;
}

constexpr int32_t kFineness = 8;        // bins of a window for each edge that rounds
constexpr int32_t kMaxBins = 1 << 14;   // up to the window's end
constexpr int kTrials = 4000;           // draws before a window counts as suspicious
constexpr int64_t kMaxSteps = 4000000;  // of the search that follows

}  // namespace

Extremes extremes(const Space& space, const PartCost& cost) {
  const Paths p = PathMaker(space, cost).make();
  const Ends e = ends_of(p);
  return {e.least[0], e.most[0], follow(space, p, e.cheapest), follow(space, p, e.dearest)};
}

struct Drawer::Net {
  Space space;
  double lo = 0, hi = 0;
  Paths paths;
  Ends ends;
  // Of each node: for every cost so far, in bins from `low` on, the probability of ending in the widened window.
  struct Reach {
    int32_t low = 0;
    std::vector<double> probability;
    double at(int32_t bins) const {
      const auto i = static_cast<size_t>(bins - low);
      return bins >= low && i < probability.size() ? probability[i] : 0;
    }
  };
  std::vector<Reach> reach;
  Member witness;
  double witness_cost = 0;

  void fill() {
    // At most kMaxBins up to the window's end; an edge below a bin's width counts as none.
    const double width = std::max((hi - lo) / (kFineness * paths.longest), hi / kMaxBins), bin = width > 0 ? width : 1;
    for (Edge& e : paths.edges) e.bins = static_cast<int32_t>(std::min(std::floor(e.cost / bin), 2.0 * kMaxBins));
    const auto first = std::max(0, static_cast<int32_t>(std::floor(lo / bin)) - paths.longest), last = static_cast<int32_t>(std::floor(hi / bin)) + 1;
    const size_t n = paths.nodes.size();
    // Bins that a path can have on the way to each node, and that it may still need.
    std::vector<int32_t> low(n, INT32_MAX), high(n, -1), most(n, 0);
    low[0] = high[0] = 0;
    for (size_t v = n; v-- > 0;)
      for (uint32_t i = paths.nodes[v].first; i < paths.nodes[v].last; ++i) most[v] = std::min(std::max(most[v], paths.edges[i].bins + most[paths.edges[i].target]), 4 * kMaxBins);
    for (size_t v = 0; v < n; ++v) {
      low[v] = std::max(low[v], first - most[v]);
      high[v] = std::min(high[v], last);
      if (low[v] > high[v]) continue;
      for (uint32_t i = paths.nodes[v].first; i < paths.nodes[v].last; ++i) {
        const Edge& e = paths.edges[i];
        low[e.target] = std::min(low[e.target], low[v] + e.bins);
        high[e.target] = std::max(high[e.target], std::min(high[v] + e.bins, last));
      }
    }
    reach.assign(n, {});
    for (size_t v = n; v-- > 0;) {
      Reach& r = reach[v];
      if (low[v] > high[v]) continue;
      r.low = low[v];
      r.probability.assign(static_cast<size_t>(high[v] - low[v]) + 1, 0);
      if (paths.nodes[v].kind == Node::Kind::end) {
        for (int32_t b = std::max(first, low[v]); b <= high[v]; ++b) r.probability[static_cast<size_t>(b - low[v])] = 1;
        continue;
      }
      for (uint32_t i = paths.nodes[v].first; i < paths.nodes[v].last; ++i) {
        const Edge& e = paths.edges[i];
        const Reach& t = reach[e.target];
        if (t.probability.empty()) continue;
        // Bins b with b + e.bins inside the target's range.
        const int32_t from = std::max(low[v], t.low - e.bins), to = std::min(high[v], t.low + static_cast<int32_t>(t.probability.size()) - 1 - e.bins);
        if (from > to) continue;
        double* out = r.probability.data() + (from - low[v]);
        const double* in = t.probability.data() + (from + e.bins - t.low);
        for (int32_t k = 0; k <= to - from; ++k) out[k] += e.probability * in[k];
      }
    }
  }

  // One walk; whether its exact cost lies in the window.
  bool walk(Rng& rng, Member& member, double& cost) const {
    Walker walker(space);
    int32_t bins = 0;
    cost = 0;
    for (size_t v = 0; paths.nodes[v].kind != Node::Kind::end;) {
      const Node& n = paths.nodes[v];
      double left = rng.uniform() * reach[v].at(bins);
      uint32_t chosen = n.last;
      for (uint32_t i = n.first; i < n.last; ++i) {
        const Edge& e = paths.edges[i];
        const double p = e.probability * reach[e.target].at(bins + e.bins);
        if (p <= 0) continue;
        chosen = i;  // rounding of `left` ends at the last edge that can be taken
        if ((left -= p) < 0) break;
      }
      if (chosen == n.last) return false;
      const Edge& e = paths.edges[chosen];
      walker.take(n, e);
      bins += e.bins;
      cost += e.cost;
      v = e.target;
    }
    member = walker.member;
    return cost >= lo && cost <= hi;
  }

  // Depth first through every path of the widened window, exact bounds pruning; keeps what lies in the window, or nearest to it.
  struct Search {
    const Net& net;
    std::vector<uint32_t> path;
    int64_t steps = 0;
    bool found = false;
    Member member;
    double cost = 0, below = -1, above = -1;  // nearest costs outside the window

    void visit(size_t v, double so_far) {
      if (found || ++steps > kMaxSteps) return;
      const Node& n = net.paths.nodes[v];
      if (n.kind == Node::Kind::end) {
        if (so_far >= net.lo && so_far <= net.hi) {
          Walker walker(net.space);
          size_t at = 0;
          for (uint32_t i : path) {
            walker.take(net.paths.nodes[at], net.paths.edges[i]);
            at = net.paths.edges[i].target;
          }
          found = true, member = walker.member, cost = so_far;
        } else if (so_far < net.lo) {
          below = std::max(below, so_far);
        } else if (above < 0 || so_far < above) {
          above = so_far;
        }
        return;
      }
      for (uint32_t i = n.first; i < n.last; ++i) {
        const Edge& e = net.paths.edges[i];
        const double c = so_far + e.cost;
        // A completion between the nearest costs known must be possible.
        if (c + net.ends.most[e.target] <= below || (above >= 0 && c + net.ends.least[e.target] >= above)) continue;
        path.push_back(i);
        visit(e.target, c);
        path.pop_back();
      }
    }
  };
};

Drawer::Drawer(std::unique_ptr<Net> net) : net_(std::move(net)) {}
Drawer::Drawer(Drawer&&) noexcept = default;
Drawer& Drawer::operator=(Drawer&&) noexcept = default;
Drawer::~Drawer() = default;

Result<Drawer> Drawer::make(const Space& space, const PartCost& cost, double lo, double hi) {
  HONE_TRY(check_space(space));
  if (!(lo <= hi) || !(hi >= 0) || !std::isfinite(hi)) return fail(Code::usage, fmt::format("{} to {} is no window of costs", lo, hi));
  auto net = std::make_unique<Net>();
  net->space = space;
  net->paths = PathMaker(space, cost).make();
  for (const Edge& e : net->paths.edges)
    if (!(e.cost >= 0) || !std::isfinite(e.cost)) return fail(Code::invalid, fmt::format("a part of the space costs {}", e.cost));
  net->ends = ends_of(net->paths);
  const double least = net->ends.least[0], most = net->ends.most[0];
  auto none = [&](const std::string& nearest) { return fail(Code::budget_not_met, fmt::format("no member of the space {} costs {} to {}", space.name, lo, hi), "", nearest); };
  net->lo = std::max(lo, 0.0);
  net->hi = std::min(hi, most);
  if (hi < least) return none(fmt::format("the cheapest costs {}", least));
  if (lo > most) return none(fmt::format("the dearest costs {}", most));
  net->fill();
  Rng rng(1);
  bool met = false;
  for (int i = 0; i < kTrials && !met && net->reach[0].at(0) > 0; ++i) met = net->walk(rng, net->witness, net->witness_cost);
  if (!met) {
    Net::Search search{*net, {}, 0, false, {}, 0, -1, -1};
    search.visit(0, 0);
    if (!search.found) return none(fmt::format("{}: {} below and {} above", search.steps > kMaxSteps ? "the nearest costs found" : "the nearest costs of members", search.below, search.above));
    net->witness = search.member;
    net->witness_cost = search.cost;
  }
  return Drawer(std::move(net));
}

Member Drawer::operator()(Rng& rng, double* cost) const {
  constexpr int kPatience = 200'000;  // a window so narrow that hardly a walk ends in it
  Member m;
  double c = 0;
  for (int i = 0; i < kPatience; ++i)
    if (net_->walk(rng, m, c)) {
      if (cost) *cost = c;
      return m;
    }
  if (cost) *cost = net_->witness_cost;
  return net_->witness;
}

double Drawer::mass() const { return net_->reach[0].at(0); }

double Drawer::probability(Rng& rng, int walks) const {
  Member m;
  double cost = 0;
  int inside = 0;
  for (int i = 0; i < walks; ++i) inside += net_->walk(rng, m, cost);
  return mass() * inside / std::max(1, walks);
}

Result<Drawer> level_drawer(const Space& space, const CostTable& table, int64_t level) {
  const Space cut = above(space, smallest_of_level(space, level));
  return Drawer::make(cut, part_counted(space, table), static_cast<double>(level), static_cast<double>(level + space.levels.window));
}

}  // namespace hone::space
