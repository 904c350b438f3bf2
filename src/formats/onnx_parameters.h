// Which initialisers of an ONNX file are parameters. ONNX does not say; this rule does.
//
// A parameter is a float initialiser that is, directly, through operators that only change its layout, or through
// arithmetic on stored values alone (standardised convolution weights),
//   - the weight or bias of a convolution, a product (Gemm, MatMul, Einsum), a recurrent layer, a norm or PRelu,
//   - the table of a Gather (an embedding), or
//   - an operand of more than one element of Add, Mul or Concat.
// BatchNorm's mean and variance are buffers. Everything else (integers, shapes, scalars) is a constant.
#pragma once

#include <vector>

#include "ir/graph.h"

namespace hone::onnx {

// Sets the kind of `initializers` (values of kind constant) in place.
// Also makes parameters of weights that a file describes by ConstantOfShape instead of storing them.
void classify_initializers(Graph& graph, const std::vector<ValueId>& initializers);

}  // namespace hone::onnx
