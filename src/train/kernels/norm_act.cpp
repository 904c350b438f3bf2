#include "train/kernels/norm_act.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

#include "train/kernels/norm_act_loops.h"

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
namespace loops = norm_act_loops;

constexpr int64_t kBlock = 16384;   // numbers that one piece of work covers: x, dy and dx of it stay in the L2 cache
constexpr int64_t kGroups = 64;     // partial sums, whatever the number of threads

// A tensor as rows of `width` = fold * channels numbers. Few channels are folded so that a row fills vector registers.
struct Rows {
  int64_t channels, width, rows, per_block, blocks;

  explicit Rows(const Tensor& x) : channels(x.size(1)) {
    rows = x.numel() / channels;
    int64_t fold = 1;
    while (channels * fold < 128 && rows % 2 == 0) fold *= 2, rows /= 2;
    width = channels * fold;
    per_block = std::max<int64_t>(1, kBlock / width);
    blocks = (rows + per_block - 1) / per_block;
  }
  int64_t first(int64_t block) const { return block * per_block; }
  int64_t count(int64_t block) const { return std::min(per_block, rows - first(block)); }
};

bool fast(const Tensor& x) {
  return x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 &&
         ((x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast)) || (x.dim() == 2 && x.is_contiguous()));
}

Tensor laid_out_like(const Tensor& t, const Tensor& x) { return t.contiguous(x.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous); }

// A per-channel vector repeated to a row's width.
std::vector<float> spread(const Rows& r, const std::vector<float>& v) {
  std::vector<float> out(static_cast<size_t>(r.width));
  for (int64_t i = 0; i < r.width; ++i) out[i] = v[i % r.channels];
  return out;
}

std::vector<float> to_vector(const Tensor& t) {
  const Tensor c = t.to(at::kFloat).contiguous();
  return {c.const_data_ptr<float>(), c.const_data_ptr<float>() + c.numel()};
}

// Two sums a channel over all rows: `add(first row, rows, sum, other)` adds a block in fp32, blocks and groups are summed in double.
template <class Add>
void two_sums(const Rows& r, std::vector<double>& first, std::vector<double>& second, const Add& add) {
  const int64_t groups = std::min(kGroups, r.blocks);
  std::vector<double> partial(static_cast<size_t>(groups * 2 * r.width), 0.0);
  at::parallel_for(0, groups, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> sums(static_cast<size_t>(2 * r.width));
    for (int64_t g = begin; g < end; ++g) {
      double* out = partial.data() + g * 2 * r.width;
      for (int64_t b = g * r.blocks / groups; b < (g + 1) * r.blocks / groups; ++b) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        add(r.first(b), r.count(b), sums.data(), sums.data() + r.width);
        for (int64_t i = 0; i < 2 * r.width; ++i) out[i] += sums[i];
      }
    }
  });
  first.assign(static_cast<size_t>(r.channels), 0.0);
  second.assign(static_cast<size_t>(r.channels), 0.0);
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t i = 0; i < r.width; ++i) {
      first[i % r.channels] += partial[g * 2 * r.width + i];
      second[i % r.channels] += partial[(g * 2 + 1) * r.width + i];
    }
}

template <class Body>
void over_blocks(const Rows& r, const Body& body) {
  at::parallel_for(0, r.blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) body(r.first(b), r.count(b));
  });
}

// Calls f.operator()<activation>().
template <class F>
void with_activation(Activation a, const F& f) {
  switch (a) {
    case Activation::none: return f.template operator()<Activation::none>();
    case Activation::relu: return f.template operator()<Activation::relu>();
    case Activation::relu6: return f.template operator()<Activation::relu6>();
    case Activation::silu: return f.template operator()<Activation::silu>();
    case Activation::hard_swish: return f.template operator()<Activation::hard_swish>();
  }
}

struct Statistics {
  std::vector<float> mean, inverse;  // by channel; inverse = 1 / sqrt(var + eps)
};

Statistics batch_statistics(const Tensor& x, const Rows& r, double eps, double momentum, const Tensor& running_mean, const Tensor& running_var) {
  const float* data = x.const_data_ptr<float>();
  // Sums of differences from a sample of the channel: no cancellation when the mean is large.
  const std::vector<float> shift = spread(r, {data, data + r.channels});
  std::vector<double> sum, square;
  two_sums(r, sum, square, [&](int64_t first, int64_t rows, float* s, float* q) {
    simd::run<loops::Moments>(data + first * r.width, rows, r.width, shift.data(), s, q);
  });
  const double n = static_cast<double>(x.numel() / r.channels);
  Statistics out{std::vector<float>(r.channels), std::vector<float>(r.channels)};
  std::vector<double> mean(r.channels), var(r.channels);
  for (int64_t c = 0; c < r.channels; ++c) {
    const double m = sum[c] / n;
    mean[c] = m + shift[c];
    var[c] = std::max(0.0, square[c] / n - m * m);
    out.mean[c] = static_cast<float>(mean[c]);
    out.inverse[c] = static_cast<float>(1.0 / std::sqrt(var[c] + eps));
  }
  const auto update = [&](const Tensor& running, const std::vector<double>& now, double factor) {
    if (!running.defined()) return;
    Tensor target = running.detach();
    const auto options = at::TensorOptions().dtype(at::kDouble);
    target.mul_(1 - momentum).add_(at::from_blob(const_cast<double*>(now.data()), {r.channels}, options), momentum * factor);
  };
  update(running_mean, mean, 1.0);
  update(running_var, var, n > 1 ? n / (n - 1) : 1.0);
  return out;
}

struct NormActFunction : torch::autograd::Function<NormActFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var,
                        const std::optional<Tensor>& residual_in, bool train, double momentum, double eps, int64_t activation) {
    const Rows r(x);
    const Tensor residual = residual_in ? laid_out_like(*residual_in, x) : Tensor();
    Statistics s;
    if (train) {
      s = batch_statistics(x, r, eps, momentum, running_mean, running_var);
    } else {
      s.mean = to_vector(running_mean);
      for (const float v : to_vector(running_var)) s.inverse.push_back(static_cast<float>(1.0 / std::sqrt(static_cast<double>(v) + eps)));
    }
    std::vector<float> scale = to_vector(weight), offset = to_vector(bias);
    for (int64_t c = 0; c < r.channels; ++c) {
      scale[c] *= s.inverse[c];
      offset[c] -= s.mean[c] * scale[c];
    }
    const std::vector<float> wide_scale = spread(r, scale), wide_offset = spread(r, offset);
    Tensor y = at::empty_like(x);
    const float *in = x.const_data_ptr<float>(), *add = residual.defined() ? residual.const_data_ptr<float>() : nullptr;
    float* out = y.mutable_data_ptr<float>();
    with_activation(static_cast<Activation>(activation), [&]<Activation A>() {
      over_blocks(r, [&](int64_t first, int64_t rows) {
        const int64_t at = first * r.width;
        if (add)
          simd::run<loops::Forward<A, true>>(in + at, add + at, out + at, rows, r.width, wide_scale.data(), wide_offset.data());
        else
          simd::run<loops::Forward<A, false>>(in + at, add, out + at, rows, r.width, wide_scale.data(), wide_offset.data());
      });
    });
    // The sum's other operand is needed again only to recompute the activation's argument.
    const bool recompute = static_cast<Activation>(activation) != Activation::none;
    ctx->save_for_backward({x, weight, recompute ? residual : Tensor()});
    ctx->saved_data["scale"] = at::tensor(scale);
    ctx->saved_data["offset"] = at::tensor(offset);
    ctx->saved_data["mean"] = at::tensor(s.mean);
    ctx->saved_data["inverse"] = at::tensor(s.inverse);
    ctx->saved_data["train"] = train;
    ctx->saved_data["activation"] = activation;
    ctx->saved_data["residual"] = residual_in.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &residual = saved[2];
    const Rows r(x);
    const Tensor dy = laid_out_like(grads[0], x);
    const auto activation = static_cast<Activation>(ctx->saved_data["activation"].toInt());
    const std::vector<float> scale = to_vector(ctx->saved_data["scale"].toTensor()), mean = to_vector(ctx->saved_data["mean"].toTensor()),
                             inverse = to_vector(ctx->saved_data["inverse"].toTensor());
    const std::vector<float> wide_scale = spread(r, scale), wide_offset = spread(r, to_vector(ctx->saved_data["offset"].toTensor())), wide_mean = spread(r, mean);
    const float *in = x.const_data_ptr<float>(), *add = residual.defined() ? residual.const_data_ptr<float>() : nullptr, *d = dy.const_data_ptr<float>();
    std::vector<double> sum, product;
    with_activation(activation, [&]<Activation A>() {
      two_sums(r, sum, product, [&](int64_t first, int64_t rows, float* s, float* p) {
        const int64_t at = first * r.width;
        if (add)
          simd::run<loops::Sums<A, true>>(in + at, add + at, d + at, rows, r.width, wide_scale.data(), wide_offset.data(), wide_mean.data(), s, p);
        else
          simd::run<loops::Sums<A, false>>(in + at, add, d + at, rows, r.width, wide_scale.data(), wide_offset.data(), wide_mean.data(), s, p);
      });
    });
    Tensor dweight = at::empty({r.channels}), dbias = at::empty({r.channels});
    // dx = scale * (g - mean(g) - (x - mean) * inverse^2 * mean(g * (x - mean))); with running statistics only the first term.
    std::vector<float> slant(r.channels, 0.0f), level(r.channels, 0.0f);
    const double n = static_cast<double>(x.numel() / r.channels);
    for (int64_t c = 0; c < r.channels; ++c) {
      dweight.mutable_data_ptr<float>()[c] = static_cast<float>(product[c] * inverse[c]);
      dbias.mutable_data_ptr<float>()[c] = static_cast<float>(sum[c]);
      if (!ctx->saved_data["train"].toBool()) continue;
      const double k = -static_cast<double>(scale[c]) * inverse[c] * inverse[c] * product[c] / n;
      slant[c] = static_cast<float>(k);
      level[c] = static_cast<float>(-scale[c] * sum[c] / n - k * mean[c]);
    }
    const bool has_residual = ctx->saved_data["residual"].toBool();
    Tensor dx, dresidual;
    if (ctx->needs_input_grad(0) || (has_residual && ctx->needs_input_grad(5))) {
      dx = at::empty_like(x);
      dresidual = !has_residual ? Tensor() : add ? at::empty_like(x) : dy;
      float *out = dx.mutable_data_ptr<float>(), *out_residual = add ? dresidual.mutable_data_ptr<float>() : nullptr;
      const std::vector<float> wide_slant = spread(r, slant), wide_level = spread(r, level);
      with_activation(activation, [&]<Activation A>() {
        over_blocks(r, [&](int64_t first, int64_t rows) {
          const int64_t at = first * r.width;
          if (add)
            simd::run<loops::Backward<A, true>>(in + at, add + at, d + at, out + at, out_residual + at, rows, r.width, wide_scale.data(), wide_offset.data(), wide_slant.data(), wide_level.data());
          else
            simd::run<loops::Backward<A, false>>(in + at, add, d + at, out + at, out_residual, rows, r.width, wide_scale.data(), wide_offset.data(), wide_slant.data(), wide_level.data());
        });
      });
    }
    return {dx, dweight, dbias, Tensor(), Tensor(), dresidual, Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Tensor activate(const Tensor& x, Activation activation) {
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return at::relu(x);
    case Activation::relu6: return at::hardtanh(x, 0, 6);
    case Activation::silu: return at::silu(x);
    case Activation::hard_swish: return at::hardswish(x);
  }
  return x;
}

Tensor norm_act(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& running_mean, const Tensor& running_var, const Tensor& residual, const NormAct& how) {
  const bool same = !residual.defined() || (residual.sizes() == x.sizes() && residual.scalar_type() == at::kFloat);
  const bool vectors = weight.scalar_type() == at::kFloat && bias.scalar_type() == at::kFloat && weight.dim() == 1 && running_mean.scalar_type() == at::kFloat;
  // One value a channel has no variance: ATen's operator knows what to say.
  const bool enough = x.dim() >= 2 && (!how.train || x.numel() > x.size(1));
  if (fast(x) && same && vectors && enough && weight.numel() == x.size(1))
    return NormActFunction::apply(x, weight, bias, running_mean, running_var, residual.defined() ? std::optional<Tensor>(residual) : std::nullopt, how.train, how.momentum, how.eps, static_cast<int64_t>(how.activation));
  Tensor y = at::batch_norm(x, weight, bias, running_mean, running_var, how.train, how.momentum, how.eps, true);
  if (residual.defined()) y = y + residual;
  return activate(y, how.activation);
}

}  // namespace hone::train
