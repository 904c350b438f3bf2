// VQAv2: questions and annotations as published, joined by question.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "data/question_answers.h"
#include "data/question_reader.h"
#include "data/shuffle.h"

namespace hone::questions {

namespace {

struct Source {
  const char *split, *files, *folder;  // our name; the middle of the files' names; where pictures lie
  bool annotated;
};
constexpr Source kSources[] = {{"train", "train2014", "train2014", true}, {"val", "val2014", "val2014", true}, {"test", "test2015", "test2015", false}, {"test-dev", "test-dev2015", "test2015", false}};

// What an annotation adds to a question.
struct Annotation {
  uint16_t kind = 0;
  std::string answer;  // the most frequent one, normalised
  std::vector<uint32_t> given;
};

Result<std::unordered_map<int64_t, Annotation>> read_annotations(Reader& r, const std::string& file, AnswerCounter& counter) {
  std::unordered_map<int64_t, Annotation> out;
  HONE_TRY(for_each_element(file, "annotations", [&](const Json& a) -> Status {
    HONE_TRY_ASSIGN(const int64_t id, int_field(a, "question_id", file));
    HONE_TRY_ASSIGN(const std::string kind, text_field(a, "answer_type", file));
    HONE_TRY_ASSIGN(const std::string best, text_field(a, "multiple_choice_answer", file));
    const auto answers = a.find("answers");
    if (answers == a.end() || !answers->is_array()) return fail(Code::invalid, fmt::format("the annotation of question {} has no answers", id), file);
    Annotation made{r.kind(kind), normalise_answer(best), {}};
    for (const Json& given : *answers) {
      HONE_TRY_ASSIGN(const std::string text, text_field(given, "answer", file));
      made.given.push_back(r.given(text));
    }
    if (!out.try_emplace(id, std::move(made)).second) r.note("duplicate annotation", std::to_string(id));
    else counter.add(out[id].answer);
    return {};
  }));
  return out;
}

// Soft scores of the labels among the given answers, as they were written.
std::vector<AnswerScore> targets(const std::vector<uint32_t>& given, const std::vector<int64_t>& label_of) {
  std::map<uint32_t, int64_t> counts;
  for (const uint32_t g : given)
    if (label_of[g] >= 0) ++counts[static_cast<uint32_t>(label_of[g])];
  std::vector<AnswerScore> out;
  for (const auto& [label, n] : counts) out.push_back({label, soft_score(n)});
  return out;
}

// Pictures held back of val: in an order that their ids decide.
void split_val(Reader& r) {
  QuestionSet& set = r.set();
  const std::vector<uint32_t> val = r.split("val");
  std::vector<std::pair<uint64_t, uint32_t>> order;
  for (const uint32_t q : val) order.emplace_back(0, set.questions[q].images[0]);
  for (auto& [key, image] : order) {
    key = 0;
    for (const char c : set.images[image].id) key = scramble(key ^ static_cast<unsigned char>(c));
  }
  std::ranges::sort(order);
  order.erase(std::unique(order.begin(), order.end()), order.end());
  const size_t held = std::min<size_t>(1000, order.size() / 2);
  std::unordered_set<uint32_t> rest;
  for (size_t i = order.size() - held; i < order.size(); ++i) rest.insert(order[i].second);
  r.split("trainable_val");
  r.split("rest_val");
  for (const uint32_t q : val) r.split(rest.contains(set.questions[q].images[0]) ? "rest_val" : "trainable_val").push_back(q);
}

}  // namespace

Status read_vqa(Reader& r) {
  QuestionSet& set = r.set();
  set.name = "VQAv2";
  AnswerCounter counter;
  std::map<std::string, std::unordered_map<int64_t, Annotation>> annotations;
  // All annotations first: the vocabulary is of train and val together, and no question is kept that has no label.
  for (const Source& s : kSources) {
    if (!s.annotated || !find_file(r.path(), fmt::format("v2_OpenEnded_mscoco_{}_questions.json", s.files))) continue;
    const auto file = find_file(r.path(), fmt::format("v2_mscoco_{}_annotations.json", s.files));
    if (!file) return fail(Code::not_found, fmt::format("has the questions of {}, not v2_mscoco_{}_annotations.json", s.files, s.files), r.path());
    HONE_TRY_ASSIGN(annotations[s.split], read_annotations(r, *file, counter));
  }
  set.answers = r.options().answers.empty() ? counter.vocabulary(r.options().least) : r.options().answers;
  std::unordered_map<std::string, int64_t> label;
  for (size_t i = 0; i < set.answers.size(); ++i) label[set.answers[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> label_of(set.given.size(), -1);
  for (size_t i = 0; i < set.given.size(); ++i)
    if (const auto at = label.find(set.given[i]); at != label.end()) label_of[i] = at->second;

  std::unordered_map<int64_t, uint32_t> test_questions;  // test-dev is part of test
  for (const Source& s : kSources) {
    const auto file = find_file(r.path(), fmt::format("v2_OpenEnded_mscoco_{}_questions.json", s.files));
    if (!file) continue;
    auto& known = annotations[s.split];
    const std::string folder = r.folder({s.folder, std::string("images/") + s.folder});
    std::vector<uint32_t> indices;
    HONE_TRY(for_each_element(*file, "questions", [&](const Json& q) -> Status {
      HONE_TRY_ASSIGN(const int64_t id, int_field(q, "question_id", *file));
      HONE_TRY_ASSIGN(const int64_t image_id, int_field(q, "image_id", *file));
      HONE_TRY_ASSIGN(std::string text, text_field(q, "question", *file));
      if (const auto at = test_questions.find(id); !s.annotated && at != test_questions.end() && s.split == std::string("test-dev")) {
        indices.push_back(at->second);
        return {};
      }
      if (!r.fresh(std::to_string(id))) return {};
      std::vector<AnswerScore> scores;
      Annotation annotation;
      if (s.annotated) {
        const auto at = known.find(id);
        if (at == known.end()) {
          r.note("question without annotation", std::to_string(id));
          return {};
        }
        annotation = std::move(at->second);
        known.erase(at);
        scores = targets(annotation.given, label_of);
        if (scores.empty()) {
          r.note("no answer in the vocabulary", fmt::format("{} ('{}')", id, annotation.answer));
          return {};
        }
      } else {
        annotation.kind = r.kind("");
      }
      const auto image = r.picture(folder, fmt::format("COCO_{}_{:012}.jpg", s.folder, image_id), std::to_string(image_id));
      if (!image) return {};
      const auto index = static_cast<uint32_t>(set.questions.size());
      if (!s.annotated) test_questions[id] = index;
      indices.push_back(index);
      set.questions.push_back({std::to_string(id), std::move(text), {*image, 0}, annotation.kind, std::move(scores), std::move(annotation.given)});
      return {};
    }));
    for (const auto& [id, a] : known) r.note("annotation without question", std::to_string(id));
    r.split(s.split) = std::move(indices);
    if (s.split == std::string("val")) split_val(r);
  }
  return r.finish();
}

}  // namespace hone::questions
