#include "methods/distil/photos.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <numbers>
#include <thread>

#include "data/resize.h"

namespace hone::methods {

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
  float scale[3], shift[3];
  for (int c = 0; c < 3; ++c) scale[c] = static_cast<float>(1 / (255 * style.deviation[c])), shift[c] = static_cast<float>(-style.mean[c] / style.deviation[c]);
  const uint8_t* pixels = image.pixels.data();
  const int64_t n = side_;
  if (view.crop >= 1) {
    for (int64_t y = 0; y < n; ++y)
      for (int64_t x = 0; x < n; ++x, out += 3) {
        const uint8_t* p = pixels + 3 * (y * n + (view.mirror ? n - 1 - x : x));
        for (int c = 0; c < 3; ++c) out[c] = p[c] * scale[c] + shift[c];
      }
    return;
  }
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
        out[c] = (upper * (1 - fy) + lower * fy) * scale[c] + shift[c];
      }
    }
  }
}

Result<Embeddings> embed_photos(const Encoder& encoder, const train::Params& params, const PhotoCache& photos, std::span<const uint32_t> which, bool mirror) {
  const torch::autograd::AutoGradMode no_grad(false);
  constexpr size_t kBatch = 32;
  const int64_t side = photos.side();
  std::vector<at::Tensor> rows;
  for (size_t begin = 0; begin < which.size(); begin += kBatch) {
    const int64_t n = static_cast<int64_t>(std::min(kBatch, which.size() - begin));
    at::Tensor batch = at::empty({n, side, side, 3});
    float* p = batch.data_ptr<float>();
    at::parallel_for(0, n, 1, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) photos.fill(which[begin + static_cast<size_t>(i)], {mirror}, encoder.options().style, p + i * side * side * 3);
    });
    HONE_TRY_ASSIGN(at::Tensor out, encoder.embed(batch.permute({0, 3, 1, 2}).to(params.entries()[0].tensor.device()), side, params, {}));
    rows.push_back(out);
  }
  return rows.empty() ? Embeddings{0, encoder.dim(), {}} : to_embeddings(at::cat(rows));
}

Sketch changed(const Sketch& sketch, const SketchChanges& how, Rng& rng) {
  const auto either_way = [&](double most) { return most * (2 * rng.uniform() - 1); };
  // The same draws whatever is switched on: a run with one change more differs in that change alone.
  const double angle = either_way(how.rotate) * std::numbers::pi / 180, sx = 1 + either_way(how.scale), sy = 1 + either_way(how.scale);
  const double dx = either_way(how.shift) * sketch.frame, dy = either_way(how.shift) * sketch.frame, centre = sketch.frame / 2;
  const double c = std::cos(angle), s = std::sin(angle);
  size_t longest = 0;
  for (size_t i = 0; i < sketch.strokes.size(); ++i)
    if (sketch.strokes[i].size() > sketch.strokes[longest].size()) longest = i;
  Sketch out{sketch.id, sketch.label, {}, sketch.frame};
  for (size_t i = 0; i < sketch.strokes.size(); ++i) {
    if (rng.uniform() < how.drop && i != longest) continue;
    Stroke& stroke = out.strokes.emplace_back(sketch.strokes[i]);
    if (how.rotate == 0 && how.scale == 0 && how.shift == 0) continue;
    for (Point& p : stroke) {
      const double x = (p.x - centre) * sx, y = (p.y - centre) * sy;
      p = {std::clamp(c * x - s * y + centre + dx, 0.0, sketch.frame), std::clamp(s * x + c * y + centre + dy, 0.0, sketch.frame)};
    }
  }
  return out;
}

}  // namespace hone::methods
