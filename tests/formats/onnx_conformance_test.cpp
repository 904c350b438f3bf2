// ONNX's own recorded cases (Debian's libonnx-testdata, or the folder $HONE_ONNX_CASES with the same layout): read, shapes
// inferred as recorded, written and read again equal. tests/conformance/onnx_pass.txt lists those that pass: a listed case
// that fails and an unlisted one that passes are both errors; HONE_UPDATE=1 writes the list anew.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "formats/onnx_case.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

const char* kPassList = HONE_SOURCE_DIR "/tests/conformance/onnx_pass.txt";

std::string cases_dir() {
  const char* set = std::getenv("HONE_ONNX_CASES");
  return set ? set : "/usr/share/libonnx-testdata/data";
}

// "node/test_abs", ... : folders that hold a model and recorded data, sorted.
std::vector<std::string> cases_below(const std::string& root) {
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

// The newest opset says everything that the IR says, so a graph survives being written and read. What nothing reads is
// not written.
std::string round_trip_failure(const Graph& graph) {
  auto message = onnx_message(graph, 28);
  if (!message) return "is not written: " + message.error().text();
  auto again = read_onnx_bytes(*message, nullptr, "written");
  if (!again) return "is not read again: " + again.error().text();
  return equal(prune(graph), prune(*again)) ? "" : "is not the same when written and read again";
}

// Empty when the case passes, else why it does not.
std::string failure(const std::string& folder) {
  auto graph = read_onnx(folder + "/model.onnx");
  if (!graph) return graph.error().text();
  auto check = check_shapes(*graph, folder + "/test_data_set_0");
  if (!check) return check.error().text();
  std::string why;
  for (const std::string& u : check->unsupported) why += u + "; ";
  for (const ShapeCheck::Output& o : check->outputs)
    if (!o.ok) why += "output '" + o.name + "' is inferred as " + to_string(o.inferred) + ", recorded as " + to_string(o.recorded) + "; ";
  return why.empty() ? round_trip_failure(*graph) : why;
}

TEST(OnnxConformance, PassListHoldsBothWays) {
  const std::string root = cases_dir();
  if (!fs::is_directory(root)) GTEST_SKIP() << "no recorded ONNX cases: install libonnx-testdata or set HONE_ONNX_CASES";
  std::set<std::string> listed;
  std::ifstream list(kPassList);
  for (std::string line; std::getline(list, line);)
    if (!line.empty() && line[0] != '#') listed.insert(line);

  std::vector<std::string> passed;
  for (const std::string& name : cases_below(root)) {
    const std::string why = failure(root + "/" + name);
    if (why.empty()) passed.push_back(name);
    if (std::getenv("HONE_UPDATE")) continue;
    if (why.empty()) EXPECT_TRUE(listed.contains(name)) << name << " passes but is not in " << kPassList;
    else EXPECT_FALSE(listed.contains(name)) << name << ": " << why;
    listed.erase(name);
  }
  if (std::getenv("HONE_UPDATE")) {
    std::ofstream out(kPassList);
    out << "# Recorded ONNX cases that hone reads, whose shapes it infers as recorded, and that it writes and reads back unchanged.\n";
    for (const std::string& name : passed) out << name << "\n";
    return;
  }
  EXPECT_TRUE(listed.empty()) << listed.size() << " listed cases do not exist, such as " << *listed.begin();
  EXPECT_GT(passed.size(), 800u);
}

TEST(OnnxConformance, AgreementOfTypes) {
  const TensorType recorded(DType::f32, {2, 3});
  EXPECT_TRUE(agrees(TensorType(DType::f32, {2, 3}), recorded));
  EXPECT_TRUE(agrees(TensorType(DType::f32, {kUnknown, 3}), recorded));
  EXPECT_FALSE(agrees(TensorType(DType::f32, {kUnknown, 4}), recorded));
  EXPECT_FALSE(agrees(TensorType(DType::f32, {2, 3, 1}), recorded));
  EXPECT_FALSE(agrees(TensorType(DType::f64, {2, 3}), recorded));
  EXPECT_FALSE(agrees(TensorType(DType::f32), recorded)) << "a rank that is not known agrees with nothing";
}

TEST(OnnxConformance, UnknownOperatorsAreNamed) {
  Graph g;
  g.name = "declared";
  Value x;
  x.name = "x";
  x.kind = ValueKind::input;
  x.type = TensorType(DType::f32, {2});
  g.inputs.push_back(g.add_value(std::move(x)));
  Value y;
  y.name = "y";
  y.type = TensorType(DType::f32, {2});
  const ValueId out = g.add_value(std::move(y));
  Node node;
  node.type = "nobody::Knows";
  node.inputs = g.inputs;
  node.outputs = {out};
  g.add_node(std::move(node));
  g.outputs = {out};
  auto check = check_shapes(g, "/nowhere");
  ASSERT_TRUE(check) << check.error().text();
  EXPECT_EQ(check->unsupported, std::vector<std::string>{"nobody::Knows: hone has no rule for it"});
  EXPECT_FALSE(check->ok());
}

}  // namespace
}  // namespace hone
