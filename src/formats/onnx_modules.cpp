#include "formats/onnx_modules.h"

#include <vector>

namespace hone::onnx {

std::string module_of_node_name(std::string_view name) {
  const size_t end = name.rfind('/');
  if (end == std::string_view::npos) return {};
  std::vector<std::string_view> parts;
  for (size_t begin = 0; begin < end;) {
    const size_t stop = std::min(name.find('/', begin), end);
    const std::string_view part = name.substr(begin, stop - begin);
    begin = stop + 1;
    if (part.empty()) continue;
    const bool within = !parts.empty() && part.size() > parts.back().size() && part.starts_with(parts.back()) && part[parts.back().size()] == '.';
    if (within) parts.back() = part;
    else parts.push_back(part);
  }
  std::string out;
  for (std::string_view part : parts) {
    if (!out.empty()) out += '.';
    out += part;
  }
  return out;
}

std::string module_of_name_scopes(std::string_view list) {
  if (list.size() < 2 || list.front() != '[' || list.back() != ']') return {};
  std::vector<std::string_view> items;
  for (size_t at = 1; at < list.size();) {
    const char quote = list[at];
    if (quote != '\'' && quote != '"') {
      ++at;
      continue;
    }
    const size_t end = list.find(quote, at + 1);
    if (end == std::string_view::npos) return {};
    items.push_back(list.substr(at + 1, end - at - 1));
    at = end + 1;
  }
  return items.size() < 2 ? std::string() : std::string(items[items.size() - 2]);
}

std::string module_of_parameter(std::string_view name) {
  if (name.find("::") != std::string_view::npos || name.find('/') != std::string_view::npos) return {};
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string() : std::string(name.substr(0, dot));
}

std::string guess_module(std::string_view node_name, const std::vector<std::string_view>& inputs) {
  std::string path = module_of_node_name(node_name);
  if (!path.empty() || node_name.starts_with('/')) return path;
  for (size_t i = 1; i < inputs.size(); ++i)
    if (path = module_of_parameter(inputs[i]); !path.empty()) return path;
  return {};
}

}  // namespace hone::onnx
