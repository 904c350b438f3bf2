// The sliding window of convolutions and pools at run time: attributes as ir/ops/common.h reads them, paddings from the
// input's size.
#pragma once

#include "train/lower.h"

namespace hone::train {

struct WindowSpec {
  std::vector<int64_t> kernel, stride, dilation, begin, end;  // kernel may be empty: the weight's
  enum class Auto : uint8_t { given, valid, same_upper, same_lower } automatic = Auto::given;
  bool ceil_mode = false;

  // From kernel_shape, strides, dilations, pads, auto_pad and ceil_mode, for `spatial` dimensions.
  static WindowSpec of(const Attrs& attrs, size_t spatial);
  size_t rank() const { return stride.size(); }

  // Paddings for an input of these spatial sizes and kernel; `extra` at the end is what ceil_mode's last window reaches
  // beyond the padded input (0 without ceil_mode).
  struct Padding {
    at::DimVector begin, end, extra;
    bool symmetric() const { return begin == end; }
    bool zero() const;
  };
  Padding padding(at::IntArrayRef spatial, at::IntArrayRef kernel) const;
};

// Number of spatial dimensions of a node's window: from its attributes, its kernel's type, or its input's type.
Result<size_t> spatial_rank(const Lowering& c, size_t weight_input);

// x with `value` around its trailing dimensions; negative amounts crop. x itself when nothing is to be added.
at::Tensor padded(const at::Tensor& x, at::IntArrayRef begin, at::IntArrayRef end, double value);

}  // namespace hone::train
