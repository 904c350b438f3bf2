// The body of a query and its answer, as JSON.
#pragma once

#include <string>
#include <string_view>

#include "serve/http.h"
#include "serve/service.h"

namespace hone {

struct QueryLimits {
  size_t strokes = 1000;
  size_t points = 10000;        // of all strokes
  int64_t top = 100;
  double outside = 1;           // how many frames a point may lie beside the frame
};

struct Question {
  Sketch sketch;
  Ask ask;                      // retrieval/query.h
  bool compare = false;         // ask the full-size network as well
};

// {"drawing": [[xs, ys], ...], "frame": 256, "top": 12, "canvas": 64, "compare": "full"}; all but the drawing may be left
// out. A drawing is what sketches.ndjson holds (docs/sketches.md). Errors: 400 where it is no such JSON, 422 where a
// value lies outside its limits; the message names the place.
tl::expected<Question, HttpError> parse_question(std::string_view body, const QueryLimits& limits);

// One answer; `facts` names its photos.
std::string answer_json(const Answer& answer, const QueryService& service);

// A sketch in the form that a query takes: {"label":..,"frame":..,"drawing":[[xs,ys],...]}, points to a tenth.
std::string sketch_json(const Sketch& sketch);

}  // namespace hone
