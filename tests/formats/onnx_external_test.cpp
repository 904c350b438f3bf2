// Contents of tensors in files beside the model: read where they are there, absent where not, and nothing outside the
// model's folder is ever opened.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "formats/onnx_bytes.h"
#include "formats/onnx_read.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using namespace test;

class OnnxExternal : public testing::Test {
 protected:
  OnnxExternal() { fs::create_directories(folder_ / "model"); }
  ~OnnxExternal() override { fs::remove_all(folder_); }

  static void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

  // x + w, with w's four numbers in another file.
  Result<Graph> read(const std::vector<std::pair<std::string, std::string>>& place) {
    Message w = tensor("w", 1, {4});
    for (const auto& [key, value] : place) w.put(13, entry(key, value));
    w.put(14, int64_t{1});
    Model m;
    m.inputs = {value_info("x", {4})};
    m.outputs = {value_info("y", {4})};
    m.initializers = {w};
    m.nodes = {node("Add", {"x", "w"}, {"y"})};
    const fs::path path = folder_ / "model" / "net.onnx";
    write(path, m.bytes());
    return read_onnx(path.string());
  }
  void refused(const std::vector<std::pair<std::string, std::string>>& place, const std::string& part) {
    const auto g = read(place);
    ASSERT_FALSE(g) << part;
    EXPECT_EQ(g.error().code, Code::invalid) << g.error().text();
    EXPECT_NE(g.error().text().find(part), std::string::npos) << g.error().text();
  }

  fs::path folder_ = fs::temp_directory_path() / ("hone_external_" + std::to_string(::getpid()));
  const std::string bytes_ = raw(std::vector<float>{9, 1, 2, 3, 4});
};

TEST_F(OnnxExternal, ContentsAreMapped) {
  fs::create_directories(folder_ / "model" / "parts");
  write(folder_ / "model" / "parts" / "w.bin", bytes_);
  const auto g = read({{"location", "parts/w.bin"}, {"offset", "4"}, {"length", "16"}});
  ASSERT_TRUE(g) << g.error().text();
  const Value& w = g->value(g->find("w"));
  EXPECT_EQ(w.kind, ValueKind::parameter);
  EXPECT_EQ(to_doubles(*w.data), (std::vector<double>{1, 2, 3, 4}));
}

TEST_F(OnnxExternal, OffsetAndLengthMayBeLeftOut) {
  write(folder_ / "model" / "w.bin", bytes_);
  const auto g = read({{"location", "w.bin"}});
  ASSERT_TRUE(g) << g.error().text();
  EXPECT_EQ(to_doubles(*g->value(g->find("w")).data), (std::vector<double>{9, 1, 2, 3}));
}

TEST_F(OnnxExternal, AbsentFilesLeaveSizesWithoutBytes) {
  const auto g = read({{"location", "w.bin"}, {"offset", "0"}, {"length", "16"}});
  ASSERT_TRUE(g) << g.error().text();
  const Value& w = g->value(g->find("w"));
  EXPECT_EQ(w.kind, ValueKind::parameter);
  EXPECT_EQ(w.type, TensorType(DType::f32, {4}));
  ASSERT_TRUE(w.data);
  EXPECT_FALSE(w.data->has_data());
  EXPECT_EQ(w.data->bytes.size, 16u);
}

TEST_F(OnnxExternal, PlacesMustLieWithinTheFile) {
  write(folder_ / "model" / "w.bin", bytes_);
  refused({{"location", "w.bin"}, {"offset", "5"}}, "lie outside");
  refused({{"location", "w.bin"}, {"offset", "9223372036854775807"}}, "lie outside");
  refused({{"location", "w.bin"}, {"offset", "-4"}}, "not a number");
  refused({{"location", "w.bin"}, {"offset", "4k"}}, "not a number");
  refused({{"location", "w.bin"}, {"length", "12"}}, "its shape needs 16");
  refused({{"offset", "0"}}, "empty");
}

TEST_F(OnnxExternal, NothingOutsideTheFolderIsOpened) {
  write(folder_ / "secret.bin", bytes_);
  fs::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  fs::create_directory_symlink(folder_, folder_ / "model" / "up");
  fs::create_hard_link(folder_ / "secret.bin", folder_ / "model" / "hard.bin");
  refused({{"location", "../secret.bin"}}, "leads out of the folder");
  refused({{"location", "a/../../secret.bin"}}, "leads out of the folder");
  refused({{"location", (folder_ / "secret.bin").string()}}, "absolute");
  refused({{"location", "link.bin"}}, "symbolic link");
  refused({{"location", "up/secret.bin"}}, "symbolic link");
  refused({{"location", "hard.bin"}}, "hard link");
}

}  // namespace
}  // namespace hone
