// What the documents show is what the program does: every `$ hone ...` line of a ```console block in README.md and
// docs/*.md is run, and the output that follows it is compared (`2>&1` shows errors). A line "..." stands for any lines.
// The blocks of one document run in order in one folder, where light_resnet50.onnx and recipes/classify lie.
//
//   HONE_UPDATE_DOCS=1 build/release/test_cli --gtest_filter='Docs.*'   writes the outputs of today into the documents
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

namespace fs = std::filesystem;

struct Shown {
  size_t line = 0;  // of the command, from 0
  std::string command;
  std::vector<std::string> output;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<Shown> shown_in(const std::vector<std::string>& lines) {
  std::vector<Shown> all;
  bool inside = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& line = lines[i];
    if (line.compare(0, 3, "```") == 0) inside = line == "```console";
    else if (inside && line.compare(0, 2, "$ ") == 0) all.push_back({i, line.substr(2), {}});
    else if (inside && !all.empty()) all.back().output.push_back(line);
  }
  for (Shown& s : all)  // blank lines between commands are no output
    while (!s.output.empty() && s.output.back().empty()) s.output.pop_back();
  return all;
}

// "..." matches any number of lines.
bool matches(const std::vector<std::string>& pattern, size_t p, const std::vector<std::string>& text, size_t t) {
  for (; p < pattern.size(); ++p, ++t) {
    if (pattern[p] == "...") {
      for (size_t skip = t; skip <= text.size(); ++skip)
        if (matches(pattern, p + 1, text, skip)) return true;
      return false;
    }
    if (t >= text.size() || pattern[p] != text[t]) return false;
  }
  return t == text.size();
}

// The onnx wheel's folder of light networks, wherever its Python lies.
fs::path light_model() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::path(HONE_SOURCE_DIR) / ".venv" / "lib", ignored)) {
    const fs::path file = entry.path() / "site-packages/onnx/backend/test/data/light/light_resnet50.onnx";
    if (fs::exists(file)) return file;
  }
  return {};
}

TEST(Docs, CommandsDoWhatTheDocumentsShow) {
  std::vector<fs::path> files = {fs::path(HONE_SOURCE_DIR) / "README.md"};
  for (const auto& entry : fs::directory_iterator(fs::path(HONE_SOURCE_DIR) / "docs"))
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  const bool update = std::getenv("HONE_UPDATE_DOCS") != nullptr;
  int run = 0;
  for (const fs::path& file : files) {
    const std::string folder = scratch_folder();
    if (const fs::path model = light_model(); !model.empty()) fs::copy_file(model, folder + "/light_resnet50.onnx");
    for (const auto& recipe : fs::directory_iterator(fs::path(HONE_SOURCE_DIR) / "recipes/classify")) fs::copy_file(recipe.path(), folder + "/" + recipe.path().filename().string());
    std::vector<std::string> lines = lines_of(read_file(file.string()));
    ptrdiff_t moved = 0;  // lines added by updates so far
    for (const Shown& s : shown_in(lines_of(read_file(file.string())))) {
      if (s.command.compare(0, 4, "hone") != 0) continue;
      const std::string where = file.filename().string() + ":" + std::to_string(s.line + 1) + ": " + s.command;
      if (s.command.find("light_resnet50") != std::string::npos && light_model().empty()) continue;  // scripts/setup has not run
      const Ran ran = shell(s.command, folder);
      ++run;
      EXPECT_EQ(ran.exit, 0) << where << "\n" << ran.err;
      const std::vector<std::string> now = lines_of(ran.out);
      const bool exact = std::find(s.output.begin(), s.output.end(), "...") == s.output.end();
      if (update && exact && !s.output.empty()) {
        const auto first = lines.begin() + static_cast<ptrdiff_t>(s.line) + 1 + moved;
        const auto at = lines.erase(first, first + static_cast<ptrdiff_t>(s.output.size()));
        lines.insert(at, now.begin(), now.end());
        moved += static_cast<ptrdiff_t>(now.size()) - static_cast<ptrdiff_t>(s.output.size());
      } else if (!s.output.empty()) {
        EXPECT_TRUE(matches(s.output, 0, now, 0)) << where << "\n" << ran.out << ran.err;
      }
    }
    if (update) {
      std::ofstream out(file);
      for (const std::string& line : lines) out << line << '\n';
    }
  }
  EXPECT_GE(run, 10);
}

TEST(Docs, LinksLeadSomewhere) {
  std::vector<fs::path> files = {fs::path(HONE_SOURCE_DIR) / "README.md", fs::path(HONE_SOURCE_DIR) / "CONTRIBUTING.md"};
  for (const auto& entry : fs::directory_iterator(fs::path(HONE_SOURCE_DIR) / "docs"))
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  for (const fs::path& file : files) {
    const std::string text = read_file(file.string());
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 1)) {
      std::string target = text.substr(at + 2, text.find_first_of(") \n", at + 2) - at - 2);
      target.resize(std::min(target.size(), target.find('#')));
      if (target.empty() || target.find("://") != std::string::npos) continue;
      EXPECT_TRUE(fs::exists(file.parent_path() / target)) << file.filename() << ": " << target;
    }
  }
}

// docs/cli.md holds each command's help as the program prints it.
TEST(Docs, CliPageHoldsTheHelpOfEveryCommand) {
  const std::string page = read_file(HONE_SOURCE_DIR "/docs/cli.md"), overview = hone("").out;
  EXPECT_NE(page.find(overview), std::string::npos) << "docs/cli.md: update the overview";
  size_t at = overview.find("commands:\n") + 10;
  for (; overview.compare(at, 2, "  ") == 0; at = overview.find('\n', at) + 1) {
    const std::string line = overview.substr(at + 2, overview.find('\n', at) - at - 2), name = line.substr(0, line.find("  "));
    EXPECT_NE(page.find(hone(name + " --help").out), std::string::npos) << "docs/cli.md: update " << name << "";
  }
}

}  // namespace
}  // namespace hone::test
