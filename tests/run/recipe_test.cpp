#include "run/recipe.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cmath>
#include <cstring>

#include "run/toml_text.h"

namespace hone {
namespace {

Recipe parse(const std::string& text, const std::vector<std::string>& settings = {}) {
  auto recipe = Recipe::parse(text, "r.toml", settings);
  EXPECT_TRUE(recipe) << recipe.error().text();
  return std::move(*recipe);
}
Error refused(const std::string& text, const std::vector<std::string>& settings = {}) {
  auto recipe = Recipe::parse(text, "r.toml", settings);
  EXPECT_FALSE(recipe) << text;
  return recipe ? Error{} : recipe.error();
}

TEST(Recipe, AnswersAndDefaults) {
  Recipe r = parse("seed = 7\nname = \"caf\\u00e9 \xC3\xA9\"  # \xC3\xA9t\xC3\xA9\n[optimiser]\nlr = 1\nsteps = 1e3\nbetas = [0.9, 1]\n");
  EXPECT_EQ(r.integer("seed", 0, ""), 7);
  EXPECT_EQ(r.text("name", "", ""), "caf\xC3\xA9 \xC3\xA9");
  EXPECT_EQ(r.real("optimiser.lr", 0.1, ""), 1.0);
  EXPECT_EQ(r.integer("optimiser.steps", 0, ""), 1000);
  EXPECT_EQ(r.reals("optimiser.betas", {}, ""), (std::vector<double>{0.9, 1}));
  EXPECT_EQ(r.text("optimiser.kind", "adamw", "", {"sgd", "adamw"}), "adamw");
  EXPECT_TRUE(r.flag("optimiser.fused", true, ""));
  EXPECT_TRUE(r.has("optimiser"));
  EXPECT_FALSE(r.has("average"));
  EXPECT_TRUE(r.finish());
  EXPECT_EQ(r.real("optimiser.lr", 5, ""), 1.0) << "the first answer again";
}

TEST(Recipe, FrozenStatesEveryValueWithItsComment) {
  Recipe r = parse("[[group]]\nlr = 0.5\n[[group]]\n[train]\nsteps = 10\n");
  r.integer("seed", 1, "of every generator");
  r.integer("train.steps", 1, "optimiser steps");
  r.real("train.clip", 2, "norm");
  ASSERT_EQ(r.tables("group"), 2);
  for (const char* k : {"group.0.lr", "group.1.lr"}) r.real(k, 0.1, "");
  r.texts("group.1.match.names", {"*.bias"}, "");
  EXPECT_EQ(r.frozen(), R"(# Every value that this run uses, defaults included.
seed = 1  # of every generator

[train]
steps = 10  # optimiser steps
clip = 2.0  # norm

[[group]]
lr = 0.5

[[group]]
lr = 0.1

[group.match]
names = ["*.bias"]
)");
  Recipe again = parse(r.frozen());
  EXPECT_EQ(again.tables("group"), 2);
  EXPECT_EQ(again.texts("group.1.match.names", {}, ""), (std::vector<std::string>{"*.bias"}));
}

TEST(Recipe, ErrorsNameFileLineAndKeyAllAtOnce) {
  Recipe r = parse("seed = \"x\"\n[optimiser]\nlr = -1\nkind = \"adamv\"\nmomentun = 0.9\n[optimizer]\nlr = 2\n");
  EXPECT_EQ(r.integer("seed", 3, ""), 3);
  EXPECT_EQ(r.real("optimiser.lr", 0.1, "", 0), 0.1);
  EXPECT_EQ(r.text("optimiser.kind", "sgd", "", {"sgd", "adamw"}), "sgd");
  r.real("optimiser.momentum", 0, "");
  const auto status = r.finish();
  ASSERT_FALSE(status);
  const std::string text = status.error().text();
  for (const char* part : {"r.toml:1: seed: is \"x\", expected a whole number", "r.toml:3: optimiser.lr: is -1, expected at least 0",
                           "r.toml:4: optimiser.kind: is \"adamv\", expected one of: sgd, adamw", "did you mean adamw?",
                           "r.toml:5: optimiser.momentun: nothing uses this key (did you mean optimiser.momentum?)",
                           "r.toml:6: optimizer: nothing uses this table (did you mean optimiser?)"})
    EXPECT_NE(text.find(part), text.npos) << part << "\nin\n" << text;
}

TEST(Recipe, KindsAndRangesAreChecked) {
  Recipe r = parse("a = 1.5\nb = nan\nc = [1, \"x\"]\nd = 1979-05-27\ne = {x = 1}\nf = 3\ng = inf\nh = [[1]]\n");
  r.integer("a", 0, ""), r.real("b", 0, ""), r.integers("c", {}, ""), r.text("d", "", ""), r.text("e", "", "");
  r.integer("f.x", 0, ""), r.real("g", 0, ""), r.tables("h");
  const std::string text = r.finish().error().text();
  for (const char* part : {"a: is 1.5", "b: is nan", "c: is a list", "d: is a date or time", "e: is a table", "f.x: stands behind a value", "g: is inf", "h: is a list"})
    EXPECT_NE(text.find(part), text.npos) << part << "\nin\n" << text;
  Recipe twice = parse("");
  twice.integer("n", 1, "");
  EXPECT_EQ(twice.real("n", 9, ""), 1.0);
  EXPECT_TRUE(twice.finish());
  twice.text("n", "", "");
  EXPECT_FALSE(twice.finish());
}

TEST(Recipe, FilesAreOneTextOrAList) {
  const std::vector<std::string> two = {"a", "b"};
  Recipe r = parse("one = \"a\"\nlist = [\"a\", \"b\"]\nempty = \"\"\nnumber = 1\nnumbers = [1]\n");
  EXPECT_EQ(r.files("one", ""), std::vector<std::string>{"a"});
  EXPECT_EQ(r.files("list", ""), two);
  EXPECT_TRUE(r.files("empty", "").empty());
  EXPECT_TRUE(r.files("none", "").empty());
  ASSERT_TRUE(r.frozen().find("one = \"a\"\n") != std::string::npos && r.frozen().find("none = \"\"\n") != std::string::npos) << r.frozen();
  Recipe again = parse(r.frozen(), {"one=[\"a\", \"b\"]"});
  EXPECT_EQ(again.files("one", ""), two);
  EXPECT_EQ(again.files("list", ""), two);
  r.files("number", ""), r.files("numbers", "");
  const std::string text = r.finish().error().text();
  for (const char* part : {"number: is 1, expected text", "number=\"1\"", "numbers: is a list, expected a list of texts"}) EXPECT_NE(text.find(part), text.npos) << text;
}

TEST(Recipe, SettingsWin) {
  Recipe r = parse("[optimiser]\nlr = 1.0\n[[group]]\nlr = 1\n",
                   {"optimiser.lr=0.25", "optimiser.kind=sgd", "data.path=/a b/c=d", "group.0.lr=4", "list=[1, 2]", "on=true", "quoted=\"x\"", "date=2024-01-01", "empty="});
  EXPECT_EQ(r.real("optimiser.lr", 0, ""), 0.25);
  EXPECT_EQ(r.text("optimiser.kind", "", ""), "sgd");
  EXPECT_EQ(r.text("data.path", "", ""), "/a b/c=d");
  EXPECT_EQ(r.tables("group"), 1);
  EXPECT_EQ(r.real("group.0.lr", 0, ""), 4);
  EXPECT_EQ(r.integers("list", {}, ""), (std::vector<int64_t>{1, 2}));
  EXPECT_TRUE(r.flag("on", false, ""));
  EXPECT_EQ(r.text("quoted", "", ""), "x");
  EXPECT_EQ(r.text("date", "", ""), "2024-01-01");
  EXPECT_EQ(r.text("empty", "x", ""), "");
  EXPECT_TRUE(r.finish()) << r.finish().error().text();

  Recipe bad = parse("[optimiser]\n", {"optimiser.lr=fast", "optimiser.typo=1"});
  bad.real("optimiser.lr", 0, "");
  const std::string text = bad.finish().error().text();
  EXPECT_NE(text.find("--set optimiser.lr=fast: optimiser.lr: is \"fast\", expected a finite number"), text.npos) << text;
  EXPECT_NE(text.find("--set optimiser.typo=1: optimiser.typo: nothing uses this key"), text.npos) << text;
  for (const char* s : {"x", "=1", "a..b=1", "a b=1", "group.3.lr=1", "seed.x=1", "a=[1", "a=\"x", "group.0=1"})
    EXPECT_EQ(refused("seed = 1\n[[group]]\n", {s}).where, std::string("--set ") + s);
}

TEST(Recipe, BadTextIsAnErrorWithItsLine) {
  EXPECT_EQ(refused("a = 1\nb = = 2\n").where, "r.toml:2");
  EXPECT_EQ(refused("a = 1\na = 2\n").where, "r.toml:2");
  EXPECT_EQ(refused("a = 1\n\"x.y\" = 2\n").where, "r.toml:2");
  EXPECT_EQ(refused("a = 1\n\xC3\xA9 = 2\n").where, "r.toml:2");
  EXPECT_EQ(refused("a = '\xC3\xA9'\n").where, "r.toml:1");
  EXPECT_EQ(refused("a = \"\xC3\"\n").where, "r.toml:1");
  EXPECT_EQ(refused("a = \"\"\"\n\n\xFF\"\"\"\n").where, "r.toml:3");
  EXPECT_FALSE(Recipe::read("/no/such/recipe.toml"));
}

TEST(Recipe, AnEmptyTableThatSwitchesAPartOnStaysInTheFrozenForm) {
  Recipe r = parse("[average]\n");
  EXPECT_TRUE(r.has("average"));
  EXPECT_TRUE(r.finish());
  Recipe again = parse(r.frozen());
  EXPECT_TRUE(again.has("average"));
  EXPECT_FALSE(parse("[average]\n").finish()) << "nobody asked";
}

// A random recipe: some keys given, all asked for.
struct Asked {
  std::vector<int64_t> integers;
  std::vector<double> reals;
  std::vector<std::string> texts;
  bool flag = false;
  std::vector<std::vector<double>> groups;
};

std::string utf8(const std::vector<uint32_t>& points) {
  std::string out;
  for (uint32_t p : points) {
    p = p % 0x110000;
    if (p >= 0xd800 && p < 0xe000) p = 'x';
    if (p < 0x80) out += static_cast<char>(p);
    else if (p < 0x800) out += {static_cast<char>(0xc0 | p >> 6), static_cast<char>(0x80 | (p & 63))};
    else if (p < 0x10000) out += {static_cast<char>(0xe0 | p >> 12), static_cast<char>(0x80 | (p >> 6 & 63)), static_cast<char>(0x80 | (p & 63))};
    else out += {static_cast<char>(0xf0 | p >> 18), static_cast<char>(0x80 | (p >> 12 & 63)), static_cast<char>(0x80 | (p >> 6 & 63)), static_cast<char>(0x80 | (p & 63))};
  }
  return out;
}

Asked ask(Recipe& r, const Asked& fallback) {
  Asked a;
  a.integers = r.integers("top", fallback.integers, "numbers # and \"quotes\"");
  for (size_t i = 0; i < fallback.integers.size(); ++i) a.integers.push_back(r.integer("a.i" + std::to_string(i), fallback.integers[i], "line\nbreak"));
  for (size_t i = 0; i < fallback.reals.size(); ++i) a.reals.push_back(r.real("b.deep.r" + std::to_string(i), fallback.reals[i], ""));
  a.reals.push_back(static_cast<double>(r.reals("b.list", fallback.reals, "").size()));
  for (size_t i = 0; i < fallback.texts.size(); ++i) a.texts.push_back(r.text("b.t" + std::to_string(i), fallback.texts[i], ""));
  for (const std::string& t : r.texts("texts", fallback.texts, "")) a.texts.push_back(t);
  a.flag = r.flag("a.flag", fallback.flag, "\xC3\xA9");
  const int64_t n = r.tables("group");
  for (int64_t i = 0; i < n; ++i) a.groups.push_back(r.reals("group." + std::to_string(i) + ".values", {0.5}, ""));
  return a;
}
bool operator==(const Asked& a, const Asked& b) {
  return a.integers == b.integers && a.reals == b.reals && a.texts == b.texts && a.flag == b.flag && a.groups == b.groups;
}

TEST(Recipe, FrozenParsesBackToTheSameAnswers) {
  EXPECT_TRUE(rc::check([] {
    Asked given;
    given.integers = *rc::gen::arbitrary<std::vector<int64_t>>();
    for (const auto bits : *rc::gen::arbitrary<std::vector<uint64_t>>()) {
      double v;
      std::memcpy(&v, &bits, sizeof v);
      given.reals.push_back(std::isfinite(v) && std::fabs(v) < 1e300 ? v : static_cast<double>(bits % 1000));
    }
    for (const auto& points : *rc::gen::arbitrary<std::vector<std::vector<uint32_t>>>()) given.texts.push_back(utf8(points));
    given.flag = *rc::gen::arbitrary<bool>();
    std::string text;
    const int groups = *rc::gen::inRange(0, 4);
    for (int i = 0; i < groups; ++i) text += "[[group]]\n" + std::string(i % 2 ? "values = [1, 2.5]\n" : "");
    auto recipe = Recipe::parse(text, "r.toml");
    RC_ASSERT(recipe.has_value());
    const Asked first = ask(*recipe, given);
    RC_ASSERT(recipe->finish().has_value());
    auto again = Recipe::parse(recipe->frozen(), "frozen.toml");
    RC_ASSERT(again.has_value());
    Asked other;  // other defaults of the same number: the frozen recipe decides
    other.integers.assign(given.integers.size(), 77);
    other.reals.assign(given.reals.size(), 77.5);
    other.texts.assign(given.texts.size(), "other");
    other.flag = !given.flag;
    RC_ASSERT(ask(*again, other) == first);
    RC_ASSERT(again->finish().has_value());
    RC_ASSERT(again->frozen() == recipe->frozen());
    const auto differences = recipe_differences(recipe->frozen(), again->frozen());
    RC_ASSERT(differences.has_value() && differences->empty());
  }));
}

TEST(Recipe, AnyTextIsAnswerOrErrorNeverACrash) {
  EXPECT_TRUE(rc::check([] {
    static const std::vector<std::string> pieces = {"a", " = ", "1", "[b]", "\n", "[[g]]", "\"", "'", "\"\"\"", "\\", "#", ".", "{", "}", "[", "]", ",", "\xC3\xA9", "\xFF", "1e5", "nan", "true", "1979-05-27", "\xE2\x80\x89"};
    std::string text;
    for (const size_t i : *rc::gen::container<std::vector<size_t>>(rc::gen::inRange<size_t>(0, pieces.size()))) text += pieces[i];
    auto recipe = Recipe::parse(text, "r.toml", {"b.a=" + text});
    if (!recipe) return;
    recipe->integer("a", 0, ""), recipe->real("b.a", 0, ""), recipe->tables("g"), recipe->text("g.0.a", "", "");
    (void)recipe->finish();
    RC_ASSERT(Recipe::parse(recipe->frozen(), "frozen").has_value());
  }));
}

TEST(RecipeDifferences, ByKeyNotByLine) {
  const auto d = recipe_differences("# one\na = 1\n[b]\nx = [1, 2]\n[[g]]\nv = 1\n", "[b]\nx = [1, 3]\n[[g]]\nv = 1\n[[g]]\nv = 2\n");
  ASSERT_TRUE(d);
  ASSERT_EQ(d->size(), 3u);
  EXPECT_EQ((*d)[0].key, "a");
  EXPECT_EQ((*d)[0].second, "");
  EXPECT_EQ((*d)[1].key, "b.x");
  EXPECT_EQ((*d)[1].first, "[1, 2]");
  EXPECT_EQ((*d)[2].key, "g.1.v");
}

}  // namespace
}  // namespace hone
