#include "data/photo_cache.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "data/resize.h"

namespace hone {

Result<PhotoCache> PhotoCache::load(const SketchPhotoSet& set, std::span<const uint32_t> photos, int64_t side, int threads) {
  PhotoCache cache;
  cache.side_ = side;
  for (uint32_t p : photos) cache.images_[p];
  std::vector<std::pair<uint32_t, Image*>> work;
  for (auto& [p, image] : cache.images_) work.emplace_back(p, &image);
  std::atomic<size_t> next{0};
  std::mutex guard;
  std::optional<std::pair<size_t, Error>> error;  // of the first photo in order, whichever thread met it
  const auto worker = [&] {
    for (size_t i; (i = next++) < work.size();) {
      auto loaded = set.photos[work[i].first].load();
      if (loaded) {
        *work[i].second = loaded->width == side && loaded->height == side ? *std::move(loaded) : resize(*loaded, static_cast<int>(side), static_cast<int>(side));
        continue;
      }
      const std::lock_guard<std::mutex> lock(guard);
      if (!error || i < error->first) error = {i, loaded.error()};
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(worker);
  worker();
  for (std::thread& t : pool) t.join();
  if (error) return fail(std::move(error->second));
  return cache;
}

void PhotoCache::fill(uint32_t photo, const View& view, const InputStyle& style, float* out) const {
  const Image& image = images_.at(photo);
  if (view.crop >= 1) return photo_input(image, view.mirror, style, out);
  const ChannelMap map(style);
  const uint8_t* pixels = image.pixels.data();
  const int64_t n = side_;
  // Bilinear between pixel centres; crops are near 1, so no low-pass filter is needed.
  const double left = view.x * (1 - view.crop) * n, top = view.y * (1 - view.crop) * n;
  for (int64_t y = 0; y < n; ++y) {
    const double sy = std::clamp((y + 0.5) * view.crop + top - 0.5, 0.0, n - 1.0);
    const int64_t y0 = static_cast<int64_t>(sy), y1 = std::min(y0 + 1, n - 1);
    const float fy = static_cast<float>(sy - y0);
    for (int64_t k = 0; k < n; ++k, out += 3) {
      const int64_t x = view.mirror ? n - 1 - k : k;
      const double sx = std::clamp((x + 0.5) * view.crop + left - 0.5, 0.0, n - 1.0);
      const int64_t x0 = static_cast<int64_t>(sx), x1 = std::min(x0 + 1, n - 1);
      const float fx = static_cast<float>(sx - x0);
      for (int c = 0; c < 3; ++c) {
        const float upper = pixels[3 * (y0 * n + x0) + c] * (1 - fx) + pixels[3 * (y0 * n + x1) + c] * fx;
        const float lower = pixels[3 * (y1 * n + x0) + c] * (1 - fx) + pixels[3 * (y1 * n + x1) + c] * fx;
        out[c] = (upper * (1 - fy) + lower * fy) * map.scale[c] + map.shift[c];
      }
    }
  }
}

}  // namespace hone
