#include "train/kernels/dense.h"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

namespace hone::train {

namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

using LinearPointwise = Tensor(const Tensor&, const Tensor&, const std::optional<Tensor>&, std::string_view, at::List<std::optional<at::Scalar>>, std::optional<std::string_view>);

// oneDNN's inner product with a fused element-wise function, which libtorch has for its compiler; here without function.
// Not in every build.
const std::optional<c10::TypedOperatorHandle<LinearPointwise>>& linear_pointwise() {
  static const auto handle = []() -> std::optional<c10::TypedOperatorHandle<LinearPointwise>> {
    const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!found || !at::globalContext().hasMKLDNN()) return std::nullopt;
    return found->typed<LinearPointwise>();
  }();
  return handle;
}

Tensor product(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return linear_pointwise()->call(x, weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt, "none", at::List<std::optional<at::Scalar>>(), std::nullopt);
}

// A matrix [rows, columns] as an image of height `rows`, channels-last, without a copy.
Tensor as_image(const Tensor& m) { return m.view({1, m.size(0), 1, m.size(1)}).permute({0, 3, 1, 2}); }

struct DenseFunction : torch::autograd::Function<DenseFunction> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, const std::optional<Tensor>& bias) {
    ctx->save_for_backward({x, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return product(x, weight, bias.value_or(Tensor()));
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    const variable_list saved = ctx->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], dy = grads[0].contiguous();
    Tensor dx, dweight, dbias;
    if (ctx->needs_input_grad(0)) dx = product(dy, weight.t(), {});
    if (ctx->needs_input_grad(1)) {
      const Tensor kernel = weight.view({weight.size(0), 1, 1, weight.size(1)}).permute({0, 3, 1, 2});
      // Dilated, though one element has no dilation: libtorch hands others to the BLAS when there is one thread.
      dweight = std::get<1>(at::convolution_backward(as_image(dy), as_image(x), kernel, std::nullopt, {1, 1}, {0, 0}, {2, 2}, false, {0, 0}, 1, {false, true, false})).reshape(weight.sizes());
    }
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) dbias = dy.sum(0);
    return {dx, dweight, dbias};
  }
};

bool plain(const Tensor& t) { return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided; }

}  // namespace

Tensor dense(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const bool fast = linear_pointwise() && plain(x) && plain(weight) && (!bias.defined() || (plain(bias) && bias.dim() == 1 && bias.is_contiguous())) && x.dim() >= 2 && weight.dim() == 2 &&
                    x.numel() > 0 && weight.numel() > 0 && weight.is_contiguous();
  if (!fast) return at::linear(x, weight, bias);
  std::vector<int64_t> shape = x.sizes().vec();
  shape.back() = weight.size(0);
  return DenseFunction::apply(x.reshape({-1, x.size(-1)}).contiguous(), weight, bias.defined() ? std::optional<Tensor>(bias) : std::nullopt).view(shape);
}

}  // namespace hone::train
