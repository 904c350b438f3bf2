// The layers that convolutional families share, each under the conventions of its Arch: padding, norm, activation, and
// how a squeeze-excite pools.
#pragma once

#include <string>
#include <string_view>

#include "ir/builder.h"
#include "zoo/arch.h"

namespace hone {

struct ConvNorm {            // a convolution, its norm and what follows
  std::string conv, norm;  // names; no norm: ""
  int64_t out = 0;
  int64_t kernel = 1, stride = 1, groups = 1;
  std::string activation;  // "": the Arch's; "identity": none
  bool bias = false;
};

class Layers {
 public:
  explicit Layers(const Arch& arch);

  Builder b;
  const Arch& arch;

  ValueId image();  // the input "x": 1 x channels x resolution x resolution
  ValueId conv(ValueId x, std::string_view name, int64_t out, int64_t kernel, int64_t stride = 1, int64_t groups = 1, bool bias = false);
  ValueId norm(ValueId x, std::string_view name);  // BatchNorm, or GroupNorm of options.group_norm channels a group
  ValueId activate(ValueId x, std::string_view kind = "");
  ValueId conv_norm(ValueId x, const ConvNorm& c);
  // x times gate(expand(act(reduce(mean of x)))); both convolutions 1x1 with bias.
  ValueId squeeze_excite(ValueId x, std::string_view reduce, std::string_view expand, int64_t hidden, std::string_view activation,
                         std::string_view gate = "sigmoid");
  // Average pool to size x size over the windows [floor(i n / size), ceil((i + 1) n / size)), as PyTorch's adaptive pool.
  ValueId adaptive_avg_pool(ValueId x, int64_t size);
  // Global average pool, then the classifier; the graph's output.
  void pool_classifier(ValueId x, std::string_view name);
  Result<Graph> finish() { return b.finish(); }

 private:
  int64_t group_norm_;
};

// v rounded to a multiple of `divisor`, half up, at least `divisor` and at least share * v: the MobileNet and EfficientNet
// rule (tensorflow/models, slim mobilenet), and torchvision's for RegNet group widths.
int64_t make_divisible(double v, int64_t divisor = 8, double share = 0.9);

}  // namespace hone
