// What a network costs: exact counts, rolled up by operator, module, stage or node; conventions; peak memory.
// Everything is a pure function of a typed graph (ir/infer.h); no tensor is made.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"
#include "ir/op.h"

namespace hone {

// Plain 64-bit totals under the contract's names.
struct Totals {
  int64_t macs = 0, flops = 0, params = 0, buffers = 0, acts = 0;
  int64_t macs_conv = 0, macs_linear = 0, macs_matmul = 0, conv_bias_adds = 0, linear_bias_adds = 0;
  int64_t acts_conv = 0, acts_linear = 0, acts_matmul = 0;
  int64_t maxpool_out = 0, bn_elements = 0, ln_elements = 0, gn_elements = 0, softmax_elements = 0, activation_elements = 0;
  int64_t pool_inputs = 0, adaptive_pool_inputs = 0;
  int64_t weight_bytes = 0, peak_activation_bytes = 0;
};

struct NodeCost {
  Counts counts;
  int64_t params = 0;   // parameters this node reads first (each storage is counted once)
  bool known = true;    // false: hone has no rule for the operator
};

struct Row {
  std::string name;   // operator, module path, stage or node name
  std::string op;     // the operator, "" for a module or stage of several
  int64_t nodes = 0, macs = 0, params = 0, acts = 0;
  Counts counts;
};

struct UnknownOp {
  std::string op;
  int64_t nodes = 0;
};

struct Profile {
  std::string network;
  std::vector<std::pair<std::string, TensorType>> inputs;
  Totals totals;
  std::vector<NodeCost> nodes;  // by NodeId
  std::vector<UnknownOp> unknown;
};

enum class GroupBy : uint8_t { op, module, stage, node };

// `graph` must be typed: infer() it first. Fails when a sum does not fit 64 bits.
Result<Profile> profile(const Graph& graph);
// Rows of a profile, in order of first appearance (op: by falling MACs).
std::vector<Row> roll_up(const Graph& graph, const Profile& profile, GroupBy by);
// Stage of a module path: "layer1.0.conv1" -> "layer1", "blocks.3.0.conv_pw" -> "blocks.3".
std::string stage_of(std::string_view module_path);

struct ConventionTotals {
  std::string name;
  int64_t flops = 0, params = 0, acts = 0;
};
// Names: pycls fvcore timm torchvision ptflops ptflops-hooks ptflops-aten (docs/counting.md). `elasticvit` is a function
// of the architecture's encoding, not of the graph; see zoo/space.h. Unknown name: usage error with the list.
Result<ConventionTotals> convention(const Profile& profile, std::string_view name);
std::vector<std::string_view> convention_names();

}  // namespace hone
