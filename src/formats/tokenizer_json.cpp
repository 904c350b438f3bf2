// tokenizer.json, vocab.json with merges.txt, tokenizer_config.json: JSON into the models of tokenizer_models.h.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "formats/tokenizer_models.h"
#include "formats/unicode.h"

namespace hone {

namespace {

using Json = nlohmann::json;

constexpr int64_t kMaxTokens = 1 << 24;

Result<Json> parse(std::string_view text, const std::string& source) {
  // nlohmann accepts any depth, and a value is destroyed recursively: nothing here is deep.
  int depth = 0;
  const auto limit = [&](int, Json::parse_event_t event, Json&) {
    if (event == Json::parse_event_t::object_start || event == Json::parse_event_t::array_start) ++depth;
    if (event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end) --depth;
    if (depth > 32) throw std::runtime_error("nested more than 32 deep");
    return true;
  };
  try {
    return Json::parse(text, limit);
  } catch (const std::exception& e) {
    return fail(Code::invalid, std::string("is not JSON: ") + e.what(), source);
  }
}

// Fields of an object whose types are not believed.
const Json* field(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}
std::string text_of(const Json& object, const char* name, std::string otherwise = {}) {
  const Json* f = field(object, name);
  return f && f->is_string() ? f->get<std::string>() : otherwise;
}
bool flag_of(const Json& object, const char* name, bool otherwise) {
  const Json* f = field(object, name);
  return f && f->is_boolean() ? f->get<bool>() : otherwise;
}

// token -> id into a list by id; ids may have holes that `added` fills later.
Status read_vocabulary(const Json& vocab, const std::string& source, std::vector<std::string>& out) {
  if (!vocab.is_object()) return fail(Code::invalid, "the vocabulary is no object of token: id", source);
  const auto most = static_cast<int64_t>(2 * vocab.size() + 1000);  // ids are checked for gaps below; this bounds the memory
  for (const auto& [token, id] : vocab.items()) {
    const int64_t n = id.is_number_integer() ? id.get<int64_t>() : -1;
    if (n < 0 || n >= most || n >= kMaxTokens) return fail(Code::invalid, fmt::format("token '{}' has the id {}, expected 0 to {}", token, id.dump(), vocab.size() - 1), source);
    if (static_cast<size_t>(n) >= out.size()) out.resize(static_cast<size_t>(n) + 1);
    if (!out[static_cast<size_t>(n)].empty()) return fail(Code::invalid, fmt::format("tokens '{}' and '{}' both have the id {}", out[static_cast<size_t>(n)], token, n), source);
    out[static_cast<size_t>(n)] = token;
  }
  return {};
}

struct Added {
  std::vector<AddedToken> raw, normalised;
};
Result<Added> read_added(const Json& root, const std::string& source, std::vector<std::string>& vocabulary) {
  Added out;
  const Json* list = field(root, "added_tokens");
  if (!list) return out;
  if (!list->is_array()) return fail(Code::invalid, "added_tokens is no array", source);
  for (const Json& t : *list) {
    const Json* id = field(t, "id");
    const std::string text = text_of(t, "content");
    const int64_t n = id && id->is_number_integer() ? id->get<int64_t>() : -1;
    if (n < 0 || text.empty() || n >= static_cast<int64_t>(vocabulary.size() + list->size())) return fail(Code::invalid, fmt::format("added token '{}' has no usable id and content", text), source);
    if (flag_of(t, "single_word", false)) return fail(Code::unsupported, fmt::format("added token '{}' is a single_word one", text), source);
    if (static_cast<size_t>(n) >= vocabulary.size()) vocabulary.resize(static_cast<size_t>(n) + 1);
    std::string& entry = vocabulary[static_cast<size_t>(n)];
    if (entry.empty()) entry = text;
    if (entry != text) return fail(Code::invalid, fmt::format("added token '{}' has the id of '{}'", text, entry), source);
    (flag_of(t, "normalized", false) ? out.normalised : out.raw).push_back({text, static_cast<int32_t>(n), flag_of(t, "lstrip", false), flag_of(t, "rstrip", false)});
  }
  return out;
}

tl::unexpected<Error> unsupported(const std::string& what, const std::string& source) {
  return fail(Code::unsupported, what, source, "hone reads WordPiece with BERT's splitting and byte-level BPE with GPT-2's");
}

// Begin and end from the post-processor, pad from padding, where they are said.
template <class Model>
void read_roles(const Json& root, Model& model) {
  if (const Json* p = field(root, "post_processor")) {
    for (const auto& [name, role] : {std::pair("cls", &model.begin), std::pair("sep", &model.end)})
      if (const Json* pair = field(*p, name); pair && pair->is_array() && !pair->empty() && (*pair)[0].is_string()) *role = (*pair)[0].template get<std::string>();
    if (const Json* single = field(*p, "single"); single && single->is_array() && single->size() >= 2) {  // a template: [CLS] A [SEP]
      const auto special = [](const Json& item) {
        const Json* t = field(item, "SpecialToken");
        return t ? text_of(*t, "id") : std::string();
      };
      if (std::string t = special(single->front()); !t.empty()) model.begin = t;
      if (std::string t = special(single->back()); !t.empty()) model.end = t;
    }
  }
  if (const Json* p = field(root, "padding")) model.pad = text_of(*p, "pad_token", model.pad);
}

Result<std::shared_ptr<const Tokenizer>> read_wordpiece(const Json& root, const Json& model_json, const std::string& source) {
  WordPieceModel model;
  const Json* vocab = field(model_json, "vocab");
  if (!vocab) return fail(Code::invalid, "model.vocab is missing", source);
  HONE_TRY(read_vocabulary(*vocab, source, model.vocabulary));
  model.unknown = text_of(model_json, "unk_token", model.unknown);
  model.prefix = text_of(model_json, "continuing_subword_prefix", model.prefix);
  if (const Json* n = field(model_json, "max_input_chars_per_word")) model.max_word = n->is_number_integer() ? n->get<int64_t>() : -1;

  if (const Json* n = field(root, "normalizer")) {
    if (text_of(*n, "type") != "BertNormalizer") return unsupported(fmt::format("has the normalizer '{}', expected BertNormalizer", text_of(*n, "type")), source);
    model.clean = flag_of(*n, "clean_text", true);
    model.ideographs = flag_of(*n, "handle_chinese_chars", true);
    model.lower_case = flag_of(*n, "lowercase", true);
    model.strip_accents = flag_of(*n, "strip_accents", model.lower_case);
  } else {
    model.clean = model.ideographs = model.lower_case = model.strip_accents = false;
  }
  const Json* split = field(root, "pre_tokenizer");
  if (!split || text_of(*split, "type") != "BertPreTokenizer") return unsupported("has another pre_tokenizer than BertPreTokenizer", source);
  HONE_TRY_ASSIGN(Added added, read_added(root, source, model.vocabulary));
  if (!added.normalised.empty() && field(root, "normalizer")) return unsupported(fmt::format("added token '{}' is looked for in normalised text", added.normalised[0].text), source);
  model.added = std::move(added.raw);
  model.added.insert(model.added.end(), added.normalised.begin(), added.normalised.end());
  read_roles(root, model);
  return make_tokenizer(std::move(model), source);
}

Result<std::pair<std::string, std::string>> read_merge(const Json& merge, size_t rank, const std::string& source) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) return std::pair(merge[0].get<std::string>(), merge[1].get<std::string>());
  if (merge.is_string()) {
    const auto& text = merge.get_ref<const std::string&>();
    if (const size_t at = text.find(' '); at != std::string::npos && text.find(' ', at + 1) == std::string::npos) return std::pair(text.substr(0, at), text.substr(at + 1));
  }
  return fail(Code::invalid, fmt::format("merge {} is not two tokens", rank), source);
}

Result<std::shared_ptr<const Tokenizer>> read_bpe(const Json& root, const Json& model_json, const std::string& source) {
  ByteBpeModel model;
  const Json* vocab = field(model_json, "vocab");
  const Json* merges = field(model_json, "merges");
  if (!vocab || !merges || !merges->is_array()) return fail(Code::invalid, "model.vocab or model.merges is missing", source);
  for (const char* name : {"dropout", "continuing_subword_prefix", "end_of_word_suffix"})
    if (const Json* f = field(model_json, name); f && !(f->is_string() && f->get_ref<const std::string&>().empty()) && !(f->is_number() && f->get<double>() == 0))
      return unsupported(fmt::format("has model.{}", name), source);
  for (const char* name : {"byte_fallback", "ignore_merges"})
    if (flag_of(model_json, name, false)) return unsupported(fmt::format("has model.{}", name), source);
  if (const Json* n = field(root, "normalizer")) return unsupported(fmt::format("has the normalizer '{}', expected none", text_of(*n, "type")), source);
  const Json* split = field(root, "pre_tokenizer");
  if (!split || text_of(*split, "type") != "ByteLevel" || !flag_of(*split, "use_regex", true)) return unsupported("has another pre_tokenizer than ByteLevel with its expression", source);
  model.prefix_space = flag_of(*split, "add_prefix_space", true);

  HONE_TRY(read_vocabulary(*vocab, source, model.vocabulary));
  for (size_t i = 0; i < merges->size(); ++i) {
    HONE_TRY_ASSIGN(auto merge, read_merge((*merges)[i], i, source));
    model.merges.push_back(std::move(merge));
  }
  HONE_TRY_ASSIGN(Added added, read_added(root, source, model.vocabulary));
  model.added = std::move(added.raw);
  model.added_later = std::move(added.normalised);
  read_roles(root, model);
  return make_tokenizer(std::move(model), source);
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> read_tokenizer_json(std::string_view json, const std::string& source) {
  HONE_TRY_ASSIGN(const Json root, parse(json, source));
  const Json* model = field(root, "model");
  if (!model || !model->is_object()) return fail(Code::invalid, "has no model", source, "expected a tokenizer.json of Hugging Face's tokenizers");
  std::string type = text_of(*model, "type");
  if (type.empty()) type = field(*model, "merges") ? "BPE" : "WordPiece";  // files of old versions do not say
  if (type == "WordPiece") return read_wordpiece(root, *model, source);
  if (type == "BPE") return read_bpe(root, *model, source);
  return unsupported(fmt::format("has a model of type '{}'", type), source);
}

Result<ByteBpeModel> read_vocab_merges(std::string_view vocab_json, std::string_view merges, const std::string& vocab_source, const std::string& merges_source) {
  ByteBpeModel model;
  HONE_TRY_ASSIGN(const Json vocab, parse(vocab_json, vocab_source));
  HONE_TRY(read_vocabulary(vocab, vocab_source, model.vocabulary));
  for (size_t line = 1; !merges.empty(); ++line) {
    const size_t end = std::min(merges.find('\n'), merges.size());
    std::string_view text = merges.substr(0, end);
    merges.remove_prefix(std::min(end + 1, merges.size()));
    if (text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty() || text.starts_with("#version")) continue;
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || space == 0 || space + 1 == text.size() || text.find(' ', space + 1) != std::string_view::npos)
      return fail(Code::invalid, fmt::format("is '{}', expected two tokens", text), fmt::format("{}:{}", merges_source, line));
    model.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  }
  for (const std::string& t : {model.begin, model.pad, model.end, model.unknown, model.mask})
    for (size_t id = 0; id < model.vocabulary.size(); ++id)
      if (model.vocabulary[id] == t) model.added.push_back({t, static_cast<int32_t>(id), t == model.mask});
  return model;
}

Status read_tokenizer_config(std::string_view json, const std::string& source, WordPieceModel& model) {
  HONE_TRY_ASSIGN(const Json root, parse(json, source));
  model.lower_case = flag_of(root, "do_lower_case", model.lower_case);
  model.strip_accents = flag_of(root, "strip_accents", model.lower_case);
  model.ideographs = flag_of(root, "tokenize_chinese_chars", model.ideographs);
  return {};
}

}  // namespace hone
