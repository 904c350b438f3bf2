// Tensors made from nothing: fills, ranges, random numbers, windows.
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <numbers>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

Result<Step> lower_constant_of_shape(const Lowering& c) {
  Tensor value = at::zeros({}, at::kFloat);
  if (const Attr* a = c.attrs().find("value")) {
    HONE_TRY_ASSIGN(value, to_torch(*std::get<TensorPtr>(*a)));
    value = value.reshape({});
  }
  return Step([value, shape = IntsOperand(c, 0)](Frame& f) {
    Tensor y = at::empty(shape(f), value.options());
    f.set(0, y.copy_(value));
  });
}

// start, limit, delta
Result<Step> lower_range(const Lowering&) {
  return Step([](Frame& f) {
    const at::ScalarType type = f[0].scalar_type();
    if (at::isIntegralType(type, false)) {
      const int64_t start = f[0].item<int64_t>(), limit = f[1].item<int64_t>(), delta = f[2].item<int64_t>();
      const int64_t span = limit - start, n = span != 0 && (span > 0) == (delta > 0) ? (span - (span > 0 ? 1 : -1)) / delta + 1 : 0;
      return f.set(0, (at::arange(n, at::kLong) * delta + start).to(type));
    }
    const double start = f[0].to(at::kDouble).item<double>(), limit = f[1].to(at::kDouble).item<double>(), delta = f[2].to(at::kDouble).item<double>();
    const auto n = static_cast<int64_t>(std::max(0.0, std::ceil((limit - start) / delta)));
    f.set(0, (at::arange(n, at::kDouble) * delta + start).to(type));
  });
}

// The run's generator, or one of the node's own seed.
at::Generator generator(const Frame& f, const std::optional<float>& seed) {
  if (f.options.generator) return *f.options.generator;
  TORCH_CHECK(seed, "random numbers need a generator (RunOptions::generator) or the attribute seed");
  return at::make_generator<at::CPUGeneratorImpl>(static_cast<uint64_t>(*seed));
}
std::optional<float> seed_of(const Lowering& c) { return c.attrs().has("seed") ? std::optional(c.attrs().real("seed", 0)) : std::nullopt; }

// `like`: shape and, unless dtype is given, type are operand 0's.
template <bool normal, bool like>
Result<Step> lower_random(const Lowering& c) {
  const Attrs& a = c.attrs();
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("dtype", DType::f32));
  const double p = normal ? a.real("mean", 0) : a.real("low", 0), q = normal ? a.real("scale", 1) : a.real("high", 1);
  return Step([=, given = a.has("dtype"), shape = a.integers("shape"), seed = seed_of(c)](Frame& f) {
    Tensor y = like ? at::empty(f[0].sizes(), f[0].options().dtype(given ? type : f[0].scalar_type())) : at::empty(shape, at::TensorOptions(type));
    f.set(0, normal ? y.normal_(p, q, generator(f, seed)) : y.uniform_(p, q, generator(f, seed)));
  });
}

Result<Step> lower_bernoulli(const Lowering& c) {
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("dtype", DType::f32));
  return Step([given = c.attrs().has("dtype"), type, seed = seed_of(c)](Frame& f) { f.set(0, at::bernoulli(f[0], generator(f, seed)).to(given ? type : f[0].scalar_type())); });
}

Result<Step> lower_eye_like(const Lowering& c) {
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("dtype", DType::f32));
  return Step([given = c.attrs().has("dtype"), type, k = c.attrs().integer("k", 0)](Frame& f) {
    const Tensor& x = f[0];
    const Tensor row = at::arange(x.size(0), x.options().dtype(at::kLong)).unsqueeze(1), column = at::arange(x.size(1), x.options().dtype(at::kLong)).unsqueeze(0);
    f.set(0, (column - row == k).to(given ? type : x.scalar_type()));
  });
}

// Rows of logarithms of unnormalised probabilities.
Result<Step> lower_multinomial(const Lowering& c) {
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("dtype", DType::i32));
  return Step([type, n = c.attrs().integer("sample_size", 1), seed = seed_of(c)](Frame& f) { f.set(0, at::multinomial(at::softmax(f.precise(0), 1), n, true, generator(f, seed)).to(type)); });
}

// a0 - a1 cos(2 pi i / N) + a2 cos(4 pi i / N), N the size, or one less when the window is symmetric.
template <int which>
Result<Step> lower_window(const Lowering& c) {
  static constexpr double kTerms[3][3] = {{0.5, 0.5, 0}, {25.0 / 46, 21.0 / 46, 0}, {0.42, 0.5, 0.08}};  // Hann, Hamming, Blackman
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("output_datatype", DType::f32));
  return Step([type, periodic = c.attrs().integer("periodic", 1) != 0, size = IntsOperand(c, 0)](Frame& f) {
    const int64_t n = size(f)[0];
    const double* a = kTerms[which];
    const Tensor angle = at::arange(n, at::kDouble) * (2 * std::numbers::pi / static_cast<double>(std::max<int64_t>(periodic ? n : n - 1, 1)));
    f.set(0, (a[0] - a[1] * at::cos(angle) + a[2] * at::cos(2 * angle)).to(type));
  });
}

}  // namespace

std::vector<LoweringDef> generate_lowerings() {
  return {
      {"ConstantOfShape", lower_constant_of_shape},
      {"Range", lower_range},
      {"RandomNormal", lower_random<true, false>},
      {"RandomUniform", lower_random<false, false>},
      {"RandomNormalLike", lower_random<true, true>},
      {"RandomUniformLike", lower_random<false, true>},
      {"Bernoulli", lower_bernoulli},
      {"EyeLike", lower_eye_like},
      {"Multinomial", lower_multinomial},
      {"HannWindow", lower_window<0>},
      {"HammingWindow", lower_window<1>},
      {"BlackmanWindow", lower_window<2>},
      {"Det", lower_unary<[](const Tensor& x) { return at::linalg_det(x); }>},
  };
}

}  // namespace hone::train
