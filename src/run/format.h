// Cells as text for people: the one place that rounds. Text tables, HTML and charts all call it.
#pragma once

#include <string>
#include <string_view>

#include "run/report.h"

namespace hone {

std::string format_cell(const Cell& cell, Unit unit);  // "4.09 G"
std::string exact_cell(const Cell& cell, Unit unit);   // "4,089,184,256"; "" where format_cell has lost nothing
double number(const Cell& cell);                       // 0 for anything that is not a number
bool is_number(const Cell& cell);
Cell finite_cell(double value);                        // null for what is not finite

// Names come from files: control characters become spaces, broken UTF-8 becomes '?'.
std::string clean_text(std::string_view text);
size_t display_width(std::string_view utf8);           // code points
std::string shorten(std::string_view utf8, size_t width, std::string_view ellipsis);  // cut in the middle
std::string escape_html(std::string_view text);        // clean_text, and & < > " ' escaped

}  // namespace hone
