// Resampling: sizes come from scales or from sizes.
#include <algorithm>
#include <cmath>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Status infer_resize(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  HONE_TRY_ASSIGN(std::vector<int64_t> axes, attribute_axes(c, x.size()));
  if (axes.empty())
    for (size_t i = 0; i < x.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  const auto sizes = c.has_input(3) ? known_ints(c, 3) : std::nullopt;
  const Known* scales = c.has_input(2) ? c.known(2) : nullptr;
  if (scales && scales->floats.empty()) scales = nullptr;
  const std::string_view policy = c.attrs().text("keep_aspect_ratio_policy", "stretch");
  if (sizes && sizes->size() != axes.size()) return c.fail(fmt::format("{} sizes for {} dimensions", sizes->size(), axes.size()));
  if (!sizes && scales && scales->floats.size() != axes.size()) return c.fail(fmt::format("{} scales for {} dimensions", scales->floats.size(), axes.size()));
  // "not_larger" and "not_smaller" apply one common scale to every resized axis.
  double common = 0;
  if (sizes && policy != "stretch") {
    for (size_t i = 0; i < axes.size(); ++i) {
      const Dim d = x[static_cast<size_t>(axes[i])];
      if (d <= 0) return c.fail("the aspect ratio of an empty or unknown size cannot be kept");
      const double s = static_cast<double>((*sizes)[i]) / static_cast<double>(d);
      common = i == 0 ? s : policy == "not_larger" ? std::min(common, s) : std::max(common, s);
    }
  }
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& d = x[static_cast<size_t>(axes[i])];
    double exact = -1;
    if (sizes) {
      if ((*sizes)[i] < 0) return c.fail("a size is negative");
      if (policy == "stretch") {
        d = (*sizes)[i];
        continue;
      }
      exact = std::floor(static_cast<double>(d) * common + 0.5);
    } else if (scales) {
      if (!(scales->floats[i] >= 0)) return c.fail("a scale is negative");
      if (d == kUnknown) continue;
      exact = std::floor(static_cast<double>(d) * scales->floats[i]);
    } else {
      d = kUnknown;
      continue;
    }
    if (!(exact < 9e18)) return c.fail("the output size overflows");
    d = static_cast<Dim>(exact);
  }
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

Status infer_grid_sample(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(const Shape grid, ranked(c, 1, 3));
  if (grid.size() != x.size()) return c.fail("input and grid need the same number of dimensions");
  Shape out{x[0], x[1]};
  out.insert(out.end(), grid.begin() + 1, grid.end() - 1);
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

Status infer_affine_grid(InferContext& c) {
  const auto size = known_ints(c, 1);
  if (!size) return infer_unknown_rank(c, c.input(0).dtype);
  if (size->size() < 4 || size->size() > 5) return c.fail("size needs 4 or 5 entries");
  Shape out{(*size)[0]};
  out.insert(out.end(), size->begin() + 2, size->end());
  out.push_back(static_cast<int64_t>(size->size()) - 2);
  for (Dim d : out)
    if (d < 0) return c.fail("a size is negative");
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

std::vector<Sample> resize_samples() {
  Sample s{.label = "scales", .inputs = {f32({1, 3, 7, 5}), none(), f32({4})}, .contents = {std::nullopt, std::nullopt, reals({1, 1, 2, 0.5})}};
  s.outputs = {f32({1, 3, 14, 2})};
  Sample sizes{.label = "sizes of two axes", .inputs = {f32({1, 3, 7, 5}), none(), none(), i64({2})}, .contents = {std::nullopt, std::nullopt, std::nullopt, ints({9, 8})}};
  sizes.attrs = {{"axes", std::vector<int64_t>{2, 3}}};
  sizes.outputs = {f32({1, 3, 9, 8})};
  return {s, sizes};
}
std::vector<Sample> grid_sample_samples() {
  Sample s{.label = "2-d", .inputs = {f32({1, 3, 7, 5}), f32({1, 4, 6, 2})}};
  s.outputs = {f32({1, 3, 4, 6})};
  return {s};
}
std::vector<Sample> affine_grid_samples() {
  Sample s{.label = "2-d", .inputs = {f32({2, 2, 3}), i64({4})}, .contents = {std::nullopt, ints({2, 3, 5, 6})}};
  s.outputs = {f32({2, 5, 6, 2})};
  return {s};
}

}  // namespace

std::vector<OpDef> resize_ops() {
  return {
      {"Resize", 1, 4, 1, 1,
       {{"antialias", AttrKind::integer}, {"axes", AttrKind::integers}, {"coordinate_transformation_mode", AttrKind::text}, {"cubic_coeff_a", AttrKind::real},
        {"exclude_outside", AttrKind::integer}, {"extrapolation_value", AttrKind::real}, {"keep_aspect_ratio_policy", AttrKind::text}, {"mode", AttrKind::text},
        {"nearest_mode", AttrKind::text}},
       infer_resize, nullptr, resize_samples},
      {"GridSample", 2, 2, 1, 1, {{"align_corners", AttrKind::integer}, {"mode", AttrKind::text}, {"padding_mode", AttrKind::text}}, infer_grid_sample, nullptr, grid_sample_samples},
      {"AffineGrid", 2, 2, 1, 1, {{"align_corners", AttrKind::integer}}, infer_affine_grid, nullptr, affine_grid_samples},
  };
}

}  // namespace hone::ops
