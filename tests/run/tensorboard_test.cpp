// The files are read back by a reader of their own, written from the formats' descriptions and sharing nothing with the writer.
#include "run/tensorboard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <optional>

#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

struct Record {
  double wall_time = 0;
  int64_t step = 0;
  std::string version;
  std::vector<std::pair<std::string, float>> values;
};

struct Reader {
  const std::string& bytes;
  size_t at = 0, end = 0;
  bool ok = true;
  uint64_t little(int n) {
    uint64_t v = 0;
    for (int i = 0; i < n; ++i) v |= uint64_t{static_cast<unsigned char>(take(1)[0])} << (8 * i);
    return v;
  }
  std::string take(uint64_t n) {
    if (n > end - at) {
      ok = false;
      at = end;
      return std::string(n < 64 ? n : 0, '\0') + '\0';
    }
    at += n;
    return bytes.substr(at - n, n);
  }
  uint64_t varint() {
    uint64_t v = 0;
    for (int shift = 0; shift < 64 && ok; shift += 7) {
      const uint64_t b = little(1);
      v |= (b & 127) << shift;
      if (b < 128) return v;
    }
    return v;
  }
};

// Bit by bit, most significant bit of the reflected message first: no table.
uint32_t slow_crc(const std::string& bytes) {
  uint32_t crc = 0xffffffff;
  for (unsigned char byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const bool one = ((crc ^ (byte >> bit)) & 1) != 0;
      crc = (crc >> 1) ^ (one ? 0x82f63b78u : 0);
    }
  return crc ^ 0xffffffff;
}
uint32_t unmask(uint32_t masked) {
  const uint32_t rotated = masked - 0xa282ead8u;
  return (rotated >> 17) | (rotated << 15);
}

std::vector<Record> read(const std::string& file) {
  std::vector<Record> out;
  Reader r{file, 0, file.size()};
  while (r.at < r.end && r.ok) {
    const std::string header = r.take(8);
    Reader h{header, 0, 8};
    const uint64_t length = h.little(8);
    EXPECT_EQ(unmask(static_cast<uint32_t>(r.little(4))), slow_crc(header));
    const std::string body = r.take(length);
    EXPECT_EQ(unmask(static_cast<uint32_t>(r.little(4))), slow_crc(body));
    Record record;
    Reader b{body, 0, body.size()};
    while (b.at < b.end && b.ok) {
      const uint64_t key = b.varint();
      if (key == (1 << 3 | 1)) {
        const uint64_t bits = b.little(8);
        std::memcpy(&record.wall_time, &bits, 8);
      } else if (key == (2 << 3 | 0)) {
        record.step = static_cast<int64_t>(b.varint());
      } else if (key == (3 << 3 | 2)) {
        record.version = b.take(b.varint());
      } else if (key == (5 << 3 | 2)) {
        const std::string summary = b.take(b.varint());
        Reader s{summary, 0, summary.size()};
        while (s.at < s.end && s.ok) {
          EXPECT_EQ(s.varint(), uint64_t{1 << 3 | 2});
          const std::string value = s.take(s.varint());
          Reader v{value, 0, value.size()};
          EXPECT_EQ(v.varint(), uint64_t{1 << 3 | 2});
          const std::string tag = v.take(v.varint());
          EXPECT_EQ(v.varint(), uint64_t{2 << 3 | 5});
          const auto bits = static_cast<uint32_t>(v.little(4));
          float f;
          std::memcpy(&f, &bits, 4);
          record.values.emplace_back(tag, f);
          EXPECT_TRUE(v.ok && v.at == v.end);
        }
      } else {
        ADD_FAILURE() << "field key " << key;
        b.ok = false;
      }
    }
    EXPECT_TRUE(b.ok && r.ok);
    out.push_back(record);
  }
  return out;
}

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(TensorBoard, ScalarsComeBack) {
  std::string folder = (fs::temp_directory_path() / "hone-board-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  {
    auto board = TensorBoard::create(folder + "/board");
    ASSERT_TRUE(board) << board.error().text();
    ASSERT_TRUE(board->append({1, "train", {{"loss", 0.5}, {"images", int64_t{64}}, {"note", "text"}}}));
    ASSERT_TRUE(board->append({2, "note", {{"text", "nothing to see"}}}));
    ASSERT_TRUE(board->scalars(1234567890123, 1.5e9, {{"a tag of more than one hundred and twenty-seven characters, so that its length takes two bytes ............................................", std::nan("")}}));
    auto second = TensorBoard::create(folder + "/board");  // in the same second
    ASSERT_TRUE(second);
  }
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(folder + "/board")) files.push_back(entry.path().string());
  ASSERT_EQ(files.size(), 2u);
  std::sort(files.begin(), files.end());
  EXPECT_EQ(fs::path(files[0]).filename().string().find("events.out.tfevents."), 0u);
  const auto records = read(*test::read_file(files[0]));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].version, "brain.Event:2");
  EXPECT_GT(records[0].wall_time, 1.6e9);
  EXPECT_EQ(records[1].step, 1);
  ASSERT_EQ(records[1].values.size(), 2u);
  EXPECT_EQ(records[1].values[0], (std::pair<std::string, float>("train/loss", 0.5f)));
  EXPECT_EQ(records[1].values[1], (std::pair<std::string, float>("train/images", 64.f)));
  EXPECT_EQ(records[2].step, 1234567890123);
  EXPECT_EQ(records[2].wall_time, 1.5e9);
  EXPECT_TRUE(std::isnan(records[2].values.at(0).second));
  EXPECT_GT(records[2].values[0].first.size(), 127u);
  EXPECT_EQ(read(*test::read_file(files[1])).size(), 1u);
  fs::remove_all(folder);
}

TEST(TensorBoard, AFolderThatCannotBeMadeIsAnError) { EXPECT_EQ(TensorBoard::create("/dev/null/board").error().code, Code::io); }

}  // namespace
}  // namespace hone
