// How well and how dearly a trained encoder retrieves: every canvas, and, with a selector, every way of choosing one.
//
// The test split is touched here alone. FLOPs are those of one sketch: the encoder at its canvas, plus the selector where it
// chose (spec of the sketch method, section 5: 2 x ptflops).
#pragma once

#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "run/report.h"

namespace hone::methods {

// One way of answering queries. Scores are per query: 1 a hit, 0 a miss, or a chance between.
struct Scores {
  std::string name;
  std::vector<double> hit1, hit5, hit10, reciprocal;
  std::vector<double> flops, macs;       // per query
  std::vector<int64_t> canvas;           // per query; 0 where it is drawn by chance
};

struct Evaluation {
  std::string run, net, split;
  int64_t params = 0, selector_params = 0;
  int64_t queries = 0, gallery = 0;
  std::vector<int64_t> canvases, canvas_flops;
  std::vector<Scores> scores;            // fixed canvases first, largest last; then those of a selector's run
  std::vector<int64_t> points;           // of each sketch as the selector reads it; empty without one
  std::vector<int64_t> strokes;        // with a selector: of every query
  std::string data;                      // path of the set
  std::vector<DataNote> notes;           // what was wrong with it
  double map = -1;                       // mean average precision by category at the largest canvas; -1: one category
};

// A sketch run or a selector's run. Errors: unknown split, an empty one.
Result<Evaluation> evaluate(const std::string& run, const std::string& split);

// Table, charts and intervals. Several evaluations are one method under several seeds: means, spread, and, against another
// method's, paired bootstrap intervals.
Result<Report> evaluation_report(const std::vector<Evaluation>& runs, const std::vector<Evaluation>& against);

}  // namespace hone::methods
