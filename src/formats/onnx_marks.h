// What hone adds to the ONNX files it writes, so that reading one gives the same graph again: metadata entries that
// other programs ignore.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace hone::onnx {

inline constexpr std::string_view kProducer = "hone";
inline constexpr std::string_view kModuleKey = "hone.module";  // of a node: its module path
inline constexpr std::string_view kKindKey = "hone.kind";      // of an initialiser: parameter, buffer
inline constexpr std::string_view kInitKey = "hone.init";      // of an initialiser: how a fresh one is filled

// Applies the marks of an initialiser to its value; false when there are none.
bool read_marks(const std::vector<std::pair<std::string_view, std::string_view>>& properties, Value& value);
std::vector<std::pair<std::string, std::string>> marks_of(const Value& value);

}  // namespace hone::onnx
