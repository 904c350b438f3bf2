#include "ir/op.h"

#include <fmt/format.h>

#include <array>

namespace hone {

namespace {
// Every sum of Counts, so that adding and checking cannot forget one.
constexpr std::array kSums{&Counts::macs_conv,   &Counts::macs_linear, &Counts::macs_matmul,      &Counts::conv_bias_adds,      &Counts::linear_bias_adds,
                           &Counts::acts_conv,   &Counts::acts_linear, &Counts::acts_matmul,      &Counts::maxpool_out,         &Counts::bn_elements,
                           &Counts::ln_elements, &Counts::gn_elements, &Counts::softmax_elements, &Counts::activation_elements, &Counts::pool_inputs, &Counts::adaptive_pool_inputs};
static_assert(sizeof(Counts) == kSums.size() * sizeof(Int));
}  // namespace

Counts& Counts::operator+=(const Counts& o) {
  for (auto sum : kSums) this->*sum += o.*sum;
  return *this;
}

bool Counts::ok() const {
  for (auto sum : kSums)
    if (!(this->*sum).ok()) return false;
  return true;
}

tl::unexpected<Error> InferContext::fail(std::string message, std::string hint) const {
  const Node& n = node();
  return hone::fail(Code::invalid, std::move(message), n.name.empty() ? n.type : fmt::format("{} '{}'", n.type, n.name), std::move(hint));
}

namespace {
Int elements(const TensorType& t) {
  Int n = 1;
  for (Dim d : t.shape) n *= Int(d);
  return n;
}
}  // namespace

Int CostContext::elements_in(size_t i) const { return elements(input(i)); }
Int CostContext::elements_out(size_t i) const { return elements(output(i)); }

}  // namespace hone
