#include "run/run_paths.h"

#include <filesystem>

#include "core/file.h"
#include "run/recipe.h"

namespace hone {

namespace fs = std::filesystem;

Status keep_named_files(const RunDir& run, const std::string& recipe) {
  HONE_TRY_ASSIGN(Recipe r, Recipe::parse(recipe, run.file("recipe.toml")));
  for (const auto& [key, copy] : {std::pair{"network.name", kKeptNetwork}, std::pair{"network.net", kKeptNetwork}, std::pair{"space.name", kKeptSpace}}) {
    std::error_code ec;
    const std::string named = r.has(key) ? r.text(key, "", "") : "";
    if (!named.ends_with(".toml") || !fs::is_regular_file(named, ec) || fs::exists(run.file(copy), ec)) continue;
    HONE_TRY_ASSIGN(const std::string text, read_file(named, size_t{1} << 20));
    HONE_TRY(run.write(copy, text));
  }
  return {};
}

std::string kept_or_located(const std::string& name, const char* copy, const std::string& run) {
  std::error_code ec;
  const fs::path own = fs::path(run) / copy;
  if (name.ends_with(".toml") && fs::exists(own, ec)) return own.string();
  const std::string found = located(name, run);
  return fs::is_regular_file(found, ec) ? found : name;
}

std::string located(const std::string& path, const std::string& run) {
  std::error_code ec;
  if (path.empty() || fs::path(path).is_absolute() || fs::exists(path, ec)) return path;
  const fs::path start = fs::weakly_canonical(run, ec);
  for (fs::path folder = start; folder.has_relative_path(); folder = folder.parent_path())
    if (fs::exists(folder / path, ec)) return (folder / path).string();
  return path;
}

}  // namespace hone
