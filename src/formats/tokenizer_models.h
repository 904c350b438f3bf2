// The two tokenizers by their parts: what files are read into (tokenizer.cpp, tokenizer_json.cpp) and vocabularies are trained as.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "formats/added_tokens.h"
#include "formats/tokenizer.h"

namespace hone {

// BERT's: clean, split at white space and punctuation, fold, then the longest pieces of the vocabulary from left to right
// (Devlin et al. 2019; Wu et al. 2016).
struct WordPieceModel {
  std::vector<std::string> vocabulary;  // token of each id
  std::string unknown = "[UNK]", begin = "[CLS]", end = "[SEP]", pad = "[PAD]", mask = "[MASK]";
  std::string prefix = "##";            // of pieces inside a word
  int64_t max_word = 100;               // characters; a longer word is unknown
  bool clean = true, ideographs = true, strip_accents = true, lower_case = true;
  std::vector<AddedToken> added;        // recognised in the text, written as they stand
};
// An error for a token that is empty, not UTF-8 or there twice, and for a missing unknown, begin, end or pad.
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(WordPieceModel model, const std::string& source);

// RoBERTa's: split by GPT-2's expression, then merges of neighbours by rank, from single bytes on (Sennrich et al. 2016,
// Radford et al. 2019). Tokens are written in 256 printable characters, one a byte.
struct ByteBpeModel {
  std::vector<std::string> vocabulary;                        // token of each id
  std::vector<std::pair<std::string, std::string>> merges;    // by rank
  std::string unknown = "<unk>", begin = "<s>", end = "</s>", pad = "<pad>", mask = "<mask>";
  bool prefix_space = false;                                  // a space before text that does not begin with one
  std::vector<AddedToken> added, added_later;                 // added_later are looked for in what the others leave
};
// An error as above, and for one of the 256 single bytes that is missing, or a merge whose parts or result are no tokens.
Result<std::shared_ptr<const Tokenizer>> make_tokenizer(ByteBpeModel model, const std::string& source);

// The printable character of a byte (spec of GPT-2: printable Latin-1 stands for itself, the others follow from U+0100 on).
char32_t byte_character(unsigned char byte);
// Bytes of a token written in those characters; false when one of its characters stands for no byte.
bool token_bytes(std::string_view token, std::string& bytes);

// End of the stretch that begins at `from` < text.size(), of those that GPT-2's expression cuts UTF-8 text into:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t next_stretch(std::string_view text, size_t from);

// Models out of files; `source` names the file in errors.
Result<WordPieceModel> read_vocab_txt(std::string_view text, const std::string& source);
Result<ByteBpeModel> read_vocab_merges(std::string_view vocab_json, std::string_view merges, const std::string& vocab_source, const std::string& merges_source);
Result<std::shared_ptr<const Tokenizer>> read_tokenizer_json(std::string_view json, const std::string& source);
// What a tokenizer_config.json says about folding.
Status read_tokenizer_config(std::string_view json, const std::string& source, WordPieceModel& model);

}  // namespace hone
