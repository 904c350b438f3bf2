// Layout and shape. Most results are views: libtorch copies only where the new shape cannot be expressed over the old
// memory.
#include <algorithm>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

Tensor int_vector(at::IntArrayRef v) {
  Tensor t = at::empty({static_cast<int64_t>(v.size())}, at::kLong);
  std::ranges::copy(v, t.mutable_data_ptr<int64_t>());
  return t;
}

Result<Step> lower_reshape(const Lowering& c) {
  return Step([shape = IntsOperand(c, 1), zero_is_zero = c.attrs().integer("allowzero", 0) != 0](Frame& f) {
    const Tensor& x = f[0];
    Ints out = shape(f);
    int64_t rest = 1;
    for (size_t i = 0; i < out.size(); ++i) {
      if (out[i] == 0 && !zero_is_zero) out[i] = x.size(static_cast<int64_t>(i));
      if (out[i] >= 0) rest *= out[i];
    }
    for (int64_t& d : out)
      if (d == -1) d = rest ? x.numel() / rest : 0;
    f.set(0, x.reshape(out));
  });
}

Result<Step> lower_flatten(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", 1)](Frame& f) {
    const Tensor& x = f[0];
    const int64_t split = wrap(axis, x.dim());
    int64_t rows = 1;
    for (int64_t i = 0; i < split; ++i) rows *= x.size(i);
    f.set(0, x.reshape({rows, rows ? x.numel() / rows : 0}));
  });
}

Result<Step> lower_squeeze(const Lowering& c) {
  return Step([axes = IntsOperand(c, 1), some = c.has_input(1)](Frame& f) { f.set(0, some ? f[0].squeeze(axes(f)) : f[0].squeeze()); });
}

Result<Step> lower_unsqueeze(const Lowering& c) {
  return Step([axes = IntsOperand(c, 1)](Frame& f) {
    Ints at_ = axes(f);
    Tensor x = f[0];
    const auto rank = x.dim() + static_cast<int64_t>(at_.size());
    for (int64_t& a : at_) a = wrap(a, rank);
    std::ranges::sort(at_);
    for (const int64_t a : at_) x = x.unsqueeze(a);
    f.set(0, x);
  });
}

Result<Step> lower_transpose(const Lowering& c) {
  return Step([perm = c.attrs().integers("perm")](Frame& f) {
    if (!perm.empty()) return f.set(0, f[0].permute(perm));
    Ints reversed;
    for (int64_t i = f[0].dim(); i-- > 0;) reversed.push_back(i);
    f.set(0, f[0].permute(reversed));
  });
}

Result<Step> lower_shape_of(const Lowering& c) {
  const int64_t begin = c.attrs().integer("start", 0), end = c.attrs().integer("end", INT64_MAX);
  return Step([begin, end](Frame& f) {
    const auto rank = f[0].dim();
    const auto clamped = [&](int64_t v) { return std::clamp<int64_t>(v < 0 ? v + rank : v, 0, rank); };
    const int64_t b = clamped(begin), e = std::max(b, clamped(end));
    f.set(0, int_vector(f[0].sizes().slice(static_cast<size_t>(b), static_cast<size_t>(e - b))));
  });
}

Result<Step> lower_size(const Lowering&) {
  return Step([](Frame& f) { f.set(0, at::scalar_tensor(f[0].numel(), at::kLong)); });
}

Result<Step> lower_expand(const Lowering& c) {
  return Step([shape = IntsOperand(c, 1)](Frame& f) { f.set(0, f[0].expand(at::infer_size(f[0].sizes(), shape(f)))); });
}

Result<Step> lower_tile(const Lowering& c) {
  return Step([repeats = IntsOperand(c, 1)](Frame& f) { f.set(0, f[0].repeat(repeats(f))); });
}

Result<Step> lower_concat(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", 0), n = c.num_inputs()](Frame& f) {
    c10::SmallVector<Tensor, 8> parts;
    for (size_t i = 0; i < n; ++i) parts.push_back(f[i]);
    f.set(0, at::cat(at::TensorList(parts.data(), parts.size()), axis));
  });
}

Result<Step> lower_split(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", 0), n = c.num_outputs(), sizes = IntsOperand(c, 1), given = c.has_input(1)](Frame& f) {
    const Tensor& x = f[0];
    const Ints parts = given ? sizes(f) : Ints();
    const auto count = static_cast<int64_t>(n);
    const int64_t size = x.size(axis), chunk = size / count + (size % count != 0);
    int64_t begin = 0;
    for (size_t i = 0; i < n; ++i) {
      const int64_t length = given ? parts[i] : std::min(chunk, size - begin);
      f.set(i, x.narrow(axis, begin, length));
      begin += length;
    }
  });
}

// The element that stands at position i of an axis of n elements, for positions outside [0, n).
enum class Beyond : uint8_t { edge, reflect, wrap };
int64_t source(int64_t i, int64_t n, Beyond how) {
  if (how == Beyond::edge || n == 1) return std::clamp<int64_t>(i, 0, n - 1);
  const int64_t period = how == Beyond::wrap ? n : 2 * (n - 1);
  const int64_t at_ = ((i % period) + period) % period;
  return at_ < n ? at_ : period - at_;
}

Result<Step> lower_pad(const Lowering& c) {
  const std::string_view mode = c.attrs().text("mode", "constant");
  const auto given_value = constant_number(c, 2);
  const IntsOperand pads(c, 1), axes(c, 3);
  const bool some_axes = c.has_input(3);
  // (axis, begin, end) of each padded axis.
  const auto amounts = [pads, axes, some_axes](const Frame& f) {
    const Ints p = pads(f), a = axes(f);
    const size_t n = some_axes ? a.size() : static_cast<size_t>(f[0].dim());
    std::vector<std::array<int64_t, 3>> out;
    for (size_t i = 0; i < n; ++i) out.push_back({some_axes ? wrap(a[i], f[0].dim()) : static_cast<int64_t>(i), p[i], p[n + i]});
    return out;
  };
  if (mode == "constant")
    return Step([amounts, given_value](Frame& f) {
      const Tensor& x = f[0];
      Ints flat(static_cast<size_t>(x.dim()) * 2, 0);  // last axis first
      for (const auto& [axis, begin, end] : amounts(f)) {
        const auto from_last = static_cast<size_t>(x.dim() - 1 - axis);
        flat[2 * from_last] = begin;
        flat[2 * from_last + 1] = end;
      }
      const at::Scalar value = given_value ? at::Scalar(*given_value) : f.has(2) ? f[2].item() : at::Scalar(0);
      f.set(0, wide_unsigned(x) ? at::constant_pad_nd(widened(x), flat, value).to(x.scalar_type()) : at::constant_pad_nd(x, flat, value));
    });
  if (mode != "edge" && mode != "reflect" && mode != "wrap") return c.unsupported("mode '" + std::string(mode) + "'");
  const Beyond how = mode == "edge" ? Beyond::edge : mode == "reflect" ? Beyond::reflect : Beyond::wrap;
  return Step([amounts, how](Frame& f) {
    Tensor x = f[0];
    for (const auto& [axis, begin, end] : amounts(f)) {
      if (begin == 0 && end == 0) continue;
      const int64_t n = x.size(axis);
      Ints at_;
      for (int64_t i = -begin; i < n + end; ++i) at_.push_back(source(i, n, how));
      x = x.index_select(axis, int_vector(at_).to(x.device()));
    }
    f.set(0, x);
  });
}

Result<Step> lower_cast(const Lowering& c) {
  if (c.has_input(0) && c.input(0).type.dtype == DType::string) return c.unsupported("libtorch has no strings");
  HONE_TRY(c.dtype("to", DType::undefined));
  const auto to = static_cast<DType>(c.attrs().integer("to", 0));
  return Step([to, saturate = c.attrs().integer("saturate", 1) != 0, mode = std::string(c.attrs().text("round_mode", "up"))](Frame& f) { f.set(0, cast(f[0], to, saturate, mode)); });
}

// The type is the second operand's: as the graph declares it, which knows types that libtorch lacks.
Result<Step> lower_cast_like(const Lowering& c) {
  const DType declared = c.input(1).type.dtype;
  if (declared == DType::string || c.input(0).type.dtype == DType::string) return c.unsupported("libtorch has no strings");
  return Step([declared, saturate = c.attrs().integer("saturate", 1) != 0, mode = std::string(c.attrs().text("round_mode", "up"))](Frame& f) {
    f.set(0, cast(f[0], declared != DType::undefined ? declared : dtype_of(f[1].scalar_type()).value_or(DType::f32), saturate, mode));
  });
}

Result<Step> lower_bit_cast(const Lowering& c) {
  HONE_TRY_ASSIGN(const at::ScalarType to, c.dtype("to", DType::undefined));
  return Step([to](Frame& f) { f.set(0, f[0].contiguous().view(to)); });
}

// Drops in training runs, and always where the node itself says training_mode. Survivors are scaled by 1 / (1 - ratio).
Result<Step> lower_dropout(const Lowering& c) {
  return Step([](Frame& f) {
    const Tensor& x = f[0];
    const double ratio = f.has(1) ? f[1].item<double>() : 0.5;
    const bool drops = ratio > 0 && (f.options.training || (f.has(2) && f[2].item<bool>()));
    if (!drops) {
      f.set(0, x);
      if (f.wants(1)) f.set(1, at::ones_like(x, x.options().dtype(at::kBool)));
      return;
    }
    TORCH_CHECK(f.options.generator, "dropping needs a generator (RunOptions::generator)");
    const Tensor mask = at::empty_like(x).bernoulli_(1 - ratio, f.options.generator);
    f.set(0, ratio >= 1 ? at::zeros_like(x) : x * mask * (1 / (1 - ratio)));
    if (f.wants(1)) f.set(1, mask.to(at::kBool));
  });
}

template <bool to_depth>
Result<Step> lower_blocks(const Lowering& c) {
  const bool columns_first = c.attrs().text("mode", "DCR") == "CRD";
  return Step([b = c.attrs().integer("blocksize", 1), columns_first](Frame& f) {
    const Tensor& x = f[0];
    const int64_t n = x.size(0), ch = x.size(1), h = x.size(2), w = x.size(3);
    if (to_depth) {
      const Tensor blocks = x.reshape({n, ch, h / b, b, w / b, b});
      f.set(0, blocks.permute(columns_first ? at::IntArrayRef{0, 1, 3, 5, 2, 4} : at::IntArrayRef{0, 3, 5, 1, 2, 4}).reshape({n, ch * b * b, h / b, w / b}));
    } else if (columns_first) {
      f.set(0, x.reshape({n, ch / (b * b), b, b, h, w}).permute({0, 1, 4, 2, 5, 3}).reshape({n, ch / (b * b), h * b, w * b}));
    } else {
      f.set(0, x.reshape({n, b, b, ch / (b * b), h, w}).permute({0, 3, 4, 1, 5, 2}).reshape({n, ch / (b * b), h * b, w * b}));
    }
  });
}

}  // namespace

std::vector<LoweringDef> shape_lowerings() {
  return {
      {"Identity", lower_unary<[](const Tensor& x) { return x; }>},
      {"Reshape", lower_reshape},
      {"Flatten", lower_flatten},
      {"Squeeze", lower_squeeze},
      {"Unsqueeze", lower_unsqueeze},
      {"Transpose", lower_transpose},
      {"Shape", lower_shape_of},
      {"Size", lower_size},
      {"Expand", lower_expand},
      {"Tile", lower_tile},
      {"Concat", lower_concat},
      {"Split", lower_split},
      {"Pad", lower_pad},
      {"Cast", lower_cast},
      {"CastLike", lower_cast_like},
      {"BitCast", lower_bit_cast},
      {"Dropout", lower_dropout},
      {"DepthToSpace", lower_blocks<false>},
      {"SpaceToDepth", lower_blocks<true>},
  };
}

}  // namespace hone::train
