// The stored corpus of fuzz/fuzz_embedding_store.cpp, once more in every build.
#include <gtest/gtest.h>

#include <filesystem>

#include "../../fuzz/retrieval_targets.h"
#include "support.h"

namespace hone {
namespace {

TEST(Replay, EmbeddingStore) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/fuzz/corpus/embedding_store")) {
    SCOPED_TRACE(entry.path().filename().string());
    const std::string bytes = *test::read_file(entry.path().string());
    fuzz::embedding_store(bytes);
    for (size_t i = 1; i < 8; ++i) fuzz::embedding_store(std::string_view(bytes).substr(0, bytes.size() * i / 8));
    // Numbers of headers, changed one at a time.
    for (size_t at = 0; at < std::min<size_t>(bytes.size(), 128); ++at) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ 0x81);
      fuzz::embedding_store(changed);
    }
    ++files;
  }
  EXPECT_GE(files, 4);
}

}  // namespace
}  // namespace hone
