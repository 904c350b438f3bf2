#include "train/kernels/pointwise.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#include "train/kernels/product.h"

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kRows = 128;  // that a piece of work covers: its operands stay in the L2 cache beside the weights

struct AddRow {
  static HONE_INLINE void run(float* y, const float* bias, int64_t rows, int64_t columns) {
    for (int64_t r = 0; r < rows; ++r)
      HONE_VECTOR
      for (int64_t c = 0; c < columns; ++c) y[r * columns + c] += bias[c];
  }
};

// body(first row, rows)
template <class Body>
void over_rows(int64_t rows, const Body& body) {
  at::parallel_for(0, (rows + kRows - 1) / kRows, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) body(i * kRows, std::min(kRows, rows - i * kRows));
  });
}

float* scratch(int64_t n) {
  thread_local std::vector<float> memory;
  if (static_cast<int64_t>(memory.size()) < n) memory.resize(static_cast<size_t>(n));
  return memory.data();
}

// a^T b of a [rows, m] and b [rows, n], m <= n: [m, n].
Tensor transposed_product(const float* a, const float* b, int64_t rows, int64_t m, int64_t n, const at::TensorOptions& options) {
  // Groups of rows have sums of their own; few rows are cut by columns of a. Both by shapes alone, whatever the number of threads.
  const int64_t groups = std::clamp<int64_t>(rows / 4096, 1, 8), parts = groups > 1 ? 1 : std::clamp<int64_t>(m / 32, 1, 4), step = n > 512 ? 64 : kRows;
  Tensor sums = at::empty({groups, m, n}, options);
  float* out = sums.mutable_data_ptr<float>();
  at::parallel_for(0, groups * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t g = i / parts, first = i % parts * m / parts, count = (i % parts + 1) * m / parts - first;
      const int64_t from = g * rows / groups, to = (g + 1) * rows / groups;
      float* t = scratch(count * step);
      for (int64_t r = from; r < to; r += step) {
        const int64_t k = std::min(step, to - r);
        simd::run<Transpose>(a + r * m + first, m, k, count, t);
        product(count, n, k, t, k, b + r * n, n, out + (g * m + first) * n, n, r > from);
      }
    }
  });
  return groups > 1 ? sums.sum(0) : sums.squeeze(0);
}

struct PointwiseFunction : torch::autograd::Function<PointwiseFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
    const int64_t in = weight.size(1), out = weight.size(0), rows = x.numel() / in;
    const Tensor y = at::empty({x.size(0), out, x.size(2), x.size(3)}, x.options().memory_format(at::MemoryFormat::ChannelsLast)), turned = at::empty({in, out}, x.options());
    simd::run<Transpose>(weight.const_data_ptr<float>(), in, out, in, turned.mutable_data_ptr<float>());
    over_rows(rows, [&](int64_t first, int64_t count) {
      float* to = y.mutable_data_ptr<float>() + first * out;
      product(count, out, in, x.const_data_ptr<float>() + first * in, in, turned.const_data_ptr<float>(), out, to, out);
      if (bias) simd::run<AddRow>(to, bias->const_data_ptr<float>(), count, out);
    });
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t in = weight.size(1), out = weight.size(0), rows = x.numel() / in;
    const float *d = dy.const_data_ptr<float>(), *from = x.const_data_ptr<float>();
    Tensor dx, dweight, dbias;
    if (ctx->needs_input_grad(0)) {
      dx = at::empty_like(x);
      over_rows(rows, [&](int64_t first, int64_t count) {
        product(count, in, out, d + first * out, out, weight.const_data_ptr<float>(), in, dx.mutable_data_ptr<float>() + first * in, in);
      });
    }
    if (ctx->needs_input_grad(1)) {
      const bool turn = in < out;   // the narrower operand is transposed
      const Tensor sums = turn ? transposed_product(from, d, rows, in, out, x.options()) : transposed_product(d, from, rows, out, in, x.options());
      dweight = at::empty_like(weight, at::MemoryFormat::Preserve);
      if (turn) simd::run<Transpose>(sums.const_data_ptr<float>(), out, in, out, dweight.mutable_data_ptr<float>());
      else dweight = sums.as_strided(weight.sizes(), weight.strides());
    }
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) dbias = dy.permute({0, 2, 3, 1}).reshape({rows, out}).sum(0);
    return {dx, dweight, dbias};
  }
};

}  // namespace

bool has_pointwise(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const auto plain = [](const Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.numel() > 0; };
  if (!have_products() || x.dim() != 4 || weight.dim() != 4 || !plain(x) || !plain(weight) || !x.is_contiguous(at::MemoryFormat::ChannelsLast)) return false;
  if (weight.size(2) != 1 || weight.size(3) != 1 || weight.size(1) != x.size(1) || weight.stride(0) != weight.size(1) || (weight.size(1) > 1 && weight.stride(1) != 1)) return false;
  return !bias.defined() || (plain(bias) && bias.dim() == 1 && bias.is_contiguous());
}

Tensor pointwise(const Tensor& x, const Tensor& weight, const Tensor& bias) { return PointwiseFunction::apply(x, weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt); }

}  // namespace hone::train
