// The frozen picture that resizing and augmentation are tested on: scene.png as raw pixels, so that builds without libpng test too.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "data/image_ops.h"
#include "support.h"

namespace hone::test {

inline std::string frozen_image(const std::string& name) {
  const auto text = read_file(HONE_SOURCE_DIR "/tests/data/images/" + name);
  EXPECT_TRUE(text) << name;
  return text.value_or("");
}

inline Image scene() {
  const std::string raw = frozen_image("original.rgb");
  return {61, 43, {raw.begin(), raw.end()}};
}

}  // namespace hone::test
