// Gradient conflict: the cosine between members' gradients on the weights that both use.
//
// With slice sharing those are, tensor by tensor, the leading block of the smaller one in every dimension (its centre, in
// kernels and position tables), and the blocks of a stage that both have. Dot products and norms are summed in double.
#pragma once

#include <string>
#include <vector>

#include "methods/supernet/store.h"

namespace hone::methods {

// A member's gradient, one tensor a slice of its program; undefined where nothing is trained.
struct MemberGradient {
  std::shared_ptr<const MemberProgram> program;
  std::vector<at::Tensor> grads;
};

struct Agreement {
  double dot = 0, first = 0, second = 0;     // <a, b>, |a|^2, |b|^2 over the shared weights
  int64_t tensors = 0, negative = 0;         // shared tensors, and those whose own product is negative
  std::vector<double> stage_dot, stage_first, stage_second;   // of the parts of agreement_parts()
  double cosine() const;                     // 0 where one of them is nought
};

// Parts that agreement is also told for: "first_conv", "stages.0", ..., "head".
std::vector<std::string> agreement_parts(const space::Space& space);

Agreement agreement(const Store& store, const MemberGradient& a, const MemberGradient& b);

}  // namespace hone::methods
