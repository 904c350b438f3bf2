#include "data/mix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/image_ops.h"
#include "data/shuffle.h"

namespace hone {

namespace {

// Logarithm of a draw from Gamma(shape, 1) by Marsaglia and Tsang 2000; below 1 by their boost, in logarithms because the
// draw itself may be too small for a double.
double log_gamma_draw(double shape, Rng& rng) {
  if (shape < 1) {
    const double boosted = log_gamma_draw(shape + 1, rng);
    return boosted + std::log(1 - rng.uniform()) / shape;
  }
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal(rng), v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(1 - rng.uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return std::log(d * v);
  }
}

double beta(double a, Rng& rng) {
  const double x = log_gamma_draw(a, rng), y = log_gamma_draw(a, rng);
  return 1 / (1 + std::exp(y - x));
}

}  // namespace

MixPlan plan_mix(const MixOptions& options, int batch, int width, int height, uint64_t seed) {
  MixPlan plan;
  Rng rng(seed);
  const bool mixup = options.mixup_alpha > 0, cutmix = options.cutmix_alpha > 0;
  if ((!mixup && !cutmix) || batch < 2 || rng.uniform() >= options.probability) return plan;
  plan.kind = mixup && (!cutmix || rng.below(2) == 0) ? MixPlan::Kind::mixup : MixPlan::Kind::cutmix;
  plan.lambda = beta(plan.kind == MixPlan::Kind::mixup ? options.mixup_alpha : options.cutmix_alpha, rng);
  plan.partner.resize(static_cast<size_t>(batch));
  std::iota(plan.partner.begin(), plan.partner.end(), 0u);
  for (size_t i = plan.partner.size() - 1; i > 0; --i) std::swap(plan.partner[i], plan.partner[rng.below(i + 1)]);
  if (plan.kind == MixPlan::Kind::cutmix) {
    const double side = std::sqrt(1 - plan.lambda);
    const int half_width = static_cast<int>(width * side) / 2, half_height = static_cast<int>(height * side) / 2;
    const int x = static_cast<int>(rng.below(static_cast<uint64_t>(width))), y = static_cast<int>(rng.below(static_cast<uint64_t>(height)));
    plan.left = std::max(0, x - half_width);
    plan.right = std::min(width, x + half_width);
    plan.top = std::max(0, y - half_height);
    plan.bottom = std::min(height, y + half_height);
    plan.lambda = 1 - static_cast<double>(plan.right - plan.left) * (plan.bottom - plan.top) / (static_cast<double>(width) * height);
  }
  return plan;
}

void apply_mix(const MixPlan& plan, int width, int height, Layout layout, float* images) {
  if (plan.kind == MixPlan::Kind::none) return;
  const size_t row = static_cast<size_t>(width), plane = row * static_cast<size_t>(height), size = 3 * plane;
  thread_local std::vector<float> before;
  before.assign(images, images + plan.partner.size() * size);
  const auto own = static_cast<float>(plan.lambda);
  for (size_t i = 0; i < plan.partner.size(); ++i) {
    float* to = images + i * size;
    const float* from = before.data() + plan.partner[i] * size;
    if (plan.kind == MixPlan::Kind::mixup) {
      for (size_t k = 0; k < size; ++k) to[k] = own * to[k] + (1 - own) * from[k];
      continue;
    }
    const size_t left = static_cast<size_t>(plan.left), right = static_cast<size_t>(plan.right);
    for (auto y = static_cast<size_t>(plan.top); y < static_cast<size_t>(plan.bottom); ++y) {
      if (layout == Layout::nhwc) std::copy(from + 3 * (y * row + left), from + 3 * (y * row + right), to + 3 * (y * row + left));
      else
        for (size_t c = 0; c < 3; ++c) std::copy(from + c * plane + y * row + left, from + c * plane + y * row + right, to + c * plane + y * row + left);
    }
  }
}

}  // namespace hone
