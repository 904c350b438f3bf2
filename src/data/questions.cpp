#include "data/questions.h"

#include <fmt/format.h>

#include "core/sha256.h"

namespace hone {

const QuestionSet::Split* QuestionSet::split(const std::string& name) const {
  for (const Split& s : splits)
    if (s.name == name) return &s;
  return nullptr;
}

std::string checksum_of(const QuestionSet& set) {
  Sha256 hash;
  const auto text = [&](const std::string& s) { hash.update(s.c_str(), s.size() + 1); };
  const auto number = [&](uint64_t n) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(n >> (8 * i));
    hash.update(bytes, sizeof bytes);
  };
  for (const std::string& a : set.answers) text(a);
  for (const Question& q : set.questions) {
    text(q.id);
    text(q.text);
    for (int i = 0; i < set.images_per_question; ++i) text(set.images[q.images[static_cast<size_t>(i)]].id);
    for (const AnswerScore& a : q.answers) {
      number(a.answer);
      number(static_cast<uint64_t>(a.score * 1000 + 0.5f));
    }
    for (const uint32_t g : q.given) text(set.given[g]);
    number(q.answers.size());
  }
  for (const auto& split : set.splits) {
    text(split.name);
    for (const uint32_t q : split.questions) number(q);
  }
  std::string out;
  for (const uint8_t b : hash.digest()) out += fmt::format("{:02x}", b);
  return out;
}

std::vector<AnswerKind> count_answers(const QuestionSet& set, const QuestionSet::Split& split) {
  std::vector<AnswerKind> out(set.kinds.size());
  for (size_t k = 0; k < out.size(); ++k) {
    out[k].kind = static_cast<uint16_t>(k);
    out[k].answers.resize(set.answers.size());
  }
  for (const uint32_t i : split.questions) {
    const Question& q = set.questions[i];
    ++out[q.kind].questions;
    const AnswerScore* best = nullptr;
    for (const AnswerScore& a : q.answers)
      if (!best || a.score > best->score) best = &a;
    if (best) ++out[q.kind].answers[best->answer];
  }
  return out;
}

}  // namespace hone
