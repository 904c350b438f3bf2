#include "train/kernels/sample_norm.h"

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

struct Samples {
  int64_t count, rows, channels;
  explicit Samples(const Tensor& x) : count(x.size(0)), rows(x.size(2) * x.size(3)), channels(x.size(1)) {}
  int64_t size() const { return rows * channels; }
  template <class Body>
  void each(const Body& body) const {
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i);
    });
  }
};

struct SampleNormFunction : torch::autograd::Function<SampleNormFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight_in, const Tensor& bias_in, double eps) {
    const Samples s(x);
    const Tensor weight = weight_in.contiguous(), bias = bias_in.contiguous(), y = at::empty_like(x), statistics = at::empty({s.count, 2}, x.options());  // mean, 1 / deviation
    const auto c = static_cast<size_t>(s.channels);
    const float *in = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>(), *b = bias.const_data_ptr<float>();
    float *out = y.mutable_data_ptr<float>(), *kept = statistics.mutable_data_ptr<float>();
    s.each([&](int64_t i) {
      const float* data = in + i * s.size();
      // Sums of differences from one of the values: no cancellation when the mean is large.
      std::vector<float> shift(c, data[0]), sum(c, 0.0f), square(c, 0.0f), scale(c), offset(c);
      simd::run<loops::Moments>(data, s.rows, s.channels, shift.data(), sum.data(), square.data());
      double first = 0, second = 0;
      for (size_t k = 0; k < c; ++k) {
        first += sum[k];
        second += square[k];
      }
      const double n = static_cast<double>(s.size()), apart = first / n, mean = apart + data[0], var = std::max(0.0, second / n - apart * apart), inverse = 1 / std::sqrt(var + eps);
      for (size_t k = 0; k < c; ++k) {
        scale[k] = static_cast<float>(w[k] * inverse);
        offset[k] = static_cast<float>(b[k] - w[k] * inverse * mean);
      }
      kept[2 * i] = static_cast<float>(mean);
      kept[2 * i + 1] = static_cast<float>(inverse);
      simd::run<loops::Forward<Activation::none, false>>(data, static_cast<const float*>(nullptr), out + i * s.size(), s.rows, s.channels, scale.data(), offset.data());
    });
    ctx->save_for_backward({x, weight, statistics});
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &statistics = saved[2], dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast), dx = at::empty_like(x);
    const Samples s(x);
    const auto c = static_cast<size_t>(s.channels);
    const Tensor sums = at::zeros({2, s.count, s.channels}, x.options());  // of dy, and of dy * (x - mean) / deviation
    const float *in = x.const_data_ptr<float>(), *d = dy.const_data_ptr<float>(), *w = weight.const_data_ptr<float>(), *kept = statistics.const_data_ptr<float>();
    float *out = dx.mutable_data_ptr<float>(), *by_sample = sums.mutable_data_ptr<float>();
    s.each([&](int64_t i) {
      const float *data = in + i * s.size(), *gradient = d + i * s.size();
      const float mean = kept[2 * i], inverse = kept[2 * i + 1];
      float *sum = by_sample + i * s.channels, *product = sum + s.count * s.channels;
      std::vector<float> shift(c, mean), scale(c), slant(c), level(c);
      simd::run<loops::Sums<Activation::none, false>>(data, static_cast<const float*>(nullptr), gradient, s.rows, s.channels, scale.data(), level.data(), shift.data(), sum, product);
      // With g = weight * dy and z = (x - mean) / deviation: dx = (g - mean(g) - z mean(g z)) / deviation.
      double first = 0, second = 0;
      for (size_t k = 0; k < c; ++k) {
        product[k] *= inverse;
        first += static_cast<double>(w[k]) * sum[k];
        second += static_cast<double>(w[k]) * product[k];
      }
      const double n = static_cast<double>(s.size()), tilt = -second / n * inverse * inverse;
      for (size_t k = 0; k < c; ++k) {
        scale[k] = w[k] * inverse;
        slant[k] = static_cast<float>(tilt);
        level[k] = static_cast<float>(-first / n * inverse - tilt * mean);
      }
      simd::run<loops::Backward<Activation::none, false>>(data, static_cast<const float*>(nullptr), gradient, out + i * s.size(), static_cast<float*>(nullptr), s.rows, s.channels, scale.data(),
                                                          shift.data(), slant.data(), level.data());
    });
    return {dx, sums[1].sum(0), sums[0].sum(0), Tensor()};
  }
};

}  // namespace

bool has_sample_norm(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto vector = [&](const Tensor& t) { return t.dim() == 1 && t.size(0) == x.size(1) && t.scalar_type() == at::kFloat && t.device().is_cpu(); };
  return x.dim() == 4 && x.numel() > 0 && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.is_contiguous(at::MemoryFormat::ChannelsLast) && vector(weight) && vector(bias);
}

Tensor sample_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) { return SampleNormFunction::apply(x, weight, bias, eps); }

}  // namespace hone::train
