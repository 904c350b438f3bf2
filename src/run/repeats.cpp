#include "run/repeats.h"

#include <cmath>
#include <filesystem>

namespace hone {

std::string method_of(const std::string& run) {
  std::filesystem::path path(run);
  if (path.filename().empty()) path = path.parent_path();
  std::string name = path.filename().string();
  const size_t dash = name.rfind('-');
  if (dash != std::string::npos && dash > 0 && dash + 1 < name.size() && name.find_first_not_of("0123456789", dash + 1) == std::string::npos) name.resize(dash);
  return name;
}

Spread spread_of(const std::vector<double>& values) {
  Spread s{static_cast<int64_t>(values.size()), 0, 0};
  for (const double v : values) s.mean += v / static_cast<double>(values.size());
  for (const double v : values) s.deviation += (v - s.mean) * (v - s.mean);
  s.deviation = values.size() > 1 ? std::sqrt(s.deviation / static_cast<double>(values.size() - 1)) : 0;
  return s;
}

}  // namespace hone
