// ONNX's own recorded cases (Debian's libonnx-testdata, or the folder $HONE_ONNX_CASES with the same layout) run through
// the lowering and match what they record. tests/conformance/onnx_run.txt lists those that pass: a listed case that fails
// and an unlisted one that passes are both errors; HONE_UPDATE=1 writes the list anew. $HONE_ONNX_SHOW prints why cases
// fail.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <set>

#include "formats/onnx_case.h"
#include "formats/onnx_read.h"
#include "train/check.h"

namespace hone::train {
namespace {

namespace fs = std::filesystem;

const char* kPassList = HONE_SOURCE_DIR "/tests/conformance/onnx_run.txt";

std::string cases_dir() {
  const char* set = std::getenv("HONE_ONNX_CASES");
  return set ? set : "/usr/share/libonnx-testdata/data";
}

std::vector<std::string> cases_below(const std::string& root) {
  std::vector<std::string> out;
  for (const auto& suite : fs::directory_iterator(root)) {
    if (!suite.is_directory()) continue;
    for (const auto& one : fs::directory_iterator(suite.path()))
      if (fs::exists(one.path() / "model.onnx") && fs::exists(one.path() / "test_data_set_0")) out.push_back(suite.path().filename().string() + "/" + one.path().filename().string());
  }
  std::ranges::sort(out);
  return out;
}

// Empty when the case passes, else why it does not. ONNX's own backend tests compare with 1e-3 relative, 1e-7 absolute.
std::string failure(const std::string& folder) {
  auto graph = read_onnx(folder + "/model.onnx");
  if (!graph) return "reading: " + graph.error().text();
  for (const std::string& u : unsupported_operators(*graph)) return "reading: " + u;
  auto check = check_recorded(*graph, folder + "/test_data_set_0", {.tolerance = {1e-3, 1e-6}});
  if (!check) return check.error().text();
  std::string why;
  for (const std::string& u : check->unsupported) why += u + "; ";
  for (const RunCheck::Output& o : check->outputs)
    if (!o.difference.ok) why += fmt::format("output '{}' {}", o.name, o.difference.why.empty() ? fmt::format("differs by up to {}; ", o.difference.max_abs) : o.difference.why + "; ");
  return why;
}

TEST(OnnxRun, PassListHoldsBothWays) {
  const std::string root = cases_dir();
  if (!fs::is_directory(root)) GTEST_SKIP() << "no recorded ONNX cases: install libonnx-testdata or set HONE_ONNX_CASES";
  const bool update = std::getenv("HONE_UPDATE"), show = std::getenv("HONE_ONNX_SHOW");
  std::set<std::string> listed;
  std::ifstream list(kPassList);
  for (std::string line; std::getline(list, line);)
    if (!line.empty() && line[0] != '#') listed.insert(line);
  const bool own = std::getenv("HONE_ONNX_CASES");  // another suite: the list says nothing about cases it does not name
  std::vector<std::string> passed;
  for (const std::string& name : cases_below(root)) {
    std::string why;
    try {
      why = failure(root + "/" + name);
    } catch (const std::exception& e) {
      why = std::string("threw: ") + e.what();
    }
    if (why.empty()) passed.push_back(name);
    else if (show) std::cout << name << ": " << why.substr(0, 300) << "\n";
    if (update || show) continue;
    if (why.empty()) EXPECT_TRUE(own || listed.contains(name)) << name << " passes but is not in " << kPassList;
    else EXPECT_FALSE(listed.contains(name)) << name << ": " << why;
    listed.erase(name);
  }
  if (show) std::cout << passed.size() << " cases pass\n";
  if (update && !own) {
    std::ofstream out(kPassList);
    out << "# Recorded ONNX cases that run through the libtorch lowering and match their recorded outputs.\n";
    for (const std::string& name : passed) out << name << "\n";
  }
  if (update || show) return;
  EXPECT_TRUE(own || listed.empty()) << listed.size() << " listed cases do not exist, such as " << *listed.begin();
  EXPECT_GT(passed.size(), 840u);
}

}  // namespace
}  // namespace hone::train
