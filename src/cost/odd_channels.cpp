#include "cost/odd_channels.h"

#include <algorithm>

namespace hone {

OddChannels odd_channels(const Graph& graph, const Profile& profile) {
  OddChannels out;
  int64_t macs = 0, most = 0;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    const Node& node = graph.nodes[id];
    const auto own = profile.nodes[id].counts.macs_conv.value();
    if (own <= 0 || node.outputs.empty() || node.outputs[0] == kNoValue) continue;
    const TensorType& type = graph.value(node.outputs[0]).type;
    if (!type.ranked || type.shape.size() < 3 || type.shape[1] < 8 || type.shape[1] % 8 == 0) continue;
    if (std::all_of(type.shape.begin() + 2, type.shape.end(), [](Dim d) { return d == 1; })) continue;
    ++out.nodes;
    macs += own;
    if (own > most) {
      most = own;
      out.example = node.name.empty() ? graph.value(node.outputs[0]).name : node.name;
      out.example_channels = type.shape[1];
    }
  }
  if (profile.totals.macs > 0) out.macs_share = static_cast<double>(macs) / static_cast<double>(profile.totals.macs);
  return out;
}

}  // namespace hone
