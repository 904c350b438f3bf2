// The stored corpus of fuzz/fuzz_device_table.cpp, once more in every build.
#include <gtest/gtest.h>

#include <filesystem>

#include "../../fuzz/measure_targets.h"
#include "support.h"

namespace hone {
namespace {

TEST(Replay, DeviceTable) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/fuzz/corpus/device_table")) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string bytes = *test::read_file(entry.path().string());
    fuzz::device_table(bytes);
    for (size_t i = 1; i < 16; ++i) fuzz::device_table(std::string_view(bytes).substr(0, bytes.size() * i / 16));
    ++files;
  }
  EXPECT_GE(files, 3);
}

}  // namespace
}  // namespace hone
