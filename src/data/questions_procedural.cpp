#include "data/questions_procedural.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "data/question_scenes.h"
#include "data/shuffle.h"

namespace hone {

const std::vector<std::string>& procedural_question_kinds() { return scenes::kinds(); }

namespace {

constexpr int kTries = 1000;  // scenes drawn for a picture's questions before the best one is taken

struct Plan {
  std::vector<size_t> kinds;                       // indices into scenes::kinds()
  std::vector<std::vector<std::string>> answers;   // of each of these kinds
  std::vector<std::vector<uint32_t>> label;        // their ids in the vocabulary
  ProceduralQuestions options;
};

struct Made {
  scenes::Scene scene;
  std::vector<std::pair<scenes::Ask, std::string>> questions;
};

struct Wish {
  size_t kind;
  uint8_t answer;
  int naming;
};
Wish draw_wish(const Plan& plan, Rng& rng) {
  const size_t k = rng.below(plan.kinds.size());
  const auto answer = static_cast<uint8_t>(rng.below(plan.answers[k].size()));
  const std::vector<int> namings = scenes::namings_of(plan.kinds[k]);
  return {k, answer, namings[rng.below(namings.size())]};
}

// Adds a question of that kind, answer and naming, unless the scene has none that is not asked yet.
bool grant(const Plan& plan, const Wish& wish, Rng& rng, std::vector<scenes::Ask>& asks, Made& made) {
  asks.clear();
  scenes::list_questions(made.scene, plan.kinds[wish.kind], plan.options.most_objects, asks);
  std::erase_if(asks, [&](const scenes::Ask& a) { return a.answer != wish.answer || (wish.naming >= 0 && scenes::naming(a) != wish.naming); });
  for (int i = 0; i < 8 && !asks.empty(); ++i) {
    scenes::Ask ask = asks[rng.below(asks.size())];
    std::string text = scenes::in_words(ask, rng);
    if (std::ranges::any_of(made.questions, [&](const auto& q) { return q.second == text; })) continue;
    made.questions.emplace_back(ask, std::move(text));
    return true;
  }
  return false;
}

// Which kind and answer each question of a picture is to have is drawn first, then scenes until one can give all of them.
// What the best of kTries could not give is drawn anew for that scene.
Made make_picture(const Plan& plan, uint64_t index) {
  Rng rng(derive_seed(plan.options.seed, index));
  const auto wanted = static_cast<size_t>(plan.options.questions_per_image);
  std::vector<Wish> wishes;
  while (wishes.size() < wanted) wishes.push_back(draw_wish(plan, rng));
  // Those of many answers first: a scene that fails them is left early.
  std::ranges::stable_sort(wishes, std::ranges::greater(), [&](const Wish& w) { return plan.answers[w.kind].size(); });
  Made best;
  std::vector<scenes::Ask> asks;
  for (int attempt = 0; attempt < kTries && best.questions.size() < wanted; ++attempt) {
    Made made;
    made.scene = scenes::draw_scene(rng, plan.options.least_objects, plan.options.most_objects);
    size_t missed = 0;
    for (const Wish& wish : wishes)
      if (!grant(plan, wish, rng, asks, made) && ++missed >= wanted - best.questions.size() && attempt > 0) break;  // no better than the best
    if (attempt == 0 || made.questions.size() > best.questions.size()) best = std::move(made);
  }
  for (int i = 0; i < 1000 && best.questions.size() < wanted; ++i) grant(plan, draw_wish(plan, rng), rng, asks, best);
  return best;
}

Status check(const ProceduralQuestions& o) {
  const auto outside = [](const char* name, int64_t value, int64_t low, int64_t high) { return fail(Code::usage, fmt::format("is {}, expected {} to {}", value, low, high), name); };
  if (o.images < 1 || o.images > 10'000'000) return outside("images", o.images, 1, 10'000'000);
  if (o.questions_per_image < 1 || o.questions_per_image > 20) return outside("questions_per_image", o.questions_per_image, 1, 20);
  if (o.least_objects < 1 || o.least_objects > o.most_objects) return outside("least_objects", o.least_objects, 1, o.most_objects);
  if (o.most_objects > 9) return outside("most_objects", o.most_objects, 1, 9);
  if (o.side < 32 || o.side > 1024) return outside("side", o.side, 32, 1024);
  if (!(o.val_share >= 0 && o.test_share >= 0 && o.val_share + o.test_share < 1)) return fail(Code::usage, fmt::format("are {} and {}, expected shares that leave something to train on", o.val_share, o.test_share), "val_share, test_share");
  return {};
}

}  // namespace

Result<QuestionSet> procedural_questions(const ProceduralQuestions& options) {
  HONE_TRY(check(options));
  QuestionSet set;
  set.name = "procedural";
  Plan plan{{}, {}, {}, options};
  for (const std::string& name : options.kinds.empty() ? scenes::kinds() : options.kinds) {
    const auto at = std::ranges::find(scenes::kinds(), name);
    if (at == scenes::kinds().end()) return fail(Code::usage, fmt::format("'{}' is no kind of question", name), "kinds", fmt::format("kinds: {}", fmt::join(scenes::kinds(), ", ")));
    if (std::ranges::find(set.kinds, name) != set.kinds.end()) continue;
    set.kinds.push_back(name);
    plan.kinds.push_back(static_cast<size_t>(at - scenes::kinds().begin()));
    plan.answers.push_back(scenes::answers_of(plan.kinds.back(), options.most_objects));
    auto& labels = plan.label.emplace_back();
    for (const std::string& a : plan.answers.back()) {
      const auto label = std::ranges::find(set.answers, a);
      labels.push_back(static_cast<uint32_t>(label - set.answers.begin()));
      if (label == set.answers.end()) set.answers.push_back(a);
    }
  }
  const auto n = static_cast<uint64_t>(options.images);
  const auto test = static_cast<uint64_t>(std::llround(options.test_share * static_cast<double>(n))), val = std::min(n - test, static_cast<uint64_t>(std::llround(options.val_share * static_cast<double>(n))));
  set.splits = {{"train", {}}, {"val", {}}, {"test", {}}};
  auto pictures = std::make_shared<std::vector<scenes::Scene>>(n);
  for (uint64_t i = 0; i < n; ++i) {
    Made made = make_picture(plan, i);
    (*pictures)[i] = std::move(made.scene);
    set.images.push_back({fmt::format("{:06}", i), [pictures, i, side = options.side]() -> Result<Image> { return scenes::render((*pictures)[i], side); }});
    auto& split = set.splits[i < n - test - val ? 0 : i < n - test ? 1 : 2].questions;
    for (size_t q = 0; q < made.questions.size(); ++q) {
      auto& [ask, text] = made.questions[q];
      const auto kind = static_cast<size_t>(std::ranges::find(plan.kinds, size_t{ask.kind}) - plan.kinds.begin());
      split.push_back(static_cast<uint32_t>(set.questions.size()));
      set.questions.push_back({fmt::format("{:06}-{}", i, q), std::move(text), {static_cast<uint32_t>(i), 0}, static_cast<uint16_t>(kind), {{plan.label[kind][ask.answer], 1.0f}}, {}});
    }
  }
  set.checksum = checksum_of(set);
  return set;
}

}  // namespace hone
