// From strokes to photos, on engine sessions alone: selector, picture, network, search.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/strokes.h"
#include "retrieval/search.h"

namespace hone {

struct QueryOptions {
  std::string engine = "openvino";
  int threads = 1;
  std::string precision = "f32";  // of the networks, see EngineOptions
};

// What one part of an answer cost. MACs of the search are those of the distances that were computed.
struct QueryStep {
  std::string name;               // "selector", "picture", "network", "search"
  int64_t macs = 0;
  double milliseconds = 0;
};

struct Found {
  int64_t item = 0;               // row of the index
  std::string id;
  double distance = 0;            // Euclidean, between vectors of length 1: 0 to 2
};

struct Answer {
  int64_t canvas = 0;             // side of the picture that the sketch was drawn at
  int64_t points = 0;             // that the selector read; 0 without one
  std::vector<double> chances;    // softmax of the selector's logits, one a canvas; empty without one or where the canvas was given
  std::vector<QueryStep> steps;
  std::vector<Found> found;       // nearest first, ties by row
  std::vector<float> vector;      // the sketch's embedding
  int64_t macs() const;
  double milliseconds() const;
};

struct Ask {
  int64_t top = 10;
  int64_t canvas = 0;             // 0: the selector's choice, or the largest where there is none
  SearchMode mode = SearchMode::best;
};

// A run (a sketch run, or a selector's with the encoder that it names), compiled: one session a canvas, made when it is first
// needed. Not for several threads at once; open one per thread.
class QueryPath {
 public:
  // Errors: what opening the run, the engine and the networks gives; an index of another checkpoint than the run's
  // (hint: hone index).
  static Result<std::unique_ptr<QueryPath>> open(const std::string& run, std::shared_ptr<const SearchIndex> index, const QueryOptions& options = {});
  virtual ~QueryPath() = default;

  virtual const std::vector<int64_t>& canvases() const = 0;  // rising
  virtual bool has_selector() const = 0;
  virtual int64_t macs(int64_t canvas) const = 0;            // of the network at a canvas
  virtual const SearchIndex& index() const = 0;
  // Compiles what the first questions would wait for.
  virtual Status warm_up() = 0;
  // Errors: a sketch without points, a canvas that the run does not have.
  virtual Result<Answer> ask(const Sketch& sketch, const Ask& ask = {}) = 0;
};

}  // namespace hone
