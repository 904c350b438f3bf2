// Weights and inputs that a reference in Python makes too (tests/data/outputs/make.py): functions of a name and an index.
#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <string>
#include <string_view>

namespace hone::train {

// n numbers in [0, 1) with 24 bits: SplitMix64 of FNV-1a(name) + (i + 1) * 0x9e3779b97f4a7c15.
template <class F>
at::Tensor hashed(std::string_view name, at::IntArrayRef shape, F value) {
  uint64_t h = 0xcbf29ce484222325;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  at::Tensor t = at::empty(shape, at::kFloat);
  float* data = t.mutable_data_ptr<float>();
  for (int64_t i = 0; i < t.numel(); ++i) {
    uint64_t z = h + static_cast<uint64_t>(i + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    data[i] = static_cast<float>(value(static_cast<double>(z >> 40) * 0x1p-24));
  }
  return t;
}

inline at::Tensor contents(const std::string& name, at::IntArrayRef shape, double gain) {
  if (name.ends_with("running_var")) return hashed(name, shape, [](double u) { return 0.5 + u; });
  if (name.ends_with("running_mean")) return hashed(name, shape, [](double u) { return (u - 0.5) / 50; });
  if (shape.size() < 2) {
    if (name.ends_with("weight") || name.ends_with("gamma")) return hashed(name, shape, [](double u) { return 0.75 + u / 2; });
    return hashed(name, shape, [](double u) { return (u - 0.5) / 50; });
  }
  double fan = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan *= static_cast<double>(shape[i]);
  const double bound = std::sqrt(gain / fan);
  return hashed(name, shape, [bound](double u) { return (2 * u - 1) * bound; });
}

}  // namespace hone::train
