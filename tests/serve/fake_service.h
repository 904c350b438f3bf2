// A gallery that tests can know everything about: ten numbered grey photos, ranked by how far their number lies from the
// sketch's count of points.
#pragma once

#include <atomic>
#include <cmath>
#include <functional>

#include "serve/service.h"

namespace hone::test {

class FakeService final : public QueryService {
 public:
  // `before` is called before every answer.
  explicit FakeService(std::function<void()> before = {}) : before_(std::move(before)) {
    facts_ = {"runs/fake", "tiny", "none", "exact", "tiny at 64", "f00d", {32, 64}, {1000, 4000}, true, 10, 4};
  }
  const GalleryFacts& facts() const override { return facts_; }
  Result<Answer> ask(const Sketch& sketch, const Ask& ask) override {
    if (before_) before_();
    if (ask.canvas != 0 && ask.canvas != 32 && ask.canvas != 64) return fail(Code::usage, "the run has no such canvas");
    Answer a;
    a.canvas = ask.canvas ? ask.canvas : 32;
    a.points = static_cast<int64_t>(sketch.points());
    a.chances = {0.75, 0.25};
    a.steps = {{"selector", 10, 0.25}, {"picture", 0, 0.5}, {"network", a.canvas == 32 ? 1000 : 4000, 1}, {"search", 40, 0.25}};
    const int64_t nearest = static_cast<int64_t>(sketch.points()) % 10;
    for (int64_t i = 0; i < std::min<int64_t>(ask.top, 10); ++i) a.found.push_back({(nearest + i) % 10, "", 0.1 * static_cast<double>(i)});
    return a;
  }
  Result<Answer> ask_full(const Sketch& sketch, int64_t top) override { return ask(sketch, {top, 64, SearchMode::exact}); }
  PhotoFacts photo_facts(int64_t photo) const override { return {"photo-" + std::to_string(photo), photo % 2 ? "odd" : "even"}; }
  Result<Image> photo(int64_t photo) const override {
    ++photos_read;
    if (photo == 9) return fail(Code::invalid, "the photo is damaged");
    Image image{40, 30, std::vector<uint8_t>(40 * 30 * 3, static_cast<uint8_t>(photo * 20))};
    return image;
  }
  std::vector<Sketch> examples() const override {
    Sketch s;
    s.label = "cross";
    s.strokes = {{{50, 50}, {200, 200}}, {{200, 50}, {50, 200}}};
    return {s};
  }
  static inline std::atomic<int> photos_read{0};

 private:
  GalleryFacts facts_;
  std::function<void()> before_;
};

inline std::vector<std::unique_ptr<QueryService>> fake_workers(int count = 2, const std::function<void()>& before = {}) {
  std::vector<std::unique_ptr<QueryService>> out;
  for (int i = 0; i < count; ++i) out.push_back(std::make_unique<FakeService>(before));
  return out;
}

}  // namespace hone::test
