#include "retrieval/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <queue>

#include "core/checked.h"
#include "core/xxhash.h"
#include "retrieval/kernels.h"

namespace hone {

namespace {

constexpr std::string_view kMagic = "HONEGRA1";
constexpr size_t kHeader = 128, kBodyHash = 88, kMaxLevels = 64;

template <class T>
T load(std::span<const std::byte> at, size_t offset) {
  T v;
  std::memcpy(&v, at.data() + offset, sizeof v);
  return v;
}

template <class T>
void put(std::string& out, size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof value);
}

struct Near {
  float distance;
  uint32_t row;
  bool operator<(const Near& o) const { return distance != o.distance ? distance < o.distance : row < o.row; }
  bool operator>(const Near& o) const { return o < *this; }
};

// Which rows a search has met: numbered searches, so that nothing is cleared between them.
class Visited {
 public:
  explicit Visited(size_t rows) {
    if (marks_.size() < rows) marks_.assign(rows, 0), now_ = 0;
    if (++now_ == 0) std::fill(marks_.begin(), marks_.end(), 0), now_ = 1;
  }
  bool meet(uint32_t row) { return std::exchange(marks_[row], now_) != now_; }

 private:
  static thread_local std::vector<uint32_t> marks_;
  static thread_local uint32_t now_;
};
thread_local std::vector<uint32_t> Visited::marks_;
thread_local uint32_t Visited::now_ = 0;

}  // namespace

Result<RowGraph> parse_graph_file(std::span<const std::byte> file, const std::string& source) {
  const auto damaged = [&](std::string what) { return fail(Code::invalid, std::move(what), source, "hone index builds it anew: --graph"); };
  if (file.size() < kHeader || std::memcmp(file.data(), kMagic.data(), kMagic.size()) != 0) return damaged("is no graph of a store, or its beginning is damaged");
  if (load<uint64_t>(file, kHeader - 8) != xxh64(file.data(), kHeader - 8)) return damaged("the checksum of the graph's header is wrong");
  const auto body = file.subspan(kHeader);
  if (load<uint64_t>(file, kBodyHash) != xxh64(body.data(), body.size())) return damaged(fmt::format("the graph is cut or damaged: its {} bytes have another checksum than its header says", file.size()));
  RowGraph g;
  g.store = load<uint64_t>(file, 8);
  const auto rows = load<uint64_t>(file, 16);
  g.dim = load<uint32_t>(file, 24);
  const size_t levels = load<uint32_t>(file, 28);
  g.entry = load<uint32_t>(file, 32);
  g.facts.options.links = load<uint32_t>(file, 36);
  g.facts.options.build_width = load<uint32_t>(file, 40);
  g.facts.options.search_width = load<uint32_t>(file, 44);
  g.facts.options.seed = load<uint64_t>(file, 48);
  g.facts.recall_at_10 = load<double>(file, 56);
  g.facts.queries = static_cast<int64_t>(load<uint64_t>(file, 64));
  g.facts.build_seconds = load<double>(file, 72);
  if (rows < 1 || rows > UINT32_MAX - 1 || levels < 1 || levels > kMaxLevels || g.entry >= rows || !(g.facts.recall_at_10 >= 0 && g.facts.recall_at_10 <= 1) || g.facts.options.search_width < 1)
    return damaged(fmt::format("the graph's header says {} rows, {} levels, entry {}", rows, levels, g.entry));
  g.rows = static_cast<int64_t>(rows);
  size_t at = 0;
  for (size_t l = 0; l < levels; ++l) {
    RowGraph::Level level;
    const size_t offsets = 4 * (static_cast<size_t>(rows) + 1);
    if (body.size() - at < offsets) return damaged(fmt::format("level {} of the graph is cut", l));
    level.first.resize(static_cast<size_t>(rows) + 1);
    std::memcpy(level.first.data(), body.data() + at, offsets);
    at += offsets;
    if (level.first[0] != 0 || !std::is_sorted(level.first.begin(), level.first.end()) || level.first.back() > (body.size() - at) / 4) return damaged(fmt::format("the links of level {} are not in order", l));
    level.links.resize(level.first.back());
    if (!level.links.empty()) std::memcpy(level.links.data(), body.data() + at, 4 * level.links.size());
    at += 4 * level.links.size();
    for (uint32_t link : level.links)
      if (link >= rows) return damaged(fmt::format("level {} links to row {} of {}", l, link, rows));
    g.levels.push_back(std::move(level));
  }
  if (at != body.size()) return damaged(fmt::format("{} bytes lie behind the graph", body.size() - at));
  return g;
}

std::string print_graph_file(const RowGraph& g) {
  std::string out(kHeader, '\0');
  for (const RowGraph::Level& level : g.levels)
    for (const auto* numbers : {&level.first, &level.links}) out.append(reinterpret_cast<const char*>(numbers->data()), 4 * numbers->size());
  std::memcpy(out.data(), kMagic.data(), kMagic.size());
  put(out, 8, g.store);
  put(out, 16, static_cast<uint64_t>(g.rows));
  put(out, 24, static_cast<uint32_t>(g.dim));
  put(out, 28, static_cast<uint32_t>(g.levels.size()));
  put(out, 32, g.entry);
  put(out, 36, static_cast<uint32_t>(g.facts.options.links));
  put(out, 40, static_cast<uint32_t>(g.facts.options.build_width));
  put(out, 44, static_cast<uint32_t>(g.facts.options.search_width));
  put(out, 48, g.facts.options.seed);
  put(out, 56, g.facts.recall_at_10);
  put(out, 64, static_cast<uint64_t>(g.facts.queries));
  put(out, 72, g.facts.build_seconds);
  put(out, kBodyHash, xxh64(out.data() + kHeader, out.size() - kHeader));
  put(out, kHeader - 8, xxh64(out.data(), kHeader - 8));
  return out;
}

std::vector<uint32_t> search_graph(const RowGraph& g, const EmbeddingStore& store, std::span<const float> query, size_t width, int64_t& measured) {
  const auto measure = [&](uint32_t row) {
    ++measured;
    return Near{squared_distance(query.data(), store.row(row).data(), query.size()), row};
  };
  const auto links = [&](size_t level, uint32_t row) {
    const RowGraph::Level& l = g.levels[level];
    return std::span<const uint32_t>(l.links.data() + l.first[row], l.first[row + 1] - l.first[row]);
  };
  Near at = measure(g.entry);
  for (size_t level = g.levels.size() - 1; level > 0; --level)
    for (bool moved = true; moved;) {
      moved = false;
      for (uint32_t next : links(level, at.row))
        if (const Near n = measure(next); n < at) at = n, moved = true;
    }

  Visited visited(static_cast<size_t>(g.rows));
  std::priority_queue<Near, std::vector<Near>, std::greater<>> todo;  // nearest first
  std::priority_queue<Near> best;                                      // farthest first
  visited.meet(at.row);
  todo.push(at);
  best.push(at);
  while (!todo.empty()) {
    const Near here = todo.top();
    if (best.size() >= width && best.top() < here) break;
    todo.pop();
    for (uint32_t next : links(0, here.row)) {
      if (!visited.meet(next)) continue;
      const Near n = measure(next);
      if (best.size() >= width && !(n < best.top())) continue;
      todo.push(n);
      best.push(n);
      if (best.size() > width) best.pop();
    }
  }
  std::vector<uint32_t> out;
  for (; !best.empty(); best.pop()) out.push_back(best.top().row);
  return out;
}

}  // namespace hone
