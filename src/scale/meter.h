// Adds up what layers cost from numbers alone: height = width, channels and a running sum, one call a layer. The closed
// forms of families (scale/closed_form.h) are written with it; it counts what ir/ops count, and a test compares the two
// on every published network.
#pragma once

#include <cstdint>

#include "core/checked.h"

namespace hone {

class Meter {
 public:
  int64_t c = 0, h = 0;  // channels and side of the present map
  Int macs, bias_adds, params, acts, maxpool_out;
  bool valid = true;     // false: a layer did not fit its input

  Meter(int64_t channels, int64_t side) : c(channels), h(side) {}

  // k x k, padding that keeps the size at stride 1 ((k - 1) / 2, or SAME): the side becomes ceil(h / stride).
  void conv(int64_t out, int64_t k, int64_t stride = 1, int64_t groups = 1, bool bias = false) {
    valid = valid && h > 0 && stride > 0;
    if (valid) h = (h - 1) / stride + 1;
    product(out, k, groups, bias);
  }
  // k x k, no padding.
  void conv_valid(int64_t out, int64_t k, int64_t stride, bool bias) {
    valid = valid && k > 0 && stride > 0 && h >= k;
    if (valid) h = (h - k) / stride + 1;
    product(out, k, 1, bias);
  }
  void norm() { params += Int(c) * 2; }
  void linear(int64_t out, bool bias = true) {  // on a vector of c
    rows(1, out, bias);
    c = out;
  }
  // A linear layer of c inputs on n rows; c stays.
  void rows(Int n, int64_t out, bool bias) {
    valid = valid && out > 0;
    macs += n * c * out;
    acts += n * out;
    params += Int(c) * out + (bias ? out : 0);
    if (bias) bias_adds += n * out;
  }
  // `count` products (m x k) (k x n) between activations.
  void matmul(Int count, Int m, Int k, Int n) {
    macs += count * m * k * n;
    acts += count * m * n;
  }
  void parameters(Int n) { params += n; }
  void max_pool(int64_t stride, bool padded) {
    h = padded ? (h - 1) / stride + 1 : h / stride;
    valid = valid && h > 0;
    maxpool_out += Int(c) * h * h;
  }
  // Two 1x1 convolutions with bias on the map's mean.
  void squeeze_excite(int64_t hidden) {
    const int64_t channels = c;
    linear(hidden);
    linear(channels);
  }
  // What `block` adds, n times; it runs once, so it must leave c and h as it finds them.
  template <class Block>
  void repeat(int64_t n, Block block) {
    if (n <= 0) return;
    const Meter before = *this;
    block();
    const Int more = n - 1;
    macs += (macs - before.macs) * more;
    bias_adds += (bias_adds - before.bias_adds) * more;
    params += (params - before.params) * more;
    acts += (acts - before.acts) * more;
    maxpool_out += (maxpool_out - before.maxpool_out) * more;
  }
  bool ok() const { return valid && macs.ok() && bias_adds.ok() && params.ok() && acts.ok() && maxpool_out.ok() && (macs + bias_adds).ok(); }

 private:
  void product(int64_t out, int64_t k, int64_t groups, bool bias) {
    valid = valid && h > 0 && out > 0 && groups > 0 && c % groups == 0 && out % groups == 0;
    const Int pixels = Int(h) * h, weights = valid ? Int(k) * k * (c / groups) * out : Int(0);
    macs += weights * pixels;
    params += weights + (bias ? out : 0);
    acts += pixels * out;
    if (bias) bias_adds += pixels * out;
    c = out;
  }
};

}  // namespace hone
