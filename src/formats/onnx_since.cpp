// When operators and attributes came into ONNX's default operator set (onnx/defs of ONNX 1.23), for those that hone knows
// and that are newer than opset 7.
#include <algorithm>
#include <array>

#include "formats/onnx_lower.h"

namespace hone::onnx {

namespace {

struct Since {
  std::string_view type;
  int64_t version;
};

constexpr std::array kOperators{
    Since{"Acosh", 9}, Since{"AffineGrid", 20}, Since{"Asinh", 9}, Since{"Atanh", 9}, Since{"Attention", 23}, Since{"Bernoulli", 15},
    Since{"BitCast", 26}, Since{"BitShift", 11}, Since{"BitwiseAnd", 18}, Since{"BitwiseNot", 18}, Since{"BitwiseOr", 18}, Since{"BitwiseXor", 18},
    Since{"BlackmanWindow", 17}, Since{"CastLike", 15}, Since{"CausalConvWithState", 27}, Since{"Celu", 12}, Since{"CenterCropPad", 18}, Since{"Col2Im", 18},
    Since{"Compress", 9}, Since{"ConstantOfShape", 9}, Since{"ConvInteger", 10}, Since{"Cosh", 9}, Since{"CumProd", 26}, Since{"CumSum", 11},
    Since{"DFT", 17}, Since{"DeformConv", 19}, Since{"DequantizeLinear", 10}, Since{"Det", 11}, Since{"DynamicQuantizeLinear", 11}, Since{"Einsum", 12},
    Since{"Erf", 9}, Since{"Expand", 8}, Since{"EyeLike", 9}, Since{"GatherElements", 11}, Since{"GatherND", 11}, Since{"Gelu", 20},
    Since{"GreaterOrEqual", 12}, Since{"GridSample", 16}, Since{"GroupNormalization", 18}, Since{"HammingWindow", 17}, Since{"HannWindow", 17}, Since{"HardSwish", 14},
    Since{"IsInf", 10}, Since{"IsNaN", 9}, Since{"LayerNormalization", 17}, Since{"LessOrEqual", 12}, Since{"LinearAttention", 27}, Since{"MatMulInteger", 10},
    Since{"MaxUnpool", 9}, Since{"MeanVarianceNormalization", 9}, Since{"MelWeightMatrix", 17}, Since{"Mish", 18}, Since{"Mod", 10}, Since{"NegativeLogLikelihoodLoss", 12},
    Since{"NonMaxSuppression", 10}, Since{"NonZero", 9}, Since{"OneHot", 9}, Since{"QLinearConv", 10}, Since{"QLinearMatMul", 10}, Since{"QuantizeLinear", 10},
    Since{"RMSNormalization", 23}, Since{"Range", 11}, Since{"Resize", 10}, Since{"ReverseSequence", 10}, Since{"RoiAlign", 10}, Since{"RotaryEmbedding", 23},
    Since{"Round", 11}, Since{"STFT", 17}, Since{"Scatter", 9}, Since{"ScatterElements", 11}, Since{"ScatterND", 11}, Since{"Shrink", 9},
    Since{"Sign", 9}, Since{"Sinh", 9}, Since{"SoftmaxCrossEntropyLoss", 12}, Since{"SwiGLU", 28}, Since{"Swish", 24}, Since{"TensorScatter", 24},
    Since{"ThresholdedRelu", 10}, Since{"Trilu", 14}, Since{"Unique", 11}, Since{"Where", 9},
};
static_assert(std::ranges::is_sorted(kOperators, {}, &Since::type));

std::vector<AttributeSince> make_attributes() {
  const Attr zero = int64_t{0}, one = int64_t{1}, none = std::string("none");
  std::vector<AttributeSince> out{
      {"ArgMax", "select_last_index", 12, zero},
      {"ArgMin", "select_last_index", 12, zero},
      {"Attention", "left_window_size", 25, int64_t{-1}},
      {"Attention", "right_window_size", 25, int64_t{-1}},
      {"AveragePool", "ceil_mode", 10, zero},
      {"AveragePool", "dilations", 19, std::vector<int64_t>{1}},
      {"BatchNormalization", "training_mode", 14, zero},
      {"Cast", "round_mode", 24, std::string("up")},
      {"Cast", "saturate", 19, one},
      {"CastLike", "round_mode", 24, std::string("up")},
      {"CastLike", "saturate", 19, one},
      {"DepthToSpace", "mode", 11, std::string("DCR")},
      {"DequantizeLinear", "axis", 13, one},
      {"DequantizeLinear", "block_size", 21, zero},
      {"DequantizeLinear", "output_dtype", 23, zero},
      {"GatherND", "batch_dims", 12, zero},
      {"GroupNormalization", "stash_type", 21, one},
      {"MaxPool", "ceil_mode", 10, zero},
      {"MaxPool", "dilations", 10, std::vector<int64_t>{1}},
      {"MaxPool", "storage_order", 8, zero},
      {"LpPool", "ceil_mode", 18, zero},
      {"LpPool", "dilations", 18, std::vector<int64_t>{1}},
      {"QuantizeLinear", "axis", 13, one},
      {"QuantizeLinear", "block_size", 21, zero},
      {"QuantizeLinear", "output_dtype", 21, zero},
      {"QuantizeLinear", "precision", 23, zero},
      {"QuantizeLinear", "saturate", 19, one},
      {"Range", "stash_type", 27, one},
      {"ReduceSum", "noop_with_empty_axes", 13, zero},
      {"Reshape", "allowzero", 14, zero},
      {"Resize", "antialias", 18, zero},
      {"Resize", "axes", 18, std::vector<int64_t>{}},
      {"Resize", "keep_aspect_ratio_policy", 18, std::string("stretch")},
      {"ScatterElements", "reduction", 16, none},
      {"ScatterND", "reduction", 16, none},
      {"SpaceToDepth", "mode", 28, std::string("DCR")},
      {"TopK", "largest", 11, one},
      {"TopK", "sorted", 11, one},
  };
  for (std::string_view reduce : {"ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSumSquare"})
    out.push_back({reduce, "noop_with_empty_axes", 18, zero});
  for (std::string_view recurrent : {"GRU", "LSTM", "RNN"}) out.push_back({recurrent, "layout", 14, zero});
  return out;
}

}  // namespace

int64_t operator_since(std::string_view type) {
  const auto it = std::ranges::lower_bound(kOperators, type, {}, &Since::type);
  return it != kOperators.end() && it->type == type ? it->version : 1;
}

const std::vector<AttributeSince>& attributes_since() {
  static const std::vector<AttributeSince> all = make_attributes();
  return all;
}

}  // namespace hone::onnx
