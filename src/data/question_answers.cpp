#include "data/question_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "core/file.h"
#include "formats/unicode.h"

namespace hone {

namespace {

constexpr std::string_view kPunctuation = ";/[]\"{}()=+\\_-><@`,?!:";

// In the table each stands with its apostrophe, or all but one of several, left out.
constexpr std::string_view kContractions =
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am "
    "mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's "
    "someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're they've 'twas "
    "wasn't we'd've we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't "
    "wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've";

const std::unordered_map<std::string, std::string>& contractions() {
  static const auto table = [] {
    std::unordered_map<std::string, std::string> t = {{"somebody'd", "somebodyd"}};  // the other way round in the original
    for (std::string_view rest = kContractions; !rest.empty();) {
      const size_t end = std::min(rest.find(' '), rest.size());
      const std::string word(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      for (size_t at = word.find('\''); at != std::string::npos; at = word.find('\'', at + 1)) t[word.substr(0, at) + word.substr(at + 1)] = word;
    }
    return t;
  }();
  return table;
}

const std::map<std::string_view, std::string_view>& numbers() {
  static const std::map<std::string_view, std::string_view> table = {{"none", "0"}, {"zero", "0"}, {"one", "1"}, {"two", "2"},   {"three", "3"}, {"four", "4"},
                                                                     {"five", "5"}, {"six", "6"},  {"seven", "7"}, {"eight", "8"}, {"nine", "9"},  {"ten", "10"}};
  return table;
}

bool digit(char c) { return c >= '0' && c <= '9'; }
bool white(char c) { return c == ' ' || (c >= '\t' && c <= '\r') || (c >= '\x1c' && c <= '\x1f'); }

// Lower case, and every white space a plain one.
std::string lower(std::string_view text) {
  static const unicode::Fold fold(false, true);
  std::string out;
  for (const char *p = text.data(), *const end = p + text.size(); p < end;) {
    const char32_t c = unicode::next_point(p, end);
    const uint32_t folded = fold(c);
    if (unicode::flags()[c] & unicode::space) out += ' ';
    else if (folded < unicode::Fold::kSequence) unicode::append_utf8(folded ? folded : c, out);
    else
      for (const auto& part : fold.parts(folded)) unicode::append_utf8(part.point, out);
  }
  return out;
}

}  // namespace

std::string normalise_answer(std::string_view answer) {
  bool thousands = false;
  for (size_t i = 0; i + 2 < answer.size(); ++i) thousands |= digit(answer[i]) && answer[i + 1] == ',' && digit(answer[i + 2]);
  // A sign that stands beside a space somewhere is deleted everywhere, else each is made a space.
  std::array<bool, 256> deleted{}, spaced{};
  for (const char p : kPunctuation) {
    bool beside = thousands;
    for (size_t i = 0; i + 1 < answer.size(); ++i) beside |= (answer[i] == p && answer[i + 1] == ' ') || (answer[i] == ' ' && answer[i + 1] == p);
    (beside ? deleted : spaced)[static_cast<unsigned char>(p)] = true;
  }
  std::string text;
  for (const char c : answer)
    if (!deleted[static_cast<unsigned char>(c)]) text += spaced[static_cast<unsigned char>(c)] ? ' ' : c;
  std::string periodless;
  int periods = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' && !(i + 1 < text.size() && digit(text[i + 1])) && periods < 32) ++periods;
    else periodless += text[i];
  }
  const std::string plain = lower(periodless);
  std::string out;
  for (size_t i = 0; i < plain.size();) {
    if (white(plain[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < plain.size() && !white(plain[end])) ++end;
    std::string word = plain.substr(i, end - i);
    i = end;
    if (const auto n = numbers().find(word); n != numbers().end()) word = n->second;
    if (word == "a" || word == "an" || word == "the") continue;
    if (const auto c = contractions().find(word); c != contractions().end()) word = c->second;
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

void AnswerCounter::add(const std::string& answer) {
  const auto [at, fresh] = places_.emplace(answer, counts_.size());
  if (fresh) counts_.emplace_back(answer, 0);
  ++counts_[at->second].second;
}

std::vector<std::string> AnswerCounter::vocabulary(int64_t least) const {
  std::vector<std::string> out;
  for (const auto& [answer, n] : counts_)
    if (n >= least) out.push_back(answer);
  return out;
}

float soft_score(int64_t n) {
  constexpr float kScores[] = {0.f, 0.3f, 0.6f, 0.9f};
  return n <= 0 ? 0.f : n < 4 ? kScores[n] : 1.f;
}

double vqa_accuracy(std::string_view answer, std::span<const std::string> given) {
  const auto trimmed = [](std::string_view s) {
    std::string out(s);
    std::ranges::replace(out, '\n', ' ');
    std::ranges::replace(out, '\t', ' ');
    while (!out.empty() && white(out.back())) out.pop_back();
    out.erase(0, static_cast<size_t>(std::ranges::find_if(out, [](char c) { return !white(c); }) - out.begin()));
    return out;
  };
  if (given.empty()) return 0;
  std::vector<std::string> people;
  for (const std::string& g : given) people.push_back(trimmed(g));
  std::string mine = trimmed(answer);
  if (std::ranges::any_of(people, [&](const std::string& p) { return p != people[0]; })) {
    for (std::string& p : people) p = normalise_answer(p);
    mine = normalise_answer(mine);
  }
  const auto agree = static_cast<double>(std::ranges::count(people, mine)), n = static_cast<double>(people.size());
  // Leaving out one who agrees leaves one less; the others leave all of them.
  return (agree * std::min((agree - 1) / 3, 1.0) + (n - agree) * std::min(agree / 3, 1.0)) / n;
}

Status check_labels(const QuestionSet& set, const std::vector<std::string>& head, const std::string& network) {
  const size_t n = std::min(head.size(), set.answers.size());
  for (size_t i = 0; i < n; ++i)
    if (head[i] != set.answers[i])
      return fail(Code::invalid, fmt::format("label {} of the head is '{}', of the data '{}'", i, head[i], set.answers[i]), network, "give the data the labels that the network was trained with");
  if (head.size() == set.answers.size()) return {};
  return fail(Code::invalid, fmt::format("the head has {} labels, the data {} answers", head.size(), set.answers.size()), network, "give the data the labels that the network was trained with");
}

Result<std::vector<std::string>> read_labels(const std::string& path) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path));
  std::vector<std::string> out;
  if (path.ends_with(".json")) {
    try {
      const auto json = nlohmann::json::parse(text);
      const auto& names = json.at("id2label");
      out.resize(names.size());
      for (const auto& [id, label] : names.items()) {
        const size_t at = std::stoul(id);
        if (at >= out.size() || !out[at].empty()) return fail(Code::invalid, fmt::format("id2label has the id {}, expected 0 to {} once each", id, out.size() - 1), path);
        out[at] = label.get<std::string>();
      }
    } catch (const std::exception& e) {
      return fail(Code::invalid, fmt::format("is no configuration with id2label: {}", e.what()), path);
    }
  } else {
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      out.emplace_back(text, at, end - at);
      if (out.back().ends_with('\r')) out.back().pop_back();
      at = end + 1;
    }
  }
  if (out.empty()) return fail(Code::invalid, "holds no labels", path);
  std::map<std::string_view, size_t> seen;
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i].empty()) return fail(Code::invalid, fmt::format("label {} is empty", i), path);
    if (const auto [at, fresh] = seen.emplace(out[i], i); !fresh) return fail(Code::invalid, fmt::format("labels {} and {} are both '{}'", at->second, i, out[i]), path);
  }
  return out;
}

std::string vqa_submission(const QuestionSet& set, std::span<const uint32_t> questions, std::span<const uint32_t> labels) {
  std::string out = "[";
  for (size_t i = 0; i < questions.size(); ++i) {
    const std::string& id = set.questions[questions[i]].id;
    const bool number = !id.empty() && id.size() < 19 && std::ranges::all_of(id, digit);
    const auto quoted = [](const std::string& s) { return nlohmann::json(s).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); };
    out += fmt::format("{}{{\"question_id\": {}, \"answer\": {}}}", i ? ", " : "", number ? id : quoted(id), quoted(set.answers[labels[i]]));
  }
  return out + "]\n";
}

std::string nlvr2_predictions(const QuestionSet& set, std::span<const uint32_t> questions, std::span<const uint32_t> labels) {
  std::string out;
  for (size_t i = 0; i < questions.size(); ++i) out += fmt::format("{},{}\n", set.questions[questions[i]].id, labels[i] == 1 ? "True" : "False");
  return out;
}

PairScore pair_score(const QuestionSet& set, std::span<const uint32_t> questions, const std::vector<bool>& right) {
  std::map<std::string, bool> sentences;
  double n = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    std::string id = set.questions[questions[i]].id;
    if (const size_t last = id.rfind('-'); last != std::string::npos && last > 0)
      if (const size_t pair = id.rfind('-', last - 1); pair != std::string::npos) id.erase(pair, last - pair);
    const auto at = sentences.try_emplace(id, true).first;
    at->second = at->second && right[i];
    n += right[i];
  }
  if (questions.empty()) return {};
  const auto whole = static_cast<double>(std::ranges::count_if(sentences, [](const auto& s) { return s.second; }));
  return {n / static_cast<double>(questions.size()), whole / static_cast<double>(sentences.size())};
}

RecallScore recall(std::span<const float> scores, std::span<const uint32_t> picture_of, size_t pictures) {
  constexpr size_t kFirst[3] = {1, 5, 10};
  const size_t captions = picture_of.size();
  RecallScore out;
  // Captions of each picture: the best true one's rank is how many false ones score as much.
  std::vector<float> best(pictures, -INFINITY);
  std::vector<uint8_t> described(pictures);
  for (size_t c = 0; c < captions; ++c) {
    const size_t i = picture_of[c];
    best[i] = std::max(best[i], scores[i * captions + c]);
    described[i] = 1;
  }
  double queries = 0;
  for (size_t i = 0; i < pictures; ++i) {
    if (!described[i]) continue;
    ++queries;
    size_t before = 0;
    for (size_t c = 0; c < captions; ++c) before += picture_of[c] != i && scores[i * captions + c] >= best[i];
    for (size_t k = 0; k < 3; ++k) out.text[k] += before < kFirst[k];
  }
  std::vector<size_t> before(captions);
  for (size_t i = 0; i < pictures; ++i)
    for (size_t c = 0; c < captions; ++c) before[c] += i != picture_of[c] && scores[i * captions + c] >= scores[picture_of[c] * captions + c];
  for (size_t k = 0; k < 3; ++k) {
    for (size_t c = 0; c < captions; ++c) out.image[k] += before[c] < kFirst[k];
    out.text[k] /= std::max(queries, 1.0);
    out.image[k] /= std::max(static_cast<double>(captions), 1.0);
  }
  return out;
}

}  // namespace hone
