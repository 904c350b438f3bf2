#include "formats/tokenizer_train.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "core/rng.h"

namespace hone {
namespace {

// The example of Sennrich et al. 2016, algorithm 1 (there with an end-of-word mark).
std::vector<std::string> example() {
  std::vector<std::string> texts;
  for (const auto& [word, n] : {std::pair("low", 5), std::pair("lower", 2), std::pair("newest", 6), std::pair("widest", 3)})
    for (int i = 0; i < n; ++i) texts.push_back(word);
  return texts;
}

TEST(TokenizerTrain, JoinsTheMostFrequentPair) {
  const auto bpe = train_byte_bpe(example(), {.size = 4 + 256 + 5 + 1});
  ASSERT_TRUE(bpe) << bpe.error().text();
  // es 9, then est 9; lo 7 before ow 7 (its tokens are older); then low 7; ne 6 before ew 6 and west 6.
  using Merges = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(bpe->merges, (Merges{{"e", "s"}, {"es", "t"}, {"l", "o"}, {"lo", "w"}, {"e", "w"}}));
  EXPECT_EQ(bpe->vocabulary.size(), 266u);
  EXPECT_EQ(bpe->vocabulary.back(), "<mask>");

  const auto wordpiece = train_wordpiece(example(), {.size = 100, .least = 4});
  ASSERT_TRUE(wordpiece) << wordpiece.error().text();
  for (const char* token : {"##est", "low", "newest", "l", "##w"}) EXPECT_NE(std::ranges::find(wordpiece->vocabulary, token), wordpiece->vocabulary.end()) << token;
  EXPECT_EQ(std::ranges::find(wordpiece->vocabulary, "widest"), wordpiece->vocabulary.end()) << "three times only";
}

TEST(TokenizerTrain, DependsOnWordCountsAlone) {
  std::vector<std::string> texts, back;
  Rng rng(3);
  for (int i = 0; i < 500; ++i) {
    std::string s;
    for (uint64_t n = 1 + rng.below(6); n > 0; --n) {
      for (uint64_t k = 1 + rng.below(7); k > 0; --k) s += static_cast<char>('a' + rng.below(1 + rng.below(8)));
      s += ' ';
    }
    texts.push_back(s);
  }
  back.assign(texts.rbegin(), texts.rend());
  EXPECT_EQ(train_wordpiece(texts, {.size = 300})->vocabulary, train_wordpiece(back, {.size = 300})->vocabulary);
  EXPECT_EQ(train_byte_bpe(texts, {.size = 500})->merges, train_byte_bpe(back, {.size = 500})->merges);
  EXPECT_EQ(train_byte_bpe(texts, {.size = 500})->vocabulary.size(), 500u);
}

TEST(TokenizerTrain, WrittenAndOpenedAgain) {
  const std::string dir = (std::filesystem::temp_directory_path() / ("hone-train-" + std::to_string(::getpid()))).string();
  std::vector<std::string> texts = example();
  texts.push_back("na\xC3\xAFve caf\xC3\xA9? \"quoted\" \xE7\x8C\xAB \xF0\x9F\x90\xB6");
  const auto wordpiece = train_wordpiece(texts, {.size = 200, .least = 1});
  const auto bpe = train_byte_bpe(texts, {.size = 400, .least = 1});
  ASSERT_TRUE(write_tokenizer(*wordpiece, dir + "/w", false));
  ASSERT_TRUE(write_tokenizer(*bpe, dir + "/b", false));
  EXPECT_FALSE(write_tokenizer(*bpe, dir + "/b", false)) << "it is there";
  const auto w = open_tokenizer(dir + "/w"), b = open_tokenizer(dir + "/b");
  ASSERT_TRUE(w) << w.error().text();
  ASSERT_TRUE(b) << b.error().text();
  const auto w0 = make_tokenizer(*wordpiece, "w"), b0 = make_tokenizer(*bpe, "b");
  for (const std::string& text : texts) {
    std::vector<int32_t> ids, same;
    (*w)->append(text, ids);
    EXPECT_EQ(std::ranges::count(ids, (*w)->special().unknown), 0) << text;
    (*w0)->append(text, same);
    EXPECT_EQ(ids, same);
    ids.clear();
    (*b)->append(text, ids);
    EXPECT_EQ((*b)->decode(ids), text);
    EXPECT_EQ((*b0)->decode(ids), text);
  }
  std::vector<int32_t> ids;
  (*b)->append("newest lowest", ids);
  EXPECT_EQ((*b)->decode(ids), "newest lowest");
  std::filesystem::remove_all(dir);
}

TEST(TokenizerTrain, BadOptions) {
  EXPECT_EQ(train_byte_bpe({"a"}, {.size = 100}).error().text(), "size: is 100, less than the 261 tokens that have to be there");
  EXPECT_EQ(train_wordpiece({"abc"}, {.size = 8}).error().text(), "size: is 8, less than the 10 tokens that have to be there");
  EXPECT_EQ(train_wordpiece({}, {}).error().message, "there is no text to learn a vocabulary from");
  EXPECT_EQ(train_wordpiece({" "}, {}).error().code, Code::usage);
  const auto few = train_wordpiece({"aaa bbb aac"}, {.size = 50, .least = 1, .alphabet = 2});
  ASSERT_TRUE(few);
  EXPECT_EQ(std::ranges::find(few->vocabulary, "c"), few->vocabulary.end());
}

}  // namespace
}  // namespace hone
