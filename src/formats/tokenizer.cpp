#include "formats/tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "core/file.h"
#include "formats/tokenizer_models.h"
#include "formats/unicode.h"
#include "formats/vocabulary.h"

namespace hone {

Status check_tokens(const std::vector<std::string>& vocabulary, const std::string& source) {
  std::unordered_map<std::string_view, size_t> seen;
  seen.reserve(vocabulary.size());
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& token = vocabulary[id];
    if (token.empty()) return fail(Code::invalid, fmt::format("token {} is empty", id), source);
    if (!unicode::valid_utf8(token)) return fail(Code::invalid, fmt::format("token {} is not UTF-8", id), source);
    if (const auto [at, fresh] = seen.emplace(token, id); !fresh) return fail(Code::invalid, fmt::format("tokens {} and {} are both '{}'", at->second, id, token), source, "a vocabulary names each token once");
  }
  return {};
}

Result<SpecialTokens> find_special(const std::vector<std::string>& vocabulary, const std::string& begin, const std::string& end, const std::string& pad, const std::string& unknown,
                                   const std::string& mask, const std::string& source) {
  SpecialTokens out;
  for (const auto& [token, id] : {std::pair(&begin, &out.begin), std::pair(&end, &out.end), std::pair(&pad, &out.pad), std::pair(&unknown, &out.unknown), std::pair(&mask, &out.mask)}) {
    const auto at = std::ranges::find(vocabulary, *token);
    if (at != vocabulary.end()) *id = static_cast<int32_t>(at - vocabulary.begin());
    else if (id != &out.mask) return fail(Code::invalid, fmt::format("the vocabulary of {} tokens has no '{}'", vocabulary.size(), *token), source);
  }
  return out;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, int64_t room, bool& cut) const {
  std::vector<int32_t> ids = {special_.begin};
  append(text, ids);
  cut = static_cast<int64_t>(ids.size()) + 1 > room;
  if (cut) ids.resize(static_cast<size_t>(std::max<int64_t>(room - 1, 1)));
  ids.push_back(special_.end);
  return ids;
}

bool Tokenizer::encode_row(std::string_view text, int64_t room, int32_t* ids, uint8_t* mask) const {
  bool cut = false;
  const auto row = encode(text, room, cut);
  const size_t n = std::min(row.size(), static_cast<size_t>(room));
  for (size_t i = 0; i < static_cast<size_t>(room); ++i) {
    ids[i] = i < n ? row[i] : special_.pad;
    mask[i] = i < n;
  }
  return cut;
}

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxFile = size_t{64} << 20;

Result<std::shared_ptr<const Tokenizer>> open_vocab_txt(const fs::path& path) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path.string(), kMaxFile));
  HONE_TRY_ASSIGN(WordPieceModel model, read_vocab_txt(text, path.string()));
  std::error_code ec;
  if (const fs::path config = path.parent_path() / "tokenizer_config.json"; fs::is_regular_file(config, ec)) {
    HONE_TRY_ASSIGN(const std::string json, read_file(config.string(), kMaxFile));
    HONE_TRY(read_tokenizer_config(json, config.string(), model));
  }
  return make_tokenizer(std::move(model), path.string());
}

Result<std::shared_ptr<const Tokenizer>> open_vocab_json(const fs::path& path) {
  const fs::path merges = path.parent_path() / "merges.txt";
  HONE_TRY_ASSIGN(const std::string vocab_text, read_file(path.string(), kMaxFile));
  HONE_TRY_ASSIGN(const std::string merges_text, read_file(merges.string(), kMaxFile));
  HONE_TRY_ASSIGN(ByteBpeModel model, read_vocab_merges(vocab_text, merges_text, path.string(), merges.string()));
  return make_tokenizer(std::move(model), path.string());
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> open_tokenizer(const std::string& path) {
  std::error_code ec;
  fs::path file = path;
  if (!fs::exists(file, ec)) return fail(Code::not_found, "does not exist", path);
  if (fs::is_directory(file, ec)) {
    for (const char* name : {"tokenizer.json", "vocab.txt", "vocab.json"})
      if (fs::is_regular_file(fs::path(path) / name, ec)) {
        file = fs::path(path) / name;
        break;
      }
    if (file == fs::path(path)) return fail(Code::not_found, "holds no tokenizer.json, no vocab.txt and no vocab.json with merges.txt", path);
  }
  const std::string name = file.filename().string();
  if (file.extension() == ".txt" && name != "merges.txt") return open_vocab_txt(file);
  if (name == "merges.txt") return open_vocab_json(file.parent_path() / "vocab.json");
  if (file.extension() == ".json") {
    if (name == "vocab.json") return open_vocab_json(file);
    HONE_TRY_ASSIGN(const std::string json, read_file(file.string(), kMaxFile));
    return read_tokenizer_json(json, file.string());
  }
  return fail(Code::unsupported, "is no tokenizer that hone reads", path, "tokenizer.json, vocab.txt, or vocab.json with merges.txt beside it");
}

Status check_vocabulary(const Tokenizer& tokenizer, int64_t rows, const std::string& network) {
  if (tokenizer.size() == rows) return {};
  return fail(Code::invalid, fmt::format("the vocabulary has {} tokens, the embedding table {} rows", tokenizer.size(), rows), network,
              "use the vocabulary that the network was trained with: with another, ids mean other words");
}

}  // namespace hone
