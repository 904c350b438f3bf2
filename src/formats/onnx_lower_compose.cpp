// Operators that older sets do not have, spelled out in operators that they have.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

#include "formats/onnx_lower.h"

namespace hone::onnx {

namespace {

// y = x W' + b with W stored as outputs x inputs, as PyTorch keeps it.
Status linear(Lowering& l) {
  const ValueId x = l.input(0), w = l.input(1), b = l.input(2);
  if (l.input_type(0).ranked && l.input_type(0).shape.size() == 2) {
    std::vector<ValueId> inputs{x, w};
    if (b != kNoValue) inputs.push_back(b);
    l.become("Gemm", std::move(inputs), {{"transB", int64_t{1}}});
    return {};
  }
  ValueId turned = l.transposed_parameter(w);
  if (turned == kNoValue) {
    TensorType t = l.input_type(1);
    if (t.shape.size() == 2) std::swap(t.shape[0], t.shape[1]);
    HONE_TRY_ASSIGN(turned, l.emit("Transpose", {w}, {{"perm", std::vector<int64_t>{1, 0}}}, "weight", std::move(t)));
  }
  if (b == kNoValue) {
    l.become("MatMul", {x, turned});
    return {};
  }
  HONE_TRY_ASSIGN(const ValueId product, l.emit("MatMul", {x, turned}, {}, "product", l.output_type()));
  l.become("Add", {product, b});
  return {};
}

Status swish(Lowering& l) {
  const float alpha = l.node.attrs.real("alpha", 1);
  const ValueId x = l.input(0);
  ValueId scaled = x;
  if (alpha != 1) {
    HONE_TRY_ASSIGN(scaled, l.emit("Mul", {x, l.scalar(alpha, "alpha")}, {}, "scaled"));
  }
  HONE_TRY_ASSIGN(const ValueId gate, l.emit("Sigmoid", {scaled}, {}, "gate"));
  l.become("Mul", {x, gate});
  return {};
}

// swish(a) b
Status swiglu(Lowering& l) {
  const ValueId b = l.input(1);
  HONE_TRY_ASSIGN(const ValueId gate, l.emit("Swish", {l.input(0)}, l.node.attrs, "swish"));
  l.become("Mul", {gate, b});
  return {};
}

Status hard_swish(Lowering& l) {
  const ValueId x = l.input(0);
  HONE_TRY_ASSIGN(const ValueId gate, l.emit("HardSigmoid", {x}, {{"alpha", 1.f / 6}, {"beta", 0.5f}}, "gate"));
  l.become("Mul", {x, gate});
  return {};
}

// x tanh(log(1 + e^x))
Status mish(Lowering& l) {
  const ValueId x = l.input(0);
  HONE_TRY_ASSIGN(const ValueId soft, l.emit("Softplus", {x}, {}, "softplus"));
  HONE_TRY_ASSIGN(const ValueId gate, l.emit("Tanh", {soft}, {}, "gate"));
  l.become("Mul", {x, gate});
  return {};
}

// x (1 + erf(x / sqrt 2)) / 2, or with approximate = "tanh": x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2,
// in the order in which PyTorch's exporter writes it.
Status gelu(Lowering& l) {
  const ValueId x = l.input(0);
  ValueId gate;
  if (l.node.attrs.text("approximate", "none") == "tanh") {
    HONE_TRY_ASSIGN(const ValueId square, l.emit("Mul", {x, x}, {}, "square"));
    HONE_TRY_ASSIGN(const ValueId cube, l.emit("Mul", {square, x}, {}, "cube"));
    HONE_TRY_ASSIGN(const ValueId part, l.emit("Mul", {cube, l.scalar(0.044715f, "coefficient")}, {}, "part"));
    HONE_TRY_ASSIGN(const ValueId sum, l.emit("Add", {x, part}, {}, "sum"));
    HONE_TRY_ASSIGN(const ValueId inner, l.emit("Mul", {sum, l.scalar(std::sqrt(2.f / std::numbers::pi_v<float>), "root")}, {}, "inner"));
    HONE_TRY_ASSIGN(gate, l.emit("Tanh", {inner}, {}, "gate"));
  } else {
    HONE_TRY_ASSIGN(const ValueId inner, l.emit("Div", {x, l.scalar(std::numbers::sqrt2_v<float>, "root_of_2")}, {}, "inner"));
    HONE_TRY_ASSIGN(gate, l.emit("Erf", {inner}, {}, "gate"));
  }
  HONE_TRY_ASSIGN(const ValueId one_plus, l.emit("Add", {gate, l.scalar(1, "one")}, {}, "one_plus"));
  HONE_TRY_ASSIGN(const ValueId twice, l.emit("Mul", {x, one_plus}, {}, "twice"));
  l.become("Mul", {twice, l.scalar(0.5f, "half")});
  return {};
}

// The dimensions from `axis` on, and the type of a mean over them.
struct Tail {
  std::vector<int64_t> axes;
  TensorType mean;
};
Result<Tail> tail(const Lowering& l, int64_t version) {
  const TensorType x = l.input_type(0);
  if (!x.ranked) return l.needs(version, "an input of unknown rank");
  const auto rank = static_cast<int64_t>(x.shape.size());
  const int64_t given = l.node.attrs.integer("axis", -1), axis = given + (given < 0 ? rank : 0);
  if (axis < 0 || axis >= rank) return l.needs(version, "an axis outside the input");
  Tail t{std::vector<int64_t>(static_cast<size_t>(rank - axis)), x};
  std::iota(t.axes.begin(), t.axes.end(), axis);
  for (int64_t a : t.axes) t.mean.shape[static_cast<size_t>(a)] = 1;
  return t;
}

// (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias
Status layer_norm(Lowering& l) {
  if (l.reads_output(1) || l.reads_output(2)) return l.needs(17, "its further outputs");
  HONE_TRY_ASSIGN(const Tail t, tail(l, 17));
  const ValueId x = l.input(0), scale = l.input(1), bias = l.input(2);
  const float epsilon = l.node.attrs.real("epsilon", 1e-5f);
  HONE_TRY_ASSIGN(const ValueId mean, l.emit("ReduceMean", {x, l.constant(Tensor::ints(t.axes), "axes")}, {}, "mean", t.mean));
  HONE_TRY_ASSIGN(const ValueId centred, l.emit("Sub", {x, mean}, {}, "centred"));
  HONE_TRY_ASSIGN(const ValueId square, l.emit("Pow", {centred, l.scalar(2, "two")}, {}, "square"));
  HONE_TRY_ASSIGN(const ValueId variance, l.emit("ReduceMean", {square, l.constant(Tensor::ints(t.axes), "axes")}, {}, "variance", t.mean));
  HONE_TRY_ASSIGN(const ValueId shifted, l.emit("Add", {variance, l.scalar(epsilon, "epsilon")}, {}, "shifted", t.mean));
  HONE_TRY_ASSIGN(const ValueId deviation, l.emit("Sqrt", {shifted}, {}, "deviation", t.mean));
  HONE_TRY_ASSIGN(const ValueId normal, l.emit("Div", {centred, deviation}, {}, "normal"));
  if (bias == kNoValue) {
    l.become("Mul", {normal, scale});
    return {};
  }
  HONE_TRY_ASSIGN(const ValueId scaled, l.emit("Mul", {normal, scale}, {}, "scaled"));
  l.become("Add", {scaled, bias});
  return {};
}

// x / sqrt(mean(x^2) + epsilon) * scale
Status rms_norm(Lowering& l) {
  HONE_TRY_ASSIGN(const Tail t, tail(l, 23));
  const ValueId x = l.input(0), scale = l.input(1);
  const float epsilon = l.node.attrs.real("epsilon", 1e-5f);
  HONE_TRY_ASSIGN(const ValueId square, l.emit("Pow", {x, l.scalar(2, "two")}, {}, "square"));
  HONE_TRY_ASSIGN(const ValueId mean, l.emit("ReduceMean", {square, l.constant(Tensor::ints(t.axes), "axes")}, {}, "mean", t.mean));
  HONE_TRY_ASSIGN(const ValueId shifted, l.emit("Add", {mean, l.scalar(epsilon, "epsilon")}, {}, "shifted", t.mean));
  HONE_TRY_ASSIGN(const ValueId root, l.emit("Sqrt", {shifted}, {}, "root", t.mean));
  HONE_TRY_ASSIGN(const ValueId normal, l.emit("Div", {x, root}, {}, "normal"));
  l.become("Mul", {normal, scale});
  return {};
}

// Instance norm over groups x (channels of a group and positions), then scale and bias a channel.
Status group_norm(Lowering& l) {
  const TensorType x = l.input_type(0);
  const int64_t groups = l.node.attrs.integer("num_groups", 0);
  if (!x.ranked || x.shape.size() < 2 || groups < 1) return l.needs(21, "an input of unknown rank");
  const ValueId in = l.input(0), scale = l.input(1), bias = l.input(2);
  const DType dtype = x.dtype;
  if (dtype != DType::f32) return l.needs(21, "an element type other than f32");
  const auto g = static_cast<size_t>(groups);
  const ValueId by_group = l.constant(Tensor::ints({0, groups, -1}), "groups");
  const TensorType grouped(dtype, {x.shape[0], groups, kUnknown});
  HONE_TRY_ASSIGN(const ValueId flat, l.emit("Reshape", {in, by_group}, {}, "by_group", grouped));
  HONE_TRY_ASSIGN(const ValueId normal, l.emit("InstanceNormalization", {flat, l.constant(Tensor::floats(std::vector<float>(g, 1)), "ones"), l.constant(Tensor::floats(std::vector<float>(g, 0)), "zeros")},
                                              {{"epsilon", l.node.attrs.real("epsilon", 1e-5f)}}, "normal", grouped));
  HONE_TRY_ASSIGN(const ValueId shape, l.emit("Shape", {in}, {}, "shape", TensorType(DType::i64, {static_cast<Dim>(x.shape.size())})));
  HONE_TRY_ASSIGN(const ValueId back, l.emit("Reshape", {normal, shape}, {}, "back"));
  std::vector<int64_t> column(x.shape.size() - 1, 1);
  column[0] = -1;
  Shape a_channel(column.size(), 1);
  a_channel[0] = x.shape[1];
  HONE_TRY_ASSIGN(const ValueId wide_scale, l.emit("Reshape", {scale, l.constant(Tensor::ints(column), "column")}, {}, "scale", TensorType(dtype, a_channel)));
  HONE_TRY_ASSIGN(const ValueId wide_bias, l.emit("Reshape", {bias, l.constant(Tensor::ints(column), "column")}, {}, "bias", TensorType(dtype, a_channel)));
  HONE_TRY_ASSIGN(const ValueId scaled, l.emit("Mul", {back, wide_scale}, {}, "scaled"));
  l.become("Add", {scaled, wide_bias});
  return {};
}

Status attention_padding(Lowering& l) {
  if (l.has_input(6)) return l.needs(24, "its 'nonpad_kv_seqlen'");
  return {};
}

// batch x tokens x (heads dim) to batch x heads x tokens x dim
Result<ValueId> heads_apart(Lowering& l, size_t i, int64_t heads) {
  const TensorType t = l.input_type(i);
  const std::string what = i == 0 ? "q" : i == 1 ? "k" : "v";
  const Dim dim = t.shape[2] < 0 ? kUnknown : t.shape[2] / heads;
  HONE_TRY_ASSIGN(const ValueId apart, l.emit("Reshape", {l.input(i), l.constant(Tensor::ints({0, 0, heads, -1}), what + "_heads")}, {}, what + "_apart", TensorType(t.dtype, {t.shape[0], t.shape[1], heads, dim})));
  return l.emit("Transpose", {apart}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}, what + "_turned", TensorType(t.dtype, {t.shape[0], heads, t.shape[1], dim}));
}

// -infinity above the diagonal: token i sees the tokens up to i.
Tensor causal_mask(Dim rows, Dim columns) {
  std::vector<float> mask(static_cast<size_t>(rows * columns), 0);
  for (Dim r = 0; r < rows; ++r)
    for (Dim c = r + 1; c < columns; ++c) mask[static_cast<size_t>(r * columns + c)] = -std::numeric_limits<float>::infinity();
  Tensor t = Tensor::floats(std::move(mask));
  t.shape = {rows, columns};
  return t;
}

// softmax(q k' scale + mask) v
Status attention(Lowering& l) {
  for (size_t i : {size_t{4}, size_t{5}, size_t{6}})
    if (l.has_input(i)) return l.needs(i == 6 ? 24 : 23, "its cache of past keys and values");
  for (size_t i : {size_t{1}, size_t{2}, size_t{3}})
    if (l.reads_output(i)) return l.needs(23, "its further outputs");
  const Attrs a = l.node.attrs;
  if (a.real("softcap", 0) != 0) return l.needs(23, "its 'softcap'");
  if (a.has("softmax_precision")) return l.needs(23, "its 'softmax_precision'");
  const TensorType tq = l.input_type(0), tk = l.input_type(1), tv = l.input_type(2);
  if (!tq.ranked || !tk.ranked || !tv.ranked || tq.shape.size() != tk.shape.size() || tq.shape.size() != tv.shape.size() || tq.shape.size() < 3 || tq.shape.size() > 4)
    return l.needs(23, "an input of unknown rank");
  const bool packed = tq.shape.size() == 3;
  const int64_t heads = packed ? a.integer("q_num_heads", 0) : tq.shape[1], kv_heads = packed ? a.integer("kv_num_heads", 0) : tk.shape[1];
  if (heads < 1 || heads != kv_heads) return l.needs(23, "several query heads to a key head");
  ValueId q = l.input(0), k = l.input(1), v = l.input(2);
  if (packed) {
    HONE_TRY_ASSIGN(q, heads_apart(l, 0, heads));
    HONE_TRY_ASSIGN(k, heads_apart(l, 1, heads));
    HONE_TRY_ASSIGN(v, heads_apart(l, 2, heads));
  }
  const Dim dim = packed ? (tq.shape[2] < 0 ? kUnknown : tq.shape[2] / heads) : tq.shape[3];
  const Dim v_dim = packed ? (tv.shape[2] < 0 ? kUnknown : tv.shape[2] / heads) : tv.shape[3];
  const Dim rows = tq.shape[packed ? 1 : 2], columns = tk.shape[packed ? 1 : 2];
  if (!a.has("scale") && dim < 1) return l.needs(23, "a scale that follows from an unknown size");
  const float scale = a.real("scale", dim > 0 ? 1 / std::sqrt(static_cast<float>(dim)) : 1);
  const TensorType logits(tq.dtype, {tq.shape[0], heads, rows, columns});
  HONE_TRY_ASSIGN(const ValueId scaled, l.emit("Mul", {q, l.scalar(scale, "scale")}, {}, "scaled", TensorType(tq.dtype, {tq.shape[0], heads, rows, dim})));
  HONE_TRY_ASSIGN(const ValueId turned, l.emit("Transpose", {k}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}}, "keys", TensorType(tq.dtype, {tk.shape[0], heads, dim, columns})));
  HONE_TRY_ASSIGN(ValueId scores, l.emit("MatMul", {scaled, turned}, {}, "logits", logits));
  if (a.integer("is_causal", 0)) {
    if (rows < 0 || columns < 0 || tq.dtype != DType::f32) return l.needs(23, "a causal mask of unknown size or another type than f32");
    if (rows > 8192 || columns > 8192) return l.needs(23, "a causal mask of more than 8192 tokens");
    HONE_TRY_ASSIGN(scores, l.emit("Add", {scores, l.constant(causal_mask(rows, columns), "causal")}, {}, "causal_logits", logits));
  }
  if (l.has_input(3)) {
    ValueId mask = l.input(3);
    if (l.input_type(3).dtype == DType::boolean) {
      HONE_TRY_ASSIGN(mask, l.emit("Where", {mask, l.scalar(0, "kept"), l.scalar(-std::numeric_limits<float>::infinity(), "masked")}, {}, "mask", TensorType(tq.dtype, l.input_type(3).shape)));
    }
    HONE_TRY_ASSIGN(scores, l.emit("Add", {scores, mask}, {}, "masked_logits", logits));
  }
  HONE_TRY_ASSIGN(const ValueId weights, l.emit("Softmax", {scores}, {{"axis", int64_t{-1}}}, "weights", logits));
  if (!packed) {
    l.become("MatMul", {weights, v});
    return {};
  }
  HONE_TRY_ASSIGN(const ValueId mixed, l.emit("MatMul", {weights, v}, {}, "mixed", TensorType(tq.dtype, {tq.shape[0], heads, rows, v_dim})));
  HONE_TRY_ASSIGN(const ValueId back, l.emit("Transpose", {mixed}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}, "tokens", TensorType(tq.dtype, {tq.shape[0], rows, heads, v_dim})));
  l.become("Reshape", {back, l.constant(Tensor::ints({0, 0, -1}), "joined")});
  return {};
}


// a >= b as (a > b) or (a == b), which is right for NaN too.
Status either(Lowering& l, std::string_view strict) {
  const TensorType truth(DType::boolean, l.output_type().shape);
  const std::vector<ValueId> ab = l.node.inputs;
  HONE_TRY_ASSIGN(const ValueId apart, l.emit(strict, ab, {}, "apart", truth));
  HONE_TRY_ASSIGN(const ValueId same, l.emit("Equal", ab, {}, "same", truth));
  l.become("Or", {apart, same});
  return {};
}
Status greater_or_equal(Lowering& l) { return either(l, "Greater"); }
Status less_or_equal(Lowering& l) { return either(l, "Less"); }

// Some of the dimensions, cut out of all of them.
Status shape_part(Lowering& l) {
  const Attrs a = l.node.attrs;
  if (!a.has("start") && !a.has("end")) return {};
  const TensorType x = l.input_type(0);
  const TensorType all(DType::i64, {x.ranked ? static_cast<Dim>(x.shape.size()) : kUnknown});
  HONE_TRY_ASSIGN(const ValueId shape, l.emit("Shape", {l.input(0)}, {}, "all", all));
  l.become("Slice", {shape, l.constant(Tensor::ints({a.integer("start", 0)}), "start"), l.constant(Tensor::ints({a.integer("end", std::numeric_limits<int64_t>::max())}), "end"),
                     l.constant(Tensor::ints({0}), "axis")});
  return {};
}

constexpr int64_t kAlways = std::numeric_limits<int64_t>::max();

}  // namespace

std::vector<Lower> compose_rules() {
  return {
      {"Attention", 24, attention_padding},
      {"Attention", 23, attention},
      {"Gelu", 20, gelu},
      {"GreaterOrEqual", 12, greater_or_equal},
      {"GroupNormalization", 21, group_norm},
      {"HardSwish", 14, hard_swish},
      {"LayerNormalization", 17, layer_norm},
      {"LessOrEqual", 12, less_or_equal},
      {"Mish", 18, mish},
      {"RMSNormalization", 23, rms_norm},
      {"Shape", 15, shape_part},
      {"SwiGLU", 28, swiglu},
      {"Swish", 24, swish},
      {"hone::Linear", kAlways, linear},
  };
}

}  // namespace hone::onnx
