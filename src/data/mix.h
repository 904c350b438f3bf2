// Mixing the pictures of a batch: mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), as a plan that is drawn first.
#pragma once

#include <cstdint>
#include <vector>

#include "data/resize.h"

namespace hone {

// 0: not used. With both, one is chosen for each batch with probability 1/2.
struct MixOptions {
  double mixup_alpha = 0, cutmix_alpha = 0;  // lambda is drawn from Beta(alpha, alpha)
  double probability = 1;                    // of mixing a batch at all
};

// Picture i becomes lambda * itself + (1 - lambda) * picture partner[i], or gets the box of its partner; its loss is
// lambda * loss(own label) + (1 - lambda) * loss(partner's label).
struct MixPlan {
  enum class Kind : uint8_t { none, mixup, cutmix } kind = Kind::none;
  double lambda = 1;  // cutmix: corrected to the share that the box leaves
  int left = 0, top = 0, right = 0, bottom = 0;
  std::vector<uint32_t> partner;
};

MixPlan plan_mix(const MixOptions& options, int batch, int width, int height, uint64_t seed);

// On `partner.size()` pictures of 3 * width * height floats each.
void apply_mix(const MixPlan& plan, int width, int height, Layout layout, float* images);

}  // namespace hone
