// ONNX's own recorded cases: read, shapes inferred as recorded, written and read again equal (conformance/pass_list.h).
#include <gtest/gtest.h>

#include "conformance/pass_list.h"
#include "formats/onnx_case.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "support.h"

namespace hone {
namespace {

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
  test::hold_pass_list(HONE_SOURCE_DIR "/tests/conformance/onnx_pass.txt", "Recorded ONNX cases that hone reads, whose shapes it infers as recorded, and that it writes and reads back unchanged.", 801, failure);
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
