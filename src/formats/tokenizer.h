// Text to token ids and back, for the vocabularies of BERT (WordPiece) and RoBERTa (byte-level BPE).
//
// Equal to Hugging Face's tokenizers for every text, special tokens written in it included. Bytes that are not UTF-8 count as
// U+FFFD each. Objects are immutable: one serves any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace hone {

// Ids of the tokens with a role, -1 where the vocabulary has none.
struct SpecialTokens {
  int32_t begin = -1, end = -1, pad = -1, unknown = -1, mask = -1;
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // Adds the ids of `text` to `ids`, without begin and end.
  virtual void append(std::string_view text, std::vector<int32_t>& ids) const = 0;
  // Text of ids; specials are left out. WordPiece does not keep spaces and case, so only BPE gives back what was encoded.
  virtual std::string decode(std::span<const int32_t> ids) const = 0;

  virtual std::string_view name() const = 0;  // "WordPiece" or "byte-level BPE"
  const std::vector<std::string>& vocabulary() const { return vocabulary_; }  // token of each id
  int64_t size() const { return static_cast<int64_t>(vocabulary_.size()); }
  const SpecialTokens& special() const { return special_; }

  // begin, the text, end: at most `room` ids (room >= 2); `cut` tells whether tokens had to be left out.
  std::vector<int32_t> encode(std::string_view text, int64_t room, bool& cut) const;
  // The same into a row of `room` ids padded at the right, and its mask (1 token, 0 padding). Returns whether it was cut.
  bool encode_row(std::string_view text, int64_t room, int32_t* ids, uint8_t* mask) const;

 protected:
  std::vector<std::string> vocabulary_;
  SpecialTokens special_;
};

// `path` is a tokenizer.json, a vocab.txt (WordPiece; lower-casing unless a tokenizer_config.json beside it says otherwise),
// a vocab.json with its merges.txt beside it, or a folder that holds one of them, looked for in this order. A model, normaliser or
// pre-tokenizer of another kind is Code::unsupported and named.
Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& path);

// An error when the network's embedding table has another number of rows than the vocabulary has tokens: ids would
// mean other words.
Status check_vocabulary(const Tokenizer& tokenizer, int64_t rows, const std::string& network);

}  // namespace hone
