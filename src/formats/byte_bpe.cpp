#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <queue>
#include <unordered_map>

#include "formats/tokenizer_models.h"
#include "formats/trie.h"
#include "formats/unicode.h"
#include "formats/vocabulary.h"

namespace hone {

char32_t byte_character(unsigned char byte) {
  static const auto table = [] {
    std::array<char32_t, 256> t{};
    char32_t next = 256;
    for (char32_t b = 0; b < 256; ++b) t[b] = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : next++;
    return t;
  }();
  return table[byte];
}

bool token_bytes(std::string_view token, std::string& bytes) {
  static const auto table = [] {
    std::array<int16_t, 324> t;
    t.fill(-1);
    for (int b = 0; b < 256; ++b) t[byte_character(static_cast<unsigned char>(b))] = static_cast<int16_t>(b);
    return t;
  }();
  bytes.clear();
  const char *p = token.data(), *const end = p + token.size();
  while (p < end) {
    const char32_t c = unicode::next_point(p, end);
    if (c >= table.size() || table[c] < 0) return false;
    bytes.push_back(static_cast<char>(table[c]));
  }
  return true;
}

namespace {

constexpr uint8_t kKinds = unicode::letter | unicode::number | unicode::space;

const std::array<uint8_t, 128>& ascii_kinds() {
  static const auto table = [] {
    std::array<uint8_t, 128> t{};
    for (char32_t c = 0; c < 128; ++c) t[c] = unicode::flags()[c] & kKinds;
    return t;
  }();
  return table;
}

inline uint8_t kind_at(const std::array<uint8_t, 128>& ascii, const char* p, const char* end, const char*& next) {
  next = p;
  if (const auto byte = static_cast<unsigned char>(*p); byte < 128) return ++next, ascii[byte];
  return unicode::flags()[unicode::next_point(next, end)] & kKinds;
}

// Merges by the two tokens that they join; open addressing.
class Merges {
 public:
  struct Merge {
    uint64_t pair = UINT64_MAX;
    int32_t rank = 0, id = 0;
  };
  explicit Merges(size_t count) {
    size_t slots = 16;
    while (slots < 2 * count) slots *= 2;
    table_.resize(slots);
  }
  void set(int32_t a, int32_t b, int32_t rank, int32_t id) {
    Merge& m = table_[slot(key(a, b))];
    m = {key(a, b), rank, id};
  }
  const Merge* find(int32_t a, int32_t b) const {
    const Merge& m = table_[slot(key(a, b))];
    return m.pair == UINT64_MAX ? nullptr : &m;
  }

 private:
  static uint64_t key(int32_t a, int32_t b) { return static_cast<uint64_t>(static_cast<uint32_t>(a)) << 32 | static_cast<uint32_t>(b); }
  size_t slot(uint64_t key) const {
    uint64_t h = key * 0x9E3779B97F4A7C15u;
    size_t at = static_cast<size_t>(h ^ h >> 32) & (table_.size() - 1);
    while (table_[at].pair != UINT64_MAX && table_[at].pair != key) at = (at + 1) & (table_.size() - 1);
    return at;
  }
  std::vector<Merge> table_;
};

class ByteBpe final : public Tokenizer {
 public:
  ByteBpe(ByteBpeModel& model, const SpecialTokens& special) : merges_(model.merges.size()), prefix_space_(model.prefix_space) {
    vocabulary_ = std::move(model.vocabulary);
    special_ = special;
    for (AddedToken& t : model.added) added_.add(std::move(t));
    for (AddedToken& t : model.added_later) added_later_.add(std::move(t));
  }

  Status fill(const ByteBpeModel& model, const std::string& source) {
    std::unordered_map<std::string_view, int32_t> ids;
    ids.reserve(vocabulary_.size());
    for (size_t i = 0; i < vocabulary_.size(); ++i) ids.emplace(vocabulary_[i], static_cast<int32_t>(i));
    for (unsigned b = 0; b < 256; ++b) {
      std::string token;
      unicode::append_utf8(byte_character(static_cast<unsigned char>(b)), token);
      const auto at = ids.find(token);
      if (at == ids.end()) return fail(Code::invalid, fmt::format("the vocabulary has no '{}', the token of byte {}", token, b), source, "a byte-level vocabulary holds all 256 bytes");
      byte_id_[b] = at->second;
    }
    std::string joined;
    for (size_t rank = 0; rank < model.merges.size(); ++rank) {
      const auto& [left, right] = model.merges[rank];
      joined = left + right;
      const auto a = ids.find(left), b = ids.find(right), c = ids.find(joined);
      if (a == ids.end() || b == ids.end() || c == ids.end()) {
        const std::string& missing = a == ids.end() ? left : b == ids.end() ? right : joined;
        return fail(Code::invalid, fmt::format("merge {} ('{}' '{}') needs the token '{}', which the vocabulary does not have", rank, left, right, missing), source);
      }
      merges_.set(a->second, b->second, static_cast<int32_t>(rank), c->second);
    }
    // Stretches that end as one token are found without merging.
    std::string bytes;
    std::vector<int32_t> merged;
    for (size_t i = 0; i < vocabulary_.size(); ++i) {
      if (!token_bytes(vocabulary_[i], bytes)) continue;  // an added token
      merged.clear();
      merge(bytes, merged);
      if (merged.size() == 1 && merged[0] == static_cast<int32_t>(i) && !whole_.add(bytes, merged[0])) return fail(Code::invalid, "the vocabulary is too large", source);
    }
    return {};
  }

  void append(std::string_view text, std::vector<int32_t>& ids) const override {
    std::string clean;
    if (!unicode::valid_utf8(text)) {
      for (const char *p = text.data(), *const end = p + text.size(); p < end;) unicode::append_utf8(unicode::next_point(p, end), clean);
      text = clean;
    }
    const auto token = [&](int32_t id) { ids.push_back(id); };
    added_.split(text, [&](std::string_view s) { added_later_.split(s, [&](std::string_view rest) { append_plain(rest, ids); }, token); }, token);
  }

  std::string decode(std::span<const int32_t> ids) const override {
    std::string out, bytes;
    for (const int32_t id : ids)
      if (!is_special(special_, id) && id >= 0 && id < size()) out += token_bytes(vocabulary_[static_cast<size_t>(id)], bytes) ? bytes : vocabulary_[static_cast<size_t>(id)];
    return out;
  }

  std::string_view name() const override { return "byte-level BPE"; }

 private:
  void append_plain(std::string_view text, std::vector<int32_t>& ids) const {
    std::string spaced;
    if (prefix_space_ && text[0] != ' ') text = spaced = ' ' + std::string(text);
    for (size_t from = 0; from < text.size();) {
      const size_t end = next_stretch(text, from);
      const std::string_view stretch = text.substr(from, end - from);
      if (const int32_t id = whole_.find(stretch); id >= 0) ids.push_back(id);
      else merge(stretch, ids);
      from = end;
    }
  }

  void merge(std::string_view stretch, std::vector<int32_t>& ids) const {
    if (stretch.size() <= kShort) merge_short(stretch, ids);
    else merge_long(stretch, ids);
  }

  // The pair of least rank, leftmost first, until no pair has one. Quadratic, and the fastest for words.
  static constexpr size_t kShort = 48;
  void merge_short(std::string_view stretch, std::vector<int32_t>& ids) const {
    std::array<int32_t, kShort> token;
    std::array<const Merges::Merge*, kShort> pair;
    size_t n = stretch.size();
    for (size_t i = 0; i < n; ++i) token[i] = byte_id_[static_cast<unsigned char>(stretch[i])];
    for (size_t i = 0; i + 1 < n; ++i) pair[i] = merges_.find(token[i], token[i + 1]);
    while (n > 1) {
      size_t best = n;
      int32_t rank = INT32_MAX;
      for (size_t i = 0; i + 1 < n; ++i)
        if (pair[i] && pair[i]->rank < rank) rank = pair[i]->rank, best = i;
      if (best == n) break;
      token[best] = pair[best]->id;
      for (size_t i = best + 1; i + 1 < n; ++i) {
        token[i] = token[i + 1];
        pair[i] = pair[i + 1];  // the last is never read
      }
      --n;
      if (best + 1 < n) pair[best] = merges_.find(token[best], token[best + 1]);
      if (best > 0) pair[best - 1] = merges_.find(token[best - 1], token[best]);
    }
    ids.insert(ids.end(), token.begin(), token.begin() + static_cast<std::ptrdiff_t>(n));
  }

  // The same with a heap over a linked list, for stretches of any length.
  void merge_long(std::string_view stretch, std::vector<int32_t>& ids) const {
    struct Symbol {
      int32_t id;
      size_t before, after;
    };
    struct Candidate {
      int32_t rank;
      size_t at;
      int32_t left, right, id;  // the tokens it was found with: others by now make it stale
      bool operator<(const Candidate& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
    };
    const size_t n = stretch.size(), none = n;
    std::vector<Symbol> symbols(n);
    std::priority_queue<Candidate> queue;
    const auto consider = [&](size_t at) {
      const size_t next = symbols[at].after;
      if (next == none) return;
      if (const auto* m = merges_.find(symbols[at].id, symbols[next].id)) queue.push({m->rank, at, symbols[at].id, symbols[next].id, m->id});
    };
    for (size_t i = 0; i < n; ++i) symbols[i] = {byte_id_[static_cast<unsigned char>(stretch[i])], i == 0 ? none : i - 1, i + 1};
    for (size_t i = 0; i + 1 < n; ++i) consider(i);
    while (!queue.empty()) {
      const Candidate c = queue.top();
      queue.pop();
      Symbol& left = symbols[c.at];
      if (left.id != c.left || left.after == none || symbols[left.after].id != c.right) continue;
      Symbol& right = symbols[left.after];
      left.id = c.id;
      left.after = right.after;
      right.id = -1;
      if (left.after != none) symbols[left.after].before = c.at;
      consider(c.at);
      if (left.before != none) consider(left.before);
    }
    for (size_t i = 0; i != none; i = symbols[i].after) ids.push_back(symbols[i].id);
  }

  std::array<int32_t, 256> byte_id_{};
  Merges merges_;
  Trie whole_;
  AddedTokens added_, added_later_;
  bool prefix_space_;
};

}  // namespace

size_t next_stretch(std::string_view text, size_t from) {
  const char *const begin = text.data() + from, *const end = text.data() + text.size();
  const auto length = [&](const char* p) { return static_cast<size_t>(p - text.data()); };
  if (*begin == '\'' && end - begin > 1) {
    const std::string_view rest(begin + 1, static_cast<size_t>(end - begin - 1));
    if (const char c = rest[0]; c == 's' || c == 't' || c == 'm' || c == 'd') return from + 2;
    if (rest.starts_with("re") || rest.starts_with("ve") || rest.starts_with("ll")) return from + 3;
  }
  const auto& ascii = ascii_kinds();
  const char *p = begin, *next = nullptr;
  uint8_t kind = kind_at(ascii, p, end, next);
  if (*begin == ' ' && end - begin > 1) {  // one space belongs to what follows it, unless that is white space
    const char* behind = nullptr;
    if (const uint8_t k = kind_at(ascii, begin + 1, end, behind); k != unicode::space) kind = k, next = behind;
  }
  const char* last = p;  // where the last character of the run begins
  do {
    last = p;
    p = next;
  } while (p < end && kind_at(ascii, p, end, next) == kind);
  // White space before a word leaves its last character to the word (or on its own).
  if (kind == unicode::space && p < end && last != begin) return length(last);
  return length(p);
}

Result<std::shared_ptr<const Tokenizer>> make_tokenizer(ByteBpeModel model, const std::string& source) {
  HONE_TRY(check_tokens(model.vocabulary, source));
  HONE_TRY_ASSIGN(const SpecialTokens special, find_special(model.vocabulary, model.begin, model.end, model.pad, model.unknown, model.mask, source));
  auto tokenizer = std::make_shared<ByteBpe>(model, special);
  HONE_TRY(tokenizer->fill(model, source));
  return tokenizer;
}

}  // namespace hone
