// ONNX's own recorded cases (Debian's libonnx-testdata, or the folder $HONE_ONNX_CASES with the same layout) against a list
// of those that pass, tests/conformance/*.txt. A listed case that fails and an unlisted one that passes are both errors.
//   HONE_UPDATE=1      writes the list anew
//   HONE_ONNX_SHOW=1   prints why cases fail, and judges nothing
//   HONE_ONNX_CASES    another suite: the list says nothing about cases that it does not name
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <set>
#include <string>
#include <vector>

namespace hone::test {

// "node/test_abs", ... : folders below `root` that hold a model and recorded data, sorted.
inline std::vector<std::string> recorded_cases(const std::string& root) {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  for (const auto& suite : fs::directory_iterator(root)) {
    if (!suite.is_directory()) continue;
    for (const auto& one : fs::directory_iterator(suite.path()))
      if (fs::exists(one.path() / "model.onnx") && fs::exists(one.path() / "test_data_set_0"))
        out.push_back(suite.path().filename().string() + "/" + one.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

// `failure` says of a case's folder why it does not pass; "" when it does. `title` is the list's first line.
inline void hold_pass_list(const std::string& list_file, const std::string& title, size_t at_least, const std::function<std::string(const std::string&)>& failure) {
  const char* elsewhere = std::getenv("HONE_ONNX_CASES");
  const std::string root = elsewhere ? elsewhere : "/usr/share/libonnx-testdata/data";
  if (!std::filesystem::is_directory(root)) GTEST_SKIP() << "no recorded ONNX cases: install libonnx-testdata or set HONE_ONNX_CASES";
  const bool update = std::getenv("HONE_UPDATE"), show = std::getenv("HONE_ONNX_SHOW");
  std::set<std::string> listed;
  std::ifstream list(list_file);
  for (std::string line; std::getline(list, line);)
    if (!line.empty() && line[0] != '#') listed.insert(line);

  std::vector<std::string> passed;
  for (const std::string& name : recorded_cases(root)) {
    std::string why;
    try {
      why = failure(root + "/" + name);
    } catch (const std::exception& e) {
      why = std::string("threw: ") + e.what();
    }
    if (why.empty()) passed.push_back(name);
    else if (show) std::cout << name << ": " << why.substr(0, 300) << "\n";
    if (update || show) continue;
    if (why.empty()) EXPECT_TRUE(elsewhere || listed.contains(name)) << name << " passes but is not in " << list_file;
    else EXPECT_FALSE(listed.contains(name)) << name << ": " << why;
    listed.erase(name);
  }
  if (show) std::cout << passed.size() << " cases pass\n";
  if (update && !elsewhere) {
    std::ofstream out(list_file);
    out << "# " << title << "\n";
    for (const std::string& name : passed) out << name << "\n";
  }
  if (update || show) return;
  EXPECT_TRUE(elsewhere || listed.empty()) << listed.size() << " listed cases do not exist, such as " << *listed.begin();
  EXPECT_GE(passed.size(), at_least);
}

}  // namespace hone::test
