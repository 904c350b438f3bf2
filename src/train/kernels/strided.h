// Many small copies or additions between tensors of different strides, as one parallel loop. A supernet's member has some three
// hundred tensors, slices of the store's: one call of libtorch each costs more than most of these copies take.
#pragma once

#include <ATen/ATen.h>

#include <vector>

namespace hone::train {

// fp32 on the CPU, of equal sizes; `to` of one pair overlaps no tensor of another.
struct StridedPair {
  at::Tensor to, from;
};
// to = from, for every pair.
void copy_all(const std::vector<StridedPair>& pairs);
// to += from, for every pair.
void add_all(const std::vector<StridedPair>& pairs);

}  // namespace hone::train
