// The rules of the house (docs/architecture.md), read from the #include lines.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Top to bottom: a room uses itself and the rooms before it.
const std::vector<std::string> kRooms = {"core",   "run",    "ir",      "cost", "formats",   "zoo",   "scale",   "rewrite",
                                         "engine", "measure", "data", "retrieval", "train", "methods", "search", "serve", "cli"};

struct Include {
  std::string path;
  bool quoted = false;
  int line = 0;
};

struct Source {
  std::string path;  // relative to the repository
  std::vector<Include> includes;
  int lines = 0;
};

Source read(const fs::path& file) {
  Source source{fs::relative(file, HONE_SOURCE_DIR).string(), {}, 0};
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    ++source.lines;
    size_t at = line.find_first_not_of(" \t");
    if (at == std::string::npos || line[at] != '#') continue;
    at = line.find_first_not_of(" \t", at + 1);
    if (at == std::string::npos || line.compare(at, 7, "include") != 0) continue;
    const size_t open = line.find_first_of("<\"", at);
    if (open == std::string::npos) continue;
    const size_t close = line.find_first_of(">\"", open + 1);
    source.includes.push_back({line.substr(open + 1, close - open - 1), line[open] == '"', source.lines});
  }
  return source;
}

std::vector<Source> sources(const std::string& folder) {
  std::vector<Source> out;
  const fs::path root = fs::path(HONE_SOURCE_DIR) / folder;
  if (!fs::exists(root)) return out;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    const std::string extension = entry.path().extension().string();
    if (entry.is_regular_file() && (extension == ".cpp" || extension == ".h")) out.push_back(read(entry.path()));
  }
  return out;
}

// "src/ir/ops/conv.cpp" -> "ir"; "ir/op.h" -> "ir".
std::string room_of(const std::string& path) {
  const size_t start = path.compare(0, 4, "src/") == 0 ? 4 : 0;
  const size_t slash = path.find('/', start);
  return slash == std::string::npos ? "" : path.substr(start, slash - start);
}

int rank(const std::string& room) {
  const auto found = std::find(kRooms.begin(), kRooms.end(), room);
  return found == kRooms.end() ? -1 : static_cast<int>(found - kRooms.begin());
}

bool starts_with(const std::string& text, const std::string& start) { return text.compare(0, start.size(), start) == 0; }

}  // namespace

TEST(Layering, ARoomUsesOnlyRoomsAboveIt) {
  const auto all = sources("src");
  ASSERT_GT(all.size(), 30u);
  for (const Source& s : all) {
    const int own = rank(room_of(s.path));
    EXPECT_GE(own, 0) << s.path << ": src/" << room_of(s.path) << " is no room of the house";
    for (const Include& i : s.includes) {
      if (!i.quoted) continue;
      const int used = rank(room_of(i.path));
      EXPECT_GE(used, 0) << s.path << ":" << i.line << ": write includes from src/ on, as in \"ir/graph.h\": " << i.path;
      EXPECT_LE(used, own) << s.path << ":" << i.line << ": " << i.path << " is in a room below";
    }
  }
}

// Methods stand side by side; what two of them need is in a third.
TEST(Layering, MethodsUseOnlyWhatTheyAreBuiltOn) {
  const std::map<std::string, std::set<std::string>> uses = {{"canvas", {"distil"}}, {"distil", {}}, {"pretrain", {"questions"}}, {"questions", {}}, {"skip", {"distil", "questions"}}, {"supernet", {}}};
  for (const Source& s : sources("src/methods")) {
    if (s.path.find('/', 12) == std::string::npos) continue;  // src/methods/FILE: all of them
    const std::string method = s.path.substr(12, s.path.find('/', 12) - 12);
    ASSERT_TRUE(uses.count(method)) << s.path << ": a method that this test does not know";
    for (const Include& i : s.includes) {
      if (!i.quoted || !starts_with(i.path, "methods/") || i.path.find('/', 8) == std::string::npos) continue;
      const std::string used = i.path.substr(8, i.path.find('/', 8) - 8);
      EXPECT_TRUE(used == method || uses.at(method).count(used)) << s.path << ":" << i.line << ": " << i.path;
    }
  }
}

TEST(Layering, HeavyLibrariesStayWhereTheyBelong) {
  // Start of an include -> where it may stand.
  const std::map<std::string, std::vector<std::string>> allowed = {
      {"torch/", {"src/train/", "src/methods/"}},
      {"ATen/", {"src/train/", "src/methods/"}},
      {"c10/", {"src/train/", "src/methods/"}},
      {"openvino/", {"src/engine/"}},
      {"CLI/", {"src/cli/args.cpp"}},
      {"protozero/", {"src/formats/"}},
      {"httplib.h", {"src/serve/"}},
  };
  for (const Source& s : sources("src"))
    for (const Include& i : s.includes)
      for (const auto& [library, places] : allowed)
        if (starts_with(i.path, library)) {
          EXPECT_TRUE(std::any_of(places.begin(), places.end(), [&](const std::string& p) { return starts_with(s.path, p); }))
              << s.path << ":" << i.line << ": <" << i.path << "> belongs to " << places[0];
        }
}

TEST(Layering, HeavyHeadersStayOutOfHeaders) {
  for (const Source& s : sources("src")) {
    if (fs::path(s.path).extension() != ".h") continue;
    for (const Include& i : s.includes)
      for (const char* heavy : {"nlohmann/json.hpp", "toml++/toml.h", "toml.hpp", "CLI/", "fmt/ranges.h", "iostream", "regex"})
        EXPECT_FALSE(starts_with(i.path, heavy)) << s.path << ":" << i.line << ": include <" << i.path << "> in the .cpp that needs it";
  }
}

TEST(Layering, FilesCanBeReadInOneSitting) {
  for (const char* folder : {"src", "tests", "bench", "fuzz"})
    for (const Source& s : sources(folder)) EXPECT_LE(s.lines, 700) << s.path;
}

// A header compiles alone when some .cpp includes it before anything else; what no .cpp proves is compiled here.
TEST(Layering, EveryHeaderCompilesAlone) {
  const auto all = sources("src");
  std::set<std::string> proven;
  for (const Source& s : all)
    if (fs::path(s.path).extension() == ".cpp" && !s.includes.empty() && s.includes[0].quoted) proven.insert("src/" + s.includes[0].path);
  int compiled = 0;
  for (const Source& s : all) {
    if (fs::path(s.path).extension() != ".h" || proven.count(s.path)) continue;
    ++compiled;
    const bool torch = rank(room_of(s.path)) >= rank("train");
    if (torch && std::string(HONE_TORCH_INCLUDES).empty()) continue;
    const std::string command = std::string(HONE_CXX) + " -std=c++20 -fsyntax-only -I'" HONE_SOURCE_DIR "/src' " + (torch ? HONE_TORCH_INCLUDES : "") + " -include '" HONE_SOURCE_DIR "/" + s.path + "' -x c++ /dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0) << s.path << " does not compile alone";
  }
  // Each costs a compiler run: let most headers come first in their own .cpp.
  EXPECT_LE(compiled, 30);
}
