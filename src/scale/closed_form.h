// What an Arch costs without building its graph: a few microseconds instead of milliseconds, which is what lets the
// budget solver try hundreds of networks. Every closed form equals the graph's count; a test proves it on each published
// network and on scaled ones.
#pragma once

#include <cstdint>
#include <optional>

#include "core/error.h"
#include "zoo/arch.h"

namespace hone {

// Counts of one image, in the units of cost/profile.h.
struct ArchCost {
  int64_t macs = 0, bias_adds = 0, params = 0, acts = 0, maxpool_out = 0;
  int64_t pycls_flops() const { return macs + bias_adds; }
  int64_t pycls_acts() const { return acts + maxpool_out; }
  bool operator==(const ArchCost&) const = default;
};

// Nothing when the family has no closed form, or the Arch a setting that it does not know or a layer that does not fit.
std::optional<ArchCost> closed_form(const Arch& arch);

// By the closed form, else from the graph.
Result<ArchCost> count(const Arch& arch);

// The network with at most two blocks a stage: further blocks repeat the second one's shapes and cannot raise the peak
// (stages whose blocks are listed one by one stay whole).
Arch shallowest_of_equal_peak(const Arch& arch);
// Peak activation memory (cost/memory.h) at batch 1, from the graph of that network.
Result<int64_t> peak_memory(const Arch& arch);

}  // namespace hone
