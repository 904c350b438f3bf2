// Nearest rows of a store: exactly, by codes of 8 bits, or along a graph.
//
// Every way gives its answer in the order of nearest() in retrieval/embeddings.h: by distance() in double precision, ties
// by row. The quick passes only choose which rows that routine is asked about:
//   exact    squared distances in f32; every row that could be among the nearest, given the rounding error of f32 sums
//            (Higham 2002, section 3.1), is measured again. The answer equals nearest() to the bit.
//   int8     the same with vectors rounded to 8 bits, and the error of the rounding, stored with each row, as the bound.
//            Equals nearest() to the bit as well; a quarter of the memory is read.
//   graph    hierarchical navigable small worlds (Malkov and Yashunin 2018, by hnswlib). May miss some: its recall was measured
//            against exact search when it was built.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "retrieval/store.h"

namespace hone {

enum class SearchMode : uint8_t { best, exact, int8, graph };  // best: the graph where there is one, else exact
std::string_view name(SearchMode mode);

struct GraphOptions {
  int64_t links = 16;        // M: neighbours of a row on each level, twice as many on the lowest
  int64_t build_width = 200; // ef_construction
  int64_t search_width = 64; // ef, unless told otherwise: at least the number asked for
  uint64_t seed = 1;
  int threads = 1;
};
// What building measured: rows of the store, slightly moved, as queries.
struct GraphFacts {
  GraphOptions options;
  double recall_at_10 = 0;
  int64_t queries = 0;
  double build_seconds = 0;
};

struct SearchResult {
  std::vector<Neighbour> found;
  int64_t measured = 0;      // distances computed, of any precision
};

class SearchIndex {
 public:
  // The store at `path`, with the graph beside it (`path`.graph) if there is one. A graph that is damaged or was built for
  // other rows is an error (hint: hone index builds it anew).
  static Result<std::shared_ptr<const SearchIndex>> open(const std::string& path);
  static std::shared_ptr<const SearchIndex> of(std::shared_ptr<const EmbeddingStore> store);  // without a graph
  virtual ~SearchIndex() = default;

  virtual const EmbeddingStore& store() const = 0;
  virtual const std::optional<GraphFacts>& graph() const = 0;
  // Thread-safe. `threads` split exact and int8 search; the answer is the same for any number. The first int8 search rounds
  // the store.
  // Errors: another dimension, a query that is not finite, SearchMode::graph without one.
  virtual Result<SearchResult> nearest(std::span<const float> query, size_t k, SearchMode mode = SearchMode::best, int threads = 1) const = 0;
};

// Builds the graph of a store into `path`.graph (written whole or not at all) and measures its recall. `progress` is told how
// many rows are done. Errors: an empty store.
Result<GraphFacts> build_graph(const std::string& path, const GraphOptions& options = {}, const std::function<void(int64_t)>& progress = {});
std::string graph_path(const std::string& store);

}  // namespace hone
