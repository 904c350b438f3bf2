// The stored corpus of fuzz_request, seeds and past findings, once more in every build.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "../../fuzz/request_target.h"

namespace hone {
namespace {

TEST(Replay, Request) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/fuzz/corpus/request")) {
    SCOPED_TRACE(entry.path().filename().string());
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    fuzz::request(bytes);
    for (size_t i = 1; i < 8; ++i) fuzz::request(std::string_view(bytes).substr(0, bytes.size() * i / 8));
  }
  EXPECT_GE(files, 10);
}

}  // namespace
}  // namespace hone
