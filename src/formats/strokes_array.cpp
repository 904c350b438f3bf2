// Strokes in NumPy arrays: QMUL's pickles, stroke-3 and stroke-5.
#include <fmt/format.h>

#include <cmath>

#include "formats/numpy.h"
#include "formats/strokes_read.h"

namespace hone {

namespace {

// Rows of one sketch: a view into an array's numbers.
struct Rows {
  const double* values;
  size_t rows, columns;
  double at(size_t row, size_t column) const { return values[row * columns + column]; }
};

Status check_rows(const Rows& r, const std::string& where) {
  for (size_t i = 0; i < r.rows; ++i) {
    for (size_t c = 0; c < r.columns; ++c)
      if (!std::isfinite(r.at(i, c))) return fail(Code::invalid, fmt::format("row {} holds a number that is not finite", i), where);
    for (size_t c = 2; c < r.columns; ++c)
      if (const double flag = r.at(i, c); flag != 0 && flag != 1 && !(flag == 2 && r.columns == 3))
        return fail(Code::invalid, fmt::format("row {} has pen state {}", i, flag), where, "0 or 1 is expected");
  }
  return {};
}

// x, y, flag: the pen lifts after a row whose flag is not 0.
std::vector<Stroke> absolute3(const Rows& r) {
  std::vector<Stroke> out;
  bool down = false;
  for (size_t i = 0; i < r.rows; ++i) {
    if (!down) out.emplace_back();
    out.back().push_back({r.at(i, 0), r.at(i, 1)});
    down = r.at(i, 2) == 0;
    if (r.at(i, 2) == 2) break;
  }
  return out;
}

std::vector<Stroke> offsets(const Rows& r) {
  std::vector<Stroke> out;
  Point at;
  bool down = false;
  for (size_t i = 0; i < r.rows; ++i) {
    const double dx = r.at(i, 0), dy = r.at(i, 1);
    const bool ends = r.columns == 5 && r.at(i, 4) == 1;
    // The end is marked on the last point, or on padding behind it, which does not move.
    if (ends && dx == 0 && dy == 0) break;
    at = {at.x + dx, at.y + dy};
    if (!down) out.emplace_back();
    out.back().push_back(at);
    if (ends) break;
    down = r.columns == 3 ? r.at(i, 2) == 0 : r.at(i, 3) == 0;
  }
  return out;
}

Result<Sketch> sketch(const Rows& r, std::string id, const std::string& where) {
  HONE_TRY(check_rows(r, where));
  Sketch s;
  s.id = std::move(id);
  s.strokes = r.columns == 3 && r.rows > 0 && r.at(r.rows - 1, 2) == 2 ? absolute3(r) : offsets(r);
  return fit(std::move(s));
}

Status append(const NumpyArray& a, const std::string& id, const std::string& source, std::vector<Sketch>& out) {
  if (a.dtype == DType::undefined) {
    for (size_t i = 0; i < a.objects.size(); ++i) HONE_TRY(append(a.objects[i], fmt::format("{}/{}", id, i), source, out));
    return {};
  }
  const size_t rank = a.shape.size();
  const int64_t columns = rank > 0 ? a.shape[rank - 1] : 0;
  if (rank == 2 && columns == 784 && a.dtype == DType::u8) return fail(Code::unsupported, "holds bitmaps of 28 x 28, not strokes", source, "take QuickDraw's .ndjson, .bin or sketch-rnn .npz");
  if ((rank != 2 && rank != 3) || (columns != 3 && columns != 5))
    return fail(Code::unsupported, fmt::format("'{}' has shape {}; rows of 3 (dx, dy, pen) or 5 (dx, dy, down, up, end) are expected", id, to_string(a.shape)), source);
  const auto width = static_cast<size_t>(columns), rows = static_cast<size_t>(a.shape[rank - 2]), each = rows * width;
  const auto count = rank == 3 ? static_cast<size_t>(a.shape[0]) : size_t{1};
  if (each == 0 && count > 1) return fail(Code::invalid, fmt::format("'{}' has shape {}: sketches without rows", id, to_string(a.shape)), source);
  for (size_t i = 0; i < count; ++i) {
    const std::string name = rank == 3 ? fmt::format("{}/{}", id, i) : id;
    HONE_TRY_ASSIGN(Sketch s, sketch({a.numbers.data() + i * each, rows, width}, name, source + ":" + name));
    out.push_back(std::move(s));
  }
  return {};
}

std::string stem(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  return name.substr(0, name.find_last_of('.'));
}

}  // namespace

std::string qmul_photo_id(std::string_view key) {
  const std::string_view name = key.substr(key.find_last_of('/') + 1);
  return std::string(name.substr(0, name.find_last_of('_')));
}

Result<std::vector<Sketch>> read_coordinate_pickle(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(auto arrays, read_array_pickle(file, source));
  std::vector<Sketch> out;
  for (const auto& [key, a] : arrays) {
    const std::string where = source + ":" + key;
    if (a.shape.size() != 2 || a.shape[1] != 3 || a.dtype == DType::undefined) return fail(Code::invalid, fmt::format("has shape {}; rows of x, y, pen flag are expected", to_string(a.shape)), where);
    const Rows rows{a.numbers.data(), static_cast<size_t>(a.shape[0]), 3};
    HONE_TRY(check_rows(rows, where));
    Sketch s;
    s.id = key;
    s.label = qmul_photo_id(key);
    s.strokes = absolute3(rows);
    out.push_back(std::move(s));
  }
  return out;
}

Result<std::vector<Sketch>> read_npy_strokes(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const NumpyArray a, read_npy(file, source));
  std::vector<Sketch> out;
  HONE_TRY(append(a, stem(source), source, out));
  return out;
}

Result<std::vector<Sketch>> read_npz_strokes(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const auto arrays, read_npz(file, source));
  std::vector<Sketch> out;
  for (const auto& [name, a] : arrays) HONE_TRY(append(a, name, source, out));
  return out;
}

}  // namespace hone
