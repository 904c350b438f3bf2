// The text form of a graph (.hone files): parse(print(g)) equals g. docs/graph-text.md describes the grammar.
//
//   hone graph 1
//   name "tiny"
//   input x: f32[1,3,8,8]
//   parameter conv.weight: f32[4,3,3,3] init=kaiming_normal(0)
//   constant axes: i64[1] = [1]
//   y = Conv(x, conv.weight) {pads=[1,1,1,1]} module="conv" name="conv"
//   output y
#pragma once

#include <string>
#include <string_view>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

// Contents of parameters and buffers are not printed (they live in safetensors); those of constants are.
std::string print(const Graph& graph);
// `source` names the text in errors ("net.hone"); an error says the line and column.
Result<Graph> parse_graph(std::string_view text, const std::string& source);

}  // namespace hone
