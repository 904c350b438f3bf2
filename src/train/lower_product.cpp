// Matrix products.
#include <map>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

Result<Step> lower_matmul(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor a = f.factor(0), b = f.factor(1);
    if (at::isIntegralType(a.scalar_type(), false)) return f.set(0, at::matmul(widened(a).to(at::kLong), widened(b).to(at::kLong)).to(f[0].scalar_type()));
    f.set(0, at::matmul(a, b));
  });
}

// Integers below 2^53 are exact in f64. A zero point per row belongs to a row of a, one per column to a column of b.
Tensor shifted(const Tensor& x, const Tensor& zero, bool rows) {
  const Tensor real = x.to(at::kDouble);
  if (!zero.defined()) return real;
  const Tensor z = zero.to(at::kDouble);
  if (z.dim() == 1 && rows && z.numel() > 1) return real - z.unsqueeze(-1);
  return real - (z.numel() == 1 ? z.reshape({}) : z);
}

Tensor scaled(const Tensor& scale, bool rows) {
  const Tensor s = scale.to(at::kDouble);
  if (s.numel() == 1) return s.reshape({});
  return s.dim() == 1 && rows ? s.unsqueeze(-1) : s;
}

Result<Step> lower_matmul_integer(const Lowering&) {
  return Step([](Frame& f) { f.set(0, at::matmul(shifted(f[0], f[2], true), shifted(f[1], f[3], false)).to(at::kInt)); });
}

// a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero
Result<Step> lower_qlinear_matmul(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor sums = at::matmul(shifted(f[0], f[2], true), shifted(f[3], f[5], false));
    const Tensor y = at::round(sums * scaled(f[1], true) * scaled(f[4], false) / scaled(f[6], true)) + scaled(f[7], true);
    const bool is_signed = f[7].scalar_type() == at::kChar;
    f.set(0, at::clamp(y, is_signed ? -128 : 0, is_signed ? 127 : 255).to(f[7].scalar_type()));
  });
}

Result<Step> lower_gemm(const Lowering& c) {
  const float alpha = c.attrs().real("alpha", 1), beta = c.attrs().real("beta", 1);
  return Step([alpha, beta, ta = c.attrs().integer("transA", 0) != 0, tb = c.attrs().integer("transB", 0) != 0](Frame& f) {
    const Tensor a = f.factor(0), b = f.factor(1), left = ta ? a.t() : a;
    if (!at::isFloatingType(a.scalar_type())) {
      const Tensor y = at::matmul(left.to(at::kDouble), (tb ? b.t() : b).to(at::kDouble)) * alpha;
      return f.set(0, (f.has(2) ? y + f[2].to(at::kDouble) * beta : y).to(a.scalar_type()));
    }
    if (!f.has(2)) {
      const Tensor y = at::mm(left, tb ? b.t() : b);
      return f.set(0, alpha == 1 ? y : y * alpha);
    }
    const Tensor bias = f.factor(2);
    if (alpha == 1 && beta == 1 && tb && bias.dim() == 1) return f.set(0, at::linear(left, b, bias));
    f.set(0, at::addmm(bias, left, tb ? b.t() : b, beta, alpha));
  });
}

Result<Step> lower_linear(const Lowering&) {
  return Step([](Frame& f) { f.set(0, at::linear(f.factor(0), f.factor(1), f.factor(2))); });
}

// ONNX allows labels in both cases, blanks and one operand's label twice; so does at::einsum, which broadcasts the
// ellipsis too.
Result<Step> lower_einsum(const Lowering& c) {
  return Step([equation = std::string(c.attrs().text("equation", "")), n = c.num_inputs()](Frame& f) {
    std::vector<Tensor> operands;
    for (size_t i = 0; i < n; ++i) operands.push_back(f.factor(i));
    f.set(0, at::einsum(equation, operands));
  });
}

}  // namespace

std::vector<LoweringDef> product_lowerings() {
  return {
      {"MatMul", lower_matmul},
      {"MatMulInteger", lower_matmul_integer},
      {"QLinearMatMul", lower_qlinear_matmul},
      {"Gemm", lower_gemm},
      {"hone::Linear", lower_linear},
      {"Einsum", lower_einsum},
  };
}

}  // namespace hone::train
