// Matrix products. With a parameter on either side the product is a dense layer (macs_linear), by whatever operator it
// is written; between two activations it is macs_matmul (contract, "profile").
#include <algorithm>
#include <map>

#include "ir/ops/common.h"

namespace hone::ops {

namespace {

Counts count_product(Int macs, Int acts, bool linear, bool bias) {
  Counts n;
  (linear ? n.macs_linear : n.macs_matmul) = macs;
  (linear ? n.acts_linear : n.acts_matmul) = acts;
  if (bias) n.linear_bias_adds = acts;
  return n;
}

// --- MatMul ---------------------------------------------------------------------------------------------------------

Status infer_matmul_as(InferContext& c, size_t bi, DType type) {
  HONE_TRY_ASSIGN(Shape a, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(Shape b, ranked(c, bi, 1));
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), 1);
  if (column) b.push_back(1);
  const Dim k = a.back(), kb = b[b.size() - 2];
  if (k >= 0 && kb >= 0 && k != kb) return c.fail(fmt::format("{} and {} cannot be multiplied: {} columns against {} rows", to_string(c.input(0)), to_string(c.input(bi)), k, kb));
  auto out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
  if (!out) return c.fail(fmt::format("the batch dimensions of {} and {} do not broadcast", to_string(c.input(0)), to_string(c.input(bi))));
  if (!row) out->push_back(a[a.size() - 2]);
  if (!column) out->push_back(b.back());
  c.set_output(0, {type, std::move(*out)});
  return {};
}
Status infer_matmul(InferContext& c) { return infer_matmul_as(c, 1, c.input(0).dtype); }
Status infer_matmul_integer(InferContext& c) { return infer_matmul_as(c, 1, DType::i32); }
Status infer_qlinear_matmul(InferContext& c) { return infer_matmul_as(c, 3, c.input(7).dtype); }

Counts count_matmul(const CostContext& c, size_t bi) {
  const Int acts = c.elements_out();
  return count_product(acts * Int(c.input(0).shape.back()), acts, c.from_parameters(0) || c.from_parameters(bi), false);
}
Counts cost_matmul(const CostContext& c) { return count_matmul(c, 1); }
Counts cost_qlinear_matmul(const CostContext& c) { return count_matmul(c, 3); }

// --- Gemm and Linear ------------------------------------------------------------------------------------------------

Status infer_gemm(InferContext& c) {
  HONE_TRY_ASSIGN(Shape a, ranked(c, 0, 2));
  HONE_TRY_ASSIGN(Shape b, ranked(c, 1, 2));
  if (a.size() != 2 || b.size() != 2) return c.fail("both factors must be matrices");
  if (c.attrs().integer("transA", 0)) std::swap(a[0], a[1]);
  if (c.attrs().integer("transB", 0)) std::swap(b[0], b[1]);
  if (a[1] >= 0 && b[0] >= 0 && a[1] != b[0]) return c.fail(fmt::format("{} columns against {} rows", a[1], b[0]));
  const Shape out{a[0], b[1]};
  if (c.has_input(2) && c.input(2).ranked && broadcast(out, c.input(2).shape) != out) return c.fail(fmt::format("the bias {} does not broadcast to {}", to_string(c.input(2)), to_string(out)));
  c.set_output(0, {c.input(0).dtype, out});
  return {};
}

Counts cost_gemm(const CostContext& c) {
  const Shape& a = c.input(0).shape;
  const Int acts = c.elements_out();
  return count_product(acts * Int(a[c.attrs().integer("transA", 0) ? 0 : 1]), acts, c.from_parameters(0) || c.from_parameters(1), c.has_input(2));
}

// y[..., out] = x[..., in] weight[out, in]^T + bias[out], as PyTorch stores a dense layer.
Status infer_linear(InferContext& c) {
  HONE_TRY_ASSIGN(Shape x, ranked(c, 0, 1));
  HONE_TRY_ASSIGN(const Shape w, ranked(c, 1, 2));
  if (w.size() != 2) return c.fail(fmt::format("the weight is {}, expected out x in", to_string(c.input(1))));
  if (x.back() >= 0 && w[1] >= 0 && x.back() != w[1]) return c.fail(fmt::format("{} input features, but the weight expects {}", x.back(), w[1]));
  if (c.has_input(2) && c.input(2).ranked && c.input(2).shape != Shape{w[0]}) return c.fail(fmt::format("the bias is {}, expected {}", to_string(c.input(2)), w[0]));
  x.back() = w[0];
  c.set_output(0, {c.input(0).dtype, std::move(x)});
  return {};
}

Counts cost_linear(const CostContext& c) {
  const Int acts = c.elements_out();
  return count_product(acts * Int(c.input(0).shape.back()), acts, true, c.has_input(2));
}

// --- Einsum ---------------------------------------------------------------------------------------------------------

struct Einsum {
  std::vector<std::string> operands;  // labels; '.' stands for one dimension of the ellipsis, from the right "0", "1"...
  std::string result;
  std::map<char, Dim> size;
};

// Ellipsis dimensions become labels above the ASCII letters, counted from the right, so that they broadcast.
std::optional<std::string> expand(const std::string& term, size_t rank) {
  const size_t dots = term.find("...");
  if (dots == std::string::npos) return term;
  const size_t named = term.size() - 3;
  if (rank < named || rank - named > 64) return std::nullopt;
  std::string out = term.substr(0, dots);
  for (size_t i = rank - named; i-- > 0;) out += static_cast<char>(-1 - static_cast<int>(i));
  return out + term.substr(dots + 3);
}

std::optional<Einsum> parse_einsum(std::string_view equation, const std::vector<const TensorType*>& inputs) {
  std::string text;
  for (char ch : equation)
    if (ch != ' ') text += ch;
  const size_t arrow = text.find("->");
  std::string left = text.substr(0, arrow);
  Einsum e;
  std::string ellipsis;
  for (size_t i = 0, start = 0; start <= left.size(); ++i) {
    const size_t comma = std::min(left.find(',', start), left.size());
    if (i >= inputs.size()) return std::nullopt;
    const Shape& shape = inputs[i]->shape;
    auto term = expand(left.substr(start, comma - start), shape.size());
    if (!term || term->size() != shape.size()) return std::nullopt;
    std::string dots;
    for (size_t k = 0; k < term->size(); ++k) {
      const char label = (*term)[k];
      const bool letter = (label >= 'a' && label <= 'z') || (label >= 'A' && label <= 'Z');
      if (!letter && label >= 0) return std::nullopt;
      if (label < 0) dots += label;
      auto [it, fresh] = e.size.emplace(label, shape[k]);
      if (!fresh && it->second != shape[k]) {
        if (it->second == 1 || it->second == kUnknown) it->second = shape[k];
        else if (shape[k] != 1 && shape[k] != kUnknown) return std::nullopt;
      }
    }
    if (dots.size() > ellipsis.size()) ellipsis = dots;
    e.operands.push_back(std::move(*term));
    start = comma + 1;
  }
  if (e.operands.size() != inputs.size()) return std::nullopt;
  if (arrow != std::string::npos) {
    std::string right = text.substr(arrow + 2);
    const size_t dots = right.find("...");
    if (dots != std::string::npos) right = right.substr(0, dots) + ellipsis + right.substr(dots + 3);
    for (char label : right)
      if (!e.size.contains(label)) return std::nullopt;
    e.result = right;
  } else {  // implicit form: the ellipsis, then every label that occurs once, in alphabetical order
    e.result = ellipsis;
    for (const auto& [label, size] : e.size) {
      if (label < 0) continue;
      size_t count = 0;
      for (const std::string& term : e.operands) count += static_cast<size_t>(std::ranges::count(term, label));
      if (count == 1) e.result += label;
    }
  }
  return e;
}

Status infer_einsum(InferContext& c) {
  std::vector<const TensorType*> inputs;
  for (size_t i = 0; i < c.num_inputs(); ++i) {
    HONE_TRY(ranked(c, i));
    inputs.push_back(&c.input(i));
  }
  const auto e = parse_einsum(c.attrs().text("equation", ""), inputs);
  if (!e) return c.fail(fmt::format("the equation '{}' does not fit the inputs", c.attrs().text("equation", "")));
  Shape out;
  for (char label : e->result) out.push_back(e->size.at(label));
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

// Operands are contracted from left to right; each step multiplies over the union of the labels alive in it.
Counts cost_einsum(const CostContext& c) {
  std::vector<const TensorType*> inputs;
  bool linear = false;
  for (size_t i = 0; i < c.node().inputs.size(); ++i) {
    inputs.push_back(&c.input(i));
    linear = linear || c.from_parameters(i);
  }
  const auto e = parse_einsum(c.attrs().text("equation", ""), inputs);
  if (!e || inputs.size() < 2) return {};
  Int macs = 0;
  std::string alive = e->operands[0];
  for (size_t i = 1; i < e->operands.size(); ++i) {
    std::string all = alive;
    for (char label : e->operands[i])
      if (all.find(label) == std::string::npos) all += label;
    Int product = 1;
    for (char label : all) product *= Int(e->size.at(label));
    macs += product;
    alive.clear();
    for (char label : all) {
      bool needed = e->result.find(label) != std::string::npos;
      for (size_t k = i + 1; k < e->operands.size(); ++k) needed = needed || e->operands[k].find(label) != std::string::npos;
      if (needed) alive += label;
    }
  }
  return count_product(macs, c.elements_out(), linear, false);
}

// --- samples --------------------------------------------------------------------------------------------------------

std::vector<Sample> matmul_samples() {
  Sample batch{.label = "between activations", .inputs = {f32({2, 1, 3, 4}), f32({5, 4, 6})}};
  batch.outputs = {f32({2, 5, 3, 6})};
  batch.counts = Counts{.macs_matmul = 180 * 4, .acts_matmul = 180};
  Sample dense{.label = "with a weight", .inputs = {f32({2, 3, 4}), f32({4, 6})}};
  dense.outputs = {f32({2, 3, 6})};
  dense.counts = Counts{.macs_linear = 36 * 4, .acts_linear = 36};
  dense.parameter = {false, true};
  Sample vectors{.label = "vectors", .inputs = {f32({4}), f32({4})}};
  vectors.outputs = {f32({})};
  vectors.counts = Counts{.macs_matmul = 4, .acts_matmul = 1};
  return {batch, dense, vectors};
}

std::vector<Sample> matmul_integer_samples() {
  Sample s{.label = "u8", .inputs = {{DType::u8, {4, 3}}, {DType::u8, {3, 2}}}};
  s.outputs = {{DType::i32, {4, 2}}};
  s.counts = Counts{.macs_matmul = 24, .acts_matmul = 8};
  return {s};
}

std::vector<Sample> qlinear_matmul_samples() {
  const TensorType one{DType::u8, {1}};
  Sample s{.label = "u8", .inputs = {{DType::u8, {2, 4}}, f32({1}), one, {DType::u8, {4, 3}}, f32({1}), one, f32({1}), one}};
  s.outputs = {{DType::u8, {2, 3}}};
  s.counts = Counts{.macs_matmul = 24, .acts_matmul = 6};
  return {s};
}

std::vector<Sample> gemm_samples() {
  Sample s{.label = "transposed weight and bias", .inputs = {f32({2, 3}), f32({5, 3}), f32({5})}, .attrs = {{"transB", int64_t{1}}}};
  s.outputs = {f32({2, 5})};
  s.counts = Counts{.macs_linear = 30, .linear_bias_adds = 10, .acts_linear = 10};
  s.parameter = {false, true, true};
  return {s};
}

std::vector<Sample> linear_samples() {
  Sample s{.label = "tokens", .inputs = {f32({1, 7, 3}), f32({5, 3}), f32({5})}};
  s.outputs = {f32({1, 7, 5})};
  s.counts = Counts{.macs_linear = 105, .linear_bias_adds = 35, .acts_linear = 35};
  return {s};
}

std::vector<Sample> einsum_samples() {
  Sample s{.label = "attention logits", .inputs = {f32({2, 3, 4}), f32({2, 5, 4})}, .attrs = {{"equation", std::string("bid, bjd -> bij")}}};
  s.outputs = {f32({2, 3, 5})};
  s.counts = Counts{.macs_matmul = 2 * 3 * 5 * 4, .acts_matmul = 30};
  Sample dots{.label = "ellipsis with a weight", .inputs = {f32({2, 7, 3}), f32({3, 4})}, .attrs = {{"equation", std::string("...i,io->...o")}}};
  dots.outputs = {f32({2, 7, 4})};
  dots.counts = Counts{.macs_linear = 168, .acts_linear = 56};
  dots.parameter = {false, true};
  return {s, dots};
}

}  // namespace

std::vector<OpDef> product_ops() {
  return {
      {"MatMul", 2, 2, 1, 1, {}, infer_matmul, cost_matmul, matmul_samples},
      {"MatMulInteger", 2, 4, 1, 1, {}, infer_matmul_integer, cost_matmul, matmul_integer_samples},
      {"QLinearMatMul", 8, 8, 1, 1, {}, infer_qlinear_matmul, cost_qlinear_matmul, qlinear_matmul_samples},
      {"Gemm", 2, 3, 1, 1, {{"alpha", AttrKind::real}, {"beta", AttrKind::real}, {"transA", AttrKind::integer}, {"transB", AttrKind::integer}}, infer_gemm, cost_gemm, gemm_samples},
      {"hone::Linear", 2, 3, 1, 1, {}, infer_linear, cost_linear, linear_samples},
      {"Einsum", 1, -1, 1, 1, {{"equation", AttrKind::text, true}}, infer_einsum, cost_einsum, einsum_samples},
  };
}

}  // namespace hone::ops
