// Columns of a matrix by number: y[r, j] = x[r, index[j]], as relative position biases are read from their table. ATen's gradient
// of it adds one column after the other, with an operator call for each.
#pragma once

#include <ATen/ATen.h>

namespace hone::train {

// x [R, C], index [J] of 64-bit integers in [0, C) -> [R, J]; the gradient adds up what repeated columns got, in the order of
// the index. Fast on fp32 CPU tensors, at::index_select for others.
at::Tensor columns(const at::Tensor& x, const at::Tensor& index);

}  // namespace hone::train
