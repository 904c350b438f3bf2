// Runs that are one method, trained with several seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

// "runs/walk-2" -> "walk": the method of a run whose name ends in its seed; any other name is the method itself.
std::string method_of(const std::string& run);

struct Spread {
  int64_t n = 0;
  double mean = 0, deviation = 0;   // of the sample; 0 for one value
};
Spread spread_of(const std::vector<double>& values);

}  // namespace hone
