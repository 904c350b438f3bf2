// One reader per stroke format. `source` names the file in errors, beside line or byte. Sketches come in the file's order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/strokes.h"

namespace hone {

// QMUL ShoeV2, ChairV2: a pickled dictionary of key -> N x 3 array of x, y, pen flag (1 on a stroke's last point), frame
// 256. The id is the key ("/train/<photo id>_<k>"), the label the photo's id.
Result<std::vector<Sketch>> read_coordinate_pickle(const Bytes& file, const std::string& source);
// "/train/a_b_3" -> "a_b".
std::string qmul_photo_id(std::string_view key);

// A line of QuickDraw's .ndjson, or of hone's own sketches.ndjson, which adds "photo", "split" and "frame":
// {"key_id" or "id", "word", "drawing": [[xs, ys, ...], ...]}. Without "frame": drawings whose strokes have no times and
// stay within [0, 255] are simplified ones in a frame of 256; others are raw, and fitted.
struct StrokeRow {
  Sketch sketch;             // label: "word"
  std::string photo, split;  // may be empty
};
Result<std::vector<StrokeRow>> read_stroke_rows(std::string_view text, const std::string& source);
// The row as one line, newline included; numbers are read back to the same bits.
std::string print_stroke_row(const StrokeRow& row);

// QuickDraw .bin: u64 key, country, recognised, time, u16 strokes, each of u16 points, xs and ys as bytes.
Result<std::vector<Sketch>> read_quickdraw_bin(const Bytes& file, const std::string& source);

// Arrays of rows: (dx, dy, pen lifted) is stroke-3, (dx, dy, down, up, end) stroke-5, both starting from (0, 0) and
// fitted; (x, y, flag) whose last flag is 2 has absolute coordinates (FS-COCO) and is fitted too. One array of rows, a
// block of such, or a NumPy array of such arrays. An .npz gives all of its arrays, ids "train/0".
Result<std::vector<Sketch>> read_npy_strokes(const Bytes& file, const std::string& source);
Result<std::vector<Sketch>> read_npz_strokes(const Bytes& file, const std::string& source);

// The lines of an SVG drawing: path, line, polyline, polygon, rect, circle and ellipse under nested transforms, in document
// order; curves become chords that stay within frame / 1024 of them. A subpath is a stroke. The frame is the larger side
// of viewBox (else of width and height; else the drawing is fitted), the other side centred in it.
Result<Sketch> read_svg_strokes(std::string_view text, const std::string& source);
// A path's data as strokes: all commands, absolute and relative. `tolerance` in the path's units.
Result<std::vector<Stroke>> parse_svg_path(std::string_view data, double tolerance, const std::string& source);

// Omniglot: START, lines "x,y,t" with y pointing up (so negative), BREAK at pen-up; frame 105.
Result<Sketch> read_omniglot_strokes(std::string_view text, const std::string& source);

}  // namespace hone
