#include "retrieval/store.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/rng.h"
#include "core/xxhash.h"
#include "retrieval/store_layout.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

struct Store : ::testing::Test {
  std::string folder, path;
  StoreFacts facts{4, "runs/a", "abc", "sketch/mobilenetv2", "photos", 64};
  void SetUp() override {
    folder = ::testing::TempDir() + "store_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    path = folder + "v.hone";
  }
  void TearDown() override { fs::remove_all(folder); }

  static std::vector<float> vectors(int64_t count, int64_t dim, uint64_t seed = 1) {
    Rng rng(seed);
    std::vector<float> out(static_cast<size_t>(count * dim));
    for (float& v : out) v = static_cast<float>(2 * rng.uniform() - 1);
    return out;
  }
  // Three blocks of 5, 1 and 7 rows.
  void fill() {
    auto w = StoreWriter::open(path, facts);
    ASSERT_TRUE(w) << w.error().text();
    for (int64_t n : {5, 1, 7}) {
      std::vector<std::string> ids;
      for (int64_t i = 0; i < n; ++i) ids.push_back("photo " + std::to_string(w->count() + i));
      const auto done = w->append(ids, vectors(n, 4, static_cast<uint64_t>(n)));
      ASSERT_TRUE(done) << done.error().text();
    }
  }
  std::string bytes() const { return *test::read_file(path); }
  void overwrite(const std::string& contents) const { std::ofstream(path, std::ios::binary) << contents; }
};

TEST_F(Store, GivesBackWhatWasAppended) {
  fill();
  const auto s = EmbeddingStore::open(path);
  ASSERT_TRUE(s) << s.error().text();
  EXPECT_EQ((*s)->facts(), facts);
  EXPECT_EQ((*s)->count(), 13);
  ASSERT_EQ((*s)->blocks().size(), 3u);
  const std::vector<float> first = vectors(5, 4, 5), last = vectors(7, 4, 7);
  for (int64_t i = 0; i < 5; ++i)
    for (int64_t d = 0; d < 4; ++d) EXPECT_EQ((*s)->row(i)[static_cast<size_t>(d)], first[static_cast<size_t>(i * 4 + d)]);
  for (int64_t i = 0; i < 7; ++i)
    for (int64_t d = 0; d < 4; ++d) EXPECT_EQ((*s)->row(6 + i)[static_cast<size_t>(d)], last[static_cast<size_t>(i * 4 + d)]);
  EXPECT_EQ((*s)->id(12), "photo 12");
  EXPECT_EQ((*s)->find("photo 6"), 6);
  EXPECT_EQ((*s)->find("photo"), -1);
  EXPECT_EQ((*s)->copy().values.size(), 52u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*s)->blocks()[1].values.data()) % 64, 0u);
}

TEST_F(Store, GoesOnWhereItStopped) {
  fill();
  {
    auto w = StoreWriter::open(path, facts);
    ASSERT_TRUE(w);
    EXPECT_EQ(w->count(), 13);
    EXPECT_TRUE(w->holds("photo 12"));
    EXPECT_FALSE(w->holds("photo 13"));
    ASSERT_TRUE(w->append(std::vector<std::string>{"photo 13"}, vectors(1, 4)));
  }
  EXPECT_EQ((*EmbeddingStore::open(path))->count(), 14);
}

TEST_F(Store, AnEmptyOneIsAStore) {
  ASSERT_TRUE(StoreWriter::open(path, facts));
  const auto s = EmbeddingStore::open(path);
  ASSERT_TRUE(s) << s.error().text();
  EXPECT_EQ((*s)->count(), 0);
  EXPECT_EQ((*s)->find(""), -1);
}

TEST_F(Store, IdsAreAnyBytes) {
  const std::vector<std::string> ids = {std::string("a\0b", 3), "line\nbreak", "\"quoted\\\"", "\xff\xfe no UTF-8", "ärger/größe.png", std::string(65536, 'x'), " ", "../up"};
  {
    auto w = StoreWriter::open(path, facts);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->append(ids, vectors(static_cast<int64_t>(ids.size()), 4)));
  }
  const auto s = EmbeddingStore::open(path);
  ASSERT_TRUE(s) << s.error().text();
  for (size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ((*s)->id(static_cast<int64_t>(i)), ids[i]);
    EXPECT_EQ((*s)->find(ids[i]), static_cast<int64_t>(i));
  }
}

TEST_F(Store, RefusesWhatDoesNotFit) {
  fill();
  const std::string before = bytes();
  {
    auto w = StoreWriter::open(path, facts);
    ASSERT_TRUE(w);
    const auto refused = [&](std::vector<std::string> ids, std::vector<float> values, const char* why) {
      const auto r = w->append(ids, values);
      ASSERT_FALSE(r) << why;
      EXPECT_NE(r.error().text().find(why), std::string::npos) << r.error().text();
    };
    refused({"new"}, vectors(1, 3), "3 values for 1 ids");
    refused({"new"}, vectors(2, 4), "8 values for 1 ids");
    refused({"photo 3"}, vectors(1, 4), "'photo 3' already");
    refused({"twice", "twice"}, vectors(2, 4), "'twice' already");
    refused({""}, vectors(1, 4), "0 bytes");
    refused({std::string(65537, 'x')}, vectors(1, 4), "65537 bytes");
    refused({"new"}, {1, 2, NAN, 4}, "'new' is not finite");
    refused({"a", "b"}, {1, 2, 3, 4, 5, INFINITY, 7, 8}, "'b' is not finite");
    const auto second = StoreWriter::open(path, facts);
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().text().find("another process"), std::string::npos);
  }
  EXPECT_EQ(bytes(), before);
  for (const auto& [change, why] : std::vector<std::pair<std::function<void(StoreFacts&)>, const char*>>{{[](StoreFacts& f) { f.dim = 8; }, "4 dimensions, these have 8"},
                                                                                                        {[](StoreFacts& f) { f.checkpoint = "def"; }, "another checkpoint"},
                                                                                                        {[](StoreFacts& f) { f.side = 32; }, "at 64 pixels"}}) {
    StoreFacts other = facts;
    change(other);
    const auto r = StoreWriter::open(path, other);
    ASSERT_FALSE(r) << why;
    EXPECT_NE(r.error().text().find(why), std::string::npos) << r.error().text();
  }
  StoreFacts elsewhere = facts;  // the same vectors by another name
  elsewhere.run = "/somewhere/runs/a";
  EXPECT_TRUE(StoreWriter::open(path, elsewhere));
  EXPECT_EQ(EmbeddingStore::open(folder + "nothing").error().code, Code::not_found);
  facts.run = std::string(5000, 'r');
  EXPECT_FALSE(StoreWriter::open(folder + "long", facts));
}

// A writer that dies leaves some first part of its block.
TEST_F(Store, ACutTailIsNamedAndRepairedOnlyWhenTold) {
  fill();
  const std::string whole = bytes();
  const auto s = EmbeddingStore::open(path);
  const size_t last = whole.size() - 64 - static_cast<size_t>(store_layout::body_bytes(7, 4, 7 * 7 + 3).value());  // "photo 6" to "photo 12"
  for (size_t size = last + 1; size < whole.size(); ++size) {
    overwrite(whole.substr(0, size));
    const auto cut = EmbeddingStore::open(path);
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code, Code::invalid);
    EXPECT_NE(cut.error().text().find("block 2 at byte " + std::to_string(last)), std::string::npos) << cut.error().text();
    EXPECT_NE(cut.error().text().find("6 vectors before it are whole and nothing whole lies behind it"), std::string::npos) << cut.error().text();
    EXPECT_EQ(bytes().size(), size);  // only named
  }
  EXPECT_FALSE(StoreWriter::open(path, facts));
  const auto repaired = repair_store(path);
  ASSERT_TRUE(repaired) << repaired.error().text();
  EXPECT_EQ(repaired->rows, 6);
  EXPECT_TRUE(repaired->tail);
  EXPECT_EQ(bytes(), whole.substr(0, last));
  EXPECT_EQ((*EmbeddingStore::open(path))->count(), 6);
  const auto again = repair_store(path);
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->what.empty());
}

TEST_F(Store, EveryFlippedBitIsFound) {
  fill();
  const std::string whole = bytes();
  for (size_t at = 0; at < whole.size(); at = at < 4096 ? at + 13 : at + 1) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << at % 8));
    const auto r = EmbeddingStore::parse(Bytes::copy(damaged.data(), damaged.size()), "damaged");
    ASSERT_FALSE(r) << "byte " << at;
    EXPECT_FALSE(r.error().message.empty());
  }
  // Damage in the middle says that more lies behind it.
  std::string damaged = whole;
  damaged[4096 + 70] ^= 1;
  overwrite(damaged);
  const auto d = examine_store(path);
  ASSERT_TRUE(d) << d.error().text();
  EXPECT_EQ(d->rows, 0);
  EXPECT_FALSE(d->tail);
  EXPECT_NE(d->what.find("checksum"), std::string::npos);
}

TEST_F(Store, SizesOfAFileAreNotBelieved) {
  // Headers whose checksums are right, and whose numbers are not.
  const std::string head = *store_layout::header(facts);
  std::string block = store_layout::block(0, 4, std::vector<std::string>{"a", "b"}, vectors(2, 4));
  const auto with = [&](size_t at, auto value) {
    std::string b = block;
    std::memcpy(b.data() + at, &value, sizeof value);
    const uint64_t body = xxh64(b.data() + 64, b.size() - 64);
    if (at >= 64) std::memcpy(b.data() + 24, &body, 8);
    const uint64_t sum = xxh64(b.data(), 56);
    std::memcpy(b.data() + 56, &sum, 8);
    const std::string file = head + b;
    return EmbeddingStore::parse(Bytes::copy(file.data(), file.size()), "made");
  };
  EXPECT_TRUE(with(8, uint32_t{2}));
  for (uint32_t rows : {0u, 1u, 3u, 0x7fffffffu, 0xffffffffu}) EXPECT_FALSE(with(8, rows)) << rows;
  for (uint32_t ids : {0u, 1u, 3u, 4000u, 0xffffffffu}) EXPECT_FALSE(with(12, ids)) << ids;
  EXPECT_FALSE(with(16, uint64_t{1}));
  for (uint32_t length : {0u, 2u, 70000u, 0xffffffffu}) EXPECT_FALSE(with(64 + 32, length)) << length;
  EXPECT_FALSE(with(64, std::numeric_limits<float>::quiet_NaN()));
  EXPECT_FALSE(with(64 + 40 + 1, 'a'));  // the second id becomes the first
  for (uint32_t dim : {0u, 3u, 0xffffffffu}) {
    std::string h = head;
    std::memcpy(h.data() + 8, &dim, 4);
    const uint64_t sum = xxh64(h.data(), 4088);
    std::memcpy(h.data() + 4088, &sum, 8);
    const std::string file = h + block;
    EXPECT_FALSE(EmbeddingStore::parse(Bytes::copy(file.data(), file.size()), "made")) << dim;
  }
}

TEST_F(Store, ChecksumTellsContentsApart) {
  fill();
  const uint64_t a = (*EmbeddingStore::open(path))->checksum();
  EXPECT_EQ((*EmbeddingStore::open(path))->checksum(), a);
  {
    auto w = StoreWriter::open(path, facts);
    ASSERT_TRUE(w->append(std::vector<std::string>{"more"}, vectors(1, 4)));
  }
  EXPECT_NE((*EmbeddingStore::open(path))->checksum(), a);
}

}  // namespace
}  // namespace hone
