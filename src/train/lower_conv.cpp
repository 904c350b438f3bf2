// Convolutions. Paddings that are equal at both ends go to the kernels; others are made with a padded copy.
#include <algorithm>

#include "train/kernels/depthwise.h"
#include "train/kernels/pointwise.h"
#include "train/lower.h"
#include "train/window.h"

namespace hone::train {

namespace {

using at::Tensor;

Tensor convolve(const Tensor& x, const Tensor& w, const Tensor& bias, const WindowSpec& spec, int64_t groups) {
  const WindowSpec::Padding p = spec.padding(x.sizes().slice(2), w.sizes().slice(2));
  const bool native = p.symmetric() && std::ranges::all_of(p.begin, [](int64_t v) { return v >= 0; });
  const at::DimVector none(spec.rank(), 0);
  return at::convolution(native ? x : padded(x, p.begin, p.end, 0), w, bias, spec.stride, native ? at::IntArrayRef(p.begin) : at::IntArrayRef(none), spec.dilation, false, none, groups);
}

// libtorch hands convolutions of one element to the BLAS when there is one thread and fewer than 16 images, where they take two
// to three times as long as in oneDNN, to which dilated ones go. One element has no dilation.
WindowSpec to_onednn(WindowSpec spec, const Lowering& c) {
  const Shape& kernel = c.input(1).type.shape;
  if (!c.options().fuse || !c.input(1).type.ranked || kernel.size() != 4 || kernel[2] != 1 || kernel[3] != 1) return spec;
  spec.dilation = {2, 2};
  return spec;
}

Result<Step> lower_conv(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 1));
  const auto ones = [](const std::vector<int64_t>& v) { return std::ranges::all_of(v, [](int64_t s) { return s == 1; }); };
  const WindowSpec window = WindowSpec::of(c.attrs(), n);
  const auto unpadded = [&] { return std::ranges::all_of(window.begin, [](int64_t p) { return p == 0; }) && std::ranges::all_of(window.end, [](int64_t p) { return p == 0; }); };
  const bool single = c.options().fuse && n == 2 && c.attrs().integer("group", 1) == 1 && ones(window.stride) && unpadded();
  return Step([single, window, onednn = to_onednn(window, c), groups = c.attrs().integer("group", 1), own = c.options().fuse && n == 2 && !c.has_input(2)](Frame& f) {
    const Tensor x = f.factor(0), w = f.factor(1);
    const WindowSpec& spec = x.device().is_cpu() ? onednn : window;
    if (single && has_pointwise(x, w, f[2])) return f.set(0, pointwise(x, w, f[2]));
    if (own && groups == w.size(0) && has_depthwise(x, w)) {
      const WindowSpec::Padding p = spec.padding(x.sizes().slice(2), w.sizes().slice(2));
      const bool square = p.symmetric() && p.begin[0] == p.begin[1] && p.begin[0] >= 0 && spec.stride[0] == spec.stride[1] && spec.dilation[0] == 1 && spec.dilation[1] == 1;
      if (square) return f.set(0, depthwise(x, w, spec.stride[0], p.begin[0]));
    }
    f.set(0, convolve(x, w, f.factor(2), spec, groups));
  });
}

// output_shape and the paddings say which part of the full result is wanted; zeros where it reaches beyond it.
Result<Step> lower_conv_transpose(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 1));
  const auto extra = c.attrs().integers("output_padding", std::vector<int64_t>(n, 0));
  auto asked = c.attrs().integers("output_shape");
  if (asked.size() > n) asked.erase(asked.begin(), asked.end() - static_cast<ptrdiff_t>(n));
  return Step([spec = WindowSpec::of(c.attrs(), n), extra, asked, n, groups = c.attrs().integer("group", 1)](Frame& f) {
    const Tensor x = f.factor(0), w = f.factor(1);
    const at::DimVector none(n, 0);
    // Bias comes last: cropping may also add rows that no input reaches.
    Tensor y = at::convolution(x, w, {}, spec.stride, none, spec.dilation, true, none, groups);
    at::DimVector begin, end;
    for (size_t i = 0; i < n; ++i) {
      const int64_t full = y.size(static_cast<int64_t>(i) + 2), in = x.size(static_cast<int64_t>(i) + 2);
      int64_t b = 0, out = full + extra[i];
      const bool same = spec.automatic == WindowSpec::Auto::same_upper || spec.automatic == WindowSpec::Auto::same_lower;
      if (!asked.empty() || same) {
        out = asked.empty() ? in * spec.stride[i] : asked[i];
        const int64_t total = std::max<int64_t>(0, full + extra[i] - out);
        // ONNX: the odd element of an unequal padding goes to the end for SAME_UPPER, to the start otherwise.
        b = spec.automatic == WindowSpec::Auto::same_upper ? total / 2 : total - total / 2;
      } else if (spec.automatic == WindowSpec::Auto::given) {
        b = spec.begin[i];
        out -= spec.begin[i] + spec.end[i];
      }
      begin.push_back(-b);
      end.push_back(out - full + b);
    }
    y = padded(y, begin, end, 0);
    if (f.has(2)) y = y + along_channels(f.factor(2), y.dim());
    f.set(0, y);
  });
}

// Integers are exact in f64 up to 2^53: products of 8-bit numbers cannot leave that.
Tensor minus_zero_point(const Tensor& x, const Tensor& zero, int64_t axis) {
  const Tensor real = x.to(at::kDouble);
  if (!zero.defined()) return real;
  if (zero.numel() == 1) return real - zero.to(at::kDouble).reshape({});
  const Tensor z = zero.to(at::kDouble);
  return real - (axis == 1 ? along_channels(z, x.dim()) : along_channels(z, x.dim()).transpose(0, 1));
}

Result<Step> lower_conv_integer(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 1));
  return Step([spec = WindowSpec::of(c.attrs(), n), groups = c.attrs().integer("group", 1)](Frame& f) {
    f.set(0, convolve(minus_zero_point(f[0], f[2], 1), minus_zero_point(f[1], f[3], 0), {}, spec, groups).to(at::kInt));
  });
}

// x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, [bias]: computed on integers, scaled once.
Result<Step> lower_qlinear_conv(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 3));
  return Step([spec = WindowSpec::of(c.attrs(), n), groups = c.attrs().integer("group", 1)](Frame& f) {
    Tensor y = convolve(minus_zero_point(f[0], f[2], 1), minus_zero_point(f[3], f[5], 0), f.has(8) ? f[8].to(at::kDouble) : Tensor(), spec, groups);
    const Tensor scale = f[1].to(at::kDouble).reshape({-1}) * f[4].to(at::kDouble).reshape({-1}) / f[6].to(at::kDouble).reshape({-1});
    y = at::round(y * along_channels(scale, y.dim())) + f[7].to(at::kDouble).reshape({-1});
    const bool is_signed = f[7].scalar_type() == at::kChar;
    f.set(0, at::clamp(y, is_signed ? -128 : 0, is_signed ? 127 : 255).to(f[7].scalar_type()));
  });
}

// Values of x at real positions (n, k, oh, ow), bilinear, zero outside, per offset group; x is (n, c, h, w).
Tensor read_bilinear(const Tensor& x, const Tensor& py, const Tensor& px) {
  const int64_t h = x.size(2), w = x.size(3);
  const Tensor flat = x.flatten(2), y0 = at::floor(py), x0 = at::floor(px), fy = py - y0, fx = px - x0;
  Tensor sum;
  for (int64_t dy = 0; dy < 2; ++dy)
    for (int64_t dx = 0; dx < 2; ++dx) {
      const Tensor yy = y0 + dy, xx = x0 + dx;
      const Tensor inside = (yy >= 0).logical_and(yy < h).logical_and(xx >= 0).logical_and(xx < w);
      const Tensor at_ = (yy.clamp(0, h - 1) * w + xx.clamp(0, w - 1)).to(at::kLong);
      const Tensor weight = (dy ? fy : 1 - fy) * (dx ? fx : 1 - fx) * inside.to(x.scalar_type());
      const Tensor index = at_.flatten(1).unsqueeze(1).expand({x.size(0), x.size(1), -1});
      const Tensor part = at::gather(flat, 2, index) * weight.flatten(1).unsqueeze(1);
      sum = sum.defined() ? sum + part : part;
    }
  return sum;  // n, c, k * oh * ow
}

// x, w, offset, [bias], [mask] (Dai et al. 2017, Zhu et al. 2019): every kernel element reads at its own offset.
Result<Step> lower_deform_conv(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 1));
  if (n != 2) return c.unsupported("only two spatial dimensions have a lowering");
  return Step([spec = WindowSpec::of(c.attrs(), n), groups = c.attrs().integer("group", 1), parts = c.attrs().integer("offset_group", 1)](Frame& f) {
    const Tensor &x = f[0], &w = f[1], &offset = f[2];
    const int64_t batch = x.size(0), kh = w.size(2), kw = w.size(3), k = kh * kw, oh = offset.size(2), ow = offset.size(3);
    const WindowSpec::Padding p = spec.padding(x.sizes().slice(2), w.sizes().slice(2));
    const Tensor o = offset.reshape({batch, parts, k, 2, oh, ow});
    const auto options = x.options();
    const Tensor row = at::arange(kh, options).mul(spec.dilation[0]).reshape({kh, 1}).expand({kh, kw}).reshape({k, 1, 1}) + at::arange(oh, options).mul(spec.stride[0]).reshape({1, oh, 1}) - p.begin[0];
    const Tensor column = at::arange(kw, options).mul(spec.dilation[1]).reshape({1, kw}).expand({kh, kw}).reshape({k, 1, 1}) + at::arange(ow, options).mul(spec.stride[1]).reshape({1, 1, ow}) - p.begin[1];
    const std::vector<Tensor> chunks = x.chunk(parts, 1);
    std::vector<Tensor> columns;
    for (int64_t g = 0; g < parts; ++g) {
      Tensor v = read_bilinear(chunks[static_cast<size_t>(g)], o.select(1, g).select(2, 0) + row, o.select(1, g).select(2, 1) + column);
      if (f.has(4)) v = v * f[4].reshape({batch, parts, 1, k * oh * ow}).select(1, g);
      columns.push_back(v);
    }
    const int64_t channels = x.size(1) / groups;
    const Tensor cols = at::cat(columns, 1).reshape({batch, groups, channels * k, oh * ow});
    Tensor y = at::matmul(w.reshape({groups, w.size(0) / groups, channels * k}), cols).reshape({batch, w.size(0), oh, ow});
    if (f.has(3)) y = y + f[3].reshape({1, -1, 1, 1});
    f.set(0, y);
  });
}

// x (n, c, t), w (c, 1, k), [bias], [the last k - 1 steps before x]: the state goes in front, and its successor comes out.
Result<Step> lower_causal_conv(const Lowering& c) {
  const std::string_view fused = c.attrs().text("activation", "none");
  const bool silu = fused == "silu" || fused == "swish";
  if (!silu && fused != "none" && !fused.empty()) return c.unsupported("activation '" + std::string(fused) + "'");
  return Step([silu](Frame& f) {
    const Tensor &x = f[0], &w = f[1];
    const int64_t before = w.size(2) - 1;
    const Tensor all = f.has(3) ? at::cat({f[3].to(x.scalar_type()), x}, 2) : at::constant_pad_nd(x, {before, 0}, 0);
    const Tensor y = at::conv1d(all, w, f[2], at::IntArrayRef({1}), at::IntArrayRef({0}), at::IntArrayRef({1}), x.size(1));
    f.set(0, silu ? at::silu(y) : y);
    f.set(1, all.narrow(2, all.size(2) - before, before));
  });
}

}  // namespace

std::vector<LoweringDef> conv_lowerings() {
  return {
      {"Conv", lower_conv},
      {"ConvTranspose", lower_conv_transpose},
      {"ConvInteger", lower_conv_integer},
      {"QLinearConv", lower_qlinear_conv},
      {"DeformConv", lower_deform_conv},
      {"CausalConvWithState", lower_causal_conv},
  };
}

}  // namespace hone::train
