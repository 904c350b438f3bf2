#include "run/recipe.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace hone {
namespace {

Recipe parse(const std::string& text, const std::vector<std::string>& settings = {}) {
  auto r = Recipe::parse(text, "r.toml", settings);
  EXPECT_TRUE(r) << r.error().text();
  return *std::move(r);
}

// Asks for one value of every kind.
std::string ask(Recipe& r) {
  std::string seen = r.text("task", "classify", "what is trained", {"classify", "sketch"});
  seen += std::to_string(r.integer("train.epochs", 10, "passes over the data", 1));
  seen += std::to_string(r.real("optimiser.lr", 0.1, "at the peak"));
  seen += r.flag("train.ema", false, "") ? "t" : "f";
  for (int64_t v : r.integers("data.sides", {32, 64}, "")) seen += std::to_string(v) + ",";
  for (const std::string& v : r.texts("data.names", {"a \"b\"\\"}, "")) seen += v + ",";
  for (double v : r.reals("data.mean", {0.5, 1e-9}, "")) seen += std::to_string(v) + ",";
  const int64_t n = r.tables("group");
  for (int64_t i = 0; i < n; ++i) seen += r.text("group." + std::to_string(i) + ".match", "*", "") + std::to_string(r.real("group." + std::to_string(i) + ".lr", 1, ""));
  return seen;
}

TEST(Recipe, DefaultsAreWrittenOutAndGiveTheSameAnswers) {
  Recipe first = parse("[optimiser]\nlr = 1\n[[group]]\nmatch = \"*.bias\"\n[[group]]\nlr = 0.5\n");
  const std::string seen = ask(first);
  ASSERT_TRUE(first.finish()) << first.finish().error().text();
  Recipe again = parse(first.frozen());
  EXPECT_EQ(ask(again), seen) << first.frozen();
  EXPECT_TRUE(again.finish()) << again.finish().error().text();
  EXPECT_EQ(again.frozen(), first.frozen());
  EXPECT_NE(first.frozen().find("epochs = 10"), std::string::npos);
  EXPECT_NE(first.frozen().find("one of classify, sketch"), std::string::npos);
}

TEST(Recipe, SettingsWin) {
  Recipe r = parse("[optimiser]\nlr = 1\n[[group]]\nlr = 2\n", {"optimiser.lr=0.25", "task=sketch", "data.sides=[8]", "group.0.lr=3"});
  EXPECT_EQ(r.real("optimiser.lr", 0, ""), 0.25);
  EXPECT_EQ(r.text("task", "", ""), "sketch");
  EXPECT_EQ(r.integers("data.sides", {}, ""), std::vector<int64_t>{8});
  EXPECT_EQ(r.tables("group"), 1);
  EXPECT_EQ(r.real("group.0.lr", 0, ""), 3);
  EXPECT_FALSE(Recipe::parse("", "r", {"nonsense"}));
  EXPECT_FALSE(Recipe::parse("a = 1", "r", {"a.b=1"}));
}

TEST(Recipe, EveryMistakeIsNamedWithItsLine) {
  Recipe r = parse("task = \"sketsh\"\n[train]\nepochs = \"ten\"\n[optimiser]\nlr = -1\nlearning = 3\n");
  r.text("task", "classify", "", {"classify", "sketch"});
  r.integer("train.epochs", 10, "");
  r.real("optimiser.lr", 0.1, "", 0);
  const auto status = r.finish();
  ASSERT_FALSE(status);
  const std::string m = status.error().text();
  EXPECT_EQ(exit_code(status.error().code), 2);
  EXPECT_NE(m.find("r.toml:1: task: 'sketsh' is none of classify, sketch; did you mean 'sketch'?"), std::string::npos) << m;
  EXPECT_NE(m.find("r.toml:3: train.epochs: expected an integer, found text"), std::string::npos) << m;
  EXPECT_NE(m.find("r.toml:5: optimiser.lr: -1 is below 0"), std::string::npos) << m;
  EXPECT_NE(m.find("r.toml:6: optimiser.learning: no such key; did you mean optimiser.lr?"), std::string::npos) << m;
}

TEST(Recipe, BrokenFilesAreRefused) {
  EXPECT_NE(Recipe::parse("a = \nb = 2", "r.toml").error().text().find("r.toml:1"), std::string::npos);
  EXPECT_NE(Recipe::parse("# fine\na = \"\xc3\xa9\"", "r.toml").error().text().find("r.toml:2"), std::string::npos);
  EXPECT_FALSE(Recipe::read("/nonexistent/r.toml"));
}

RC_GTEST_PROP(Recipe, NumbersAndTextsSurvive, (double v, int64_t i, std::vector<unsigned char> bytes)) {
  std::string text;
  for (unsigned char b : bytes) text += static_cast<char>(1 + b % 127);
  RC_PRE(std::isfinite(v));
  Recipe a = parse("");
  a.real("x.v", v, "");
  a.integer("x.i", i, "");
  a.text("x.t", text, "");
  Recipe b = parse(a.frozen());
  RC_ASSERT(b.real("x.v", 0, "") == v);
  RC_ASSERT(b.integer("x.i", 0, "") == i);
  RC_ASSERT(b.text("x.t", "", "") == text);
}

}  // namespace
}  // namespace hone
