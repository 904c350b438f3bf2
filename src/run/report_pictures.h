// The pictures of a report as HTML.
#pragma once

#include <string>
#include <string_view>

#include "run/report.h"

namespace hone {

std::string pictures_html(const Pictures& pictures);  // "" without rows
std::string base64(std::string_view bytes);           // RFC 4648, padded

}  // namespace hone
