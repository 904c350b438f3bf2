// Pools. Outputs of max pools are a field of their own, because the pycls convention adds them to the activations;
// inputs of pools are what ptflops adds, inputs of adaptive (global) average pools what fvcore adds.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Status infer_pool(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  if (!c.attrs().has("kernel_shape")) return c.fail("kernel_shape is required");
  HONE_TRY_ASSIGN(const Window w, window(c, x, {}));
  Shape out{x[0], x[1]};
  for (size_t i = 2; i < x.size(); ++i) {
    HONE_TRY_ASSIGN(const Dim d, window_output(c, w, i - 2, x[i], c.attrs().integer("ceil_mode", 0) != 0));
    out.push_back(d);
  }
  c.set_output(0, {c.input(0).dtype, out});
  c.set_output(1, {DType::i64, out});
  return {};
}

Status infer_global_pool(InferContext& c) {
  HONE_TRY_ASSIGN(Shape out, ranked(c, 0, 2));
  for (size_t i = 2; i < out.size(); ++i) out[i] = 1;
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

Status infer_max_unpool(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  if (c.has_input(2)) {
    const auto asked = known_ints(c, 2);
    Shape out = asked ? *asked : Shape(x.size(), kUnknown);
    for (Dim d : out)
      if (d < kUnknown) return c.fail("output_shape is negative");
    c.set_output(0, {c.input(0).dtype, std::move(out)});
    return {};
  }
  HONE_TRY_ASSIGN(const Window w, window(c, x, {}));
  Shape out{x[0], x[1]};
  for (size_t i = 2; i < x.size(); ++i) {
    const Int d = Int(x[i] - 1) * Int(w.stride[i - 2]) + Int(w.kernel[i - 2]) - Int(w.pad_begin[i - 2]) - Int(w.pad_end[i - 2]);
    if (x[i] >= 0 && (!d.ok() || d.value() < 0)) return c.fail("the output size is negative or overflows");
    out.push_back(x[i] < 0 ? kUnknown : d.value());
  }
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

// MaxRoiPool and RoiAlign: one row of C x h x w per region.
Status infer_max_roi_pool(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 4));
  HONE_TRY_ASSIGN(const Shape rois, ranked(c, 1, 2));
  const auto size = c.attrs().integers("pooled_shape");
  if (size.size() != 2 || size[0] < 0 || size[1] < 0) return c.fail("pooled_shape needs two sizes");
  c.set_output(0, {c.input(0).dtype, {rois[0], x[1], size[0], size[1]}});
  return {};
}

Status infer_roi_align(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 4));
  HONE_TRY_ASSIGN(const Shape rois, ranked(c, 1, 2));
  const int64_t h = c.attrs().integer("output_height", 1), w = c.attrs().integer("output_width", 1);
  if (h < 0 || w < 0) return c.fail("the output size is negative");
  c.set_output(0, {c.input(0).dtype, {rois[0], x[1], h, w}});
  return {};
}

Counts cost_max_pool(const CostContext& c) {
  Counts n;
  n.maxpool_out = c.elements_out();
  n.pool_inputs = c.elements_in(0);
  return n;
}
Counts cost_average_pool(const CostContext& c) {
  Counts n;
  n.pool_inputs = c.elements_in(0);
  // Windows of one element are what exporters make of an adaptive pool to the size that its input has (torchvision's VGG).
  const auto kernel = c.attrs().integers("kernel_shape");
  if (!kernel.empty() && std::all_of(kernel.begin(), kernel.end(), [](int64_t k) { return k == 1; }) && c.elements_out() == c.elements_in(0))
    n.adaptive_pool_inputs = n.pool_inputs;
  return n;
}
Counts cost_global_average_pool(const CostContext& c) {
  Counts n = cost_average_pool(c);
  n.adaptive_pool_inputs = n.pool_inputs;
  return n;
}

std::vector<Sample> pool_samples(bool max) {
  const Attrs attrs{{"kernel_shape", std::vector<int64_t>{3, 3}}, {"strides", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}};
  Sample s{.label = "3x3 stride 2", .inputs = {f32({1, 2, 8, 8})}, .attrs = attrs};
  s.outputs = {f32({1, 2, 4, 4})};
  s.counts = max ? Counts{.maxpool_out = 32, .pool_inputs = 128} : Counts{.pool_inputs = 128};
  Sample ceil = s;
  ceil.label = "ceil mode";
  ceil.attrs.set("ceil_mode", int64_t{1});
  ceil.outputs = {f32({1, 2, 5, 5})};
  ceil.counts.reset();
  // A window that would start in the right padding does not count: 7 + 1 <= 4 x 2.
  Sample edge = ceil;
  edge.label = "ceil mode, last window in the padding";
  edge.inputs = {f32({1, 2, 7, 7})};
  edge.outputs = {f32({1, 2, 4, 4})};
  return {s, ceil, edge};
}
std::vector<Sample> max_pool_samples() { return pool_samples(true); }
std::vector<Sample> average_pool_samples() {
  auto samples = pool_samples(false);
  Sample identity{.label = "1x1, an adaptive pool", .inputs = {f32({1, 2, 7, 7})}, .attrs = {{"kernel_shape", std::vector<int64_t>{1, 1}}}};
  identity.outputs = {f32({1, 2, 7, 7})};
  identity.counts = Counts{.pool_inputs = 98, .adaptive_pool_inputs = 98};
  samples.push_back(identity);
  Sample subsample{.label = "1x1 stride 2", .inputs = {f32({1, 2, 7, 7})}, .attrs = {{"kernel_shape", std::vector<int64_t>{1, 1}}, {"strides", std::vector<int64_t>{2, 2}}}};
  subsample.outputs = {f32({1, 2, 4, 4})};
  subsample.counts = Counts{.pool_inputs = 98};
  samples.push_back(subsample);
  return samples;
}

std::vector<Sample> lp_pool_samples() {
  Sample s{.label = "2x2", .inputs = {f32({1, 2, 8, 8})}, .attrs = {{"kernel_shape", std::vector<int64_t>{2, 2}}}};
  s.outputs = {f32({1, 2, 7, 7})};
  return {s};
}

std::vector<Sample> global_samples(std::optional<Counts> counts) {
  Sample s{.label = "2-d", .inputs = {f32({1, 2, 8, 8})}};
  s.outputs = {f32({1, 2, 1, 1})};
  s.counts = counts;
  return {s};
}
std::vector<Sample> global_average_samples() { return global_samples(Counts{.pool_inputs = 128, .adaptive_pool_inputs = 128}); }
std::vector<Sample> global_max_samples() { return global_samples(Counts{.maxpool_out = 2, .pool_inputs = 128}); }
std::vector<Sample> global_lp_samples() { return global_samples(std::nullopt); }

std::vector<Sample> max_unpool_samples() {
  Sample s{.label = "2x2", .inputs = {f32({1, 1, 2, 2}), i64({1, 1, 2, 2})}};
  s.attrs = {{"kernel_shape", std::vector<int64_t>{2, 2}}, {"strides", std::vector<int64_t>{2, 2}}};
  s.outputs = {f32({1, 1, 4, 4})};
  return {s};
}

std::vector<Sample> max_roi_pool_samples() {
  Sample s{.label = "2x2", .inputs = {f32({1, 3, 8, 8}), f32({5, 5})}, .attrs = {{"pooled_shape", std::vector<int64_t>{2, 2}}}};
  s.outputs = {f32({5, 3, 2, 2})};
  return {s};
}

std::vector<Sample> roi_align_samples() {
  Sample s{.label = "5x5", .inputs = {f32({1, 3, 8, 8}), f32({2, 4}), i64({2})}, .attrs = {{"output_height", int64_t{5}}, {"output_width", int64_t{5}}}};
  s.outputs = {f32({2, 3, 5, 5})};
  return {s};
}

const std::vector<AttrSpec> kPoolAttrs{{"auto_pad", AttrKind::text},         {"ceil_mode", AttrKind::integer}, {"dilations", AttrKind::integers},
                                       {"kernel_shape", AttrKind::integers}, {"pads", AttrKind::integers},     {"strides", AttrKind::integers}};
std::vector<AttrSpec> pool_attrs(AttrSpec more) {
  auto all = kPoolAttrs;
  all.push_back(more);
  return all;
}

}  // namespace

std::vector<OpDef> pool_ops() {
  return {
      {"MaxPool", 1, 1, 1, 2, pool_attrs({"storage_order", AttrKind::integer}), infer_pool, cost_max_pool, max_pool_samples},
      {"AveragePool", 1, 1, 1, 1, pool_attrs({"count_include_pad", AttrKind::integer}), infer_pool, cost_average_pool, average_pool_samples},
      {"LpPool", 1, 1, 1, 1, pool_attrs({"p", AttrKind::integer}), infer_pool, nullptr, lp_pool_samples},
      {"GlobalAveragePool", 1, 1, 1, 1, {}, infer_global_pool, cost_global_average_pool, global_average_samples},
      {"GlobalMaxPool", 1, 1, 1, 1, {}, infer_global_pool, cost_max_pool, global_max_samples},
      {"GlobalLpPool", 1, 1, 1, 1, {{"p", AttrKind::integer}}, infer_global_pool, nullptr, global_lp_samples},
      {"MaxUnpool", 2, 3, 1, 1, {{"kernel_shape", AttrKind::integers, true}, {"pads", AttrKind::integers}, {"strides", AttrKind::integers}}, infer_max_unpool, nullptr, max_unpool_samples},
      {"MaxRoiPool", 2, 2, 1, 1, {{"pooled_shape", AttrKind::integers, true}, {"spatial_scale", AttrKind::real}}, infer_max_roi_pool, nullptr, max_roi_pool_samples},
      {"RoiAlign", 3, 3, 1, 1,
       {{"coordinate_transformation_mode", AttrKind::text}, {"mode", AttrKind::text}, {"output_height", AttrKind::integer}, {"output_width", AttrKind::integer},
        {"sampling_ratio", AttrKind::integer}, {"spatial_scale", AttrKind::real}},
       infer_roi_align, nullptr, roi_align_samples},
  };
}

}  // namespace hone::ops
