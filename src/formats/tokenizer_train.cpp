#include "formats/tokenizer_train.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <set>
#include <unordered_map>

#include "core/file.h"
#include "formats/unicode.h"
#include "formats/word_splitter.h"

namespace hone {

namespace {

struct Word {
  std::vector<int32_t> tokens;
  int64_t count = 0;
};
using Pair = std::pair<int32_t, int32_t>;

// Joins pairs in `words` until there are `size` tokens; `join` makes the new token's id and may give an old one.
template <class Join>
void join_pairs(std::vector<Word>& words, const VocabularyOptions& o, const std::vector<std::string>& vocabulary, Join&& join) {
  std::map<Pair, int64_t> counts;
  std::map<Pair, std::set<size_t>> where;  // words that hold the pair, or held it
  struct Entry {
    int64_t count;
    Pair pair;
    bool operator<(const Entry& e) const { return count != e.count ? count < e.count : pair > e.pair; }
  };
  std::priority_queue<Entry> queue;
  const auto scan = [&](size_t w, int64_t sign, std::set<Pair>* changed) {
    const auto& t = words[w].tokens;
    for (size_t i = 0; i + 1 < t.size(); ++i) {
      const Pair p{t[i], t[i + 1]};
      counts[p] += sign * words[w].count;
      if (sign > 0) where[p].insert(w);
      if (changed) changed->insert(p);
    }
  };
  for (size_t w = 0; w < words.size(); ++w) scan(w, 1, nullptr);
  for (const auto& [pair, n] : counts) queue.push({n, pair});
  while (static_cast<int64_t>(vocabulary.size()) < o.size && !queue.empty()) {
    const Entry e = queue.top();
    queue.pop();
    if (e.count < o.least) break;
    if (counts[e.pair] != e.count) continue;  // an entry of before; the present count has one of its own
    const int32_t joined = join(e.pair);
    std::set<Pair> changed;
    for (const size_t w : where[e.pair]) {
      scan(w, -1, &changed);
      std::vector<int32_t> tokens;
      const auto& old = words[w].tokens;
      for (size_t i = 0; i < old.size(); ++i) {
        if (i + 1 < old.size() && Pair{old[i], old[i + 1]} == e.pair) tokens.push_back(joined), ++i;
        else tokens.push_back(old[i]);
      }
      words[w].tokens = std::move(tokens);
      scan(w, 1, &changed);
    }
    where.erase(e.pair);
    for (const Pair& p : changed)
      if (const int64_t n = counts[p]; n > 0) queue.push({n, p});
      else counts.erase(p);
  }
}

Status check(const VocabularyOptions& o, bool empty) {
  if (o.size < 1 || o.size > 1 << 22) return fail(Code::usage, fmt::format("is {}, expected 1 to {}", o.size, 1 << 22), "size");
  if (o.least < 1) return fail(Code::usage, fmt::format("is {}, expected 1 or more", o.least), "least");
  if (o.alphabet < 1) return fail(Code::usage, fmt::format("is {}, expected 1 or more", o.alphabet), "alphabet");
  if (empty) return fail(Code::usage, "there is no text to learn a vocabulary from");
  return {};
}

tl::unexpected<Error> too_small(int64_t size, size_t least) { return fail(Code::usage, fmt::format("is {}, less than the {} tokens that have to be there", size, least), "size"); }

std::vector<std::string_view> characters(std::string_view word) {
  std::vector<std::string_view> out;
  for (const char *p = word.data(), *const end = p + word.size(); p < end;) {
    const char* start = p;
    unicode::next_point(p, end);
    out.emplace_back(start, static_cast<size_t>(p - start));
  }
  return out;
}

}  // namespace

Result<WordPieceModel> train_wordpiece(const std::vector<std::string>& texts, const VocabularyOptions& o) {
  std::map<std::string, int64_t> counts;
  const WordSplitter splitter(true, true, true, true);
  for (const std::string& text : texts) splitter.split(text, [&](std::string_view word) { ++counts[std::string(word)]; });
  HONE_TRY(check(o, counts.empty()));
  WordPieceModel model;
  std::map<std::string, int64_t> letters;
  for (const auto& [word, n] : counts)
    for (const std::string_view c : characters(word)) letters[std::string(c)] += n;
  std::vector<std::pair<std::string, int64_t>> frequent(letters.begin(), letters.end());
  std::ranges::stable_sort(frequent, std::ranges::greater(), &std::pair<std::string, int64_t>::second);
  frequent.resize(std::min(frequent.size(), static_cast<size_t>(o.alphabet)));

  model.vocabulary = {model.pad, model.unknown, model.begin, model.end, model.mask};
  std::unordered_map<std::string, int32_t> ids;
  const auto token = [&](const std::string& text) {
    const auto [at, fresh] = ids.emplace(text, static_cast<int32_t>(model.vocabulary.size()));
    if (fresh) model.vocabulary.push_back(text);
    return at->second;
  };
  std::ranges::sort(frequent);
  for (const auto& [letter, n] : frequent) token(letter);
  std::set<std::string> known;
  for (const auto& [letter, n] : frequent) known.insert(letter);
  std::vector<Word> words;
  for (const auto& [word, n] : counts) {
    Word w{{}, n};
    const auto all = characters(word);
    if (all.size() > static_cast<size_t>(model.max_word) || !std::ranges::all_of(all, [&](std::string_view c) { return known.contains(std::string(c)); })) continue;
    for (size_t i = 0; i < all.size(); ++i) w.tokens.push_back(token((i ? model.prefix : "") + std::string(all[i])));
    words.push_back(std::move(w));
  }
  if (static_cast<int64_t>(model.vocabulary.size()) > o.size) return too_small(o.size, model.vocabulary.size());
  join_pairs(words, o, model.vocabulary, [&](const Pair& p) {
    return token(model.vocabulary[static_cast<size_t>(p.first)] + model.vocabulary[static_cast<size_t>(p.second)].substr(model.prefix.size()));
  });
  for (int32_t id = 0; id < 5; ++id) model.added.push_back({model.vocabulary[static_cast<size_t>(id)], id});
  return model;
}

Result<ByteBpeModel> train_byte_bpe(const std::vector<std::string>& texts, const VocabularyOptions& o) {
  std::map<std::string, int64_t> counts;
  for (const std::string& text : texts)
    for (size_t from = 0; from < text.size();) {
      const size_t end = next_stretch(text, from);
      ++counts[text.substr(from, end - from)];
      from = end;
    }
  HONE_TRY(check(o, counts.empty()));
  ByteBpeModel model;
  model.vocabulary = {model.begin, model.pad, model.end, model.unknown};
  std::unordered_map<std::string, int32_t> ids;
  std::array<int32_t, 256> byte_id{};
  for (unsigned b = 0; b < 256; ++b) {
    byte_id[b] = static_cast<int32_t>(model.vocabulary.size());
    unicode::append_utf8(byte_character(static_cast<unsigned char>(b)), model.vocabulary.emplace_back());
    ids[model.vocabulary.back()] = byte_id[b];
  }
  if (const size_t least = model.vocabulary.size() + 1; o.size < static_cast<int64_t>(least)) return too_small(o.size, least);
  std::vector<Word> words;
  for (const auto& [word, n] : counts) {
    Word w{{}, n};
    for (const char c : word) w.tokens.push_back(byte_id[static_cast<unsigned char>(c)]);
    words.push_back(std::move(w));
  }
  VocabularyOptions without_mask = o;
  --without_mask.size;
  join_pairs(words, without_mask, model.vocabulary, [&](const Pair& p) {
    const std::string left = model.vocabulary[static_cast<size_t>(p.first)], right = model.vocabulary[static_cast<size_t>(p.second)];
    model.merges.emplace_back(left, right);
    const auto [at, fresh] = ids.emplace(left + right, static_cast<int32_t>(model.vocabulary.size()));
    if (fresh) model.vocabulary.push_back(left + right);
    return at->second;
  });
  model.vocabulary.push_back(model.mask);
  for (int32_t id = 0; id < 4; ++id) model.added.push_back({model.vocabulary[static_cast<size_t>(id)], id});
  model.added.push_back({model.mask, static_cast<int32_t>(model.vocabulary.size()) - 1, true});
  return model;
}

namespace {

Status make_folder(const std::string& folder) {
  std::error_code ec;
  std::filesystem::create_directories(folder, ec);
  if (ec) return fail(Code::io, ec.message(), folder);
  return {};
}

}  // namespace

Status write_tokenizer(const WordPieceModel& model, const std::string& folder, bool force) {
  HONE_TRY(make_folder(folder));
  std::string out;
  for (const std::string& t : model.vocabulary) out += t + '\n';
  return write_file(folder + "/vocab.txt", out, force);
}

Status write_tokenizer(const ByteBpeModel& model, const std::string& folder, bool force) {
  HONE_TRY(make_folder(folder));
  HONE_TRY(check_writable(folder + "/merges.txt", force));
  std::string vocab = "{", merges = "#version: 0.2\n";
  for (size_t i = 0; i < model.vocabulary.size(); ++i) vocab += (i ? ", " : "") + nlohmann::json(model.vocabulary[i]).dump() + ": " + std::to_string(i);
  for (const auto& [a, b] : model.merges) merges += a + ' ' + b + '\n';
  HONE_TRY(write_file(folder + "/vocab.json", vocab + "}\n", force));
  return write_file(folder + "/merges.txt", merges, force);
}

}  // namespace hone
