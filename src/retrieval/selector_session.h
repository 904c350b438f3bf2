// The canvas selector on engine sessions, for sequences of any length.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "core/error.h"
#include "engine/engine.h"
#include "retrieval/trained.h"

namespace hone {

// A session runs one length. A sequence is cut into lengths that are powers of two, the largest first, each part beginning
// with the state that the one before it ended with: the same sums as in one piece, and few sessions for every length.
class SelectorSession {
 public:
  static Result<SelectorSession> open(SelectorRun run, Engine& engine, const EngineOptions& options);

  const SelectorRun& run() const { return run_; }
  // Multiply-adds for a number of points.
  int64_t macs(int64_t points) const { return macs_fixed_ + macs_point_ * points; }
  // Logits, one a canvas, of rows of five (selector_rows in data/sketch_input.h), at least one row.
  Result<std::vector<float>> logits(std::span<const float> rows);
  // Makes every session that sequences up to the run's longest need, and runs it once.
  Status compile_all();

 private:
  Result<EngineSession*> session(int64_t points);
  SelectorRun run_;
  Engine* engine_ = nullptr;
  EngineOptions options_;
  int64_t macs_fixed_ = 0, macs_point_ = 0;
  std::map<int64_t, std::unique_ptr<EngineSession>> sessions_;
};

// The selector for a number of points with its state as a second input ("state", 1 x 1 x hidden) and a second output
// (1 x hidden).
Result<Graph> with_state(Graph selector);

}  // namespace hone
