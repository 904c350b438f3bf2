// Treemap of two levels: groups, and the rows inside them; area is the value.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "run/chart.h"
#include "run/format.h"

namespace hone::svg {

namespace {

constexpr double kWidth = 1000, kHeight = 420;  // layout units; x is written as a percentage of kWidth
constexpr double kNarrow = 340. / kWidth;       // labels must also fit here, or hide on narrow screens
constexpr double kHead = 20;                    // height of a group's title
constexpr size_t kColors = 8;

struct Leaf {
  std::string name;
  double weight;
  std::string text;  // the value for people
};
struct Branch {
  std::string name;
  double weight = 0;
  std::vector<Leaf> leaves;
};

// Worst aspect ratio of a row of weights laid along a side.
double worst(double sum, double smallest, double largest, double side) {
  return std::max(side * side * largest / (sum * sum), sum * sum / (side * side * smallest));
}

// Does `text` fit on a wide page, and on a narrow one?
bool fits(const std::string& text, double font, double width) { return text_width(text, font) + 9 <= width; }
// Text that does not fit a narrow page hides there.
std::string_view wide(const std::string& text, double font, double width) { return fits(text, font, width * kNarrow) ? "" : " wide"; }

// Name and value of a leaf, as far as there is room: the name is shortened before it is left out.
std::string leaf_text(const std::string& name, const std::string& value, const Rect& r) {
  constexpr double font = 11;
  if (r.h < 17) return "";
  std::string shown = name;
  for (size_t keep = display_width(name); !fits(shown, font, r.w);) {
    if (keep <= 5) return "";
    shown = shorten(name, --keep, "\u2026");
  }
  const std::string_view hide = wide(shown, font, r.w);
  std::string out = fmt::format("<text class=\"tiny{}\" x=\"5\" y=\"13\">{}</text>", hide, escape_html(shown));
  if (r.h > 31 && fits(value, font, r.w))
    out += fmt::format("<text class=\"tiny value{}\" x=\"5\" y=\"27\">{}</text>", hide.empty() ? wide(value, font, r.w) : hide, escape_html(value));
  return out;
}

std::string leaf_name(const std::string& name, const std::string& group) {
  if (name.size() > group.size() + 1 && name.compare(0, group.size(), group) == 0 && name[group.size()] == '.')
    return name.substr(group.size() + 1);
  return name;
}

}  // namespace

std::vector<Rect> squarify(const std::vector<double>& weights, Rect area) {
  std::vector<Rect> out;
  const double total = std::accumulate(weights.begin(), weights.end(), 0.);
  if (total <= 0 || area.w <= 0 || area.h <= 0) return std::vector<Rect>(weights.size(), Rect{area.x, area.y, 0, 0});
  const double scale = area.w * area.h / total;
  for (size_t first = 0; first < weights.size();) {
    const double side = std::min(area.w, area.h);
    size_t last = first;
    double sum = 0, ratio = std::numeric_limits<double>::infinity();
    // Grow the row while that makes its worst rectangle squarer.
    while (last < weights.size()) {
      const double next = worst(sum + weights[last] * scale, weights[last] * scale, weights[first] * scale, side);
      if (last > first && next > ratio) break;
      sum += weights[last++] * scale;
      ratio = next;
    }
    const double thickness = side > 0 ? sum / side : 0;
    double offset = 0;
    for (size_t i = first; i < last; ++i) {
      const double length = thickness > 0 ? weights[i] * scale / thickness : 0;
      if (area.w >= area.h) out.push_back({area.x, area.y + offset, thickness, length});
      else out.push_back({area.x + offset, area.y, length, thickness});
      offset += length;
    }
    if (area.w >= area.h) area.x += thickness, area.w -= thickness;
    else area.y += thickness, area.h -= thickness;
    first = last;
  }
  return out;
}

Parts treemap(const Table& table, const Chart& chart) {
  const int label = column(table, chart.label), group = column(table, chart.group);
  const int value = chart.values.empty() ? -1 : column(table, chart.values[0]);
  if (label < 0 || value < 0) return {};
  const Column& value_column = table.columns[static_cast<size_t>(value)];

  // Groups keep the order of first appearance for their colours, and are laid out by falling weight.
  std::vector<Branch> branches;
  double total = 0;
  for (const auto& row : table.rows) {
    const double weight = number(row[static_cast<size_t>(value)]);
    if (!(weight > 0)) continue;
    const std::string name = group < 0 ? "" : format_cell(row[static_cast<size_t>(group)], Unit::none);
    auto branch = std::find_if(branches.begin(), branches.end(), [&](const Branch& b) { return b.name == name; });
    if (branch == branches.end()) branch = branches.insert(branches.end(), Branch{name});
    branch->leaves.push_back({format_cell(row[static_cast<size_t>(label)], Unit::none), weight, format_cell(row[static_cast<size_t>(value)], value_column.unit)});
    branch->weight += weight;
    total += weight;
  }
  if (branches.empty()) return {};
  std::vector<size_t> order(branches.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return branches[a].weight > branches[b].weight; });
  std::vector<double> weights;
  for (size_t i : order) weights.push_back(branches[i].weight);
  const std::vector<Rect> areas = squarify(weights, {0, 0, kWidth, kHeight});

  Parts parts;
  for (size_t k = 0; k < order.size(); ++k) {
    Branch& branch = branches[order[k]];
    Rect area = areas[k];
    const std::string percent = fmt::format("{:.1f} %", branch.weight / total * 100);
    const std::string title = fmt::format("{} \u00B7 {}", branch.name, percent);
    if (!branch.name.empty() && fits(title, 12, area.w) && area.h > 2.2 * kHead) {
      parts.body += fmt::format("<svg x=\"{:.3f}%\" y=\"{:.1f}\" width=\"{:.3f}%\" height=\"{:.0f}\"><text class=\"group{}\" x=\"5\" y=\"14\">{}</text></svg>\n",
                                area.x / kWidth * 100, area.y, area.w / kWidth * 100, kHead, wide(title, 12, area.w), escape_html(title));
      area.y += kHead, area.h -= kHead;
    }
    std::stable_sort(branch.leaves.begin(), branch.leaves.end(), [](const Leaf& a, const Leaf& b) { return a.weight > b.weight; });
    std::vector<double> leaf_weights;
    for (const Leaf& leaf : branch.leaves) leaf_weights.push_back(leaf.weight);
    const std::vector<Rect> rects = squarify(leaf_weights, area);
    for (size_t i = 0; i < rects.size(); ++i) {
      const Rect& r = rects[i];
      const Leaf& leaf = branch.leaves[i];
      const std::string text = leaf_text(leaf_name(leaf.name, branch.name), leaf.text, r);
      parts.body += fmt::format(
          "<svg x=\"{:.3f}%\" y=\"{:.1f}\" width=\"{:.3f}%\" height=\"{:.1f}\"><title>{}: {} ({:.1f} %)</title>"
          "<rect class=\"cell c{}\" width=\"100%\" height=\"100%\"/>{}</svg>\n",
          r.x / kWidth * 100, r.y, r.w / kWidth * 100, r.h, escape_html(leaf.name), leaf.text, leaf.weight / total * 100, order[k] % kColors, text);
    }
  }
  parts.height = kHeight;
  return parts;
}

}  // namespace hone::svg
