#include "serve/query_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace hone {

namespace {

using Json = nlohmann::ordered_json;

tl::unexpected<HttpError> refuse(int status, std::string message) { return tl::unexpected<HttpError>(HttpError{status, std::move(message)}); }
std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

tl::expected<int64_t, HttpError> whole(const Json& value, const char* name, int64_t low, int64_t high) {
  if (!value.is_number_integer()) return refuse(400, fmt::format("\"{}\" is no whole number", name));
  const bool fits = !value.is_number_unsigned() || value.get<uint64_t>() <= static_cast<uint64_t>(INT64_MAX);
  const int64_t v = fits ? value.get<int64_t>() : INT64_MAX;
  if (v < low || v > high) return refuse(422, fmt::format("\"{}\" is not within {} to {}", name, low, high));
  return v;
}

tl::expected<Stroke, HttpError> parse_stroke(const Json& stroke, size_t number, double frame, const QueryLimits& limits) {
  if (!stroke.is_array() || stroke.size() < 2 || !stroke[0].is_array() || !stroke[1].is_array())
    return refuse(400, fmt::format("stroke {} of \"drawing\" is not [xs, ys]", number));
  const Json &xs = stroke[0], &ys = stroke[1];
  if (xs.size() != ys.size()) return refuse(400, fmt::format("stroke {} has {} xs and {} ys", number, xs.size(), ys.size()));
  if (xs.empty()) return refuse(400, fmt::format("stroke {} has no points", number));
  Stroke out;
  out.reserve(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) {
    if (!xs[i].is_number() || !ys[i].is_number()) return refuse(400, fmt::format("point {} of stroke {} is no pair of numbers", i, number));
    const Point p{xs[i].get<double>(), ys[i].get<double>()};
    for (const double v : {p.x, p.y})
      if (!(v >= -limits.outside * frame && v <= (1 + limits.outside) * frame)) return refuse(422, fmt::format("point {} of stroke {} lies far outside the frame", i, number));
    out.push_back(p);
  }
  return out;
}

}  // namespace

tl::expected<Question, HttpError> parse_question(std::string_view body, const QueryLimits& limits) {
  Json json;
  try {
    json = Json::parse(body);
  } catch (const Json::exception& e) {
    return refuse(400, fmt::format("the body is no JSON: {}", std::string_view(e.what()).substr(0, 200)));
  }
  if (!json.is_object()) return refuse(400, "the body is no JSON object");
  Question q;
  q.ask.top = 12;
  const Json* drawing = nullptr;
  for (const auto& [key, value] : json.items()) {
    if (key == "drawing") {
      drawing = &value;
    } else if (key == "frame") {
      if (!value.is_number()) return refuse(400, "\"frame\" is no number");
      q.sketch.frame = value.get<double>();
      if (!(q.sketch.frame >= 1 && q.sketch.frame <= 1e5)) return refuse(422, "\"frame\" is not within 1 to 100000");
    } else if (key == "top") {
      auto top = whole(value, "top", 1, limits.top);
      if (!top) return tl::unexpected(top.error());
      q.ask.top = *top;
    } else if (key == "canvas") {
      if (value.is_null()) continue;
      auto canvas = whole(value, "canvas", 1, 4096);
      if (!canvas) return tl::unexpected(canvas.error());
      q.ask.canvas = *canvas;
    } else if (key == "compare") {
      if (value.is_null()) continue;
      if (value != "full") return refuse(422, "\"compare\" takes \"full\" only");
      q.compare = true;
    } else if (key != "label") {  // an example's, so that it is a question as it is
      return refuse(400, fmt::format("no such key: \"{}\" (drawing, frame, top, canvas, compare)", key.substr(0, 40)));
    }
  }
  if (!drawing) return refuse(400, "\"drawing\" is missing");
  if (!drawing->is_array()) return refuse(400, "\"drawing\" is no list of strokes");
  if (drawing->empty()) return refuse(422, "the drawing is empty");
  if (drawing->size() > limits.strokes) return refuse(422, fmt::format("more than {} strokes", limits.strokes));
  size_t points = 0;
  for (const Json& stroke : *drawing) {
    if (stroke.is_array() && !stroke.empty()) points += stroke[0].size();
    if (points > limits.points) return refuse(422, fmt::format("more than {} points", limits.points));
    auto parsed = parse_stroke(stroke, q.sketch.strokes.size(), q.sketch.frame, limits);
    if (!parsed) return tl::unexpected(parsed.error());
    q.sketch.strokes.push_back(std::move(*parsed));
  }
  return q;
}

std::string answer_json(const Answer& a, const QueryService& service) {
  const GalleryFacts& facts = service.facts();
  Json steps = Json::array(), photos = Json::array();
  int64_t macs = 0;
  double ms = 0;
  for (const QueryStep& s : a.steps) macs += s.macs, ms += s.milliseconds, steps.push_back({{"name", s.name}, {"macs", s.macs}, {"ms", s.milliseconds}});
  for (const Found& f : a.found) {
    if (f.item < 0 || f.item >= facts.photos) continue;
    const PhotoFacts photo = service.photo_facts(f.item);
    photos.push_back({{"photo", f.item}, {"id", photo.id}, {"category", photo.category}, {"distance", f.distance}});
  }
  Json out = {{"canvas", a.canvas}, {"chances", a.chances}, {"macs", macs}, {"ms", ms}, {"steps", std::move(steps)}, {"photos", std::move(photos)}};
  return dump(out);
}

std::string sketch_json(const Sketch& sketch) {
  Json drawing = Json::array();
  const auto tenth = [](double v) { return std::round(v * 10) / 10; };
  for (const Stroke& stroke : sketch.strokes) {
    Json xs = Json::array(), ys = Json::array();
    for (const Point& p : stroke) xs.push_back(tenth(p.x)), ys.push_back(tenth(p.y));
    drawing.push_back({std::move(xs), std::move(ys)});
  }
  return dump({{"label", sketch.label}, {"frame", sketch.frame}, {"drawing", std::move(drawing)}});
}

}  // namespace hone
