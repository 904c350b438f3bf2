#include "train/kernels/depthwise.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/kernels/simd.h"

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));
HONE_INLINE const Lanes& load(const float* p) { return *reinterpret_cast<const Lanes*>(p); }

struct Shape {
  int64_t channels, height, width, out_height, out_width, stride, padding;
};

// Sums of one row of dy times rows of x, K x K of them for every channel: sums[(ky * K + kx) * channels + c].
template <int K>
struct RowSums {
  // Blocks of `B` times kLanes channels from c on, with the row of x at kernel row ky.
  template <int B>
  static HONE_INLINE void block(const float* x, const float* dy, float* sums, const Shape& s, int64_t c) {
    Lanes acc[K][B];
    for (int k = 0; k < K; ++k)
      for (int b = 0; b < B; ++b) acc[k][b] = load(sums + k * s.channels + c + b * kLanes);
    const int64_t first = (s.padding + s.stride - 1) / s.stride, inside = s.width - K + s.padding;
    const int64_t lo = first < s.out_width ? first : s.out_width, end = inside < 0 ? lo : inside / s.stride + 1, hi = end < lo ? lo : end < s.out_width ? end : s.out_width;
    const auto edge = [&](int64_t o) __attribute__((always_inline)) {
      for (int k = 0; k < K; ++k) {
        const int64_t i = o * s.stride - s.padding + k;
        if (i < 0 || i >= s.width) continue;
        for (int b = 0; b < B; ++b) acc[k][b] += load(dy + o * s.channels + c + b * kLanes) * load(x + i * s.channels + c + b * kLanes);
      }
    };
    for (int64_t o = 0; o < lo; ++o) edge(o);
    for (int64_t o = lo; o < hi; ++o) {
      const float *d = dy + o * s.channels + c, *in = x + (o * s.stride - s.padding) * s.channels + c;
      Lanes g[B];
      for (int b = 0; b < B; ++b) g[b] = load(d + b * kLanes);
      for (int k = 0; k < K; ++k)
        for (int b = 0; b < B; ++b) acc[k][b] += g[b] * load(in + k * s.channels + b * kLanes);
    }
    for (int64_t o = hi; o < s.out_width; ++o) edge(o);
    for (int k = 0; k < K; ++k)
      for (int b = 0; b < B; ++b) *reinterpret_cast<Lanes*>(sums + k * s.channels + c + b * kLanes) = acc[k][b];
  }

  // `image`: of x; `row`: of dy.
  static HONE_INLINE void run(const float* image, const float* dy, float* sums, const Shape* shape, int64_t row) {
    const Shape s = *shape;
    for (int64_t c = 0; c + kLanes <= s.channels;) {
      const bool two = c + 2 * kLanes <= s.channels;
      for (int ky = 0; ky < K; ++ky) {
        const int64_t y = row * s.stride - s.padding + ky;
        if (y < 0 || y >= s.height) continue;
        const float* x = image + y * s.width * s.channels;
        float* out = sums + ky * K * s.channels;
        if (two) block<2>(x, dy, out, s, c);
        else block<1>(x, dy, out, s, c);
      }
      c += two ? 2 * kLanes : kLanes;
    }
    // Channels beyond the last block.
    for (int64_t c = s.channels / kLanes * kLanes; c < s.channels; ++c)
      for (int ky = 0; ky < K; ++ky) {
        const int64_t y = row * s.stride - s.padding + ky;
        if (y < 0 || y >= s.height) continue;
        for (int64_t o = 0; o < s.out_width; ++o)
          for (int kx = 0; kx < K; ++kx) {
            const int64_t i = o * s.stride - s.padding + kx;
            if (i >= 0 && i < s.width) sums[(ky * K + kx) * s.channels + c] += dy[o * s.channels + c] * image[(y * s.width + i) * s.channels + c];
          }
      }
  }
};

Tensor weight_gradient(const Tensor& dy, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
  const Shape s{x.size(1), x.size(2), x.size(3), dy.size(2), dy.size(3), stride, padding};
  const int64_t k = weight.size(2), rows = x.size(0) * s.out_height;
  // Groups of rows, as many whatever the number of threads, each with sums of its own.
  constexpr int64_t kGroups = 16;
  const int64_t groups = std::min(kGroups, rows);
  const Tensor sums = at::zeros({groups, k, k, s.channels}, x.options());
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g)
      for (int64_t r = g * rows / groups; r < (g + 1) * rows / groups; ++r) {
        const float *image = x.const_data_ptr<float>() + r / s.out_height * s.height * s.width * s.channels, *d = dy.const_data_ptr<float>() + r * s.out_width * s.channels;
        float* out = sums.mutable_data_ptr<float>() + g * k * k * s.channels;
        const Shape* shape = &s;
        const int64_t row = r % s.out_height;
        if (k == 3) simd::run<RowSums<3>>(image, d, out, shape, row);
        else if (k == 5) simd::run<RowSums<5>>(image, d, out, shape, row);
        else simd::run<RowSums<7>>(image, d, out, shape, row);
      }
  });
  Tensor out = at::empty_like(weight, at::MemoryFormat::Preserve);
  out.copy_(sums.sum(0).permute({2, 0, 1}).unsqueeze(1));
  return out;
}

struct DepthwiseFunction : torch::autograd::Function<DepthwiseFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["stride"] = stride;
    ctx->saved_data["padding"] = padding;
    return at::convolution(x, weight, {}, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, weight.size(0));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t stride = ctx->saved_data["stride"].toInt(), padding = ctx->saved_data["padding"].toInt();
    Tensor dx, dweight;
    if (ctx->needs_input_grad(0))
      dx = std::get<0>(at::convolution_backward(dy, x, weight, std::nullopt, {stride, stride}, {padding, padding}, {1, 1}, false, {0, 0}, weight.size(0), {true, false, false}));
    if (ctx->needs_input_grad(1)) dweight = weight_gradient(dy, x, weight, stride, padding);
    return {dx, dweight, Tensor(), Tensor()};
  }
};

}  // namespace

bool has_depthwise(const Tensor& x, const Tensor& weight) {
  const auto plain = [](const Tensor& t) { return t.dim() == 4 && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.numel() > 0; };
  if (!plain(x) || !plain(weight) || !x.is_contiguous(at::MemoryFormat::ChannelsLast)) return false;
  const int64_t k = weight.size(2);
  return weight.size(0) == x.size(1) && weight.size(1) == 1 && weight.size(3) == k && (k == 3 || k == 5 || k == 7) && x.size(1) >= kLanes;
}

Tensor depthwise(const Tensor& x, const Tensor& weight, int64_t stride, int64_t padding) { return DepthwiseFunction::apply(x, weight, stride, padding); }

}  // namespace hone::train
