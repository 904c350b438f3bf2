#include "data/augment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/shuffle.h"

namespace hone {

namespace {

// Streams of their own, so that one option does not move what another draws.
enum Stream : uint64_t { kPart = 1, kFlip, kColour, kRandAugment, kErase };
Rng stream(uint64_t seed, Stream which) { return Rng(derive_seed(seed, which)); }

double between(Rng& rng, double low, double high) { return low + (high - low) * rng.uniform(); }

// A rectangle of random area (as a share) and random shape, uniform in the logarithm; false when ten tries do not fit.
bool random_rectangle(Rng& rng, int width, int height, double min_area, double max_area, double min_ratio, double max_ratio, int& w, int& h) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area = between(rng, min_area, max_area) * width * height;
    const double ratio = std::exp(between(rng, std::log(min_ratio), std::log(max_ratio)));
    w = static_cast<int>(std::nearbyint(std::sqrt(area * ratio)));
    h = static_cast<int>(std::nearbyint(std::sqrt(area / ratio)));
    if (w > 0 && h > 0 && w <= width && h <= height) return true;
  }
  return false;
}

Region rectangle(double x, double y, double w, double h) { return {x, y, x + w, y + h}; }

Region random_resized(const Transform& t, ImageSize size, Rng rng) {
  int w = 0, h = 0;
  if (random_rectangle(rng, size.width, size.height, t.min_area, t.max_area, t.min_ratio, t.max_ratio, w, h)) {
    const auto y = static_cast<double>(rng.below(static_cast<uint64_t>(size.height - h) + 1));
    const auto x = static_cast<double>(rng.below(static_cast<uint64_t>(size.width - w) + 1));
    return rectangle(x, y, w, h);
  }
  // As torchvision falls back: the middle, as much as the shape allows.
  const double ratio = static_cast<double>(size.width) / size.height;
  w = size.width;
  h = size.height;
  if (ratio < t.min_ratio) h = std::min(h, static_cast<int>(std::nearbyint(w / t.min_ratio)));
  else if (ratio > t.max_ratio) w = std::min(w, static_cast<int>(std::nearbyint(h * t.max_ratio)));
  return rectangle((size.width - w) / 2, (size.height - h) / 2, w, h);
}

// Shorter side to t.resize, longer one cut to whole pixels, a window in the middle: back in the picture's own pixels.
Region centre(const Transform& t, ImageSize size) {
  const bool wide = size.width >= size.height;
  const int shorter = std::max({t.resize, 1});
  const double w = wide ? std::floor(static_cast<double>(shorter) * size.width / size.height) : shorter;
  const double h = wide ? shorter : std::floor(static_cast<double>(shorter) * size.height / size.width);
  const double sx = size.width / w, sy = size.height / h;
  return rectangle(sx * std::nearbyint((w - t.width) / 2), sy * std::nearbyint((h - t.height) / 2), sx * t.width, sy * t.height);
}

void shift_padded(Image& image, int dx, int dy) { transform(image, translate(dx, dy)); }

void colour_jitter(const Transform& t, Image& image, Rng rng) {
  std::array<int, 4> order = {0, 1, 2, 3};
  for (size_t i = 3; i > 0; --i) std::swap(order[i], order[rng.below(i + 1)]);
  const auto factor = [&](double spread) { return between(rng, std::max(0.0, 1 - spread), 1 + spread); };
  const double b = factor(t.brightness), c = factor(t.contrast), s = factor(t.saturation), h = between(rng, -t.hue, t.hue);
  for (int which : order) {
    if (which == 0 && t.brightness > 0) brightness(image, b);
    if (which == 1 && t.contrast > 0) contrast(image, c);
    if (which == 2 && t.saturation > 0) saturation(image, s);
    if (which == 3 && t.hue > 0) hue(image, h);
  }
}

void erase(const Transform& t, Rng rng, float* out) {
  if (rng.uniform() >= t.erase) return;
  int w = 0, h = 0;
  if (!random_rectangle(rng, t.width, t.height, t.erase_min_area, t.erase_max_area, t.erase_min_ratio, t.erase_max_ratio, w, h)) return;
  const size_t top = rng.below(static_cast<uint64_t>(t.height - h) + 1), left = rng.below(static_cast<uint64_t>(t.width - w) + 1);
  const auto width = static_cast<size_t>(t.width), plane = width * static_cast<size_t>(t.height);
  for (size_t y = top; y < top + static_cast<size_t>(h); ++y)
    for (size_t x = left; x < left + static_cast<size_t>(w); ++x)
      for (size_t c = 0; c < 3; ++c) {
        float& v = t.layout == Layout::nhwc ? out[3 * (y * width + x) + c] : out[c * plane + y * width + x];
        v = t.erase_with_noise ? static_cast<float>(normal(rng)) : 0;
      }
}

}  // namespace

Transform evaluation_transform(int size) {
  Transform t;
  t.width = t.height = size;
  t.resize = size * 8 / 7;
  t.reduce_on_decode = false;
  return t;
}
Transform training_transform(int size) {
  Transform t;
  t.width = t.height = size;
  t.crop = Crop::random_resized;
  t.flip = 0.5;
  return t;
}
Transform small_image_transform(int size) {
  Transform t;
  t.width = t.height = size;
  t.crop = Crop::padded;
  t.padding = size / 8;
  t.flip = 0.5;
  return t;
}

Status check(const Transform& t) {
  const auto bad = [](const std::string& key, const std::string& what) { return fail(Code::usage, what, "transform." + key); };
  constexpr int kLargest = 8192;
  const auto outside = [](double v, double low, double high) { return !(v >= low && v <= high); };  // also when it is no number
  if (t.width < 1 || t.width > kLargest) return bad("width", fmt::format("is {}, expected 1 to {}", t.width, kLargest));
  if (t.height < 1 || t.height > kLargest) return bad("height", fmt::format("is {}, expected 1 to {}", t.height, kLargest));
  if (t.crop == Crop::centre && (t.resize < std::max(t.width, t.height) || t.resize > 2 * kLargest)) return bad("resize", fmt::format("is {}, expected at least the result's {} x {}", t.resize, t.width, t.height));
  if (outside(t.padding, 0, kLargest)) return bad("padding", fmt::format("is {}, expected 0 to {}", t.padding, kLargest));
  if (outside(t.min_area, 1e-6, 1) || outside(t.max_area, t.min_area, 1)) return bad("min_area, max_area", fmt::format("are {} and {}, expected 0 < min <= max <= 1", t.min_area, t.max_area));
  if (outside(t.min_ratio, 1e-3, 1e3) || outside(t.max_ratio, t.min_ratio, 1e3)) return bad("min_ratio, max_ratio", fmt::format("are {} and {}, expected 0 < min <= max", t.min_ratio, t.max_ratio));
  if (outside(t.erase_min_area, 1e-6, 1) || outside(t.erase_max_area, t.erase_min_area, 1)) return bad("erase_min_area, erase_max_area", fmt::format("are {} and {}, expected 0 < min <= max <= 1", t.erase_min_area, t.erase_max_area));
  if (outside(t.erase_min_ratio, 1e-3, 1e3) || outside(t.erase_max_ratio, t.erase_min_ratio, 1e3)) return bad("erase_min_ratio, erase_max_ratio", fmt::format("are {} and {}, expected 0 < min <= max", t.erase_min_ratio, t.erase_max_ratio));
  const std::pair<const char*, double> shares[] = {{"flip", t.flip}, {"erase", t.erase}};
  for (const auto& [key, value] : shares)
    if (outside(value, 0, 1)) return bad(key, fmt::format("is {}, expected a probability", value));
  const std::pair<const char*, double> spreads[] = {{"brightness", t.brightness}, {"contrast", t.contrast}, {"saturation", t.saturation}};
  for (const auto& [key, value] : spreads)
    if (outside(value, 0, 100)) return bad(key, fmt::format("is {}, expected 0 or more", value));
  if (outside(t.hue, 0, 0.5)) return bad("hue", fmt::format("is {}, expected 0 to 0.5", t.hue));
  if (outside(t.rand_augment.operations, 0, 100)) return bad("rand_augment.operations", fmt::format("is {}, expected 0 to 100", t.rand_augment.operations));
  const double top = t.rand_augment.list == RandAugmentList::timm ? 10 : 30;
  if (outside(t.rand_augment.magnitude, 0, top)) return bad("rand_augment.magnitude", fmt::format("is {}, expected 0 to {}", t.rand_augment.magnitude, top));
  if (outside(t.rand_augment.magnitude_std, 0, 100)) return bad("rand_augment.magnitude_std", fmt::format("is {}, expected 0 or more", t.rand_augment.magnitude_std));
  for (float s : t.normalise.std)
    if (!(s > 0)) return bad("normalise.std", fmt::format("is {}, expected above 0", s));
  return {};
}

Region choose_part(const Transform& t, ImageSize size, uint64_t seed) {
  switch (t.crop) {
    case Crop::random_resized: return random_resized(t, size, stream(seed, kPart));
    case Crop::centre: return centre(t, size);
    default: return rectangle(0, 0, size.width, size.height);
  }
}

int sufficient_side(const Transform& t, ImageSize size, const Region& part) {
  if (!t.reduce_on_decode) return 0;
  const double keep = std::max(t.width / (part.right - part.left), t.height / (part.bottom - part.top));
  if (!(keep < 1)) return 0;
  return static_cast<int>(std::ceil(keep * std::min(size.width, size.height)));
}

void apply(const Transform& t, const Image& image, ImageSize full, const Region& part, uint64_t seed, Image& scratch, float* out) {
  const double sx = static_cast<double>(image.width) / full.width, sy = static_cast<double>(image.height) / full.height;
  const Region region{part.left * sx, part.top * sy, part.right * sx, part.bottom * sy};
  if (t.crop == Crop::random_resized) {
    // A crop and then a resize: nothing outside the part has an influence.
    const int left = static_cast<int>(std::floor(region.left)), top = static_cast<int>(std::floor(region.top));
    const int right = std::min(image.width, static_cast<int>(std::ceil(region.right))), bottom = std::min(image.height, static_cast<int>(std::ceil(region.bottom)));
    resize(crop(image, left, top, right - left, bottom - top), {region.left - left, region.top - top, region.right - left, region.bottom - top}, t.width, t.height, t.filter, scratch);
  } else {
    resize(image, region, t.width, t.height, t.filter, scratch);
  }
  if (t.crop == Crop::padded && t.padding > 0) {
    Rng rng = stream(seed, kPart);
    const auto span = static_cast<uint64_t>(2 * t.padding) + 1;
    const int dy = static_cast<int>(rng.below(span)) - t.padding, dx = static_cast<int>(rng.below(span)) - t.padding;
    shift_padded(scratch, dx, dy);
  }
  if (t.flip > 0 && stream(seed, kFlip).uniform() < t.flip) flip(scratch);
  if (t.brightness > 0 || t.contrast > 0 || t.saturation > 0 || t.hue > 0) colour_jitter(t, scratch, stream(seed, kColour));
  if (t.rand_augment.operations > 0) {
    Rng rng = stream(seed, kRandAugment);
    rand_augment(scratch, t.rand_augment, rng);
  }
  to_floats(scratch, t.normalise, t.layout, out);
  if (t.erase > 0) erase(t, stream(seed, kErase), out);
}

Status load_transformed(const Transform& t, std::span<const std::byte> bytes, const std::string& source, uint64_t seed, float* out) {
  thread_local Image image, scratch;
  // The part is chosen first, so that the decoder can reduce; without that the decoder's own look at the header is enough.
  if (!t.reduce_on_decode) {
    HONE_TRY(decode_image(bytes, source, {}, image));
    const ImageSize size{image.width, image.height};
    apply(t, image, size, choose_part(t, size, seed), seed, scratch, out);
    return {};
  }
  HONE_TRY_ASSIGN(const ImageSize size, image_size(bytes, source));
  if (size.width < 1 || size.height < 1) return fail(Code::invalid, fmt::format("has a size of {} x {}", size.width, size.height), source);
  const Region part = choose_part(t, size, seed);
  DecodeOptions options;
  options.min_side = sufficient_side(t, size, part);
  HONE_TRY(decode_image(bytes, source, options, image));
  apply(t, image, size, part, seed, scratch, out);
  return {};
}

}  // namespace hone
