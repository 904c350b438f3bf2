// Channel counts that vector units do not like.
#pragma once

#include <cstdint>
#include <string>

#include "cost/profile.h"
#include "ir/graph.h"

namespace hone {

// Convolutions whose output channels are no multiple of 8: engines pad their blocks of 8 or 16 channels, so the work done is
// more than the MACs counted. Outputs of fewer than 8 channels do not count, nor do maps of one position (the layers of a
// squeeze-and-excitation), which cost next to nothing.
struct OddChannels {
  int64_t nodes = 0;
  double macs_share = 0;         // of all MACs
  std::string example;           // the one with the most MACs
  int64_t example_channels = 0;
};
OddChannels odd_channels(const Graph& graph, const Profile& profile);

}  // namespace hone
