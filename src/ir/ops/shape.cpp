// Layout and shape: nothing is computed on the data, but these rules carry the shape arithmetic that exporters write.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

// Passes known contents on under a new shape.
void forward_known(InferContext& c, const Shape& shape) {
  const Known* k = c.known(0);
  const auto n = element_count(shape);
  if (!k || !n || static_cast<int64_t>(k->size()) != *n) return;
  Known out = *k;
  out.shape = shape;
  c.set_known(0, std::move(out));
}

Status set_layout(InferContext& c, Shape shape) {
  c.set_output(0, {c.input(0).dtype, shape});
  forward_known(c, shape);
  return {};
}

Status infer_identity(InferContext& c) {
  HONE_TRY(infer_same(c));
  if (c.input(0).ranked) forward_known(c, c.input(0).shape);
  return {};
}

Status infer_reshape(InferContext& c) {
  const TensorType& x = c.input(0);
  const Known* k = c.known(1);
  if (!k || k->is_float()) {
    const TensorType& s = c.input(1);
    if (s.ranked && s.shape.size() == 1 && s.shape[0] >= 0 && s.shape[0] <= 64) c.set_output(0, {x.dtype, Shape(static_cast<size_t>(s.shape[0]), kUnknown)});
    else c.set_output(0, TensorType(x.dtype));
    return {};
  }
  const bool zero_is_zero = c.attrs().integer("allowzero", 0) != 0;
  Shape out;
  std::optional<size_t> open;
  Int rest = 1;
  bool known = true;
  for (size_t i = 0; i < k->ints.size(); ++i) {
    int64_t d = k->ints[i];
    if (d == 0 && !zero_is_zero) {
      if (!x.ranked || i >= x.shape.size()) {
        if (x.ranked) return c.fail(fmt::format("dimension {} is to be copied, but the input {} has none", i, to_string(x)));
        d = kUnknownElement;
      } else d = x.shape[i] == kUnknown ? kUnknownElement : x.shape[i];
    }
    if (d == -1) {
      if (open) return c.fail("only one dimension may be -1");
      open = i;
      out.push_back(kUnknown);
    } else if (d == kUnknownElement) {
      known = false;
      out.push_back(kUnknown);
    } else if (d < 0) {
      return c.fail(fmt::format("a dimension of {} is asked for", d));
    } else {
      rest *= Int(d);
      out.push_back(d);
    }
  }
  if (!rest.ok()) return c.fail("the asked shape overflows");
  const auto total = x.ranked ? element_count(x.shape) : std::nullopt;
  if (known && total) {
    if (open) {
      if (rest.value() == 0 || *total % rest.value()) return c.fail(fmt::format("{} elements do not divide into {}", *total, to_string(out)));
      out[*open] = *total / rest.value();
    } else if (rest.value() != *total) {
      return c.fail(fmt::format("{} elements cannot become {}", *total, to_string(out)));
    }
  }
  return set_layout(c, std::move(out));
}

Status infer_flatten(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  int64_t axis = c.attrs().integer("axis", 1);
  const auto rank = static_cast<int64_t>(x.size());
  if (axis < -rank || axis > rank) return c.fail(fmt::format("axis {} is outside a tensor of {} dimensions", axis, rank));
  if (axis < 0) axis += rank;
  const auto rows = element_count({x.begin(), x.begin() + axis}), columns = element_count({x.begin() + axis, x.end()});
  return set_layout(c, {rows.value_or(kUnknown), columns.value_or(kUnknown)});
}

Status infer_squeeze(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  std::vector<int64_t> axes;
  if (c.has_input(1)) {
    HONE_TRY_ASSIGN(const auto known, known_axes(c, 1, x.size()));
    if (!known) return infer_unknown_rank(c, c.input(0).dtype);
    axes = *known;
    for (int64_t a : axes)
      if (x[static_cast<size_t>(a)] > 1 || x[static_cast<size_t>(a)] == 0) return c.fail(fmt::format("dimension {} is {}, not 1", a, x[static_cast<size_t>(a)]));
  } else {
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] == kUnknown) return infer_unknown_rank(c, c.input(0).dtype);
      if (x[i] == 1) axes.push_back(static_cast<int64_t>(i));
    }
  }
  Shape out;
  for (size_t i = 0; i < x.size(); ++i)
    if (std::ranges::find(axes, static_cast<int64_t>(i)) == axes.end()) out.push_back(x[i]);
  return set_layout(c, std::move(out));
}

Status infer_unsqueeze(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  const auto count = known_ints(c, 1);
  if (!count) return infer_unknown_rank(c, c.input(0).dtype);
  const size_t rank = x.size() + count->size();
  HONE_TRY_ASSIGN(const auto axes, known_axes(c, 1, rank));
  Shape out;
  size_t next = 0;
  for (size_t i = 0; i < rank; ++i) out.push_back(std::ranges::find(*axes, static_cast<int64_t>(i)) != axes->end() ? 1 : x[next++]);
  return set_layout(c, std::move(out));
}

Status infer_transpose(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0));
  std::vector<int64_t> reversed(x.size());
  for (size_t i = 0; i < x.size(); ++i) reversed[i] = static_cast<int64_t>(x.size() - 1 - i);
  const auto perm = c.attrs().integers("perm", reversed);
  if (perm.size() != x.size()) return c.fail(fmt::format("perm has {} entries for {} dimensions", perm.size(), x.size()));
  std::vector<bool> seen(x.size(), false);
  Shape out;
  for (int64_t p : perm) {
    if (p < 0 || p >= static_cast<int64_t>(x.size()) || seen[static_cast<size_t>(p)]) return c.fail("perm is no permutation");
    seen[static_cast<size_t>(p)] = true;
    out.push_back(x[static_cast<size_t>(p)]);
  }
  c.set_output(0, {c.input(0).dtype, out});
  const Known* k = c.known(0);
  if (!k || k->shape != x) return {};
  const auto stride = strides_of(x);
  c.set_known(0, rearranged(*k, out, [&](const std::vector<int64_t>& at) {
    int64_t flat = 0;
    for (size_t i = 0; i < perm.size(); ++i) flat += at[i] * stride[static_cast<size_t>(perm[i])];
    return flat;
  }));
  return {};
}

Status infer_shape(InferContext& c) {
  const TensorType& x = c.input(0);
  if (!x.ranked) {
    c.set_output(0, i64({kUnknown}));
    return {};
  }
  const auto rank = static_cast<int64_t>(x.shape.size());
  auto clamp = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
  const int64_t begin = clamp(c.attrs().integer("start", 0)), end = std::max(begin, clamp(c.attrs().integer("end", rank)));
  Known k = ints({x.shape.begin() + begin, x.shape.begin() + end});
  for (int64_t& d : k.ints)
    if (d == kUnknown) d = kUnknownElement;
  c.set_output(0, i64({end - begin}));
  c.set_known(0, std::move(k));
  return {};
}

Status infer_size(InferContext& c) {
  c.set_output(0, i64({}));
  if (c.input(0).ranked)
    if (const auto n = element_count(c.input(0).shape)) c.set_known(0, whole(*n));
  return {};
}

Status infer_expand(InferContext& c) {
  const TensorType& x = c.input(0);
  const Known* k = c.known(1);
  if (!k || k->is_float() || !x.ranked) return infer_unknown_rank(c, x.dtype);
  Shape asked = k->ints;
  for (Dim& d : asked) {
    if (d == kUnknownElement) d = kUnknown;
    else if (d < 0) return c.fail(fmt::format("a dimension of {} is asked for", d));
  }
  const auto out = broadcast(x.shape, asked);
  if (!out) return c.fail(fmt::format("{} does not expand to {}", to_string(x), to_string(asked)));
  c.set_output(0, {x.dtype, *out});
  const Known* data = c.known(0);
  const auto n = element_count(*out);
  if (data && data->size() == 1 && n && *n <= kMaxKnown) {
    Known filled{x.dtype, *out, {}, {}};
    if (data->is_float()) filled.floats.assign(static_cast<size_t>(*n), data->floats[0]);
    else filled.ints.assign(static_cast<size_t>(*n), data->ints[0]);
    c.set_known(0, std::move(filled));
  }
  return {};
}

Status infer_tile(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  const auto repeats = known_ints(c, 1);
  if (!repeats) {
    c.set_output(0, {c.input(0).dtype, Shape(x.size(), kUnknown)});
    return {};
  }
  if (repeats->size() != x.size()) return c.fail(fmt::format("{} repeats for {} dimensions", repeats->size(), x.size()));
  for (size_t i = 0; i < x.size(); ++i) {
    if ((*repeats)[i] < 0) return c.fail("repeats are negative");
    if (x[i] == kUnknown) continue;
    const auto d = checked_mul(x[i], (*repeats)[i]);
    if (!d) return c.fail("the output size overflows");
    x[i] = *d;
  }
  c.set_output(0, {c.input(0).dtype, x});
  return {};
}

Status infer_concat(InferContext& c) {
  HONE_TRY_ASSIGN(Shape out, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), out.size()));
  const auto a = static_cast<size_t>(axis);
  for (size_t i = 1; i < c.num_inputs(); ++i) {
    HONE_TRY_ASSIGN(const Shape x, ranked(c, i, 1));
    if (x.size() != out.size()) return c.fail(fmt::format("input {} is {}, input 0 {}", i, to_string(c.input(i)), to_string(c.input(0))));
    for (size_t d = 0; d < x.size(); ++d) {
      if (d == a) {
        const auto sum = x[d] < 0 || out[d] < 0 ? std::optional<int64_t>(kUnknown) : checked_add(out[d], x[d]);
        if (!sum) return c.fail("the output size overflows");
        out[d] = *sum;
      } else if (out[d] == kUnknown) {
        out[d] = x[d];
      } else if (x[d] != kUnknown && x[d] != out[d]) {
        return c.fail(fmt::format("dimension {} of input {} is {}, expected {}", d, i, x[d], out[d]));
      }
    }
  }
  c.set_output(0, {c.input(0).dtype, out});
  if (out.size() != 1) return {};
  Known all{c.input(0).dtype, {}, {}, {}};
  for (size_t i = 0; i < c.num_inputs(); ++i) {
    const Known* k = c.known(i);
    if (k && k->is_float() == all.is_float()) {
      all.ints.insert(all.ints.end(), k->ints.begin(), k->ints.end());
      all.floats.insert(all.floats.end(), k->floats.begin(), k->floats.end());
    } else if (const Dim d = c.input(i).shape[0]; !all.is_float() && d >= 0 && d <= kMaxKnown) {
      all.ints.insert(all.ints.end(), static_cast<size_t>(d), kUnknownElement);  // partly known shapes stay useful
    } else {
      return {};
    }
  }
  all.shape = {static_cast<int64_t>(all.size())};
  c.set_known(0, std::move(all));
  return {};
}

Status infer_split(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, c.attrs().integer("axis", 0), x.size()));
  const Dim size = x[static_cast<size_t>(axis)];
  const auto n = static_cast<int64_t>(c.num_outputs());
  std::vector<Dim> parts(c.num_outputs(), kUnknown);
  if (c.has_input(1)) {
    if (const auto known = known_ints(c, 1)) {
      if (known->size() != c.num_outputs()) return c.fail(fmt::format("{} sizes for {} outputs", known->size(), n));
      Int sum = 0;
      for (int64_t p : *known) {
        if (p < 0) return c.fail("a part is negative");
        sum += Int(p);
      }
      if (size >= 0 && sum != Int(size)) return c.fail(fmt::format("the parts do not add up to {}", size));
      parts = *known;
    }
  } else if (size >= 0 && n > 0) {
    const int64_t asked = c.attrs().integer("num_outputs", n);
    if (asked != n) return c.fail(fmt::format("num_outputs is {}, but {} outputs are named", asked, n));
    const int64_t chunk = size / n + (size % n != 0);
    Dim left = size;
    for (Dim& part : parts) left -= part = std::min(chunk, left);
  }
  const Known* k = x.size() == 1 ? c.known(0) : nullptr;
  int64_t begin = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    Shape out = x;
    out[static_cast<size_t>(axis)] = parts[i];
    c.set_output(i, {c.input(0).dtype, out});
    if (!k || parts[i] < 0 || begin + parts[i] > static_cast<int64_t>(k->size())) {
      k = nullptr;
      continue;
    }
    Known part{k->dtype, out, {}, {}};
    if (k->is_float()) part.floats.assign(k->floats.begin() + begin, k->floats.begin() + begin + parts[i]);
    else part.ints.assign(k->ints.begin() + begin, k->ints.begin() + begin + parts[i]);
    c.set_known(i, std::move(part));
    begin += parts[i];
  }
  return {};
}

Status infer_pad(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0));
  std::optional<std::vector<int64_t>> axes;
  if (c.has_input(3)) {
    HONE_TRY_ASSIGN(axes, known_axes(c, 3, x.size()));
  } else {
    axes.emplace();
    for (size_t i = 0; i < x.size(); ++i) axes->push_back(static_cast<int64_t>(i));
  }
  const auto pads = known_ints(c, 1);
  if (!pads || !axes) {
    c.set_output(0, {c.input(0).dtype, Shape(x.size(), kUnknown)});
    return {};
  }
  if (pads->size() != 2 * axes->size()) return c.fail(fmt::format("{} pads for {} dimensions", pads->size(), axes->size()));
  for (size_t i = 0; i < axes->size(); ++i) {
    Dim& d = x[static_cast<size_t>((*axes)[i])];
    if (d == kUnknown) continue;
    const Int out = Int(d) + Int((*pads)[i]) + Int((*pads)[axes->size() + i]);
    if (!out.ok() || out.value() < 0) return c.fail("the padded size is negative or overflows");
    d = out.value();
  }
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

Status infer_cast(InferContext& c) {
  TensorType t = c.input(0);
  const int64_t to = c.attrs().integer("to", 0);
  if (to < 1 || to >= kDTypeCount) return c.fail(fmt::format("there is no element type {}", to));
  t.dtype = static_cast<DType>(to);
  c.set_output(0, t);
  const Known* k = c.known(0);
  if (!k || bits(t.dtype) < 8) return {};
  Known out{t.dtype, k->shape, {}, {}};
  if (is_float(t.dtype)) {
    out.floats = k->floats;
    for (int64_t v : k->ints) {
      if (v == kUnknownElement) return {};
      out.floats.push_back(static_cast<double>(v));
    }
  } else {
    out.ints = k->ints;
    for (double v : k->floats) {
      if (!(v > -9e18 && v < 9e18)) return {};
      out.ints.push_back(static_cast<int64_t>(v));
    }
  }
  c.set_known(0, std::move(out));
  return {};
}

Status infer_cast_like(InferContext& c) {
  TensorType t = c.input(0);
  t.dtype = c.input(1).dtype;
  c.set_output(0, std::move(t));
  return {};
}

Status infer_bit_cast(InferContext& c) {
  TensorType t = c.input(0);
  const int64_t to = c.attrs().integer("to", 0);
  if (to < 1 || to >= kDTypeCount) return c.fail(fmt::format("there is no element type {}", to));
  if (bits(static_cast<DType>(to)) != bits(t.dtype)) return c.fail("both element types must have the same size");
  t.dtype = static_cast<DType>(to);
  c.set_output(0, std::move(t));
  return {};
}

Status infer_dropout(InferContext& c) {
  HONE_TRY(infer_same(c));
  TensorType mask = c.input(0);
  mask.dtype = DType::boolean;
  c.set_output(1, std::move(mask));
  return {};
}

template <bool to_depth>
Status infer_blocks(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 4));
  const int64_t b = c.attrs().integer("blocksize", 0);
  if (b < 1 || b > (1 << 15)) return c.fail("blocksize must be positive");
  if (x.size() != 4) return c.fail("the input must have 4 dimensions");
  if (!is_static(x)) return set_layout(c, {x[0], kUnknown, kUnknown, kUnknown});
  if (to_depth ? x[2] % b || x[3] % b : x[1] % (b * b)) return c.fail(fmt::format("{} does not split into blocks of {}", to_string(x), b));
  const Int channels = Int(x[1]) * Int(b * b), height = Int(x[2]) * Int(b), width = Int(x[3]) * Int(b);
  if (!(to_depth ? channels.ok() : height.ok() && width.ok())) return c.fail("the output size overflows");
  if (to_depth) x = {x[0], channels.value(), x[2] / b, x[3] / b};
  else x = {x[0], x[1] / (b * b), height.value(), width.value()};
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

Sample sample(std::string label, std::vector<TensorType> in, std::vector<std::optional<Known>> contents, std::vector<TensorType> out, Attrs attrs = {}) {
  Sample s{.label = std::move(label), .inputs = std::move(in), .contents = std::move(contents), .attrs = std::move(attrs)};
  s.outputs = std::move(out);
  return s;
}

std::vector<Sample> identity_samples() { return {sample("plain", {f32({2, 3})}, {}, {f32({2, 3})})}; }
std::vector<Sample> reshape_samples() {
  return {sample("copy and infer", {f32({2, 3, 4}), i64({3})}, {std::nullopt, ints({0, -1, 2})}, {f32({2, 6, 2})}),
          sample("contents not known", {f32({2, 3, 4}), i64({2})}, {}, {f32({kUnknown, kUnknown})})};
}
std::vector<Sample> flatten_samples() { return {sample("axis 2", {f32({2, 3, 4, 5})}, {}, {f32({6, 20})}, {{"axis", int64_t{2}}})}; }
std::vector<Sample> squeeze_samples() {
  return {sample("axes", {f32({1, 3, 1}), i64({1})}, {std::nullopt, ints({-1})}, {f32({1, 3})}), sample("all", {f32({1, 3, 1})}, {}, {f32({3})})};
}
std::vector<Sample> unsqueeze_samples() { return {sample("axes", {f32({3}), i64({2})}, {std::nullopt, ints({0, -1})}, {f32({1, 3, 1})})}; }
std::vector<Sample> transpose_samples() {
  return {sample("perm", {f32({2, 3, 4})}, {}, {f32({4, 2, 3})}, {{"perm", std::vector<int64_t>{2, 0, 1}}}), sample("reverse", {f32({2, 3})}, {}, {f32({3, 2})})};
}
std::vector<Sample> shape_samples() { return {sample("part", {f32({2, 3, 4})}, {}, {i64({2})}, {{"start", int64_t{-2}}})}; }
std::vector<Sample> size_samples() { return {sample("plain", {f32({2, 3})}, {}, {i64({})})}; }
std::vector<Sample> expand_samples() { return {sample("broadcast", {f32({3, 1}), i64({3})}, {std::nullopt, ints({2, 1, 6})}, {f32({2, 3, 6})})}; }
std::vector<Sample> tile_samples() { return {sample("plain", {f32({2, 3}), i64({2})}, {std::nullopt, ints({2, 1})}, {f32({4, 3})})}; }
std::vector<Sample> concat_samples() { return {sample("channels", {f32({1, 2, 3}), f32({1, 4, 3})}, {}, {f32({1, 6, 3})}, {{"axis", int64_t{1}}})}; }
std::vector<Sample> split_samples() {
  return {sample("sizes", {f32({2, 6}), i64({2})}, {std::nullopt, ints({2, 4})}, {f32({2, 2}), f32({2, 4})}, {{"axis", int64_t{1}}}),
          sample("uneven", {f32({7})}, {}, {f32({3}), f32({3}), f32({1})}, {{"num_outputs", int64_t{3}}})};
}
std::vector<Sample> pad_samples() { return {sample("spatial", {f32({1, 2, 3, 4}), i64({4}), none(), i64({2})}, {std::nullopt, ints({1, 0, 2, 1}), std::nullopt, ints({2, 3})}, {f32({1, 2, 6, 5})})}; }
std::vector<Sample> cast_samples() { return {sample("to i64", {f32({2})}, {}, {i64({2})}, {{"to", int64_t{7}}})}; }
std::vector<Sample> cast_like_samples() { return {sample("plain", {f32({2}), i64({1})}, {}, {i64({2})})}; }
std::vector<Sample> bit_cast_samples() { return {sample("plain", {f32({2})}, {}, {{DType::i32, {2}}}, {{"to", int64_t{6}}})}; }
std::vector<Sample> dropout_samples() { return {sample("with mask", {f32({2, 3})}, {}, {f32({2, 3}), {DType::boolean, {2, 3}}})}; }
std::vector<Sample> depth_to_space_samples() { return {sample("2", {f32({1, 8, 2, 3})}, {}, {f32({1, 2, 4, 6})}, {{"blocksize", int64_t{2}}})}; }
std::vector<Sample> space_to_depth_samples() { return {sample("2", {f32({1, 2, 4, 6})}, {}, {f32({1, 8, 2, 3})}, {{"blocksize", int64_t{2}}})}; }

}  // namespace

std::vector<OpDef> shape_ops() {
  const AttrSpec axis{"axis", AttrKind::integer};
  return {
      {"Identity", 1, 1, 1, 1, {}, infer_identity, nullptr, identity_samples, true},
      {"Reshape", 2, 2, 1, 1, {{"allowzero", AttrKind::integer}}, infer_reshape, nullptr, reshape_samples, true},
      {"Flatten", 1, 1, 1, 1, {axis}, infer_flatten, nullptr, flatten_samples, true},
      {"Squeeze", 1, 2, 1, 1, {}, infer_squeeze, nullptr, squeeze_samples, true},
      {"Unsqueeze", 2, 2, 1, 1, {}, infer_unsqueeze, nullptr, unsqueeze_samples, true},
      {"Transpose", 1, 1, 1, 1, {{"perm", AttrKind::integers}}, infer_transpose, nullptr, transpose_samples},
      {"Shape", 1, 1, 1, 1, {{"end", AttrKind::integer}, {"start", AttrKind::integer}}, infer_shape, nullptr, shape_samples},
      {"Size", 1, 1, 1, 1, {}, infer_size, nullptr, size_samples},
      {"Expand", 2, 2, 1, 1, {}, infer_expand, nullptr, expand_samples},
      {"Tile", 2, 2, 1, 1, {}, infer_tile, nullptr, tile_samples},
      {"Concat", 1, -1, 1, 1, {{"axis", AttrKind::integer, true}}, infer_concat, nullptr, concat_samples},
      {"Split", 1, 2, 1, -1, {axis, {"num_outputs", AttrKind::integer}}, infer_split, nullptr, split_samples},
      {"Pad", 2, 4, 1, 1, {{"mode", AttrKind::text}}, infer_pad, nullptr, pad_samples},
      {"Cast", 1, 1, 1, 1, {{"round_mode", AttrKind::text}, {"saturate", AttrKind::integer}, {"to", AttrKind::integer, true}}, infer_cast, nullptr, cast_samples},
      {"CastLike", 2, 2, 1, 1, {{"round_mode", AttrKind::text}, {"saturate", AttrKind::integer}}, infer_cast_like, nullptr, cast_like_samples},
      {"BitCast", 1, 1, 1, 1, {{"to", AttrKind::integer, true}}, infer_bit_cast, nullptr, bit_cast_samples},
      {"Dropout", 1, 3, 1, 2, {{"seed", AttrKind::integer}}, infer_dropout, nullptr, dropout_samples, true},
      {"DepthToSpace", 1, 1, 1, 1, {{"blocksize", AttrKind::integer, true}, {"mode", AttrKind::text}}, infer_blocks<false>, nullptr, depth_to_space_samples},
      {"SpaceToDepth", 1, 1, 1, 1, {{"blocksize", AttrKind::integer, true}, {"mode", AttrKind::text}}, infer_blocks<true>, nullptr, space_to_depth_samples},
  };
}

}  // namespace hone::ops
