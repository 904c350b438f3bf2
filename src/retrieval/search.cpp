#include "retrieval/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <mutex>

#include "core/file.h"
#include "retrieval/codes.h"
#include "retrieval/graph.h"
#include "retrieval/kernels.h"
#include "retrieval/parts.h"

namespace hone {

namespace {

// What a quick pass knows of a row: its distance lies between these.
struct Between {
  float low, high;
  uint32_t row;
};

// Keeps every row that may be among the k nearest: those whose least distance is not above the k-th smallest of the greatest.
class Candidates {
 public:
  explicit Candidates(size_t k) : k_(k) {}
  void add(const Between& b) {
    if (b.low > bound_) return;
    rows_.push_back(b);
    if (rows_.size() >= prune_at_) prune();
  }
  void add(const Candidates& other) {
    for (const Between& b : other.rows_) add(b);
  }
  const std::vector<Between>& finish() {
    prune();
    return rows_;
  }

 private:
  void prune() {
    if (rows_.size() > k_ && k_ > 0) {
      std::nth_element(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(k_ - 1), rows_.end(), [](const Between& a, const Between& b) { return a.high < b.high; });
      bound_ = std::min(bound_, rows_[k_ - 1].high);
    }
    std::erase_if(rows_, [&](const Between& b) { return b.low > bound_; });
    prune_at_ = std::max<size_t>(256, 2 * rows_.size() + 2 * k_);
  }
  size_t k_, prune_at_ = 256;
  float bound_ = std::numeric_limits<float>::infinity();
  std::vector<Between> rows_;
};

float below(double v) { return std::nextafter(static_cast<float>(v), -std::numeric_limits<float>::infinity()); }
float above(double v) { return std::nextafter(static_cast<float>(v), std::numeric_limits<float>::infinity()); }

class Index final : public SearchIndex {
 public:
  explicit Index(std::shared_ptr<const EmbeddingStore> store) : store_(std::move(store)) {}

  const EmbeddingStore& store() const override { return *store_; }
  const std::optional<GraphFacts>& graph() const override { return facts_; }

  Status take(RowGraph graph, const std::string& path) {
    if (graph.store != store_->checksum() || graph.rows != store_->count() || graph.dim != store_->dim())
      return fail(Code::invalid, fmt::format("the graph was built for other rows ({}, the store has {})", graph.rows, store_->count()), path, "hone index builds it anew: --graph");
    facts_ = graph.facts;
    graph_ = std::move(graph);
    return {};
  }

  Result<SearchResult> nearest(std::span<const float> query, size_t k, SearchMode mode, int threads) const override {
    if (static_cast<int64_t>(query.size()) != store_->dim()) return fail(Code::invalid, fmt::format("the query has {} dimensions, the store {}", query.size(), store_->dim()), store_->path());
    for (float v : query)
      if (!std::isfinite(v)) return fail(Code::invalid, "the query is not finite", store_->path());
    if (mode == SearchMode::graph && !graph_) return fail(Code::usage, "the store has no graph", store_->path(), "build it: hone index --graph");
    SearchResult out;
    k = std::min(k, static_cast<size_t>(store_->count()));
    if (k == 0) return out;
    std::vector<uint32_t> rows;
    if (graph_ && mode != SearchMode::exact && mode != SearchMode::int8) rows = search_graph(*graph_, *store_, query, std::max(k, static_cast<size_t>(facts_->options.search_width)), out.measured);
    else rows = mode == SearchMode::int8 ? by_codes(query, k, threads, out.measured) : by_floats(query, k, threads, out.measured);
    for (uint32_t r : rows) out.found.push_back({r, distance(query, store_->row(r))});
    out.measured += static_cast<int64_t>(rows.size());
    k = std::min(k, out.found.size());
    std::partial_sort(out.found.begin(), out.found.begin() + static_cast<std::ptrdiff_t>(k), out.found.end(),
                      [](const Neighbour& a, const Neighbour& b) { return a.distance != b.distance ? a.distance < b.distance : a.item < b.item; });
    out.found.resize(k);
    return out;
  }

 private:
  // Between squared distances: the error of the kernel, and of distance() itself (far below one rounding of f32).
  Between measure(std::span<const float> query, const float* row, uint32_t number, double error) const {
    const float d = squared_distance(query.data(), row, query.size());
    constexpr double kTiny = 1e-30;  // squares that underflow
    return {below(d * (1 - error) - kTiny), above(d * (1 + 2 * error) + kTiny), number};
  }
  static std::vector<uint32_t> numbers(Candidates& c) {
    std::vector<uint32_t> out;
    for (const Between& b : c.finish()) out.push_back(b.row);
    return out;
  }

  std::vector<uint32_t> by_floats(std::span<const float> query, size_t k, int threads, int64_t& measured) const {
    const double error = 2 * kernel_error(query.size());
    std::vector<Candidates> parts(static_cast<size_t>(std::max(1, threads)), Candidates(k));
    in_parts(store_->count(), threads, [&](int part, int64_t from, int64_t to) {
      for (const EmbeddingStore::Block& b : store_->blocks())
        for (int64_t i = std::max(from, b.first); i < std::min(to, b.first + b.count); ++i)
          parts[static_cast<size_t>(part)].add(measure(query, b.values.data() + (i - b.first) * store_->dim(), static_cast<uint32_t>(i), error));
    });
    measured += store_->count();
    for (size_t p = 1; p < parts.size(); ++p) parts[0].add(parts[p]);
    return numbers(parts[0]);
  }

  std::vector<uint32_t> by_codes(std::span<const float> query, size_t k, int threads, int64_t& measured) const {
    std::call_once(encoded_, [&] { codes_ = encode_rows(*store_, threads); });
    const size_t dim = query.size();
    std::vector<int8_t> own(dim);
    const RowCode asked = encode(query, own.data());
    std::vector<Candidates> parts(static_cast<size_t>(std::max(1, threads)), Candidates(k));
    in_parts(store_->count(), threads, [&](int part, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const RowCode& code = codes_.rows[static_cast<size_t>(i)];
        const double d = code_distance(asked, code, dot(own.data(), codes_.values.data() + static_cast<size_t>(i) * dim, dim)), lost = (static_cast<double>(asked.error) + code.error) * (1 + 1e-6) + 1e-6 * d;
        parts[static_cast<size_t>(part)].add({below(d - lost), above(d + lost), static_cast<uint32_t>(i)});
      }
    });
    measured += store_->count();
    for (size_t p = 1; p < parts.size(); ++p) parts[0].add(parts[p]);
    // What is left is measured in f32 before it is in f64.
    Candidates better(k);
    const double error = 2 * kernel_error(dim);
    for (uint32_t r : numbers(parts[0])) ++measured, better.add(measure(query, store_->row(r).data(), r, error));
    return numbers(better);
  }

  std::shared_ptr<const EmbeddingStore> store_;
  std::optional<RowGraph> graph_;
  std::optional<GraphFacts> facts_;
  mutable std::once_flag encoded_;
  mutable Codes codes_;
};

}  // namespace

std::string_view name(SearchMode mode) {
  switch (mode) {
    case SearchMode::best: return "best";
    case SearchMode::exact: return "exact";
    case SearchMode::int8: return "int8";
    case SearchMode::graph: return "graph";
  }
  return "";
}

Result<std::shared_ptr<const SearchIndex>> SearchIndex::open(const std::string& path) {
  HONE_TRY_ASSIGN(auto store, EmbeddingStore::open(path));
  auto index = std::make_shared<Index>(std::move(store));
  const std::string beside = graph_path(path);
  std::error_code ec;
  if (std::filesystem::exists(beside, ec)) {
    HONE_TRY_ASSIGN(const auto file, MappedFile::open(beside));
    HONE_TRY_ASSIGN(RowGraph graph, parse_graph_file(file->bytes(), beside));
    HONE_TRY(index->take(std::move(graph), beside));
  }
  return std::shared_ptr<const SearchIndex>(std::move(index));
}

std::shared_ptr<const SearchIndex> SearchIndex::of(std::shared_ptr<const EmbeddingStore> store) { return std::make_shared<Index>(std::move(store)); }

}  // namespace hone
