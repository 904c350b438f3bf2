// Vocabularies learnt from texts, for data that comes without one.
//
// Both join the most frequent pair of neighbours, over and over (Sennrich et al. 2016), WordPiece as Hugging Face's trainer does
// inside words. Of pairs equally frequent the one whose tokens are older joins first, so a vocabulary depends on how often
// each word occurs and on nothing else: neither the order of the texts nor the machine.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "formats/tokenizer_models.h"

namespace hone {

struct VocabularyOptions {
  int64_t size = 2000;      // tokens at most, those with a role included; fewer where nothing is left to join
  int64_t least = 2;        // a pair that occurs less often is not joined
  int64_t alphabet = 1000;  // WordPiece: most frequent characters; words with another one become unknown
};

// Lower-casing, as bert-base-uncased. An error when `size` leaves no room for the characters, or there is no text.
Result<WordPieceModel> train_wordpiece(const std::vector<std::string>& texts, const VocabularyOptions& options);
// As roberta-base: <s> <pad> </s> <unk>, 256 bytes, joined tokens, <mask>.
Result<ByteBpeModel> train_byte_bpe(const std::vector<std::string>& texts, const VocabularyOptions& options);

// vocab.txt, or vocab.json with merges.txt, in a folder that is made when it is not there.
Status write_tokenizer(const WordPieceModel& model, const std::string& folder, bool force);
Status write_tokenizer(const ByteBpeModel& model, const std::string& folder, bool force);

}  // namespace hone
