#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "formats/tokenizer_models.h"
#include "formats/trie.h"
#include "formats/vocabulary.h"
#include "formats/word_splitter.h"

namespace hone {

namespace {

class WordPiece final : public Tokenizer {
 public:
  WordPiece(WordPieceModel model, const SpecialTokens& special)
      : splitter_(model.clean, model.ideographs, model.strip_accents, model.lower_case), prefix_(std::move(model.prefix)), max_word_(static_cast<size_t>(model.max_word)) {
    vocabulary_ = std::move(model.vocabulary);
    special_ = special;
    for (AddedToken& t : model.added) added_.add(std::move(t));
  }
  bool fill_trie() {
    for (size_t id = 0; id < vocabulary_.size(); ++id)
      if (!trie_.add(vocabulary_[id], static_cast<int32_t>(id))) return false;
    inside_ = Trie::kRoot;
    for (const char c : prefix_)
      if (inside_ != Trie::kNone) inside_ = trie_.step(inside_, static_cast<unsigned char>(c));
    return true;
  }

  void append(std::string_view text, std::vector<int32_t>& ids) const override {
    added_.split(
        text, [&](std::string_view s) { splitter_.split(s, [&](std::string_view word) { append_word(word, ids); }); }, [&](int32_t id) { ids.push_back(id); });
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out;
    for (const int32_t id : ids) {
      if (is_special(special_, id) || id < 0 || id >= size()) continue;
      std::string_view token = vocabulary_[static_cast<size_t>(id)];
      if (!prefix_.empty() && token.starts_with(prefix_)) token.remove_prefix(prefix_.size());
      else if (!out.empty()) out += ' ';
      out += token;
    }
    return out;
  }

  std::string_view name() const override { return "WordPiece"; }

 private:
  void append_word(std::string_view word, std::vector<int32_t>& ids) const {
    const size_t before = ids.size();
    if (word.size() > max_word_ && points(word) > max_word_) return ids.push_back(special_.unknown);
    for (size_t at = 0; at < word.size();) {
      uint32_t node = at == 0 ? Trie::kRoot : inside_;
      int32_t longest = -1;
      size_t end = at;
      for (size_t i = at; i < word.size() && node != Trie::kNone; ++i) {
        node = trie_.step(node, static_cast<unsigned char>(word[i]));
        if (node == Trie::kNone) break;
        if (const int32_t id = trie_.id(node); id >= 0) longest = id, end = i + 1;
      }
      if (longest < 0) {  // one piece missing makes the whole word unknown
        ids.resize(before);
        return ids.push_back(special_.unknown);
      }
      ids.push_back(longest);
      at = end;
    }
  }
  static size_t points(std::string_view word) {
    return static_cast<size_t>(std::ranges::count_if(word, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }

  WordSplitter splitter_;
  Trie trie_;
  AddedTokens added_;
  std::string prefix_;
  size_t max_word_;
  uint32_t inside_ = Trie::kNone;  // where pieces inside a word begin
};

}  // namespace

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(WordPieceModel model, const std::string& source) {
  if (model.max_word < 1) return fail(Code::invalid, fmt::format("words may have {} characters at most, expected 1 or more", model.max_word), source);
  HONE_TRY(check_tokens(model.vocabulary, source));
  HONE_TRY_ASSIGN(const SpecialTokens special, find_special(model.vocabulary, model.begin, model.end, model.pad, model.unknown, model.mask, source));
  auto tokenizer = std::make_shared<WordPiece>(std::move(model), special);
  if (!tokenizer->fill_trie()) return fail(Code::invalid, "the vocabulary is too large", source);
  return tokenizer;
}

Result<WordPieceModel> read_vocab_txt(std::string_view text, const std::string& source) {
  WordPieceModel model;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view token = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (token.ends_with('\r')) token.remove_suffix(1);
    if (token.empty()) return fail(Code::invalid, "is empty, expected one token a line", fmt::format("{}:{}", source, line));
    model.vocabulary.emplace_back(token);
  }
  for (const std::string& t : {model.unknown, model.end, model.pad, model.begin, model.mask})
    if (const auto at = std::ranges::find(model.vocabulary, t); at != model.vocabulary.end()) model.added.push_back({t, static_cast<int32_t>(at - model.vocabulary.begin())});
  return model;
}

}  // namespace hone
