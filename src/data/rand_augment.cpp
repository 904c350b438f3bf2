// RandAugment (Cubuk et al. 2020) with the operations and magnitudes of the two libraries whose recipes are in use.
#include <algorithm>
#include <cmath>

#include "data/image_ops.h"

namespace hone {

namespace {

// torchvision.transforms.RandAugment: strength is magnitude / 30.
void torchvision_operation(Image& image, uint64_t operation, double strength, bool minus) {
  const double sign = minus ? -1 : 1;
  switch (operation) {
    case 0: return;  // identity
    case 1: return transform(image, shear_x(sign * 0.3 * strength));
    case 2: return transform(image, shear_y(sign * 0.3 * strength));
    case 3: return transform(image, translate(-std::trunc(sign * 150.0 / 331.0 * strength * image.width), 0));
    case 4: return transform(image, translate(0, -std::trunc(sign * 150.0 / 331.0 * strength * image.height)));
    case 5: return transform(image, rotation(sign * 30 * strength, image.width, image.height));
    case 6: return brightness(image, 1 + sign * 0.9 * strength);
    case 7: return saturation(image, 1 + sign * 0.9 * strength);
    case 8: return contrast(image, 1 + sign * 0.9 * strength);
    case 9: return sharpness(image, 1 + sign * 0.9 * strength);
    case 10: return posterize(image, 8 - static_cast<int>(std::nearbyint(4 * strength)));
    case 11: return solarize(image, static_cast<int>(std::ceil(255 * (1 - strength))));
    case 12: return autocontrast(image);
    default: return equalize(image);
  }
}
constexpr uint64_t kTorchvisionOperations = 14;

// timm's _RAND_INCREASING_TRANSFORMS: strength is magnitude / 10.
void timm_operation(Image& image, uint64_t operation, double strength, bool minus) {
  const double sign = minus ? -1 : 1;
  const double enhance = std::max(0.1, 1 + sign * 0.9 * strength);
  switch (operation) {
    case 0: return autocontrast(image);
    case 1: return equalize(image);
    case 2: return invert(image);
    case 3: return transform(image, rotation(sign * 30 * strength, image.width, image.height));
    case 4: return posterize(image, 4 - static_cast<int>(4 * strength));
    case 5: return solarize(image, 256 - std::min(256, static_cast<int>(256 * strength)));
    case 6: return solarize_add(image, std::min(128, static_cast<int>(110 * strength)), 128);
    case 7: return saturation(image, enhance);
    case 8: return contrast(image, enhance);
    case 9: return brightness(image, enhance);
    case 10: return sharpness(image, enhance);
    case 11: return transform(image, shear_x(sign * 0.3 * strength));
    case 12: return transform(image, shear_y(sign * 0.3 * strength));
    case 13: return transform(image, translate(sign * 0.45 * strength * image.width, 0));
    default: return transform(image, translate(0, sign * 0.45 * strength * image.height));
  }
}
constexpr uint64_t kTimmOperations = 15;

// dandelin/ViLT, vilt/transforms/randaug.py (METER's is the same): strength is magnitude / 30.
void vilt_operation(Image& image, uint64_t operation, double strength, bool minus) {
  const double sign = minus ? -1 : 1, enhance = 0.1 + 1.8 * strength;
  switch (operation) {
    case 0: return autocontrast(image);
    case 1: return equalize(image);
    case 2: return transform(image, rotation(sign * 30 * strength, image.width, image.height));
    case 3: return posterize(image, std::max(1, static_cast<int>(4 * strength)));
    case 4: return solarize(image, static_cast<int>(std::ceil(256 * strength)));
    case 5:  // added to every value, and inverted from 128 on
      solarize_add(image, static_cast<int>(110 * strength), 256);
      return solarize(image, 128);
    case 6: return saturation(image, enhance);
    case 7: return contrast(image, enhance);
    case 8: return brightness(image, enhance);
    case 9: return sharpness(image, enhance);
    case 10: return transform(image, shear_x(sign * 0.3 * strength));
    case 11: return transform(image, shear_y(sign * 0.3 * strength));
    case 12: return transform(image, translate(sign * 100 * strength, 0));
    default: return transform(image, translate(0, sign * 100 * strength));
  }
}
constexpr uint64_t kViltOperations = 14;

}  // namespace

void rand_augment(Image& image, const RandAugment& options, Rng& rng) {
  const bool timm = options.list == RandAugmentList::timm, vilt = options.list == RandAugmentList::vilt;
  const double top = timm ? 10 : 30;
  for (int i = 0; i < options.operations; ++i) {
    // Always the same number of draws, so that one operation does not move the others.
    const uint64_t operation = rng.below(timm ? kTimmOperations : vilt ? kViltOperations : kTorchvisionOperations);
    const bool minus = rng.below(2) == 1, applied = rng.below(2) == 1 || !timm;
    const double spread = normal(rng);
    if (!applied) continue;
    const double strength = std::clamp(options.magnitude + options.magnitude_std * spread, 0.0, top) / top;
    if (timm) timm_operation(image, operation, strength, minus);
    else if (vilt) vilt_operation(image, operation, strength, minus);
    else torchvision_operation(image, operation, strength, minus);
  }
}

}  // namespace hone
