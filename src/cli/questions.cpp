// hone data questions: sets of questions about pictures, before anything is trained on them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <set>
#include <thread>

#include "cli/commands.h"
#include "core/file.h"
#include "data/question_answers.h"
#include "data/question_sets.h"
#include "data/question_sheet.h"
#include "data/questions_procedural.h"
#include "formats/tokenizer.h"

namespace hone::cli {

namespace {

struct Options {
  std::string path, images, labels, tokenizer;
  std::optional<std::string> sheet;
  std::optional<int64_t> seed, pictures, max_text;
  bool strict = false, decode = false;
  Output output;
};

int64_t count(size_t n) { return static_cast<int64_t>(n); }

Result<QuestionSet> open(const Options& o) {
  if (o.path != "procedural") {
    if (o.seed || o.pictures) return fail(Code::usage, "--seed and --pictures belong to 'procedural'", o.path);
    QuestionSetOptions how{.images = o.images, .strict = o.strict};
    if (!o.labels.empty()) {
      HONE_TRY_ASSIGN(how.answers, read_labels(o.labels));
    }
    return open_questions(o.path, how);
  }
  if (!o.images.empty() || o.strict) return fail(Code::usage, "--images and --strict belong to sets on disk", o.path);
  ProceduralQuestions how;
  if (o.seed) how.seed = static_cast<uint64_t>(*o.seed);
  if (o.pictures) how.images = *o.pictures;
  HONE_TRY_ASSIGN(QuestionSet set, procedural_questions(how));
  if (!o.labels.empty()) {
    HONE_TRY_ASSIGN(const auto labels, read_labels(o.labels));
    HONE_TRY(check_labels(set, labels, o.labels));
  }
  return set;
}

Table splits(const QuestionSet& set) {
  Table table{"splits", "", {{"split", "split"}, {"questions", "questions"}, {"pictures", "pictures"}}};
  for (const auto& s : set.splits) {
    std::set<uint32_t> pictures;
    for (const uint32_t q : s.questions)
      for (int k = 0; k < set.images_per_question; ++k) pictures.insert(set.questions[q].images[static_cast<size_t>(k)]);
    table.rows.push_back({s.name, count(s.questions.size()), count(pictures.size())});
  }
  return table;
}

// What a blind answer earns: of each kind the answer that is right most often, over the first split.
void add_answers(const QuestionSet& set, Report& report) {
  const auto& split = set.splits[0];
  std::vector<int64_t> all(set.answers.size());
  Table kinds{"kinds", fmt::format("kinds of question in {}", split.name), {{"kind", "kind"}, {"questions", "questions"}, {"answers", "answers"}, {"most_frequent", "most frequent"}, {"share", "its share", Unit::share}}};
  for (const AnswerKind& k : count_answers(set, split)) {
    for (size_t a = 0; a < all.size(); ++a) all[a] += k.answers[a];
    if (k.questions == 0) continue;
    const auto most = std::ranges::max_element(k.answers);
    const auto different = k.answers.size() - static_cast<size_t>(std::ranges::count(k.answers, 0));
    kinds.rows.push_back({set.kinds[k.kind], k.questions, count(different), set.answers[static_cast<size_t>(most - k.answers.begin())], static_cast<double>(*most) / static_cast<double>(k.questions)});
  }
  Table answers{"answers", fmt::format("{} answers", set.answers.size()), {{"label", "label"}, {"answer", "answer"}, {"count", split.name}}};
  for (size_t a = 0; a < all.size(); ++a) answers.rows.push_back({count(a), set.answers[a], all[a]});
  if (answers.rows.size() > 40) answers.forms = kJson;
  report.parts.push_back(std::move(kinds));
  report.parts.push_back(std::move(answers));
}

// Tokens of the texts with begin and end, and how many do not fit.
Status add_lengths(const QuestionSet& set, const Options& o, Report& report) {
  HONE_TRY_ASSIGN(const auto tokenizer, open_tokenizer(o.tokenizer));
  const int64_t room = o.max_text.value_or(40);
  if (room < 3) return fail(Code::usage, fmt::format("is {}, expected 3 or more", room), "--max-text");
  std::vector<int64_t> lengths;
  int64_t longer = 0, unknown = 0, tokens = 0;
  std::vector<int32_t> ids;
  for (const Question& q : set.questions) {
    ids.clear();
    tokenizer->append(q.text, ids);
    lengths.push_back(count(ids.size()) + 2);
    longer += lengths.back() > room;
    unknown += std::ranges::count(ids, tokenizer->special().unknown);
    tokens += count(ids.size());
  }
  std::ranges::sort(lengths);
  report.parts.push_back(Facts{"tokens", "tokens of a text, begin and end included",
                               {{"tokenizer", "tokenizer", fmt::format("{}, {} tokens", tokenizer->name(), tokenizer->size())},
                                {"least", "least", lengths.front()},
                                {"median", "median", lengths[lengths.size() / 2]},
                                {"most", "most", lengths.back()},
                                {"max_text", "room", room},
                                {"truncated", "texts that do not fit", longer},
                                {"unknown", "unknown tokens", tokens ? static_cast<double>(unknown) / static_cast<double>(tokens) : 0.0, Unit::share}}});
  if (longer > 0) report.parts.push_back(Note{Note::Level::warning, fmt::format("{} of {} texts have more than {} tokens and are cut", longer, lengths.size(), room)});
  return {};
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  if (o.max_text && o.tokenizer.empty()) return fail(Code::usage, "--max-text counts tokens: give --tokenizer too");
  if (o.sheet) HONE_TRY(check_writable(*o.sheet, o.output.force));
  HONE_TRY_ASSIGN(QuestionSet set, open(o));
  if (o.decode)
    for (DataNote& n : check_question_images(set, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())))) set.notes.push_back(std::move(n));
  Report report;
  report.command = "data questions";
  report.title = fmt::format("{}: {} questions about {} pictures", set.name, set.questions.size(), set.images.size());
  const char* task = set.task == QuestionTask::answer ? "answer" : set.task == QuestionTask::verify ? "verify" : "retrieve";
  report.parts.push_back(Facts{"", "", {{"name", "set", set.name, Unit::none, "", kJson}, {"task", "task", std::string(task)}, {"checksum", "checksum", set.checksum}}});
  report.parts.push_back(splits(set));
  if (!set.answers.empty() && !set.splits.empty()) add_answers(set, report);
  if (!o.tokenizer.empty()) HONE_TRY(add_lengths(set, o, report));
  Table notes{"notes", "found", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}};
  for (const DataNote& n : set.notes) notes.rows.push_back({n.kind, n.count, n.examples});
  notes.forms = kJson;
  report.parts.push_back(std::move(notes));
  for (const DataNote& n : set.notes) report.parts.push_back(Note{Note::Level::warning, describe(n)});
  if (o.sheet) {
    HONE_TRY_ASSIGN(const Image sheet, question_sheet(set, set.splits.empty() ? nullptr : &set.splits[0]));
    HONE_TRY_ASSIGN(const std::string png, encode_png(sheet));
    HONE_TRY(write_file(*o.sheet, png, o.output.force));
  }
  return present(report, o.output, style);
}

}  // namespace

Command data_questions_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "data questions";
  c.summary = "What a set of questions about pictures holds";
  c.about = "VQAv2, NLVR2, Karpathy's caption files, easy-VQA and the procedural set, opened as training does. What is wrong is counted and named.";
  c.arguments.push_back({"DATA", &o->path, "a folder with the published files, or 'procedural'"});
  c.options.push_back({"--images", "DIR", &o->images, "where the pictures are, when not beside the questions"});
  c.options.push_back({"--labels", "FILE", &o->labels, "answers of a trained head in its order: one a line, or a config.json"});
  c.options.push_back({"--strict", "", &o->strict, "refuse bad data instead of skipping it"});
  c.options.push_back({"--decode", "", &o->decode, "decode every picture"});
  c.options.push_back({"--tokenizer", "PATH", &o->tokenizer, "count the tokens of every text with this vocabulary"});
  c.options.push_back({"--max-text", "N", &o->max_text, "tokens that a text may have; 40 by default"});
  c.options.push_back({"--seed", "N", &o->seed, "of the procedural set; 1 by default"});
  c.options.push_back({"--pictures", "N", &o->pictures, "of the procedural set; 1000 by default"});
  c.options.push_back({"--sheet", "FILE", &o->sheet, "also write pictures with their questions as a PNG"});
  add_output(c, o->output, false, false);
  c.options.push_back({"--force", "", &o->output.force, "overwrite the file"});
  c.examples = {{"hone data questions easy-vqa", "splits, answers by kind, what a blind guess is worth"},
                {"hone data questions procedural --sheet sheet.png", "the set that needs no download, and a look at it"},
                {"hone data questions vqa --tokenizer bert-base-uncased --max-text 40", "how many questions will be cut"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
