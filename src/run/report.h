// A report as a value: facts, tables and charts that every form is rendered from, so that text, JSON, CSV and HTML show
// the same numbers. Commands build one Report; nothing else in hone lays out output.
//
// Keys are the names of the JSON contract; labels are for people. A chart holds no numbers: it names columns of a table.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.h"

namespace hone {

// std::monostate is JSON's null and prints as "-".
using Cell = std::variant<std::monostate, bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>,
                          std::vector<std::string>>;

// How a number is written for people. JSON and CSV always carry the value itself.
enum class Unit : uint8_t {
  none,     // text, and numbers as they are
  count,    // 4.09 G; integers
  signed_count,  // +1.20 M
  bytes,    // 9.2 MiB
  share,    // 0.124 -> 12.4 %
  percent,  // 12.4 -> +12.4 % (a difference)
  factor,   // 1.73 -> 1.73x
  milliseconds,  // 5.03 ms
  shape,    // 1x3x224x224
};

// Forms that a part appears in.
enum Form : uint8_t { kText = 1, kJson = 2, kCsv = 4, kHtml = 8, kAll = 15 };

struct Fact {
  std::string key, label;
  Cell value;
  Unit unit = Unit::none;
  std::string note;        // a few words behind the number, for people
  uint8_t forms = kAll;
};

// Labelled values. In JSON an object under `key` ("a.totals" nests), or fields of the report itself when key is empty.
struct Facts {
  std::string key, title;
  std::vector<Fact> facts;
  bool headline = false;   // HTML shows them as cards
  uint8_t forms = kAll;
};

struct Column {
  std::string key, label;
  Unit unit = Unit::none;
  bool bar = false;        // a share that people also see as a bar
  uint8_t forms = kAll;
};

// In JSON an array of objects under `key`. CSV is the first table that has kCsv.
struct Table {
  std::string key, title;
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;  // one cell per column
  bool folded = false;                  // HTML: behind a disclosure triangle
  uint8_t forms = kAll;
};

struct Chart {
  enum class Kind : uint8_t {
    bars,     // horizontal; a group of bars per row, one bar per column of `values`, each as its share of the column
    treemap,  // area: values[0]; nested by `group`
    lines,    // y over x, one line per distinct value of `group`, in row order; logarithmic axes
    curves,   // y over x, many points: one line per column of `values` (or `y`) and per value of `group`; bands from `low` to `high`
    scatter,  // a point per row at x, y, named by `label`, coloured by `group`; error bars from `low` to `high`
    histogram,  // upright bars: one per row, named by `label`, stacked from the columns of `values`
    intervals,  // horizontal bars from nought: one per row, named by `label`, long as values[0], with an error bar from `low` to `high`
  };
  Kind kind = Kind::bars;
  std::string title, caption;
  std::string table;                // key of the table with the numbers
  std::string label, group;         // columns
  std::vector<std::string> values;  // bars, treemap
  std::string x, y;                 // lines, curves, scatter
  std::string low, high;            // columns of a band or error bar around y
  bool log_x = false, log_y = false;  // curves, scatter
  std::string size;                 // scatter: column that a point's area follows
  std::string lines;                // scatter: key of a table of lines behind the points, columns "x", "y", and "name" (a line per name)
  bool connect = false;             // scatter: a thin line through the points of a group
  bool shares = false;              // histogram: every bar is a whole
};

// Small images side by side, such as a sketch and the photos found for it; in HTML only, inside the file.
struct Picture {
  enum class Mark : uint8_t { none, hit, miss, query };
  std::string image;                // bytes of a PNG or JPEG file; anything else shows as an empty frame
  std::string caption;
  Mark mark = Mark::none;           // border colour, and a sign before the caption
};
struct PictureRow {
  std::string title;                // may be empty
  std::vector<Picture> pictures;
};
struct Pictures {
  std::string title, caption;
  std::vector<PictureRow> rows;
  int side = 96;                    // pixels
};

// A remark for people; not in JSON or CSV.
struct Note {
  enum class Level : uint8_t { info, warning };
  Level level = Level::info;
  std::string text;
};

struct Report {
  std::string command;              // JSON's "command"
  std::string title, subtitle;
  std::vector<std::variant<Facts, Table, Chart, Note, Pictures>> parts;  // in the order that people read them

  const Table* table(std::string_view key) const;  // nullptr when absent
};

struct TextStyle {
  bool color = false;  // ANSI bold, dim and colours
  bool utf8 = true;    // block characters for bars; else '#'
  size_t width = 100;  // columns of the terminal; names are shortened to fit, numbers never
};

std::string to_text(const Report& report, const TextStyle& style = {});
std::string to_json(const Report& report);           // a row a line, with a final newline
Result<std::string> to_csv(const Report& report);    // quoted as RFC 4180 says, lines end in LF; fails without a table
std::string to_html(const Report& report);           // one file, no scripts, nothing fetched

// One chart as a stand-alone SVG picture.
std::string to_svg(const Report& report, const Chart& chart);

}  // namespace hone
