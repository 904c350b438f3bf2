// Sums over a built network, for comparison with published tables.
#pragma once

#include <map>
#include <string>

#include "core/shape.h"
#include "ir/infer.h"

namespace hone::test {

struct Sums {
  Counts counts;
  int64_t params = 0, buffers = 0, tensors = 0;

  // Under the column names of the reference tables.
  std::map<std::string, int64_t> columns() const {
    const Counts& c = counts;
    return {{"params", params}, {"buffer_elems", buffers},
            {"macs", c.macs().value()}, {"macs_conv", c.macs_conv.value()}, {"macs_linear", c.macs_linear.value()}, {"macs_matmul", c.macs_matmul.value()},
            {"conv_bias_adds", c.conv_bias_adds.value()}, {"linear_bias_adds", c.linear_bias_adds.value()},
            {"acts", c.acts().value()}, {"acts_conv", c.acts_conv.value()}, {"acts_linear", c.acts_linear.value()}, {"acts_matmul", c.acts_matmul.value()},
            {"maxpool_out", c.maxpool_out.value()}, {"bn_elems", c.bn_elements.value()}, {"ln_elems", c.ln_elements.value()},
            {"softmax_elems", c.softmax_elements.value()}, {"act_fn_elems", c.activation_elements.value()}};
  }
  // fvcore's total: 2 per BatchNorm element, 5 per LayerNorm element, 1 per input of an adaptive pool.
  int64_t fvcore() const {
    return (counts.macs() + 2 * counts.bn_elements + 5 * (counts.ln_elements + counts.gn_elements) + counts.adaptive_pool_inputs).value();
  }
  int64_t pycls_flops() const { return (counts.macs() + counts.conv_bias_adds + counts.linear_bias_adds).value(); }
  int64_t pycls_acts() const { return (counts.acts() + counts.maxpool_out).value(); }
};

inline Sums measure(const Graph& g) {
  Sums s;
  for (ValueId id : g.state()) {
    const Value& v = g.value(id);
    (v.kind == ValueKind::parameter ? s.params : s.buffers) += element_count(v.type.shape).value();
    ++s.tensors;
  }
  const auto constant = from_parameters(g);
  for (NodeId n = 0; n < g.nodes.size(); ++n) s.counts += count_node(g, n, constant);
  return s;
}

}  // namespace hone::test
