#include "train/window.h"

#include <algorithm>

namespace hone::train {

WindowSpec WindowSpec::of(const Attrs& attrs, size_t n) {
  WindowSpec w;
  w.kernel = attrs.integers("kernel_shape");
  w.stride = attrs.integers("strides", std::vector<int64_t>(n, 1));
  w.dilation = attrs.integers("dilations", std::vector<int64_t>(n, 1));
  const auto pads = attrs.integers("pads", std::vector<int64_t>(2 * n, 0));
  w.begin.assign(pads.begin(), pads.begin() + static_cast<ptrdiff_t>(n));
  w.end.assign(pads.begin() + static_cast<ptrdiff_t>(n), pads.end());
  const std::string_view how = attrs.text("auto_pad", "NOTSET");
  w.automatic = how == "SAME_UPPER" ? Auto::same_upper : how == "SAME_LOWER" ? Auto::same_lower : how == "VALID" ? Auto::valid : Auto::given;
  w.ceil_mode = attrs.integer("ceil_mode", 0) != 0;
  return w;
}

bool WindowSpec::Padding::zero() const {
  const auto none = [](int64_t v) { return v == 0; };
  return std::ranges::all_of(begin, none) && std::ranges::all_of(end, none);
}

WindowSpec::Padding WindowSpec::padding(at::IntArrayRef spatial, at::IntArrayRef k) const {
  Padding p;
  for (size_t i = 0; i < rank(); ++i) {
    int64_t b = 0, e = 0;
    const int64_t span = dilation[i] * (k[i] - 1) + 1;
    if (automatic == Auto::given) {
      b = begin[i];
      e = end[i];
    } else if (automatic != Auto::valid) {
      const int64_t out = (spatial[i] + stride[i] - 1) / stride[i], total = std::max<int64_t>(0, (out - 1) * stride[i] + span - spatial[i]);
      b = automatic == Auto::same_upper ? total / 2 : total - total / 2;
      e = total - b;
    }
    int64_t extra = 0;
    if (ceil_mode) {
      // The last window counts when it starts inside the input or its left padding (ir/ops/common.cpp, window_output).
      const int64_t room = spatial[i] + b + e - span, windows = room / stride[i] + 1;
      if (room >= 0 && room % stride[i] && windows * stride[i] < spatial[i] + b) extra = windows * stride[i] - room;
    }
    p.begin.push_back(b);
    p.end.push_back(e);
    p.extra.push_back(extra);
  }
  return p;
}

Result<size_t> spatial_rank(const Lowering& c, size_t weight_input) {
  for (const char* name : {"kernel_shape", "strides", "dilations"})
    if (c.attrs().has(name)) return c.attrs().integers(name).size();
  if (c.attrs().has("pads")) return c.attrs().integers("pads").size() / 2;
  for (const size_t i : {weight_input, size_t{0}})
    if (c.has_input(i) && c.input(i).type.ranked && c.input(i).type.shape.size() >= 2) return c.input(i).type.shape.size() - 2;
  return c.unsupported("the number of spatial dimensions is not known");
}

at::Tensor padded(const at::Tensor& x, at::IntArrayRef begin, at::IntArrayRef end, double value) {
  at::DimVector pads;
  bool any = false;
  for (size_t i = begin.size(); i-- > 0;) {
    pads.push_back(begin[i]);
    pads.push_back(end[i]);
    any = any || begin[i] || end[i];
  }
  return any ? at::constant_pad_nd(x, pads, value) : x;
}

}  // namespace hone::train
