// QuickDraw's two vector formats, and hone's own sketches.ndjson.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "formats/strokes_read.h"

namespace hone {

namespace {

using Json = nlohmann::json;

// One line, with what is needed to say where it is.
struct Line {
  const std::string& source;
  size_t number;
  tl::unexpected<Error> bad(std::string message) const { return fail(Code::invalid, std::move(message), fmt::format("{}:{}", source, number)); }
};

std::string text_of(const Json& row, const char* key) {
  const auto it = row.find(key);
  if (it == row.end()) return "";
  if (it->is_string()) return it->get<std::string>();
  return it->is_number_integer() ? it->dump() : "";
}

Status add_stroke(const Json& stroke, const Line& line, size_t index, Sketch& out, bool& raw) {
  if (!stroke.is_array() || stroke.size() < 2 || !stroke[0].is_array() || !stroke[1].is_array()) return line.bad(fmt::format("stroke {} is no [xs, ys]", index));
  const Json &xs = stroke[0], &ys = stroke[1];
  if (xs.size() != ys.size()) return line.bad(fmt::format("stroke {} has {} x and {} y", index, xs.size(), ys.size()));
  raw = raw || stroke.size() > 2;
  if (xs.empty()) return {};
  Stroke points;
  points.reserve(xs.size());
  for (size_t i = 0; i < xs.size(); ++i) {
    if (!xs[i].is_number() || !ys[i].is_number()) return line.bad(fmt::format("point {} of stroke {} is no pair of numbers", i, index));
    const Point p{xs[i].get<double>(), ys[i].get<double>()};
    if (!std::isfinite(p.x) || !std::isfinite(p.y)) return line.bad(fmt::format("point {} of stroke {} is not finite", i, index));
    raw = raw || p.x < 0 || p.y < 0 || p.x > 255 || p.y > 255;
    points.push_back(p);
  }
  out.strokes.push_back(std::move(points));
  return {};
}

Result<StrokeRow> read_row(std::string_view text, const Line& line) {
  Json row;
  try {
    row = Json::parse(text);
  } catch (const Json::parse_error& e) {
    return line.bad(fmt::format("is no JSON (column {})", e.byte));
  } catch (const Json::exception&) {
    return line.bad("is JSON with a number beyond range");
  }
  if (!row.is_object()) return line.bad("is no JSON object");
  const auto drawing = row.find("drawing");
  if (drawing == row.end() || !drawing->is_array()) return line.bad("has no \"drawing\"");
  StrokeRow out;
  out.sketch.id = text_of(row, row.contains("key_id") ? "key_id" : "id");
  if (out.sketch.id.empty()) out.sketch.id = fmt::format("{}", line.number);
  out.sketch.label = text_of(row, "word");
  out.photo = text_of(row, "photo");
  out.split = text_of(row, "split");
  bool raw = false;
  for (size_t i = 0; i < drawing->size(); ++i) HONE_TRY(add_stroke((*drawing)[i], line, i, out.sketch, raw));
  if (const auto frame = row.find("frame"); frame != row.end()) {
    if (!frame->is_number() || !(frame->get<double>() > 0) || !std::isfinite(frame->get<double>())) return line.bad("\"frame\" is no positive number");
    out.sketch.frame = frame->get<double>();
  } else if (raw) {
    out.sketch = fit(std::move(out.sketch));
  }
  return out;
}

}  // namespace

Result<std::vector<StrokeRow>> read_stroke_rows(std::string_view text, const std::string& source) {
  std::vector<StrokeRow> out;
  for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    HONE_TRY_ASSIGN(StrokeRow row, read_row(line, {source, number}));
    out.push_back(std::move(row));
  }
  return out;
}

std::string print_stroke_row(const StrokeRow& row) {
  const auto quoted = [](const std::string& s) { return Json(s).dump(-1, ' ', false, Json::error_handler_t::replace); };
  std::string out = fmt::format("{{\"id\":{}", quoted(row.sketch.id));
  if (!row.sketch.label.empty()) out += fmt::format(",\"word\":{}", quoted(row.sketch.label));
  if (!row.photo.empty()) out += fmt::format(",\"photo\":{}", quoted(row.photo));
  if (!row.split.empty()) out += fmt::format(",\"split\":{}", quoted(row.split));
  out += fmt::format(",\"frame\":{},\"drawing\":[", row.sketch.frame);
  for (size_t i = 0; i < row.sketch.strokes.size(); ++i) {
    out += i ? ",[[" : "[[";
    for (const bool y : {false, true}) {
      if (y) out += "],[";
      bool first = true;
      for (const Point& p : row.sketch.strokes[i]) {
        fmt::format_to(std::back_inserter(out), "{}{}", first ? "" : ",", y ? p.y : p.x);
        first = false;
      }
    }
    out += "]]";
  }
  return out + "]}\n";
}

Result<std::vector<Sketch>> read_quickdraw_bin(const Bytes& file, const std::string& source) {
  std::vector<Sketch> out;
  size_t at = 0;
  const auto has = [&](size_t n) { return file.size - at >= n; };
  const auto ends = [&] { return fail(Code::invalid, fmt::format("drawing {} is cut short at byte {}", out.size(), at), source); };
  const auto u16 = [&](size_t i) {
    uint16_t v;
    std::memcpy(&v, file.data + i, 2);
    return static_cast<size_t>(v);
  };
  while (at < file.size) {
    if (!has(17)) return ends();
    uint64_t key;
    std::memcpy(&key, file.data + at, 8);
    const size_t strokes = u16(at + 15);
    at += 17;
    Sketch s;
    s.id = fmt::format("{}", key);
    for (size_t i = 0; i < strokes; ++i) {
      if (!has(2)) return ends();
      const size_t n = u16(at);
      at += 2;
      if (!has(2 * n)) return ends();
      Stroke points(n);
      for (size_t k = 0; k < n; ++k) points[k] = {double(std::to_integer<int>(file.data[at + k])), double(std::to_integer<int>(file.data[at + n + k]))};
      at += 2 * n;
      if (n > 0) s.strokes.push_back(std::move(points));
    }
    out.push_back(std::move(s));
  }
  return out;
}

}  // namespace hone
