// The stored corpus of the fuzz targets (seeds and past findings), once more in every build, the sanitized one included.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "../../fuzz/targets.h"

namespace hone {
namespace {

// Runs `target` over fuzz/corpus/<name>; a broken promise aborts, which no death test is needed to notice.
void replay(const std::string& name, void (*target)(std::string_view)) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/fuzz/corpus/" + name)) files.push_back(entry.path());
  std::ranges::sort(files);
  ASSERT_GE(files.size(), 3u) << "the corpus of " << name << " is missing";
  for (const auto& path : files) {
    SCOPED_TRACE(path.filename().string());
    std::ifstream in(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    target(bytes);
    // And cut at a few places.
    for (size_t i = 1; i < 8; ++i) target(std::string_view(bytes).substr(0, bytes.size() * i / 8));
  }
}

TEST(Replay, OnnxRead) { replay("onnx_read", fuzz::onnx_read); }
TEST(Replay, OnnxGraph) { replay("onnx_graph", fuzz::onnx_graph); }
TEST(Replay, IrText) { replay("ir_text", fuzz::ir_text); }
TEST(Replay, SafeTensors) { replay("safetensors", fuzz::safetensors); }
TEST(Replay, Pth) { replay("pth", fuzz::pth); }
TEST(Replay, Tokenizer) { replay("tokenizer", fuzz::tokenizer); }
TEST(Replay, Strokes) { replay("strokes", fuzz::strokes); }
#if HONE_IMAGE
TEST(Replay, Image) { replay("image", fuzz::image); }
#endif
TEST(Replay, Zip) { replay("zip", fuzz::zip); }
TEST(Replay, ArchToml) { replay("arch_toml", fuzz::arch_toml); }

}  // namespace
}  // namespace hone
