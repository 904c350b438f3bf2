// Contents for a graph's parameters and buffers: a checkpoint's, or fresh ones from a seed.
#pragma once

#include <cstdint>

#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"

namespace hone {

struct Bound {
  Graph graph;
  std::vector<std::string> unused;  // tensors that the graph does not ask for
};

// Gives each parameter and buffer the tensor of its name, as a view; floating point of another width is converted to the
// graph's. Fails when a shape differs, and when a parameter or buffer that a node reads is not there.
Result<Bound> with_weights(Graph graph, const std::vector<std::pair<std::string, Tensor>>& tensors);

// For weights that were trained on images of the other channel order (pycls reads images with OpenCV, which is BGR):
// the convolutions that read a graph input of three channels get their input channels in reverse, so that the network
// takes RGB. Fails when there is no such convolution, or when one has no contents.
Result<Graph> with_reversed_channels(Graph graph);

// Fills every parameter and buffer that has no contents as its Init says (ir/graph.h). Each tensor has a generator of
// its own, seeded by `seed` and its name: the same name and shape get the same contents in whatever network they stand.
//   truncated_normal  within two standard deviations
//   kaiming_normal    standard deviation sqrt(2 / fan out)            (He et al. 2015, ReLU; PyTorch's mode="fan_out")
//   kaiming_uniform   bound sqrt(6 / ((1 + a^2) fan in))
//   xavier_uniform    bound sqrt(6 / (fan in + fan out))              (Glorot and Bengio 2010)
// Fans follow PyTorch: dimension 0 counts outputs, dimension 1 inputs, the rest is the receptive field.
// Fails on a tensor whose shape is not known, or whose element type it cannot fill (only f32, f64 and integers).
Result<Graph> with_fresh_weights(Graph graph, uint64_t seed);

}  // namespace hone
