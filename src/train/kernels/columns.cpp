#include "train/kernels/columns.h"

#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ColumnsFunction : torch::autograd::Function<ColumnsFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x_in, const Tensor& index) {
    const Tensor x = x_in.contiguous(), y = at::empty({x.size(0), index.numel()}, x.options());
    const int64_t width = x.size(1), count = index.numel();
    const int64_t* at = index.const_data_ptr<int64_t>();
    at::parallel_for(0, x.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* in = x.const_data_ptr<float>() + r * width;
        float* out = y.mutable_data_ptr<float>() + r * count;
        for (int64_t j = 0; j < count; ++j) out[j] = in[at[j]];
      }
    });
    ctx->save_for_backward({index});
    ctx->saved_data["width"] = width;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const Tensor index = ctx->get_saved_variables()[0], dy = grads[0].contiguous();
    const int64_t width = ctx->saved_data["width"].toInt(), count = index.numel();
    const Tensor dx = at::zeros({dy.size(0), width}, dy.options());
    const int64_t* at = index.const_data_ptr<int64_t>();
    at::parallel_for(0, dy.size(0), 1, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        const float* in = dy.const_data_ptr<float>() + r * count;
        float* out = dx.mutable_data_ptr<float>() + r * width;
        for (int64_t j = 0; j < count; ++j) out[at[j]] += in[j];
      }
    });
    return {dx, Tensor()};
  }
};

}  // namespace

Tensor columns(const Tensor& x, const Tensor& index) {
  const bool fast = x.dim() == 2 && x.device().is_cpu() && x.scalar_type() == at::kFloat && x.numel() > 0 && index.dim() == 1 && index.device().is_cpu() &&
                    index.scalar_type() == at::kLong && index.is_contiguous();
  return fast ? ColumnsFunction::apply(x, index) : x.index_select(1, index);
}

}  // namespace hone::train
