#include "ir/recognise.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "ir/op.h"

namespace hone {

namespace {

// The graph under rewriting. A match replaces the last node of its pattern; the others lose their reader and are pruned.
class Rewriter {
 public:
  explicit Rewriter(const Graph& g) : g_(g), uses_(readers(g)), original_uses_(uses_), before_(g.nodes.size()) {}

  // The node of this type that makes `v`, if `v` has no other reader than the pattern asking.
  const Node* made_by(ValueId v, std::string_view type) const {
    const Node* n = producer(v);
    return n && n->type == type && uses_[v] == 1 ? n : nullptr;
  }
  const Node* producer(ValueId v) const {
    if (v == kNoValue || g_.values[v].producer == kNoNode) return nullptr;
    return &g_.nodes[g_.values[v].producer];
  }

  // Contents of a constant of one element.
  std::optional<double> number(ValueId v) const {
    if (v == kNoValue) return std::nullopt;
    const Value& value = g_.values[v];
    if (value.kind == ValueKind::input || value.kind == ValueKind::node || !value.data || element_count(value.data->shape) != 1) return std::nullopt;
    auto d = to_doubles(*value.data);
    return d ? std::optional(d->at(0)) : std::nullopt;
  }
  bool is_number(ValueId v, double expected) const {
    const auto d = number(v);
    return d && std::fabs(*d - expected) <= 1e-4 * std::max(1.0, std::fabs(expected));
  }
  std::optional<std::vector<int64_t>> integers(ValueId v) const {
    if (v == kNoValue || g_.values[v].kind != ValueKind::constant || !g_.values[v].data) return std::nullopt;
    return to_ints(*g_.values[v].data);
  }

  // For a commutative node: calls `f(a, b)` with both orders until one says yes.
  template <class F>
  static bool either(const Node& n, F f) {
    return n.inputs.size() == 2 && (f(n.inputs[0], n.inputs[1]) || f(n.inputs[1], n.inputs[0]));
  }

  const TensorType& type(ValueId v) const { return g_.values[v].type; }
  const Shape& shape(ValueId v) const { return g_.values[v].type.shape; }
  bool is_weight(ValueId v) const { return v != kNoValue && g_.values[v].kind == ValueKind::parameter; }
  const Graph& graph() const { return g_; }

  // Puts `type(inputs)` in the place of node `at`, whose first output it now makes.
  void replace(NodeId at, std::string_view type, std::vector<ValueId> inputs, Attrs attrs = {}) {
    Node& n = g_.nodes[at];
    for (ValueId v : n.inputs)
      if (v != kNoValue) --uses_[v];
    while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
    for (ValueId v : inputs)
      if (v != kNoValue) ++uses_[v];
    n.type = type;
    n.def = find_op(type);
    n.inputs = std::move(inputs);
    n.attrs = std::move(attrs);
  }

  ValueId add_value(Value value, std::string_view wish) {
    value.name = g_.unique_name(wish);
    uses_.push_back(0);
    return g_.add_value(std::move(value));
  }

  // A new node right before node `at`; returns its result.
  ValueId insert(NodeId at, std::string_view type, ValueId input, Attrs attrs, TensorType result) {
    Value value;
    value.type = std::move(result);
    const ValueId out = add_value(std::move(value), g_.values[input].name + "/" + std::string(type));
    ++uses_[input];
    Node n;
    n.type = type;
    n.def = find_op(type);
    n.inputs = {input};
    n.outputs = {out};
    n.attrs = std::move(attrs);
    n.module = g_.nodes[at].module;
    before_[at].push_back(std::move(n));
    return out;
  }

  Graph finish() {
    std::vector<Node> nodes;
    for (NodeId i = 0; i < g_.nodes.size(); ++i) {
      for (Node& n : before_[i]) nodes.push_back(std::move(n));
      nodes.push_back(std::move(g_.nodes[i]));
    }
    g_.nodes = std::move(nodes);
    // Drop what a match took the last reader from; what nobody ever read stays and is counted, as the file has it.
    std::vector<int> now = readers(g_);
    std::vector<bool> lost(g_.nodes.size(), false);
    for (size_t i = g_.nodes.size(); i-- > 0;) {
      const Node& n = g_.nodes[i];
      lost[i] = std::ranges::all_of(n.outputs, [&](ValueId v) { return v == kNoValue || now[v] == 0; }) &&
                std::ranges::any_of(n.outputs, [&](ValueId v) { return v < original_uses_.size() && original_uses_[v] > 0; });
      if (!lost[i]) continue;
      for (ValueId v : n.inputs)
        if (v != kNoValue) --now[v];
    }
    nodes = std::exchange(g_.nodes, {});
    for (size_t i = 0; i < nodes.size(); ++i)
      if (!lost[i]) g_.add_node(std::move(nodes[i]));
    return without_unused_values(g_);
  }

 private:
  Graph g_;
  std::vector<int> uses_;
  const std::vector<int> original_uses_;
  std::vector<std::vector<Node>> before_;
};

// --- x W^T + b -----------------------------------------------------------------------------------------------------

// The parameter (out, in) behind a weight operand (in, out) of a matrix product; kNoValue when it is none.
ValueId weight_of(Rewriter& r, NodeId at, ValueId w) {
  if (const Node* t = r.producer(w); t && t->type == "Transpose" && r.is_weight(t->inputs[0]) && r.shape(t->inputs[0]).size() == 2 &&
                                     t->attrs.integers("perm", {1, 0}) == std::vector<int64_t>{1, 0})
    return t->inputs[0];
  if (!r.is_weight(w) || r.shape(w).size() != 2) return kNoValue;
  const Shape& s = r.shape(w);
  return r.insert(at, "Transpose", w, {{"perm", std::vector<int64_t>{1, 0}}}, {r.type(w).dtype, {s[1], s[0]}});
}

bool is_bias_of(const Rewriter& r, ValueId bias, int64_t out) { return r.is_weight(bias) && r.shape(bias) == Shape{out}; }

bool linear_from_matmul(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  if (n.type != "MatMul" || r.shape(n.inputs[0]).empty()) return false;
  const ValueId x = n.inputs[0], w = weight_of(r, at, n.inputs[1]);
  if (w == kNoValue) return false;
  r.replace(at, "hone::Linear", {x, w});
  return true;
}

bool linear_bias(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  return n.type == "Add" && Rewriter::either(n, [&](ValueId y, ValueId bias) {
    const Node* linear = r.made_by(y, "hone::Linear");
    if (!linear || linear->inputs.size() != 2 || !is_bias_of(r, bias, r.shape(linear->inputs[1])[0])) return false;
    r.replace(at, "hone::Linear", {linear->inputs[0], linear->inputs[1], bias});
    return true;
  });
}

bool linear_from_gemm(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  if (n.type != "Gemm" || n.attrs.integer("transA", 0) || n.attrs.real("alpha", 1) != 1 || n.attrs.real("beta", 1) != 1) return false;
  const ValueId x = n.inputs[0], bias = n.inputs.size() > 2 ? n.inputs[2] : kNoValue;
  ValueId w = n.inputs[1];
  if (r.shape(w).size() != 2 || (bias != kNoValue && !is_bias_of(r, bias, r.shape(w)[n.attrs.integer("transB", 0) ? 0 : 1]))) return false;
  if (!n.attrs.integer("transB", 0)) w = weight_of(r, at, w);
  if (!r.is_weight(w) && (w == kNoValue || r.producer(w))) return false;
  r.replace(at, "hone::Linear", {x, w, bias});
  return true;
}

// --- normalisation -------------------------------------------------------------------------------------------------

// The input of a mean over the last `k` dimensions that keeps them; k goes to `dims`.
ValueId mean_of(const Rewriter& r, const Node* mean, size_t* dims) {
  if (!mean || mean->inputs.size() != 2 || !mean->attrs.integer("keepdims", 1)) return kNoValue;
  auto axes = r.integers(mean->inputs[1]);
  const auto rank = static_cast<int64_t>(r.shape(mean->inputs[0]).size());
  if (!axes || axes->empty()) return kNoValue;
  for (int64_t& a : *axes)
    if (a < 0) a += rank;
  std::ranges::sort(*axes);
  for (size_t i = 0; i < axes->size(); ++i)
    if ((*axes)[i] != rank - static_cast<int64_t>(axes->size()) + static_cast<int64_t>(i)) return kNoValue;
  *dims = axes->size();
  return mean->inputs[0];
}

// (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps), without the affine part.
bool layer_norm_core(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  if (n.type != "Div") return false;
  const ValueId d = n.inputs[0];
  const Node* sub = r.producer(d);
  const Node* root = r.made_by(n.inputs[1], "Sqrt");
  const Node* plus = root ? r.made_by(root->inputs[0], "Add") : nullptr;
  if (!sub || sub->type != "Sub" || !plus) return false;
  return Rewriter::either(*plus, [&](ValueId variance, ValueId eps) {
    const auto e = r.number(eps);
    size_t dims = 0, dims_of_mean = 0;
    const ValueId square = mean_of(r, r.made_by(variance, "ReduceMean"), &dims);
    if (!e || square == kNoValue) return false;
    const Node* pow = r.made_by(square, "Pow");
    const Node* mul = r.made_by(square, "Mul");
    const bool squared = (pow && pow->inputs[0] == d && r.is_number(pow->inputs[1], 2)) || (mul && mul->inputs[0] == d && mul->inputs[1] == d);
    if (!squared || mean_of(r, r.made_by(sub->inputs[1], "ReduceMean"), &dims_of_mean) != sub->inputs[0] || dims != dims_of_mean) return false;
    const ValueId x = sub->inputs[0];
    // LayerNormalization needs a scale; without an affine part it is ones, a constant of the graph.
    const Shape& s = r.shape(x);
    const Shape scale_shape(s.end() - static_cast<ptrdiff_t>(dims), s.end());
    const auto count = element_count(scale_shape);
    if (!count || *count > (int64_t{1} << 20)) return false;
    Tensor ones;
    ones.dtype = DType::f32;
    ones.shape = scale_shape;
    const std::vector<float> data(static_cast<size_t>(*count), 1.f);
    ones.bytes = Bytes::copy(data.data(), data.size() * sizeof(float));
    Value value;
    value.kind = ValueKind::constant;
    value.type = {DType::f32, scale_shape};
    value.data = std::make_shared<const Tensor>(std::move(ones));
    const ValueId scale = r.add_value(std::move(value), r.graph().values[n.outputs[0]].name + "/scale");
    r.replace(at, "LayerNormalization", {x, scale}, {{"axis", -static_cast<int64_t>(dims)}, {"epsilon", static_cast<float>(*e)}});
    return true;
  });
}

bool layer_norm_affine(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  const bool scales = n.type == "Mul", shifts = n.type == "Add";
  return (scales || shifts) && Rewriter::either(n, [&](ValueId y, ValueId p) {
    const Node* norm = r.made_by(y, "LayerNormalization");
    if (!norm || !r.is_weight(p) || r.shape(p) != r.shape(norm->inputs[1])) return false;
    if (scales && (norm->inputs.size() != 2 || r.is_weight(norm->inputs[1]))) return false;
    if (shifts && norm->inputs.size() != 2) return false;
    const Attrs attrs = norm->attrs;
    const std::vector<ValueId> inputs = scales ? std::vector{norm->inputs[0], p} : std::vector{norm->inputs[0], norm->inputs[1], p};
    r.replace(at, "LayerNormalization", inputs, attrs);
    return true;
  });
}

// --- activation functions ------------------------------------------------------------------------------------------

// x * (1 + erf(x / sqrt 2)) * 0.5, in every order of the products.
bool gelu(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  if (n.type != "Mul") return false;
  // The three factors of this product: x, 0.5 and 1 + erf(...), as a tree of two Muls.
  std::vector<ValueId> factors;
  const Node* inner = nullptr;
  for (ValueId v : n.inputs) {
    const Node* m = r.made_by(v, "Mul");
    if (m && !inner) inner = m;
    else factors.push_back(v);
  }
  if (!inner) return false;
  factors.insert(factors.end(), inner->inputs.begin(), inner->inputs.end());
  if (factors.size() != 3) return false;
  ValueId x = kNoValue, one_plus = kNoValue;
  bool half = false;
  for (ValueId v : factors) {
    if (!half && r.is_number(v, 0.5)) half = true;
    else if (one_plus == kNoValue && r.made_by(v, "Add")) one_plus = v;
    else x = v;
  }
  if (!half || x == kNoValue || one_plus == kNoValue) return false;
  return Rewriter::either(*r.producer(one_plus), [&](ValueId erf_value, ValueId one) {
    const Node* erf = r.made_by(erf_value, "Erf");
    if (!erf || !r.is_number(one, 1)) return false;
    const Node* scaled = r.producer(erf->inputs[0]);
    const bool divided = scaled && scaled->type == "Div" && scaled->inputs[0] == x && r.is_number(scaled->inputs[1], std::sqrt(2.0));
    const bool multiplied = scaled && scaled->type == "Mul" && Rewriter::either(*scaled, [&](ValueId a, ValueId b) { return a == x && r.is_number(b, std::sqrt(0.5)); });
    if (!divided && !multiplied) return false;
    r.replace(at, "Gelu", {x});
    return true;
  });
}

// x * sigmoid(alpha x).
bool swish(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  return n.type == "Mul" && Rewriter::either(n, [&](ValueId x, ValueId gate) {
    const Node* sigmoid = r.made_by(gate, "Sigmoid");
    if (!sigmoid) return false;
    if (sigmoid->inputs[0] == x) {
      r.replace(at, "Swish", {x});
      return true;
    }
    const Node* scaled = r.made_by(sigmoid->inputs[0], "Mul");
    return scaled && Rewriter::either(*scaled, [&](ValueId a, ValueId alpha) {
      const auto value = r.number(alpha);
      if (a != x || !value) return false;
      r.replace(at, "Swish", {x}, {{"alpha", static_cast<float>(*value)}});
      return true;
    });
  });
}

// clip(x + 3, 0, 6) / 6.
bool hard_sigmoid(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  const bool divided = n.type == "Div" && r.is_number(n.inputs[1], 6);
  if (!divided) return false;
  const Node* clip = r.made_by(n.inputs[0], "Clip");
  if (!clip || clip->inputs.size() != 3 || !r.is_number(clip->inputs[1], 0) || !r.is_number(clip->inputs[2], 6)) return false;
  const Node* plus = r.made_by(clip->inputs[0], "Add");
  return plus && Rewriter::either(*plus, [&](ValueId x, ValueId three) {
    if (!r.is_number(three, 3)) return false;
    r.replace(at, "HardSigmoid", {x}, {{"alpha", 1.f / 6}, {"beta", 0.5f}});
    return true;
  });
}

// x * hard_sigmoid(x).
bool hard_swish(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  return n.type == "Mul" && Rewriter::either(n, [&](ValueId x, ValueId gate) {
    const Node* h = r.made_by(gate, "HardSigmoid");
    if (!h || h->inputs[0] != x || std::fabs(h->attrs.real("alpha", 0.2f) - 1.f / 6) > 1e-5f || h->attrs.real("beta", 0.5f) != 0.5f) return false;
    r.replace(at, "HardSwish", {x});
    return true;
  });
}

// --- attention -----------------------------------------------------------------------------------------------------

// Strips multiplications and divisions by a number; their product goes to `scale`.
ValueId unscaled(const Rewriter& r, ValueId v, double* scale) {
  while (const Node* n = r.producer(v)) {
    if (n->type == "Mul" && r.made_by(v, "Mul")) {
      const auto a = r.number(n->inputs[0]), b = r.number(n->inputs[1]);
      if (!a && !b) break;
      *scale *= b ? *b : *a;
      v = n->inputs[b ? 0 : 1];
    } else if (n->type == "Div" && r.made_by(v, "Div") && r.number(n->inputs[1])) {
      *scale /= *r.number(n->inputs[1]);
      v = n->inputs[0];
    } else break;
  }
  return v;
}

// softmax(q k^T scale + mask) v on tensors of rank 4.
bool attention(Rewriter& r, NodeId at) {
  const Node& n = r.graph().nodes[at];
  if (n.type != "MatMul" || r.shape(n.outputs[0]).size() != 4) return false;
  const Node* softmax = r.made_by(n.inputs[0], "Softmax");
  if (!softmax) return false;
  const int64_t axis = softmax->attrs.integer("axis", -1);
  if (axis != -1 && axis != 3) return false;
  double scale = 1;
  ValueId logits = unscaled(r, softmax->inputs[0], &scale), mask = kNoValue;
  const Node* product = r.made_by(logits, "MatMul");
  if (!product && scale == 1) {
    const Node* plus = r.made_by(logits, "Add");
    if (!plus) return false;
    Rewriter::either(*plus, [&](ValueId a, ValueId b) {
      double s = 1;
      const ValueId inner = unscaled(r, a, &s);
      product = r.made_by(inner, "MatMul");
      if (!product) return false;
      scale = s;
      mask = b;
      return true;
    });
  }
  if (!product) return false;
  ValueId q = unscaled(r, product->inputs[0], &scale), kt = unscaled(r, product->inputs[1], &scale);
  const Shape &qs = r.shape(q), &ks = r.shape(kt), &vs = r.shape(n.inputs[1]);
  if (qs.size() != 4 || ks.size() != 4 || vs.size() != 4) return false;
  for (size_t i = 0; i < 2; ++i)  // no broadcasting between batches or heads
    if (qs[i] != ks[i] || qs[i] != vs[i]) return false;
  if (mask != kNoValue && r.shape(mask).size() > 4) return false;
  // K as Attention reads it is the transpose of this operand: undo the exporter's own, or add one.
  std::vector<int64_t> perm{0, 1, 3, 2};
  ValueId source = kt;
  if (const Node* t = r.made_by(kt, "Transpose")) {
    const auto outer = t->attrs.integers("perm", {3, 2, 1, 0});
    if (outer.size() == 4) {
      std::swap(perm[2], perm[3]);
      perm = {outer[0], outer[1], outer[3], outer[2]};
      source = t->inputs[0];
    }
  }
  ValueId k = source;
  if (perm != std::vector<int64_t>{0, 1, 2, 3}) {
    const Shape& s = r.shape(source);
    Shape permuted;
    for (int64_t p : perm) permuted.push_back(s[static_cast<size_t>(p)]);
    k = r.insert(at, "Transpose", source, {{"perm", perm}}, {r.type(source).dtype, permuted});
  }
  const ValueId v = r.graph().nodes[at].inputs[1];
  r.replace(at, "Attention", {q, k, v, mask}, {{"scale", static_cast<float>(scale)}});
  return true;
}

}  // namespace

Graph recognise(const Graph& graph) {
  Rewriter r(graph);
  // In topological order each pattern sees its operands recognised already (a bias after its product, and so on).
  using Pattern = bool (*)(Rewriter&, NodeId);
  static constexpr Pattern kPatterns[] = {linear_from_matmul, linear_from_gemm, attention, linear_bias,  layer_norm_core,
                                          layer_norm_affine,  hard_sigmoid,     hard_swish, swish,       gelu};
  for (NodeId n = 0; n < graph.nodes.size(); ++n)
    for (Pattern pattern : kPatterns)
      if (pattern(r, n)) break;
  return r.finish();
}

}  // namespace hone
