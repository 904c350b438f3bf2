// The stored corpora of fuzz/fuzz_space_toml.cpp and fuzz/fuzz_search_archive.cpp, once more in every build.
#include <gtest/gtest.h>

#include <filesystem>

#include "../../fuzz/search_targets.h"
#include "support.h"

namespace hone {
namespace {

void replay(const std::string& corpus, void (*target)(std::string_view)) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/fuzz/corpus/" + corpus)) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string bytes = *test::read_file(entry.path().string());
    target(bytes);
    for (size_t i = 1; i < 16; ++i) target(std::string_view(bytes).substr(0, bytes.size() * i / 16));
    ++files;
  }
  EXPECT_GE(files, 2);
}

TEST(Replay, SpaceToml) { replay("space_toml", fuzz::space_toml); }
TEST(Replay, SearchArchive) { replay("search_archive", fuzz::search_archive); }

}  // namespace
}  // namespace hone
