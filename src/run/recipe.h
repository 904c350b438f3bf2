// Recipes: TOML files that say how a run is made. Whoever needs a value asks for it by name with its default; the recipe
// remembers every answer, so that the frozen recipe of a run states all of them, and a key that nobody asked for is a
// misspelling that gets its nearest name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace hone {

class Recipe {
 public:
  // `settings` are "table.key=value" from the command line, value in TOML (a bare word counts as text); they win.
  static Result<Recipe> read(const std::string& path, const std::vector<std::string>& settings = {});
  static Result<Recipe> parse(const std::string& text, const std::string& source, const std::vector<std::string>& settings = {});
  Recipe(Recipe&&) noexcept;
  Recipe& operator=(Recipe&&) noexcept;
  ~Recipe();

  // `key` is dotted: "optimiser.lr". `about` becomes the comment behind the value in the frozen recipe. A value of the
  // wrong kind or outside its range is remembered as an error that finish() returns; the fallback is returned meanwhile.
  // Asked for twice, a key gives its first answer again. A key of an array of tables is "group.0.lr".
  int64_t integer(std::string_view key, int64_t fallback, std::string_view about, int64_t min = INT64_MIN, int64_t max = INT64_MAX);
  double real(std::string_view key, double fallback, std::string_view about, double min = -1e300, double max = 1e300);
  bool flag(std::string_view key, bool fallback, std::string_view about);
  std::string text(std::string_view key, std::string_view fallback, std::string_view about, const std::vector<std::string>& choices = {});
  std::vector<int64_t> integers(std::string_view key, std::vector<int64_t> fallback, std::string_view about);
  std::vector<double> reals(std::string_view key, std::vector<double> fallback, std::string_view about);
  std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback, std::string_view about);
  // One text or a list of texts, as the recipe has it; none where the text is empty.
  std::vector<std::string> files(std::string_view key, std::string_view about);
  // Tables of an array "[[group]]": how many there are; values are asked for as "group.0.lr".
  int64_t tables(std::string_view key);
  // Whether the recipe itself has this key or table (defaults do not count). Ask it of tables that switch a part on; a
  // key with a default always stands in the frozen recipe.
  bool has(std::string_view key) const;
  // An error found while using a value: file, line and key are added.
  Error error(std::string_view key, std::string message, std::string hint = {}) const;

  // Every error so far (all of them in one message), then keys that nobody asked for, each with its line and nearest name.
  Status finish() const;
  // TOML with every value that was asked for, and its comment. Parsing it again gives the same answers.
  std::string frozen() const;
  const std::string& source() const;

 private:
  struct State;
  explicit Recipe(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Keys whose values differ between two recipes, in order of key; comments and layout do not count. "" where a recipe lacks the key.
struct RecipeDifference {
  std::string key, first, second;
};
Result<std::vector<RecipeDifference>> recipe_differences(const std::string& first, const std::string& second);

}  // namespace hone
