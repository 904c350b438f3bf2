// What the tests of several rooms need: where the published reference files are, and reading them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

namespace hone::test {

// The folder with spec/ and data/: $HONE_SHARED, else `shared` beside the source tree; nothing when there is none.
// A test that needs it says so: GTEST_SKIP() << "no reference files: set HONE_SHARED".
inline std::optional<std::string> shared_dir() {
  const char* set = std::getenv("HONE_SHARED");
  const std::string dir = set ? set : HONE_SOURCE_DIR "/../shared";
  std::error_code ec;
  if (std::filesystem::is_directory(dir + "/spec", ec)) return dir;
  return std::nullopt;
}

inline std::optional<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

inline std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> out;
  std::string part;
  std::istringstream in(line);
  while (std::getline(in, part, separator)) out.push_back(part);
  if (!line.empty() && line.back() == separator) out.emplace_back();
  return out;
}

// Rows of a plain CSV file (no quotes) as column name -> cell; empty when the file is missing.
using CsvRow = std::map<std::string, std::string>;
inline std::vector<CsvRow> read_csv(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  std::vector<std::string> header;
  std::vector<CsvRow> rows;
  while (std::getline(in, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    const auto cells = split(line, ',');
    if (header.empty()) {
      header = cells;
      continue;
    }
    CsvRow row;
    for (size_t i = 0; i < header.size() && i < cells.size(); ++i) row[header[i]] = cells[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace hone::test
