// hone data tokenize, hone data vocabulary: text to token ids, and vocabularies for data that has none.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "core/file.h"
#include "data/question_sets.h"
#include "data/questions_procedural.h"
#include "formats/tokenizer_train.h"

namespace hone::cli {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out.emplace_back(text, at, end - at);
    at = end + 1;
  }
  return out;
}

struct TokenizeOptions {
  std::string tokenizer, file;
  std::vector<std::string> texts;
  std::optional<int64_t> max_text;
  Output output;
};

Result<Outcome> run_tokenize(const TokenizeOptions& o, const TextStyle& style) {
  if (o.max_text && *o.max_text < 3) return fail(Code::usage, fmt::format("is {}, expected 3 or more", *o.max_text), "--max-text");
  if (o.texts.empty() == o.file.empty()) return fail(Code::usage, "give texts, or a file of them with --file");
  HONE_TRY_ASSIGN(const auto tokenizer, open_tokenizer(o.tokenizer));
  std::vector<std::string> texts = o.texts;
  if (!o.file.empty()) {
    HONE_TRY_ASSIGN(const std::string contents, read_file(o.file));
    texts = lines_of(contents);
  }
  Report report;
  report.command = "data tokenize";
  report.title = fmt::format("{}, {} tokens", tokenizer->name(), tokenizer->size());
  report.parts.push_back(Facts{"", "", {{"model", "model", std::string(tokenizer->name()), Unit::none, "", kJson}, {"vocabulary", "vocabulary", tokenizer->size(), Unit::none, "", kJson}}});
  Table table{"texts", "", {{"tokens", "", Unit::none, false, kJson}, {"ids", "", Unit::none, false, kJson}, {"shown", "tokens", Unit::none, false, kText}, {"numbers", "ids", Unit::none, false, kText}, {"truncated", "cut"}}};
  int64_t cut_texts = 0;
  for (const std::string& text : texts) {
    bool cut = false;
    const auto ids = tokenizer->encode(text, o.max_text.value_or(INT32_MAX), cut);
    cut_texts += cut;
    std::vector<std::string> tokens;
    for (const int32_t id : ids) tokens.push_back(tokenizer->vocabulary()[static_cast<size_t>(id)]);
    // Lists for programs; for people in full, where a list would be shortened.
    const std::string shown = fmt::format("{}", fmt::join(tokens, " ")), numbers = fmt::format("{}", fmt::join(ids, " "));
    table.rows.push_back({std::move(tokens), std::vector<int64_t>(ids.begin(), ids.end()), shown, numbers, cut});
  }
  report.parts.push_back(std::move(table));
  report.parts.push_back(Facts{"", "", {{"truncated", "texts cut", cut_texts, Unit::none, "", kJson}}});
  if (cut_texts > 0) report.parts.push_back(Note{Note::Level::warning, fmt::format("{} of {} texts have more than {} tokens and are cut", cut_texts, texts.size(), *o.max_text)});
  return present(report, o.output, style);
}

struct VocabularyCommand {
  std::string source, output, kind = "wordpiece";
  std::optional<int64_t> size;
  bool force = false;
};

Result<std::vector<std::string>> texts_of(const std::string& source) {
  std::error_code ec;
  if (source != "procedural" && !std::filesystem::is_directory(source, ec)) {
    HONE_TRY_ASSIGN(const std::string contents, read_file(source, size_t{1} << 30));
    return lines_of(contents);
  }
  HONE_TRY_ASSIGN(const QuestionSet set, source == "procedural" ? procedural_questions({.images = 5000}) : open_questions(source));
  // Of the first split: a vocabulary is learnt, so it must not see what is measured with.
  std::vector<std::string> out;
  for (const uint32_t q : set.splits[0].questions) out.push_back(set.questions[q].text);
  return out;
}

Result<Outcome> run_vocabulary(const VocabularyCommand& o) {
  HONE_TRY_ASSIGN(const auto texts, texts_of(o.source));
  VocabularyOptions how;
  if (o.size) how.size = *o.size;
  int64_t tokens = 0;
  if (o.kind == "wordpiece") {
    HONE_TRY_ASSIGN(const WordPieceModel model, train_wordpiece(texts, how));
    HONE_TRY(write_tokenizer(model, o.output, o.force));
    tokens = static_cast<int64_t>(model.vocabulary.size());
  } else {
    HONE_TRY_ASSIGN(const ByteBpeModel model, train_byte_bpe(texts, how));
    HONE_TRY(write_tokenizer(model, o.output, o.force));
    tokens = static_cast<int64_t>(model.vocabulary.size());
  }
  return Outcome{"", 0, fmt::format("{} tokens from {} texts in {}\n", tokens, texts.size(), o.output)};
}

}  // namespace

Command data_tokenize_command() {
  auto o = std::make_shared<TokenizeOptions>();
  Command c;
  c.name = "data tokenize";
  c.summary = "Text as tokens of a vocabulary";
  c.about = "WordPiece (BERT) and byte-level BPE (RoBERTa), with begin and end, as networks read it.";
  c.arguments.push_back({"TOKENIZER", &o->tokenizer, "tokenizer.json, vocab.txt, vocab.json with merges.txt beside it, or a folder with one of them"});
  c.arguments.push_back({"TEXT", &o->texts, "texts", false});
  c.options.push_back({"--file", "FILE", &o->file, "one text a line"});
  c.options.push_back({"--max-text", "N", &o->max_text, "cut to N tokens, begin and end included"});
  add_output(c, o->output, false, false);
  c.examples = {{"hone data tokenize bert-base-uncased 'How many cats are there?'", "tokens and ids"}};
  c.run = [o](const TextStyle& style) { return run_tokenize(*o, style); };
  return c;
}

Command data_vocabulary_command() {
  auto o = std::make_shared<VocabularyCommand>();
  Command c;
  c.name = "data vocabulary";
  c.summary = "A vocabulary learnt from texts";
  c.about = "For data that comes without one. The result depends on how often each word occurs and on nothing else.";
  c.arguments.push_back({"SOURCE", &o->source, "a file of one text a line, a folder of questions (its first split), or 'procedural'"});
  c.options.push_back({"-o,--output", "DIR", &o->output, "folder for vocab.txt, or for vocab.json and merges.txt"});
  c.options.push_back({"--kind", "KIND", &o->kind, "wordpiece by default", {"wordpiece", "bpe"}});
  c.options.push_back({"--size", "N", &o->size, "tokens at most; 2000 by default"});
  c.options.push_back({"--force", "", &o->force, "overwrite the files"});
  o->output = "vocabulary";
  c.examples = {{"hone data vocabulary procedural -o words --size 300", "what the small networks of the demo read"}};
  c.run = [o](const TextStyle&) { return run_vocabulary(*o); };
  return c;
}

}  // namespace hone::cli
