// Tensors against tensors: the numbers of a check.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "engine/check.h"

namespace hone {

int64_t product_depth(const Graph& graph) {
  std::vector<int64_t> depth(graph.values.size(), 0);
  int64_t deepest = 0;
  for (const Node& node : graph.nodes) {
    int64_t d = 0;
    for (const ValueId v : node.inputs)
      if (v != kNoValue) d = std::max(d, depth[v]);
    const std::string_view t = node.type;
    if (t == "Attention") d += 2;
    else if (t.find("Conv") != t.npos || t.find("MatMul") != t.npos || t == "Gemm" || t == "hone::Linear" || t == "Einsum") d += 1;
    for (const ValueId v : node.outputs)
      if (v != kNoValue) depth[v] = d;
    deepest = std::max(deepest, d);
  }
  return deepest;
}

Tolerance engine_tolerance(const Graph& graph, const std::string& precision) {
  const double root = std::sqrt(static_cast<double>(std::max<int64_t>(product_depth(graph), 1)));
  if (precision == "bf16") return {0x1p-7, 2 * 0x1p-8 * root};
  return {1e-3, 32 * 0x1p-23 * root};
}

namespace {

double resolution(DType t) { return t == DType::f16 ? 0x1p-10 : t == DType::bf16 ? 0x1p-7 : 0; }

Difference compare_floats(const std::vector<double>& a, const std::vector<double>& b, double rel, double abs) {
  Difference d;
  double largest = 0, product = 0, norm_a = 0, norm_b = 0, sum = 0;
  for (const double y : b)
    if (std::isfinite(y)) largest = std::max(largest, std::abs(y));
  abs *= largest > 0 ? std::min(1.0, largest) : 1;
  d.ok = true;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i], y = b[i];
    product += x * y, norm_a += x * x, norm_b += y * y;
    // Equal infinities and a NaN on both sides are no difference; one on one side only is an infinite one.
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    double off = std::abs(x - y);
    if (!std::isfinite(off)) off = std::numeric_limits<double>::infinity();
    sum += off;
    d.max_abs = std::max(d.max_abs, off);
    if (std::abs(y) > abs) d.max_rel = std::max(d.max_rel, off / std::abs(y));
    if (!std::isfinite(off) || !(off <= std::abs(y) * rel + abs)) d.ok = false;
  }
  d.mean_abs = sum / static_cast<double>(a.size());
  d.relative = largest > 0 ? d.max_abs / largest : d.max_abs;
  const double size = std::sqrt(norm_a) * std::sqrt(norm_b);
  d.cosine = size > 0 ? product / size : norm_a == norm_b ? 1 : 0;
  if (!std::isfinite(d.cosine)) d.cosine = d.max_abs == 0 ? 1 : 0;
  return d;
}

}  // namespace

Difference compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  Difference d;
  if (a.dtype != b.dtype || a.shape != b.shape) {
    d.why = fmt::format("is {}, expected {}", to_string(TensorType(a.dtype, a.shape)), to_string(TensorType(b.dtype, b.shape)));
    return d;
  }
  const auto x = to_doubles(a), y = to_doubles(b);
  if (!x || !y) {  // strings, complex and narrow types: the same or not
    d.ok = same_contents(a, b);
    if (!d.ok) d.why = fmt::format("differs, in a type ({}) whose difference is no number here", name(a.dtype));
    return d;
  }
  if (x->empty()) {
    d.ok = true;
    return d;
  }
  const double unit = resolution(a.dtype);
  d = compare_floats(*x, *y, std::max(tolerance.rel, 2 * unit), std::max(tolerance.abs, unit));
  if (!is_float(a.dtype)) d.ok = same_contents(a, b);
  return d;
}

}  // namespace hone
