// Reading back what was written, and the attack list of safetensors files: each refused with its own message.
#include "formats/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstring>
#include <filesystem>

namespace hone {
namespace {

Bytes file_of(const std::string& header, size_t data, std::optional<uint64_t> stated = {}) {
  const uint64_t length = stated.value_or(header.size());
  std::string all(8, '\0');
  std::memcpy(all.data(), &length, 8);
  all += header + std::string(data, '\x11');
  return Bytes::copy(all.data(), all.size());
}

std::string problem(const Bytes& file, bool tolerant = false) {
  auto r = read_safetensors(file, "w.safetensors", tolerant);
  return r ? "read" : r.error().text();
}
std::string problem(const std::string& header, size_t data) { return problem(file_of(header, data)); }

TEST(SafeTensors, ReadsBackWhatItWrites) {
  const auto path = (std::filesystem::temp_directory_path() / "hone_round_trip.safetensors").string();
  EXPECT_TRUE(rc::check("read(write(x)) == x", [&] {
    SafeTensors out;
    const int n = *rc::gen::inRange(0, 5);
    for (int i = 0; i < n; ++i) {
      Tensor t;
      t.dtype = *rc::gen::element(DType::f32, DType::f16, DType::i64, DType::boolean, DType::u8);
      t.shape = *rc::gen::container<Shape>(*rc::gen::inRange(0, 4), rc::gen::inRange<Dim>(0, 4));
      const auto bytes = *rc::gen::container<std::vector<uint8_t>>(static_cast<size_t>(*byte_size(t.dtype, *element_count(t.shape))), rc::gen::arbitrary<uint8_t>());
      t.bytes = Bytes::copy(bytes.data(), bytes.size());
      out.tensors.emplace_back("layer." + std::to_string(i) + ".weight \"\n", std::move(t));
    }
    out.metadata["format"] = "pt";
    RC_ASSERT(write_safetensors(out, path, true).has_value());
    auto back = read_safetensors(path);
    if (!back) RC_FAIL(back.error().text());
    RC_ASSERT(back->metadata == out.metadata);
    RC_ASSERT(back->tensors.size() == out.tensors.size());
    for (size_t i = 0; i < out.tensors.size(); ++i) {
      RC_ASSERT(back->tensors[i].first == out.tensors[i].first);
      RC_ASSERT(same_contents(back->tensors[i].second, out.tensors[i].second));
    }
  }));
  EXPECT_FALSE(write_safetensors({}, path, false).has_value()) << "an existing file is not overwritten";
  std::filesystem::remove(path);
}

TEST(SafeTensors, RefusesEachAttackByName) {
  const std::string a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(problem(a, 8), "read");
  EXPECT_EQ(problem(Bytes::copy("1234", 4)), "w.safetensors: is 4 bytes long; a safetensors file has at least 8");
  EXPECT_EQ(problem(file_of(a, 8, 200'000'000)), "w.safetensors: states a header of 200000000 bytes; the format allows 100000000 (this is no safetensors file, or a damaged one)");
  EXPECT_EQ(problem(file_of(a, 8, UINT64_MAX - 4)), "w.safetensors: states a header of 18446744073709551611 bytes; the format allows 100000000 (this is no safetensors file, or a damaged one)");
  EXPECT_EQ(problem(file_of(a, 8, 5000)), "w.safetensors: states a header of 5000 bytes, but only 62 follow (the file is cut short)");
  EXPECT_EQ(problem(" {}", 0), "w.safetensors: the header does not begin with '{'");
  EXPECT_EQ(problem("{\"a\":", 0), "w.safetensors: the header is no JSON in UTF-8, from byte 14 on");
  EXPECT_EQ(problem("{\"\xff\":{}}", 0), "w.safetensors: the header is no JSON in UTF-8, from byte 11 on");
  // The product of the shape wraps to 0 in 64 bits.
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0), "w.safetensors: the size of tensor 'a' (4294967296x4294967296) overflows");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0), "w.safetensors: tensor 'a' has a dimension of 18446744073709551615");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8), "w.safetensors: tensor 'a' ends at 0 before it begins at 8");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4), "w.safetensors: tensor 'a' is F32 2, which takes 8 bytes, but 4 are set aside");
  EXPECT_EQ(problem(a, 4), "w.safetensors: tensor 'a' ends at byte 8 of the data, but there are 4 (the file is cut short, or its header is wrong)");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", 6), "w.safetensors: tensor 'b' overlaps the one before it");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), "w.safetensors: 4 bytes before 'a' belong to no tensor");
  EXPECT_EQ(problem(a, 12), "w.safetensors: 4 bytes at the end belong to no tensor");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", 0), "w.safetensors: the header holds 'a' twice");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F99","shape":[0],"data_offsets":[0,0]}})", 0), "w.safetensors: tensor 'a' has the unknown dtype 'F99'");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}})", 0), "w.safetensors: the header holds the number -1 under 'shape'");
  EXPECT_EQ(problem(R"({"a":{"dtype":"F32","shape":[0]}})", 0), "w.safetensors: the header holds tensor 'a' without dtype, shape or data_offsets");
  EXPECT_EQ(problem(R"({"a":{"b":{"c":{}}}})", 0), "w.safetensors: the header holds an object where none belongs");
}

TEST(SafeTensors, TolerantModeSaysWhatItLetPass) {
  auto r = read_safetensors(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 12), "w.safetensors", true);
  ASSERT_TRUE(r.has_value());
  EXPECT_EQ(r->notes, (std::vector<std::string>{"4 bytes before 'a' belong to no tensor", "4 bytes at the end belong to no tensor"}));
}

TEST(SafeTensors, NoCutOrFlippedFileCrashes) {
  const Bytes whole = file_of(R"({"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"b":{"dtype":"I64","shape":[],"data_offsets":[24,32]}})", 32);
  ASSERT_EQ(problem(whole), "read");
  for (size_t n = 0; n < whole.size; ++n) EXPECT_NE(problem(Bytes::copy(whole.data, n)), "read") << n;
  for (size_t bit = 0; bit < whole.size * 8; ++bit) {
    std::vector<std::byte> bytes(whole.data, whole.data + whole.size);
    bytes[bit / 8] ^= std::byte{1} << (bit % 8);
    problem(Bytes::copy(bytes.data(), bytes.size()));
    problem(Bytes::copy(bytes.data(), bytes.size()), true);
  }
}

}  // namespace
}  // namespace hone
