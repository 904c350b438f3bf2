// Channel counts that vector units do not like.
#pragma once

#include <cstdint>
#include <string>

#include "cost/profile.h"
#include "ir/graph.h"

namespace hone {

// Dense convolutions whose output channels are no multiple of 8: engines pad their blocks of 8 or 16 channels, so the work
// done is more than the MACs counted. Images (1 to 4 channels) that come in do not count, and neither do outputs below 8
// or the classifier's layer, which is no convolution.
struct OddChannels {
  int64_t nodes = 0;
  double macs_share = 0;         // of all MACs
  std::string example;           // the one with the most MACs
  int64_t example_channels = 0;
};
OddChannels odd_channels(const Graph& graph, const Profile& profile);

}  // namespace hone
