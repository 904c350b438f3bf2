// ONNX's own recorded cases run through the lowering and match what they record (conformance/pass_list.h).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "conformance/pass_list.h"
#include "formats/onnx_case.h"
#include "formats/onnx_read.h"
#include "train/check.h"

namespace hone::train {
namespace {

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
  test::hold_pass_list(HONE_SOURCE_DIR "/tests/conformance/onnx_run.txt", "Recorded ONNX cases that run through the libtorch lowering and match their recorded outputs.", 841, failure);
}

}  // namespace
}  // namespace hone::train
