// The style sheet of reports and charts: colours as variables, light and dark, print.
#pragma once

#include <string>

namespace hone {
std::string page_style();
}
