// The part of hone data show that is about class folders of pictures.
#pragma once

#include <string>

#include "core/error.h"
#include "run/report.h"

namespace hone::cli {

// Code::invalid or ::unsupported when there is no picture in a class folder at `path`. With `decode`, every picture is
// decoded, and what cannot be read is named.
Result<Report> show_image_folder(const std::string& path, bool decode);

}  // namespace hone::cli
