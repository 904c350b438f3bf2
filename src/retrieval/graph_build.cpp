// Building graphs with hnswlib (Malkov and Yashunin's own library).
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <exception>
#include <limits>
#include <mutex>
#include <optional>

#if __has_include(<hnswlib/hnswlib.h>)
#define HONE_HNSWLIB 1
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wunused-variable"
#include <hnswlib/hnswlib.h>
#pragma GCC diagnostic pop
#endif

#include "core/file.h"
#include "core/rng.h"
#include "data/image_ops.h"
#include "data/shuffle.h"
#include "retrieval/graph.h"
#include "retrieval/kernels.h"
#include "retrieval/parts.h"

namespace hone {

std::string graph_path(const std::string& store) { return store + ".graph"; }

#if HONE_HNSWLIB

namespace {

constexpr int64_t kRecallQueries = 200;

struct Space final : hnswlib::SpaceInterface<float> {
  size_t dim;
  explicit Space(size_t d) : dim(d) {}
  size_t get_data_size() override { return 4 * dim; }
  hnswlib::DISTFUNC<float> get_dist_func() override {
    return [](const void* a, const void* b, const void* dim) { return squared_distance(static_cast<const float*>(a), static_cast<const float*>(b), *static_cast<const size_t*>(dim)); };
  }
  void* get_dist_func_param() override { return &dim; }
};

using Built = hnswlib::HierarchicalNSW<float>;

// hnswlib numbers rows as they came; with several threads that is not their order.
RowGraph links_of(Built& built) {
  const size_t rows = built.cur_element_count;
  std::vector<uint32_t> inside(rows);  // hnswlib's number of each row
  for (size_t i = 0; i < rows; ++i) inside[built.getExternalLabel(static_cast<hnswlib::tableint>(i))] = static_cast<uint32_t>(i);
  const auto row_of = [&](uint32_t i) { return static_cast<uint32_t>(built.getExternalLabel(i)); };
  RowGraph g;
  g.rows = static_cast<int64_t>(rows);
  g.entry = row_of(built.enterpoint_node_);
  for (int level = 0; level <= built.maxlevel_; ++level) {
    RowGraph::Level out;
    for (size_t row = 0; row < rows; ++row) {
      out.first.push_back(static_cast<uint32_t>(out.links.size()));
      if (built.element_levels_[inside[row]] < level) continue;
      auto* list = built.get_linklist_at_level(inside[row], level);
      const auto* links = reinterpret_cast<const hnswlib::tableint*>(list + 1);
      for (unsigned short i = 0; i < built.getListCount(list); ++i) out.links.push_back(row_of(links[i]));
    }
    out.first.push_back(static_cast<uint32_t>(out.links.size()));
    g.levels.push_back(std::move(out));
  }
  return g;
}

// Rows, moved by a tenth of their length in a random direction: neither rows themselves nor anything far from them.
double recall_at_10(const RowGraph& g, const EmbeddingStore& store, int64_t& queries) {
  constexpr size_t k = 10;
  const auto exact = SearchIndex::of({std::shared_ptr<void>(), &store});
  Rng rng(derive_seed(g.facts.options.seed, 1));
  queries = std::min(kRecallQueries, store.count());
  double hits = 0, possible = 0;
  for (int64_t q = 0; q < queries; ++q) {
    const auto row = store.row(static_cast<int64_t>(rng.below(static_cast<uint64_t>(store.count()))));
    std::vector<float> query(row.begin(), row.end()), away(row.size());
    double length = 0, size = 0;
    for (size_t i = 0; i < query.size(); ++i) {
      away[i] = static_cast<float>(normal(rng));
      length += static_cast<double>(query[i]) * query[i];
      size += static_cast<double>(away[i]) * away[i];
    }
    for (size_t i = 0; i < query.size(); ++i) query[i] += static_cast<float>(0.1 * std::sqrt(length / size)) * away[i];
    const auto truth = exact->nearest(query, k, SearchMode::exact);
    if (!truth || truth->found.empty()) continue;
    int64_t measured = 0;
    const double farthest = truth->found.back().distance;
    std::vector<double> found;
    for (uint32_t r : search_graph(g, store, query, static_cast<size_t>(g.facts.options.search_width), measured)) found.push_back(distance(query, store.row(r)));
    const auto within = std::count_if(found.begin(), found.end(), [&](double d) { return d <= farthest; });  // equal distances are as good
    hits += static_cast<double>(std::min<int64_t>(within, static_cast<int64_t>(truth->found.size())));
    possible += static_cast<double>(truth->found.size());
  }
  return possible > 0 ? hits / possible : 1;
}

}  // namespace

Result<GraphFacts> build_graph(const std::string& path, const GraphOptions& o, const std::function<void(int64_t)>& progress) {
  if (o.links < 2 || o.links > 256 || o.build_width < o.links || o.build_width > 10000 || o.search_width < 1 || o.search_width > 10000 || o.threads < 1)
    return fail(Code::usage, fmt::format("a graph of {} links, build width {}, search width {} and {} threads cannot be built", o.links, o.build_width, o.search_width, o.threads), {}, "links 2 to 256, widths up to 10000, the build width at least the links");
  HONE_TRY_ASSIGN(const auto store, EmbeddingStore::open(path));
  if (store->count() == 0) return fail(Code::invalid, "the store is empty: there is nothing to link", path);
  if (store->count() > int64_t{std::numeric_limits<uint32_t>::max()} / (2 * o.links)) return fail(Code::unsupported, fmt::format("{} rows of {} links are too many for a graph", store->count(), 2 * o.links), path);
  const auto start = std::chrono::steady_clock::now();
  RowGraph g;
  try {
    Space space(static_cast<size_t>(store->dim()));
    Built built(&space, static_cast<size_t>(store->count()), static_cast<size_t>(o.links), static_cast<size_t>(o.build_width), static_cast<size_t>(o.seed));
    built.addPoint(store->row(0).data(), 0);
    std::atomic<int64_t> done{1};
    std::mutex guard;
    std::optional<std::string> error;
    in_parts(store->count() - 1, o.threads, [&](int part, int64_t from, int64_t to) {
      try {
        for (int64_t i = from + 1; i <= to; ++i) {
          built.addPoint(store->row(i).data(), static_cast<size_t>(i));
          const int64_t now = ++done;
          if (progress && part == 0 && i % 64 == 0) progress(now);
        }
      } catch (const std::exception& e) {
        const std::lock_guard<std::mutex> lock(guard);
        error = e.what();
      }
    });
    if (error) return fail(Code::failed, "the graph could not be built: " + *error, path);
    g = links_of(built);
  } catch (const std::exception& e) {  // hnswlib throws when memory is short
    return fail(Code::failed, std::string("the graph could not be built: ") + e.what(), path);
  }
  g.store = store->checksum();
  g.dim = store->dim();
  g.facts.options = o;
  g.facts.recall_at_10 = recall_at_10(g, *store, g.facts.queries);
  g.facts.build_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (progress) progress(store->count());
  HONE_TRY(write_file(graph_path(path), print_graph_file(g), true));
  return g.facts;
}

#else

Result<GraphFacts> build_graph(const std::string& path, const GraphOptions&, const std::function<void(int64_t)>&) {
  return fail(Code::unsupported, "hone was built without hnswlib, which builds graphs", path, "exact and int8 search need none");
}

#endif

}  // namespace hone
