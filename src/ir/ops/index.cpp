// Reading and writing by position.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

// Bounds of one sliced axis as numpy clamps them.
struct Range {
  int64_t begin, step, count;
};
Range slice_range(int64_t size, int64_t begin, int64_t end, int64_t step) {
  auto clamp = [&](int64_t v) {
    if (v < 0) v = v < -size ? -1 : v + size;  // below the start is one before it, which only a negative step can reach
    return step > 0 ? std::clamp<int64_t>(v, 0, size) : std::clamp<int64_t>(v, -1, size - 1);
  };
  begin = clamp(begin);
  end = clamp(end);
  const int64_t span = step > 0 ? end - begin : begin - end;
  const int64_t stride = step > 0 ? step : -step;
  return {begin, step, span <= 0 ? 0 : (span - 1) / stride + 1};
}

Status infer_slice(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 1));
  const auto begins = known_ints(c, 1), ends = known_ints(c, 2);
  std::optional<std::vector<int64_t>> axes, steps;
  if (c.has_input(3)) {
    HONE_TRY_ASSIGN(axes, known_axes(c, 3, x.size()));
  } else if (begins) {
    axes.emplace();
    for (size_t i = 0; i < begins->size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  if (c.has_input(4)) steps = known_ints(c, 4);
  else if (begins) steps = std::vector<int64_t>(begins->size(), 1);
  if (!axes) {
    c.set_output(0, {c.input(0).dtype, Shape(x.size(), kUnknown)});
    return {};
  }
  const Shape in = x;
  std::vector<Range> ranges;
  for (Dim d : x) ranges.push_back({0, 1, d});
  const bool known = begins && ends && steps;
  if (known && (begins->size() != axes->size() || ends->size() != axes->size() || steps->size() != axes->size() || axes->size() > x.size()))
    return c.fail("starts, ends, axes and steps differ in length");
  for (size_t i = 0; i < axes->size(); ++i) {
    if (static_cast<size_t>((*axes)[i]) >= x.size()) return c.fail("more starts than dimensions");
    Dim& d = x[static_cast<size_t>((*axes)[i])];
    if (!known || d == kUnknown) {
      d = kUnknown;
      continue;
    }
    if ((*steps)[i] == 0 || (*steps)[i] == INT64_MIN) return c.fail("a step of 0 never ends");
    Range& range = ranges[static_cast<size_t>((*axes)[i])];
    range = slice_range(d, (*begins)[i], (*ends)[i], (*steps)[i]);
    d = range.count;
  }
  c.set_output(0, {c.input(0).dtype, x});
  const Known* k = c.known(0);
  if (!k || !known || k->shape != in) return {};
  const auto stride = strides_of(in);
  c.set_known(0, rearranged(*k, x, [&](const std::vector<int64_t>& at) {
    int64_t flat = 0;
    for (size_t i = 0; i < at.size(); ++i) flat += (ranges[i].begin + at[i] * ranges[i].step) * stride[i];
    return flat;
  }));
  return {};
}

Status infer_gather(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const Shape index, ranked(c, 1));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), x.size()));
  Shape out(x.begin(), x.begin() + axis);
  out.insert(out.end(), index.begin(), index.end());
  out.insert(out.end(), x.begin() + axis + 1, x.end());
  c.set_output(0, {c.input(0).dtype, out});
  const Known* k = c.known(0);
  const auto at = known_ints(c, 1);
  const auto n = element_count(out);
  if (!k || !at || k->shape != x || !n || *n > kMaxKnown) return {};
  const Dim size = x[static_cast<size_t>(axis)];
  for (int64_t i : *at)
    if (i < -size || i >= size) return c.fail(fmt::format("index {} is outside {} elements", i, size));
  // Output element o, i, s (outer, index, inner) is the input's o, at[i], s.
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < x.size(); ++i) inner *= x[i];
  const auto count = static_cast<int64_t>(at->size());
  int64_t flat = 0;
  c.set_known(0, rearranged(*k, out, [&](const std::vector<int64_t>&) {
    const int64_t s = flat % inner, i = flat / inner % count, o = flat / inner / count;
    ++flat;
    const int64_t p = (*at)[static_cast<size_t>(i)];
    return (o * size + (p < 0 ? p + size : p)) * inner + s;
  }));
  return {};
}

Status infer_gather_elements(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const Shape index, ranked(c, 1, 1));
  HONE_TRY(axis_in(c, c.attrs().integer("axis", 0), x.size()));
  if (index.size() != x.size()) return c.fail("data and indices need the same number of dimensions");
  c.set_output(0, {c.input(0).dtype, index});
  return {};
}

Status infer_gather_nd(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const Shape index, ranked(c, 1, 1));
  const int64_t batch = c.attrs().integer("batch_dims", 0), last = index.back();
  if (last == kUnknown) return infer_unknown_rank(c, c.input(0).dtype);
  if (batch < 0 || batch >= static_cast<int64_t>(index.size()) || last < 1 || last > static_cast<int64_t>(x.size()) - batch) return c.fail("indices name more dimensions than there are");
  Shape out(index.begin(), index.end() - 1);
  out.insert(out.end(), x.begin() + batch + last, x.end());
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

Status infer_scatter(InferContext& c) {
  HONE_TRY(ranked(c, 0, 1));
  return infer_same(c);
}

Status infer_one_hot(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", -1), x.size() + 1));
  const auto depth = known_ints(c, 1);
  const Known* real = c.known(1);
  Dim d = depth && depth->size() == 1 ? (*depth)[0] : real && real->floats.size() == 1 && real->floats[0] >= 0 && real->floats[0] < 9e18 ? static_cast<Dim>(real->floats[0]) : kUnknown;
  if (d < kUnknown) return c.fail("depth is negative");
  x.insert(x.begin() + axis, d);
  c.set_output(0, {c.input(2).dtype, std::move(x)});
  return {};
}

Status infer_nonzero(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  c.set_output(0, i64({static_cast<int64_t>(x.size()), kUnknown}));
  return {};
}

Status infer_top_k(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", -1), x.size()));
  const auto k = known_ints(c, 1);
  Dim& d = x[static_cast<size_t>(axis)];
  if (k && k->size() == 1) {
    if ((*k)[0] < 0 || (d >= 0 && (*k)[0] > d)) return c.fail(fmt::format("the {} largest of {} are asked for", (*k)[0], d));
    d = (*k)[0];
  } else {
    d = kUnknown;
  }
  c.set_output(0, {c.input(0).dtype, x});
  c.set_output(1, i64(x));
  return {};
}

Status infer_same_ranked(InferContext& c) {
  HONE_TRY(ranked(c, 0, 1));
  return infer_same(c);
}

Status infer_compress(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 1));
  const Known* k = c.known(1);
  int64_t picked = kUnknown;
  if (k && std::ranges::find(k->ints, kUnknownElement) == k->ints.end()) picked = std::ranges::count_if(k->ints, [](int64_t v) { return v != 0; });
  if (!c.attrs().has("axis")) {
    c.set_output(0, {c.input(0).dtype, {picked}});
    return {};
  }
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), x.size()));
  x[static_cast<size_t>(axis)] = picked;
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

Status infer_unique(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  if (c.attrs().has("axis")) {
    HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), x.size()));
    x[static_cast<size_t>(axis)] = kUnknown;
    c.set_output(0, {c.input(0).dtype, x});
  } else {
    c.set_output(0, {c.input(0).dtype, {kUnknown}});
  }
  for (size_t i = 1; i < 4; ++i) c.set_output(i, i64({kUnknown}));
  return {};
}

Status infer_nms(InferContext& c) {
  HONE_TRY(ranked(c, 0, 3));
  c.set_output(0, i64({kUnknown, 3}));
  return {};
}

Status infer_center_crop_pad(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  HONE_TRY_ASSIGN(std::vector<int64_t> axes, attribute_axes(c, x.size()));
  if (!c.attrs().has("axes"))
    for (size_t i = 0; i < x.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  const auto sizes = known_ints(c, 1);
  if (sizes && sizes->size() != axes.size()) return c.fail(fmt::format("{} sizes for {} dimensions", sizes->size(), axes.size()));
  for (size_t i = 0; i < axes.size(); ++i) {
    if (sizes && (*sizes)[i] < 0) return c.fail("a size is negative");
    x[static_cast<size_t>(axes[i])] = sizes ? (*sizes)[i] : kUnknown;
  }
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

// Columns of blocks back to an image: N x C*prod(block) x L -> N x C x image.
Status infer_col2im(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  const auto image = known_ints(c, 1), block = known_ints(c, 2);
  if (!image || !block) return infer_unknown_rank(c, c.input(0).dtype);
  Int product = 1;
  for (int64_t b : *block) product *= Int(b);
  if (!product.ok() || product.value() < 1) return c.fail("block sizes must be positive");
  Shape out{x[0], x[1] < 0 ? kUnknown : x[1] / product.value()};
  for (int64_t d : *image) {
    if (d < 0) return c.fail("the image size is negative");
    out.push_back(d);
  }
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

Sample sample(std::string label, std::vector<TensorType> in, std::vector<std::optional<Known>> contents, std::vector<TensorType> out, Attrs attrs = {}) {
  Sample s{.label = std::move(label), .inputs = std::move(in), .contents = std::move(contents), .attrs = std::move(attrs)};
  s.outputs = std::move(out);
  return s;
}

std::vector<Sample> slice_samples() {
  return {sample("two axes", {f32({10, 6}), i64({2}), i64({2}), i64({2}), i64({2})}, {std::nullopt, ints({1, -1}), ints({100, -4}), ints({0, 1}), ints({3, -1})}, {f32({3, 3})}),
          sample("reverse to the very start", {f32({5}), i64({1}), i64({1}), i64({1}), i64({1})}, {std::nullopt, ints({-1}), ints({INT64_MIN + 1}), ints({0}), ints({-2})}, {f32({3})})};
}
std::vector<Sample> gather_samples() { return {sample("axis 1", {f32({2, 5, 3}), i64({4, 1})}, {}, {f32({2, 4, 1, 3})}, {{"axis", int64_t{1}}})}; }
std::vector<Sample> gather_elements_samples() { return {sample("plain", {f32({3, 3}), i64({2, 3})}, {}, {f32({2, 3})})}; }
std::vector<Sample> gather_nd_samples() { return {sample("batch", {f32({2, 4, 5}), i64({2, 3, 1})}, {}, {f32({2, 3, 5})}, {{"batch_dims", int64_t{1}}})}; }
std::vector<Sample> scatter_samples() { return {sample("plain", {f32({3, 3}), i64({1, 2}), f32({1, 2})}, {}, {f32({3, 3})})}; }
std::vector<Sample> cache_samples() { return {sample("one token", {f32({2, 4, 8}), f32({2, 1, 8}), i64({2})}, {}, {f32({2, 4, 8})})}; }
std::vector<Sample> scatter_nd_samples() { return {sample("rows", {f32({4, 3}), i64({2, 1}), f32({2, 3})}, {}, {f32({4, 3})})}; }
std::vector<Sample> one_hot_samples() { return {sample("depth 5", {i64({2, 3}), i64({}), f32({2})}, {std::nullopt, whole(5)}, {f32({2, 3, 5})})}; }
std::vector<Sample> nonzero_samples() { return {sample("depends on data", {f32({2, 3})}, {}, {i64({2, kUnknown})})}; }
std::vector<Sample> top_k_samples() { return {sample("k 3", {f32({2, 10}), i64({1})}, {std::nullopt, ints({3})}, {f32({2, 3}), i64({2, 3})})}; }
std::vector<Sample> cum_sum_samples() { return {sample("plain", {f32({2, 3}), i64({})}, {}, {f32({2, 3})})}; }
std::vector<Sample> trilu_samples() { return {sample("upper", {f32({4, 3})}, {}, {f32({4, 3})})}; }
std::vector<Sample> reverse_samples() { return {sample("plain", {f32({4, 3}), i64({3})}, {}, {f32({4, 3})})}; }
std::vector<Sample> compress_samples() {
  return {sample("depends on data", {f32({3, 2}), {DType::boolean, {3}}}, {}, {f32({kUnknown, 2})}, {{"axis", int64_t{0}}})};
}
std::vector<Sample> unique_samples() { return {sample("depends on data", {f32({6})}, {}, {f32({kUnknown})})}; }
std::vector<Sample> nms_samples() { return {sample("depends on data", {f32({1, 6, 4}), f32({1, 1, 6})}, {}, {i64({kUnknown, 3})})}; }
std::vector<Sample> crop_samples() { return {sample("axes", {f32({20, 8, 3}), i64({2})}, {std::nullopt, ints({10, 9})}, {f32({10, 9, 3})}, {{"axes", std::vector<int64_t>{0, 1}}})}; }
std::vector<Sample> col2im_samples() { return {sample("plain", {f32({1, 5, 5}), i64({2}), i64({2})}, {std::nullopt, ints({5, 5}), ints({1, 5})}, {f32({1, 1, 5, 5})})}; }

}  // namespace

std::vector<OpDef> index_ops() {
  const AttrSpec axis{"axis", AttrKind::integer}, reduction{"reduction", AttrKind::text};
  return {
      {"Slice", 3, 5, 1, 1, {}, infer_slice, nullptr, slice_samples},
      {"Gather", 2, 2, 1, 1, {axis}, infer_gather, nullptr, gather_samples},
      {"GatherElements", 2, 2, 1, 1, {axis}, infer_gather_elements, nullptr, gather_elements_samples},
      {"GatherND", 2, 2, 1, 1, {{"batch_dims", AttrKind::integer}}, infer_gather_nd, nullptr, gather_nd_samples},
      {"Scatter", 3, 3, 1, 1, {axis}, infer_scatter, nullptr, scatter_samples},
      {"ScatterElements", 3, 3, 1, 1, {axis, reduction}, infer_scatter, nullptr, scatter_samples},
      {"ScatterND", 3, 3, 1, 1, {reduction}, infer_scatter, nullptr, scatter_nd_samples},
      {"TensorScatter", 2, 3, 1, 1, {axis, {"mode", AttrKind::text}}, infer_scatter, nullptr, cache_samples},
      {"OneHot", 3, 3, 1, 1, {axis}, infer_one_hot, nullptr, one_hot_samples},
      {"NonZero", 1, 1, 1, 1, {}, infer_nonzero, nullptr, nonzero_samples},
      {"TopK", 2, 2, 2, 2, {axis, {"largest", AttrKind::integer}, {"sorted", AttrKind::integer}}, infer_top_k, nullptr, top_k_samples},
      {"CumSum", 2, 2, 1, 1, {{"exclusive", AttrKind::integer}, {"reverse", AttrKind::integer}}, infer_same_ranked, nullptr, cum_sum_samples},
      {"CumProd", 2, 2, 1, 1, {{"exclusive", AttrKind::integer}, {"reverse", AttrKind::integer}}, infer_same_ranked, nullptr, cum_sum_samples},
      {"Trilu", 1, 2, 1, 1, {{"upper", AttrKind::integer}}, infer_same_ranked, nullptr, trilu_samples},
      {"ReverseSequence", 2, 2, 1, 1, {{"batch_axis", AttrKind::integer}, {"time_axis", AttrKind::integer}}, infer_same_ranked, nullptr, reverse_samples},
      {"Compress", 2, 2, 1, 1, {axis}, infer_compress, nullptr, compress_samples},
      {"Unique", 1, 1, 1, 4, {axis, {"sorted", AttrKind::integer}}, infer_unique, nullptr, unique_samples},
      {"NonMaxSuppression", 2, 5, 1, 1, {{"center_point_box", AttrKind::integer}}, infer_nms, nullptr, nms_samples},
      {"CenterCropPad", 2, 2, 1, 1, {{"axes", AttrKind::integers}}, infer_center_crop_pad, nullptr, crop_samples},
      {"Col2Im", 3, 3, 1, 1, {{"dilations", AttrKind::integers}, {"pads", AttrKind::integers}, {"strides", AttrKind::integers}}, infer_col2im, nullptr, col2im_samples},
  };
}

}  // namespace hone::ops
