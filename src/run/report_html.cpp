// The form to keep and to send: one HTML file, with its style inside and no scripts; works without a network, in light
// and dark, on paper and with a screen reader. Each number's exact value is in data-value, and in its tooltip.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "run/chart.h"
#include "run/report_pictures.h"
#include "run/format.h"
#include "run/page_style.h"
#include "run/report.h"

namespace hone {

namespace {

constexpr size_t kOneLine = 24;  // letters: what is longer wraps, and its column is kept wide

// data-value and title of a number.
std::string exact_attributes(const Cell& cell, Unit unit) {
  if (!is_number(cell)) return "";
  std::string out;
  if (const auto* i = std::get_if<int64_t>(&cell)) out = fmt::format(" data-value=\"{}\"", *i);
  else out = fmt::format(" data-value=\"{}\"", number(cell));
  if (const std::string exact = exact_cell(cell, unit); !exact.empty()) out += fmt::format(" title=\"{}\"", exact);
  return out;
}

// A number and its unit stay on one line.
std::string text_of(std::string text) {
  text = escape_html(text);
  for (size_t at; (at = text.find(" %")) != std::string::npos;) text.replace(at, 1, "&nbsp;");
  return text;
}

bool empty(const Facts& facts) {
  return std::none_of(facts.facts.begin(), facts.facts.end(), [](const Fact& f) { return f.forms & kHtml; });
}

std::string cards(const Facts& facts) {
  std::string out = "<dl class=\"cards\">\n";
  for (const Fact& f : facts.facts) {
    if (!(f.forms & kHtml)) continue;
    std::string small = exact_cell(f.value, f.unit);
    if (!f.note.empty()) small += (small.empty() ? "" : " \u00B7 ") + f.note;
    out += fmt::format("<div><dt>{}</dt><dd{}>{}<small>{}</small></dd></div>\n", escape_html(f.label), exact_attributes(f.value, f.unit),
                       text_of(format_cell(f.value, f.unit)), text_of(small));
  }
  return out + "</dl>\n";
}

std::string list(const Facts& facts) {
  std::string out;
  if (!facts.title.empty()) out += "<h2>" + escape_html(facts.title) + "</h2>\n";
  out += "<dl class=\"facts box\">\n";
  for (const Fact& f : facts.facts) {
    if (!(f.forms & kHtml)) continue;
    std::string small = exact_cell(f.value, f.unit);
    if (!f.note.empty()) small += (small.empty() ? "" : " \u00B7 ") + f.note;
    out += fmt::format("<dt>{}</dt><dd{}><span{}>{}</span>{}</dd>\n", escape_html(f.label), exact_attributes(f.value, f.unit), is_number(f.value) ? " class=\"v\"" : "",
                       text_of(format_cell(f.value, f.unit)),
                       small.empty() ? "" : "<small" + std::string(f.note.empty() ? " class=\"v\">" : ">") + text_of(small) + "</small>");
  }
  return out + "</dl>\n";
}

std::string table_html(const Table& table) {
  std::vector<size_t> shown;
  for (size_t c = 0; c < table.columns.size(); ++c)
    if (table.columns[c].forms & kHtml) shown.push_back(c);
  if (shown.empty() || table.rows.empty()) return "";
  std::string out;
  const std::string title = escape_html(table.title);
  if (table.folded) out += "<details><summary>" + title + "</summary>\n";
  else if (!title.empty()) out += "<h2>" + title + "</h2>\n";
  out += fmt::format("<div class=\"scroll box\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n<thead><tr>", title);
  std::vector<bool> numeric(table.columns.size()), wraps(table.columns.size());
  for (size_t c : shown) {
    numeric[c] = std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return is_number(row[c]); });
    wraps[c] = !numeric[c] && std::any_of(table.rows.begin(), table.rows.end(), [&](const auto& row) { return display_width(format_cell(row[c], table.columns[c].unit)) > kOneLine; });
    out += fmt::format("<th scope=\"col\"{}>{}</th>", numeric[c] ? " class=\"n\"" : "", escape_html(table.columns[c].label));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    out += "<tr>";
    for (size_t c : shown) {
      const Column& column = table.columns[c];
      out += fmt::format("<td class=\"{}\"{}>{}", numeric[c] ? "n" : wraps[c] ? "t" : "s", exact_attributes(row[c], column.unit), text_of(format_cell(row[c], column.unit)));
      if (column.bar) out += fmt::format("<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:{:.1f}%\"></i></span>", std::clamp(number(row[c]), 0., 1.) * 100);
      out += "</td>";
    }
    out += "</tr>\n";
  }
  out += "</tbody>\n</table>\n</div>\n";
  if (table.folded) out += "</details>\n";
  return out;
}

}  // namespace

std::string to_html(const Report& report) {
  std::string body;
  int charts = 0;
  for (const auto& part : report.parts) {
    if (const auto* facts = std::get_if<Facts>(&part); facts && facts->forms & kHtml && !empty(*facts)) {
      body += facts->headline ? cards(*facts) : list(*facts);
    } else if (const auto* table = std::get_if<Table>(&part); table && table->forms & kHtml) {
      body += table_html(*table);
    } else if (const auto* chart = std::get_if<Chart>(&part)) {
      const std::string picture = svg_chart(report, *chart, fmt::format("chart{}", ++charts));
      if (picture.empty()) continue;
      body += fmt::format("<h2>{}</h2>\n<figure class=\"box\">\n{}<figcaption>{}</figcaption>\n</figure>\n", escape_html(chart->title), picture, escape_html(chart->caption));
    } else if (const auto* pictures = std::get_if<Pictures>(&part)) {
      body += pictures_html(*pictures);
    } else if (const auto* note = std::get_if<Note>(&part)) {
      body += fmt::format("<p class=\"note{}\">{}</p>\n", note->level == Note::Level::warning ? " warning" : "", escape_html(note->text));
    }
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<title>{0} \u00B7 hone {1}</title>\n<style>{2}</style>\n</head>\n<body>\n<main>\n<header>\n<h1>{0}</h1>\n<p class=\"sub\">{3}</p>\n</header>\n{4}"
      "<footer>hone {5} \u00B7 MACs are multiply-adds; FLOPs = 2 x MACs where no other way to count is named</footer>\n</main>\n</body>\n</html>\n",
      escape_html(report.title), escape_html(report.command), page_style(), escape_html(report.subtitle), body, HONE_VERSION);
}

}  // namespace hone
