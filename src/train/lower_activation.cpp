// Activation functions.
#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

Result<Step> lower_relu(const Lowering&) {
  return Step([](Frame& f) {
    if (f.own(0)) {
      Tensor x = f[0];
      f.set(0, x.relu_());
    } else {
      f.set(0, at::relu(f[0]));
    }
  });
}

Result<Step> lower_hard_sigmoid(const Lowering& c) {
  const float alpha = c.attrs().real("alpha", 0.2f), beta = c.attrs().real("beta", 0.5f);
  if (alpha == 1.f / 6 && beta == 0.5f) return Step([](Frame& f) { f.set(0, at::hardsigmoid(f[0])); });
  return Step([alpha, beta](Frame& f) { f.set(0, at::clamp(f[0] * alpha + beta, 0, 1)); });
}

Tensor swish(const Tensor& x, double alpha) { return alpha == 1 ? at::silu(x) : x * at::sigmoid(x * alpha); }

Result<Step> lower_swish(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1)](Frame& f) { f.set(0, swish(f[0], alpha)); });
}

Result<Step> lower_swiglu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1)](Frame& f) { f.set(0, swish(f[0], alpha) * f[1]); });
}

Result<Step> lower_gelu(const Lowering& c) {
  return Step([how = std::string(c.attrs().text("approximate", "none"))](Frame& f) { f.set(0, at::gelu(f[0], how)); });
}

Result<Step> lower_leaky_relu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 0.01f)](Frame& f) { f.set(0, at::leaky_relu(f[0], alpha)); });
}

Result<Step> lower_thresholded_relu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1)](Frame& f) { f.set(0, at::threshold(f[0], alpha, 0)); });
}

Result<Step> lower_elu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1)](Frame& f) { f.set(0, at::elu(f[0], alpha)); });
}

Result<Step> lower_celu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1)](Frame& f) { f.set(0, at::celu(f[0], alpha)); });
}

Result<Step> lower_selu(const Lowering& c) {
  return Step([alpha = c.attrs().real("alpha", 1.67326319217681884765625f), gamma = c.attrs().real("gamma", 1.05070102214813232421875f)](Frame& f) {
    f.set(0, at::elu(f[0], alpha, gamma, 1));
  });
}

Result<Step> lower_shrink(const Lowering& c) {
  const float bias = c.attrs().real("bias", 0), lambd = c.attrs().real("lambd", 0.5f);
  return Step([bias, lambd](Frame& f) {
    const Tensor& x = f[0];
    f.set(0, at::where(x < -lambd, x + bias, at::where(x > lambd, x - bias, at::zeros_like(x))).to(x.scalar_type()));
  });
}

Result<Step> lower_clip(const Lowering& c) {
  const auto lo = constant_number(c, 1), hi = constant_number(c, 2);
  // Two finite bounds: hardtanh, whose backward is one kernel.
  if (lo && hi && *lo < *hi)
    return Step([lo = *lo, hi = *hi](Frame& f) {
      const Tensor& x = f[0];
      if (!at::isFloatingType(x.scalar_type())) return f.set(0, at::clamp(widened(x), lo, hi).to(x.scalar_type()));
      if (f.own(0)) {
        Tensor mine = x;
        return f.set(0, at::hardtanh_(mine, lo, hi));
      }
      f.set(0, at::hardtanh(x, lo, hi));
    });
  return Step([](Frame& f) {
    Tensor x = widened(f[0]);
    if (f.has(1)) x = at::maximum(x, widened(f[1]).to(x.scalar_type()));
    if (f.has(2)) x = at::minimum(x, widened(f[2]).to(x.scalar_type()));
    f.set(0, x.to(f[0].scalar_type()));
  });
}

// A product with the slope below zero; the slope broadcasts as numpy has it, not by channel.
Result<Step> lower_prelu(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor x = widened(f[0]);
    f.set(0, at::where(x >= 0, x, x * widened(f[1])).to(f[0].scalar_type()));
  });
}

template <bool logarithm>
Result<Step> lower_softmax(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", -1)](Frame& f) {
    const Tensor x = f.precise(0);
    f.set(0, logarithm ? at::log_softmax(x, axis) : at::softmax(x, axis));
  });
}

// One where the first largest element is, zero elsewhere.
Result<Step> lower_hardmax(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", -1)](Frame& f) { f.set(0, at::zeros_like(f[0]).scatter_(axis, at::argmax(f[0], axis, true), 1)); });
}

}  // namespace

std::vector<LoweringDef> activation_lowerings() {
  return {
      {"Relu", lower_relu},
      {"Sigmoid", lower_unary<[](const Tensor& x) { return at::sigmoid(x); }>},
      {"Tanh", lower_unary<[](const Tensor& x) { return at::tanh(x); }>},
      {"HardSigmoid", lower_hard_sigmoid},
      {"HardSwish", lower_unary<[](const Tensor& x) { return at::hardswish(x); }>},
      {"Swish", lower_swish},
      {"SwiGLU", lower_swiglu},
      {"Gelu", lower_gelu},
      {"LeakyRelu", lower_leaky_relu},
      {"ThresholdedRelu", lower_thresholded_relu},
      {"Elu", lower_elu},
      {"Celu", lower_celu},
      {"Selu", lower_selu},
      {"Softplus", lower_unary<[](const Tensor& x) { return at::softplus(x); }>},
      {"Softsign", lower_unary<[](const Tensor& x) { return x / (1 + at::abs(x)); }>},
      {"Mish", lower_unary<[](const Tensor& x) { return at::mish(x); }>},
      {"Shrink", lower_shrink},
      {"Clip", lower_clip},
      {"PRelu", lower_prelu},
      {"Softmax", lower_softmax<false>},
      {"LogSoftmax", lower_softmax<true>},
      {"Hardmax", lower_hardmax},
  };
}

}  // namespace hone::train
