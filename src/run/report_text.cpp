// The form for a terminal: title, facts in three aligned columns, tables with right-aligned numbers and small bars.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/format.h"
#include "run/report.h"

namespace hone {

namespace {

constexpr size_t kBarWidth = 10;      // columns of a full bar
constexpr size_t kMinNameWidth = 12;  // a shortened name keeps at least this much
constexpr std::string_view kIndent = "  ", kGap = "  ";

class TextWriter {
 public:
  TextWriter(const Report& report, const TextStyle& style) : report_(report), style_(style) {}

  std::string write() {
    if (!report_.title.empty()) out_ += bold(clean_text(report_.title));
    if (!report_.subtitle.empty()) out_ += std::string(kGap) + dim(clean_text(report_.subtitle));
    if (!out_.empty()) out_ += '\n';
    for (const auto& part : report_.parts) {
      if (const auto* facts = std::get_if<Facts>(&part); facts && facts->forms & kText) write_facts(*facts);
      else if (const auto* table = std::get_if<Table>(&part); table && table->forms & kText) write_table(*table);
      else if (const auto* note = std::get_if<Note>(&part)) write_note(*note);
    }
    return std::move(out_);
  }

 private:
  std::string paint(std::string_view code, std::string text) const {
    return style_.color && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }
  std::string bold(std::string text) const { return paint("1", std::move(text)); }
  std::string dim(std::string text) const { return paint("2", std::move(text)); }
  std::string_view ellipsis() const { return style_.utf8 ? "\u2026" : "..."; }

  static std::string pad(const std::string& text, size_t width, bool right) {
    const size_t n = display_width(text);
    const std::string blanks(width > n ? width - n : 0, ' ');
    return right ? blanks + text : text + blanks;
  }

  void heading(const std::string& title) {
    out_ += '\n';
    if (!title.empty()) out_ += bold(clean_text(title)) + '\n';
  }

  void write_facts(const Facts& facts) {
    size_t label = 0, value = 0, exact = 0;
    for (const Fact& f : facts.facts) {
      if (!(f.forms & kText)) continue;
      label = std::max(label, display_width(f.label));
      // Long values (lists) do not push the notes of the others aside.
      if (is_number(f.value)) value = std::max(value, display_width(format_cell(f.value, f.unit)));
      exact = std::max(exact, exact_cell(f.value, f.unit).size());
    }
    if (label == 0) return;  // nothing in it is for people
    heading(facts.title);
    for (const Fact& f : facts.facts) {
      if (!(f.forms & kText)) continue;
      const std::string text = format_cell(f.value, f.unit);
      std::string line = std::string(kIndent) + pad(f.label, label, false) + std::string(kGap);
      std::string rest;
      if (is_number(f.value)) {
        line += bold(pad(text, value, true));
        if (exact) rest = std::string(kGap) + pad(exact_cell(f.value, f.unit), exact, true);
      } else {
        line += text;
      }
      if (!f.note.empty()) rest += std::string(kGap) + clean_text(f.note);
      while (!rest.empty() && rest.back() == ' ') rest.pop_back();
      out_ += line + dim(rest) + '\n';
    }
  }

  // Eighths of a block where the terminal can show them.
  std::string bar(double share) const {
    share = std::clamp(std::isfinite(share) ? share : 0., 0., 1.);
    if (!style_.utf8) return std::string(static_cast<size_t>(std::lround(share * kBarWidth)), '#');
    static constexpr std::string_view kEighths[] = {"", "\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589"};
    const auto eighths = static_cast<size_t>(std::lround(share * kBarWidth * 8));
    std::string text;
    for (size_t i = 0; i < eighths / 8; ++i) text += "\u2588";
    text += kEighths[eighths % 8];
    return text;
  }

  void write_table(const Table& table) {
    std::vector<size_t> shown;
    for (size_t c = 0; c < table.columns.size(); ++c)
      if (table.columns[c].forms & kText) shown.push_back(c);
    if (shown.empty() || table.rows.empty()) return;

    std::vector<std::vector<std::string>> cells(table.rows.size());
    std::vector<size_t> width(shown.size());
    std::vector<bool> right(shown.size());
    for (size_t k = 0; k < shown.size(); ++k) {
      const Column& column = table.columns[shown[k]];
      width[k] = display_width(column.label);
      for (size_t r = 0; r < table.rows.size(); ++r) {
        const Cell& cell = table.rows[r][shown[k]];
        right[k] = right[k] || is_number(cell);
        cells[r].push_back(format_cell(cell, column.unit));
        width[k] = std::max(width[k], display_width(cells[r].back()));
      }
    }

    // Only the widest text column gives way when the table is wider than the terminal.
    size_t total = kIndent.size(), widest = 0;
    for (size_t k = 0; k < shown.size(); ++k) {
      total += width[k] + kGap.size() + (table.columns[shown[k]].bar ? kBarWidth + 1 : 0);
      if (!right[k] && (right[widest] || width[k] > width[widest])) widest = k;
    }
    if (total > style_.width && !right[widest]) {
      const size_t excess = total - style_.width;
      width[widest] = std::max(kMinNameWidth, width[widest] > excess ? width[widest] - excess : 0);
    }

    heading(table.title);
    auto line = [&](auto&& text_of, auto&& bar_of, auto&& paint_of) {
      std::string text(kIndent);
      for (size_t k = 0; k < shown.size(); ++k) {
        if (k) text += kGap;
        text += pad(shorten(text_of(k), width[k], ellipsis()), width[k], right[k]);
        if (table.columns[shown[k]].bar) {
          const std::string mark = bar_of(k);
          text += ' ' + paint("36", mark) + std::string(kBarWidth - std::min(kBarWidth, display_width(mark)), ' ');
        }
      }
      while (!text.empty() && text.back() == ' ') text.pop_back();
      out_ += paint_of(text) + '\n';
    };
    line([&](size_t k) { return table.columns[shown[k]].label; }, [](size_t) { return std::string(); },
         [&](const std::string& t) { return dim(t); });
    for (size_t r = 0; r < table.rows.size(); ++r)
      line([&](size_t k) { return cells[r][k]; },
           [&](size_t k) { return bar(number(table.rows[r][shown[k]])); }, [](const std::string& t) { return t; });
  }

  void write_note(const Note& note) {
    const bool warning = note.level == Note::Level::warning;
    out_ += '\n' + paint(warning ? "33" : "2", (warning ? "warning: " : "") + clean_text(note.text)) + '\n';
  }

  const Report& report_;
  const TextStyle& style_;
  std::string out_;
};

}  // namespace

std::string to_text(const Report& report, const TextStyle& style) { return TextWriter(report, style).write(); }

}  // namespace hone
