#include "formats/strokes.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <limits>

#include "core/file.h"
#include "formats/strokes_read.h"

namespace hone {

namespace fs = std::filesystem;

Sketch fit(Sketch sketch, double side, double frame) {
  double x0 = std::numeric_limits<double>::infinity(), y0 = x0, x1 = -x0, y1 = -x0;
  for (const Stroke& s : sketch.strokes)
    for (const Point& p : s) x0 = std::min(x0, p.x), x1 = std::max(x1, p.x), y0 = std::min(y0, p.y), y1 = std::max(y1, p.y);
  // Halves first: the extent of finite numbers may not be finite.
  const double cx = x0 / 2 + x1 / 2, cy = y0 / 2 + y1 / 2, half = std::max(x1 / 2 - x0 / 2, y1 / 2 - y0 / 2);
  const double scale = half > 0 && std::isfinite(side / 2 / half) ? side / 2 / half : 0;
  for (Stroke& s : sketch.strokes)
    for (Point& p : s) p = {frame / 2 + (p.x - cx) * scale, frame / 2 + (p.y - cy) * scale};
  sketch.frame = frame;
  return sketch;
}

Result<Sketch> read_omniglot_strokes(std::string_view text, const std::string& source) {
  Sketch out;
  out.frame = 105;
  bool down = false;
  for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.remove_suffix(1);
    if (line.empty()) continue;
    if (line == "START" || line == "BREAK") {
      down = false;
      continue;
    }
    double value[2];
    const char *at = line.data(), *last = line.data() + line.size();
    for (double& v : value) {
      const auto [next, error] = std::from_chars(at, last, v);
      if (error != std::errc() || !std::isfinite(v)) return fail(Code::invalid, "expected x,y,t or START or BREAK", fmt::format("{}:{}", source, number));
      at = next < last && *next == ',' ? next + 1 : next;
    }
    if (!down) out.strokes.emplace_back();
    down = true;
    out.strokes.back().push_back({value[0], -value[1]});
  }
  return out;
}

Result<std::vector<Sketch>> parse_strokes(const Bytes& file, const std::string& source) {
  const std::string_view text(reinterpret_cast<const char*>(file.data), file.size);
  const auto one = [&](Result<Sketch> sketch) -> Result<std::vector<Sketch>> {
    if (!sketch) return fail(std::move(sketch.error()));
    if (sketch->id.empty()) sketch->id = fs::path(source).stem().string();
    std::vector<Sketch> out;
    out.push_back(std::move(*sketch));
    return out;
  };
  if (source.ends_with(".bin")) return read_quickdraw_bin(file, source);
  if (text.starts_with("\x93NUMPY")) return read_npy_strokes(file, source);
  if (text.starts_with("PK\x03\x04")) return read_npz_strokes(file, source);
  if (text.size() > 1 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5) return read_coordinate_pickle(file, source);
  const size_t begin = std::min(text.find_first_not_of(" \t\r\n\xef\xbb\xbf"), text.size());
  if (text.substr(begin, 1) == "<") return one(read_svg_strokes(text, source));
  if (text.substr(begin, 5) == "START") return one(read_omniglot_strokes(text, source));
  if (text.substr(begin, 1) == "{") {
    HONE_TRY_ASSIGN(auto rows, read_stroke_rows(text, source));
    std::vector<Sketch> out;
    for (StrokeRow& r : rows) out.push_back(std::move(r.sketch));
    return out;
  }
  return fail(Code::unsupported, "is no stroke format that hone reads", source, "pickled coordinates, .ndjson, .bin, .npy, .npz, .svg, or Omniglot strokes in .txt");
}

Result<std::vector<Sketch>> read_strokes(const std::string& path) {
  std::error_code ec;
  if (!fs::is_directory(path, ec)) {
    HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
    return parse_strokes(Bytes{file, file->bytes().data(), file->bytes().size()}, path);
  }
  std::vector<fs::path> files;
  fs::recursive_directory_iterator it(path, ec);
  for (; !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    const std::string extension = it->path().extension().string();
    std::error_code regular;
    if (!it->is_regular_file(regular)) continue;
    for (const char* known : {".ndjson", ".bin", ".npy", ".npz", ".svg", ".txt"})
      if (extension == known) files.push_back(it->path());
  }
  if (ec) return fail(Code::io, "cannot list the folder: " + ec.message(), path);
  if (files.empty()) return fail(Code::not_found, "holds no .ndjson, .bin, .npy, .npz, .svg or .txt strokes", path);
  std::sort(files.begin(), files.end());
  std::vector<Sketch> out;
  for (const fs::path& path_of : files) {
    HONE_TRY_ASSIGN(const auto file, MappedFile::open(path_of.string()));
    if (path_of.extension() == ".txt" && !file->text().starts_with("START")) continue;  // a read-me
    HONE_TRY_ASSIGN(auto sketches, parse_strokes(Bytes{file, file->bytes().data(), file->bytes().size()}, path_of.string()));
    const fs::path relative = path_of.lexically_relative(path);
    const std::string folder = relative.has_parent_path() ? relative.parent_path().filename().string() : "";
    const bool single = sketches.size() == 1;
    for (Sketch& s : sketches) {
      const std::string name = (relative.parent_path() / relative.stem()).string();
      s.id = single ? name : name + "/" + s.id;
      if (s.label.empty()) s.label = folder;
      out.push_back(std::move(s));
    }
  }
  return out;
}

}  // namespace hone
