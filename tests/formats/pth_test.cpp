// Checkpoints of torch.save: what is read, and what is refused. tests/formats/data/recipe.py wrote the files.
#include "formats/pth.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "core/file.h"

namespace hone {
namespace {

const std::string kData = HONE_SOURCE_DIR "/tests/formats/data/";

const Tensor* find(const TorchFile& f, const std::string& name) {
  for (const auto& [n, t] : f.tensors)
    if (n == name) return &t;
  return nullptr;
}

TEST(Pth, ReadsAStateDict) {
  auto f = read_pth(kData + "state_dict.pth");
  ASSERT_TRUE(f.has_value()) << f.error().text();
  EXPECT_EQ(f->wrapper, "");
  ASSERT_EQ(f->tensors.size(), 6u);
  EXPECT_EQ(f->tensors[0].first, "conv.weight");
  EXPECT_EQ(f->tensors[0].second.shape, (Shape{2, 3, 2, 2}));
  EXPECT_EQ((*to_doubles(f->tensors[0].second))[23], 23);
  EXPECT_EQ(*to_doubles(*find(*f, "conv.bias")), (std::vector<double>{0.5, -0.5}));
  EXPECT_EQ(*to_ints(*find(*f, "bn.num_batches_tracked")), (std::vector<int64_t>{7}));
  EXPECT_EQ(*to_doubles(*find(*f, "half")), (std::vector<double>{1, 2}));
  EXPECT_EQ(*to_doubles(*find(*f, "transposed")), (std::vector<double>{0, 3, 1, 4, 2, 5})) << "strides are followed";
  EXPECT_EQ(*to_doubles(*find(*f, "slice")), (std::vector<double>{4, 5, 6})) << "offsets are followed";
}

TEST(Pth, UnwrapsAndSaysWhatItLeft) {
  auto f = read_pth(kData + "wrapped.pth");
  ASSERT_TRUE(f.has_value()) << f.error().text();
  EXPECT_EQ(f->wrapper, "model");
  EXPECT_EQ(f->tensors.size(), 6u);
  auto module = read_pth(kData + "module.pth");
  ASSERT_TRUE(module.has_value()) << module.error().text();
  EXPECT_EQ(module->tensors[0].first, "weight");
}

TEST(Pth, RefusesACallByName) {
  auto f = read_pth(kData + "hostile_call.pth");
  ASSERT_FALSE(f.has_value());
  EXPECT_EQ(f.error().code, Code::unsupported);
  EXPECT_EQ(f.error().message, "the checkpoint asks to call posix.system, which hone does not do");
}

TEST(Pth, NamesWhatIsNoCheckpoint) {
  EXPECT_EQ(read_pth(Bytes::copy("hello", 5), "w.pth").error().text(), "w.pth: is 5 bytes long, which is too short for a zip archive");
  const std::string text(100, 'x');
  EXPECT_EQ(read_pth(Bytes::copy(text.data(), text.size()), "w.pth").error().text(), "w.pth: has no zip directory at its end; it is cut short, or no zip archive");
}

TEST(Pth, NoCutOrFlippedFileCrashes) {
  for (const char* name : {"state_dict.pth", "module.pth"}) {
    auto text = read_file(kData + name);
    ASSERT_TRUE(text.has_value());
    for (size_t n = 0; n < text->size(); n += 7) EXPECT_FALSE(read_pth(Bytes::copy(text->data(), n), "w.pth").has_value()) << n;
    for (size_t i = 0; i < text->size(); ++i)
      for (int bit : {0, 3, 7}) {
        std::string damaged = *text;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
        if (auto f = read_pth(Bytes::copy(damaged.data(), damaged.size()), "w.pth"))
          for (const auto& [key, t] : f->tensors) to_doubles(t);  // every byte of every view is there
      }
  }
}

}  // namespace
}  // namespace hone
