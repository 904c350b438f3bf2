#include "train/kernels/gate.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "train/kernels/simd.h"

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Sigmoids {
  static HONE_INLINE void run(const float* s, float* gate, int64_t n) {
    HONE_VECTOR
    for (int64_t i = 0; i < n; ++i) gate[i] = simd::sigmoid(s[i]);
  }
};

struct HardSigmoids {
  static HONE_INLINE void run(const float* s, float* gate, int64_t n) {
    HONE_VECTOR
    for (int64_t i = 0; i < n; ++i) gate[i] = simd::min(simd::max(s[i] + 3.0f, 0.0f), 6.0f) * (1.0f / 6.0f);
  }
};

struct Forward {
  static HONE_INLINE void run(const float* x, const float* gate, float* y, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; ++r)
      HONE_VECTOR
      for (int64_t c = 0; c < channels; ++c) y[r * channels + c] = x[r * channels + c] * gate[c];
  }
};

// dx = dy * gate; sums[c] += dy * x.
struct Backward {
  static HONE_INLINE void run(const float* x, const float* gate, const float* dy, float* dx, float* sums, int64_t rows, int64_t channels) {
    for (int64_t r = 0; r < rows; ++r)
      HONE_VECTOR
      for (int64_t c = 0; c < channels; ++c) {
        const int64_t i = r * channels + c;
        sums[c] += dy[i] * x[i];
        dx[i] = dy[i] * gate[c];
      }
  }
};

// An image's rows in pieces of a fixed size, so that sums do not depend on who adds them.
struct Pieces {
  int64_t images, rows, channels, per_piece, per_image;
  explicit Pieces(const Tensor& x) : images(x.size(0)), rows(x.size(2) * x.size(3)), channels(x.size(1)) {
    per_piece = std::max<int64_t>(1, 16384 / channels);
    per_image = (rows + per_piece - 1) / per_piece;
  }
  // body(image, piece, first row in x, rows)
  template <class Body>
  void each(const Body& body) const {
    at::parallel_for(0, images * per_image, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t image = i / per_image, piece = i % per_image, first = piece * per_piece;
        body(image, piece, image * rows + first, std::min(per_piece, rows - first));
      }
    });
  }
};

struct GateFunction : torch::autograd::Function<GateFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& s_in, bool hard) {
    const Tensor s = s_in.contiguous(), gate = at::empty_like(s), y = at::empty_like(x);
    if (hard) simd::run<HardSigmoids>(s.const_data_ptr<float>(), gate.mutable_data_ptr<float>(), s.numel());
    else simd::run<Sigmoids>(s.const_data_ptr<float>(), gate.mutable_data_ptr<float>(), s.numel());
    const Pieces p(x);
    p.each([&](int64_t image, int64_t, int64_t first, int64_t rows) {
      simd::run<Forward>(x.const_data_ptr<float>() + first * p.channels, gate.const_data_ptr<float>() + image * p.channels, y.mutable_data_ptr<float>() + first * p.channels, rows, p.channels);
    });
    ctx->save_for_backward({x, gate});
    ctx->saved_data["hard"] = hard;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &gate = saved[1], dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast), dx = at::empty_like(x);
    const Pieces p(x);
    const Tensor sums = at::zeros({p.images, p.per_image, p.channels}, x.options());
    p.each([&](int64_t image, int64_t piece, int64_t first, int64_t rows) {
      const int64_t at = first * p.channels;
      simd::run<Backward>(x.const_data_ptr<float>() + at, gate.const_data_ptr<float>() + image * p.channels, dy.const_data_ptr<float>() + at, dx.mutable_data_ptr<float>() + at,
                          sums.mutable_data_ptr<float>() + (image * p.per_image + piece) * p.channels, rows, p.channels);
    });
    const Tensor flat = gate.view({p.images, p.channels});
    const Tensor slope = ctx->saved_data["hard"].toBool() ? flat.gt(0).logical_and(flat < 1) * (1.0 / 6) : flat * (1 - flat);
    return {dx, (sums.sum(1) * slope).view(gate.sizes()), Tensor()};
  }
};

}  // namespace

Tensor channel_gate(const Tensor& x, const Tensor& s, Gate gate) {
  const bool hard = gate == Gate::hard_sigmoid;
  const auto plain = [](const Tensor& t) { return t.dim() == 4 && t.device().is_cpu() && t.scalar_type() == at::kFloat && t.numel() > 0; };
  const bool fast = plain(x) && plain(s) && x.is_contiguous(at::MemoryFormat::ChannelsLast) && s.size(0) == x.size(0) && s.size(1) == x.size(1) && s.size(2) == 1 && s.size(3) == 1;
  return fast ? GateFunction::apply(x, s, hard) : x * (hard ? at::hardsigmoid(s) : at::sigmoid(s));
}

}  // namespace hone::train
