// Pictures for ViLT and METER against Hugging Face's processor and torchvision: tests/data/outputs/make_transforms.py says what
// the pictures are, and wrote the values.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/vision_input.h"

namespace hone {
namespace {

Image picture(int width, int height) {
  Image out{width, height, {}};
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      for (int64_t c = 0; c < 3; ++c) out.pixels.push_back(static_cast<uint8_t>((37 * x / 8 + 11 * y / 4 + x * y / 97 + 60 * ((x / 9 + y / 13) % 2) * (c + 1) + 53 * c) % 256));
  return out;
}

TEST(VisionTransforms, EqualHuggingFaceAndTorchvision) {
  std::ifstream in(HONE_SOURCE_DIR "/tests/data/outputs/transforms.json");
  const nlohmann::json rows = nlohmann::json::parse(in);
  ASSERT_EQ(rows.size(), 46u);
  for (const auto& row : rows) {
    SCOPED_TRACE(row["kind"].dump() + row["picture"].dump() + row["size"].dump());
    const std::string kind = row["kind"];
    const int size = row["size"];
    const VisionTransform transform = kind == "meter" ? meter_transform(size) : vilt_transform(size);
    const Image fitted = fit(transform, picture(row["picture"][0], row["picture"][1]));
    const int64_t h = row["shape"][1], w = row["shape"][2];
    if (kind == "vilt padded") {
      EXPECT_EQ(row["valid"], (nlohmann::json{fitted.height, fitted.width}));
    } else {
      ASSERT_EQ(fitted.height, h);
      ASSERT_EQ(fitted.width, w);
    }
    std::vector<float> out(static_cast<size_t>(3 * h * w), 7.f);
    place(transform, fitted, static_cast<int>(w), static_cast<int>(h), out.data());
    const auto at = [&](int64_t c, int64_t y, int64_t x) { return out[static_cast<size_t>((c * h + y) * w + x)]; };
    // The bytes are Pillow's, so that only the rounding of (v / 255 - mean) / std may differ.
    size_t k = 0;
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < 3; ++i)
        for (int64_t j = 0; j < 4; ++j) {
          double sum = 0;
          for (int64_t y = i * h / 3; y < (i + 1) * h / 3; ++y)
            for (int64_t x = j * w / 4; x < (j + 1) * w / 4; ++x) sum += at(c, y, x);
          const auto count = static_cast<double>(((i + 1) * h / 3 - i * h / 3) * ((j + 1) * w / 4 - j * w / 4));
          EXPECT_NEAR(sum / count, row["means"][k++].get<double>(), 1e-6) << c << " " << i << " " << j;
        }
    k = 0;
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t i = 0; i < 8; ++i) EXPECT_NEAR(at(c, i * (h - 1) / 7, i * (w - 1) / 7), row["pixels"][k++].get<double>(), 1e-6) << c << " " << i;
  }
}

}  // namespace
}  // namespace hone
