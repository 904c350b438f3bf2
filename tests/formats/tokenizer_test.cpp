// Tokenizers against Hugging Face's: data/tokenizers/make_golden.py says how golden.json came to be.
#include "formats/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/sha256.h"
#include "formats/tokenizer_lines.h"
#include "formats/tokenizer_models.h"
#include "formats/word_splitter.h"

namespace hone {
namespace {

using Json = nlohmann::json;
using Tokens = std::vector<int32_t>;

const std::string kData = HONE_SOURCE_DIR "/tests/formats/data/tokenizers/";

const std::vector<std::string>& lines() {
  static const auto all = test::varied_lines();
  return all;
}
std::vector<std::string> points() {
  std::vector<std::string> out;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string s = "a";
    unicode::append_utf8(c, s);
    out.push_back(s + "a1");
  }
  return out;
}

std::string u32(size_t n) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += static_cast<char>(n >> (8 * i) & 255);
  return out;
}
std::string pack(const Tokens& ids) {
  std::string out = u32(ids.size());
  for (const int32_t id : ids) out += u32(static_cast<uint32_t>(id));
  return out;
}

// Checksums of `pack(line)` for each `every` lines, compared with the golden ones of that name.
template <class Pack>
void expect_golden(const std::string& name, const std::vector<std::string>& texts, Pack pack, size_t every = 1000) {
  static const Json golden = Json::parse(*read_file(kData + "golden.json"));
  std::vector<std::string> sums;
  for (size_t at = 0; at < texts.size(); at += every) {
    std::string all;
    for (size_t i = at; i < std::min(texts.size(), at + every); ++i) all += pack(texts[i]);
    sums.push_back(sha256_hex(all));
  }
  const auto expected = golden.at(name).get<std::vector<std::string>>();
  ASSERT_EQ(sums.size(), expected.size()) << name;
  for (size_t i = 0; i < sums.size(); ++i) EXPECT_EQ(sums[i], expected[i]) << name << ", from " << i * every << " on";
}

std::shared_ptr<const Tokenizer> open(const std::string& file) {
  auto t = open_tokenizer(kData + file);
  EXPECT_TRUE(t) << t.error().text();
  return t ? *t : nullptr;
}
Tokens ids_of(const Tokenizer& t, std::string_view text) {
  Tokens ids;
  t.append(text, ids);
  return ids;
}

TEST(TokenizerGolden, Lines) {
  std::string all;
  for (const std::string& s : lines()) all += u32(s.size()) + s;
  if (const char* path = std::getenv("HONE_WRITE_LINES")) std::ofstream(path, std::ios::binary) << all;
  if (std::getenv("HONE_WRITE_LINES")) return;
  expect_golden("lines", lines(), [](const std::string& s) { return u32(s.size()) + s; });
}

TEST(TokenizerGolden, Ids) {
  for (const auto& [name, file] : {std::pair("wordpiece_uncased", "vocab.txt"), std::pair("wordpiece_cased", "wordpiece_cased.json"), std::pair("bpe", "vocab.json"), std::pair("bpe", "bpe.json")}) {
    const auto t = open(file);
    ASSERT_TRUE(t) << file;
    expect_golden(name, lines(), [&](const std::string& s) { return pack(ids_of(*t, s)); });
  }
}

std::string words(const WordSplitter& splitter, const std::string& text) {
  std::string out;
  splitter.split(text, [&](std::string_view w) { out.append(w).push_back('\0'); });
  return out + '\n';
}

TEST(TokenizerGolden, Words) {
  const WordSplitter uncased(true, true, true, true), accents(true, true, true, false), plain(false, false, false, true);
  expect_golden("words_uncased", lines(), [&](const std::string& s) { return words(uncased, s); });
  expect_golden("words_accents_only", lines(), [&](const std::string& s) { return words(accents, s); });
  expect_golden("words_as_they_are", lines(), [&](const std::string& s) { return words(plain, s); });
  expect_golden("words_of_points", points(), [&](const std::string& s) { return words(uncased, s); }, 200000);
}

TEST(TokenizerGolden, Stretches) {
  const auto stretches = [](const std::string& s) {
    std::string out;
    for (size_t from = 0; from < s.size();) {
      const size_t end = next_stretch(s, from);
      out.append(s, from, end - from).push_back('\0');
      from = end;
    }
    return out + '\n';
  };
  expect_golden("stretches", lines(), stretches);
  expect_golden("stretches_of_points", points(), stretches, 200000);
}

TEST(TokenizerGolden, Decoded) {
  const std::vector<std::string> some(lines().begin(), lines().begin() + 2000);
  const auto wordpiece = open("vocab.txt"), bpe = open("vocab.json");
  expect_golden("decoded_wordpiece", some, [&](const std::string& s) { return wordpiece->decode(ids_of(*wordpiece, s)) + '\n'; });
  expect_golden("decoded_bpe", some, [&](const std::string& s) { return bpe->decode(ids_of(*bpe, s)) + '\n'; });
}

TEST(Tokenizer, SurroundsCutsAndPads) {
  const auto t = open("vocab.txt");
  const SpecialTokens s = t->special();
  EXPECT_EQ((Tokens{s.pad, s.unknown, s.begin, s.end, s.mask}), (Tokens{0, 1, 2, 3, 4}));
  const Tokens plain = ids_of(*t, "what color is the dog on the left?");
  ASSERT_EQ(plain.size(), 9u);
  bool cut = true;
  Tokens whole = t->encode("what color is the dog on the left?", 40, cut);
  EXPECT_FALSE(cut);
  EXPECT_EQ(whole.front(), s.begin);
  EXPECT_EQ(whole.back(), s.end);
  EXPECT_EQ(Tokens(whole.begin() + 1, whole.end() - 1), plain);
  EXPECT_EQ(t->encode("what color is the dog on the left?", 11, cut).size(), 11u);
  EXPECT_FALSE(cut);
  const Tokens shorter = t->encode("what color is the dog on the left?", 10, cut);
  EXPECT_TRUE(cut);
  ASSERT_EQ(shorter.size(), 10u);
  EXPECT_EQ(Tokens(shorter.begin() + 1, shorter.end() - 1), Tokens(plain.begin(), plain.end() - 1));
  EXPECT_EQ(shorter.back(), s.end);

  Tokens row(13);
  std::vector<uint8_t> mask(13);
  EXPECT_FALSE(t->encode_row("what color is the dog on the left?", 13, row.data(), mask.data()));
  EXPECT_EQ(mask, (std::vector<uint8_t>{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(row[12], s.pad);
  EXPECT_TRUE(t->encode_row("what color is the dog on the left?", 3, row.data(), mask.data()));
  EXPECT_EQ(row[2], s.end);
  EXPECT_EQ(t->encode("", 40, cut), (Tokens{s.begin, s.end}));
}

TEST(Tokenizer, BytesThatAreNotUtf8CountAsReplacementCharacters) {
  const auto bpe = open("vocab.json"), wordpiece = open("vocab.txt");
  // Python: b"a\xff\xe2\x82b\xf0".decode(errors="replace") == "a\ufffd\ufffdb\ufffd"
  EXPECT_EQ(ids_of(*bpe, "a\xff\xe2\x82" "b\xf0"), ids_of(*bpe, "a\xEF\xBF\xBD\xEF\xBF\xBD" "b\xEF\xBF\xBD"));
  EXPECT_EQ(ids_of(*wordpiece, "a\xff\xe2\x82" "b\xf0"), ids_of(*wordpiece, "ab"));
  EXPECT_EQ(ids_of(*bpe, std::string("\xed\xa0\x80")).size(), 3 * ids_of(*bpe, "\xEF\xBF\xBD").size()) << "a surrogate is no character";
}

TEST(Tokenizer, BpeGivesBackWhatItRead) {
  const auto bpe = open("vocab.json");
  for (const std::string& s : lines()) {
    if (s.find('<') != std::string::npos) continue;
    EXPECT_EQ(bpe->decode(ids_of(*bpe, s)), s);
  }
}

// The two ways of merging agree: every line as one stretch of letters, far over the length where the other begins.
TEST(Tokenizer, LongStretches) {
  const auto bpe = open("vocab.json");
  std::string letters;
  for (const std::string& s : lines())
    for (const char c : s)
      if (c >= 'a' && c <= 'z' && letters.size() < 100000) letters += c;
  const Tokens all = ids_of(*bpe, letters);
  EXPECT_LT(all.size(), letters.size());
  EXPECT_EQ(bpe->decode(all), letters);
  EXPECT_EQ(ids_of(*bpe, std::string(1000000, 'a')).size(), 1000000 / 64u) << "quadratic time would not end";
}

TEST(Tokenizer, VocabularyOfAnotherNetwork) {
  const auto t = open("vocab.txt");
  EXPECT_TRUE(check_vocabulary(*t, 3000, "vilt/base"));
  const auto wrong = check_vocabulary(*t, 30522, "vilt/base");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().text(), "vilt/base: the vocabulary has 3000 tokens, the embedding table 30522 rows (use the vocabulary that the network was trained with: with another, ids mean other words)");
}

std::string error_of(const Result<std::shared_ptr<const Tokenizer>>& r) { return r ? "" : r.error().text(); }
std::string txt_error(std::string_view text) {
  auto model = read_vocab_txt(text, "v.txt");
  return model ? error_of(make_tokenizer(*model, "v.txt")) : model.error().text();
}
std::string json_error(std::string_view text) { return error_of(read_tokenizer_json(text, "t.json")); }

TEST(Tokenizer, BadVocabularies) {
  EXPECT_EQ(txt_error("[PAD]\n[UNK]\n[CLS]\n[SEP]\na"), "");
  EXPECT_EQ(txt_error("[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\n"), "");
  EXPECT_EQ(txt_error("[PAD]\n[UNK]\n[CLS]\na\n"), "v.txt: the vocabulary of 4 tokens has no '[SEP]'");
  EXPECT_EQ(txt_error("[PAD]\n\n[UNK]"), "v.txt:2: is empty, expected one token a line");
  EXPECT_EQ(txt_error("[PAD]\na\nb\na\n"), "v.txt: tokens 1 and 3 are both 'a' (a vocabulary names each token once)");
  EXPECT_EQ(txt_error("[PAD]\n\xff\n"), "v.txt: token 1 is not UTF-8");
  EXPECT_EQ(json_error("[]"), "t.json: has no model (expected a tokenizer.json of Hugging Face's tokenizers)");
  EXPECT_NE(json_error("{").find("is not JSON"), std::string::npos);
  EXPECT_NE(json_error(std::string(100000, '[')).find("nested more than 32 deep"), std::string::npos);
  EXPECT_EQ(json_error(R"({"model":{"type":"Unigram","vocab":[]}})"), "t.json: has a model of type 'Unigram' (hone reads WordPiece with BERT's splitting and byte-level BPE with GPT-2's)");
  const auto wordpiece = [](const std::string& vocab, const std::string& rest = "") {
    return R"({"model":{"type":"WordPiece","vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3)" + vocab + R"(}},"pre_tokenizer":{"type":"BertPreTokenizer"})" + rest + "}";
  };
  EXPECT_EQ(json_error(wordpiece("")), "");
  EXPECT_EQ(json_error(wordpiece(R"(,"a":5)")), "t.json: token 4 is empty");
  EXPECT_EQ(json_error(wordpiece(R"(,"a":3)")), "t.json: tokens '[SEP]' and 'a' both have the id 3");
  EXPECT_NE(json_error(wordpiece(R"(,"a":4000000000)")).find("has the id 4000000000"), std::string::npos);
  EXPECT_NE(json_error(wordpiece(R"(,"a":-1)")).find("has the id -1"), std::string::npos);
  EXPECT_NE(json_error(wordpiece("", R"(,"normalizer":{"type":"NFKC"})")).find("the normalizer 'NFKC'"), std::string::npos);
  EXPECT_NE(json_error(wordpiece("", R"(,"added_tokens":[{"id":1,"content":"x"}])")).find("has the id of '[UNK]'"), std::string::npos);

  auto bpe = read_vocab_merges(R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3,"a":4})", "#version: 0.2\n", "vocab.json", "merges.txt");
  ASSERT_TRUE(bpe);
  EXPECT_NE(error_of(make_tokenizer(*bpe, "vocab.json")).find("the token of byte 0"), std::string::npos);
  bpe->vocabulary = {"<s>", "<pad>", "</s>", "<unk>"};
  for (int b = 0; b < 256; ++b) unicode::append_utf8(byte_character(static_cast<unsigned char>(b)), bpe->vocabulary.emplace_back());
  EXPECT_EQ(error_of(make_tokenizer(*bpe, "vocab.json")), "");
  bpe->merges = {{"a", "b"}};
  EXPECT_EQ(error_of(make_tokenizer(*bpe, "vocab.json")), "vocab.json: merge 0 ('a' 'b') needs the token 'ab', which the vocabulary does not have");
  const auto bad = read_vocab_merges("{}", "#version: 0.2\na b\nabc\n", "vocab.json", "merges.txt");
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().text(), "merges.txt:3: is 'abc', expected two tokens");
}

TEST(Tokenizer, Opens) {
  EXPECT_EQ(open_tokenizer(kData + "none").error().code, Code::not_found);
  EXPECT_EQ(open_tokenizer(HONE_SOURCE_DIR "/tests/formats").error().code, Code::not_found);
  EXPECT_EQ(open_tokenizer(HONE_SOURCE_DIR "/README.md").error().code, Code::unsupported);
  EXPECT_EQ(open("")->name(), "WordPiece") << "vocab.txt comes before vocab.json";
  EXPECT_EQ(open("merges.txt")->name(), "byte-level BPE");
}

}  // namespace
}  // namespace hone
