// Attention is one operator, counted once: softmax(q k^T scale + mask) v has two products between activations
// (macs_matmul), and its logits and outputs are activations (spec zoo.md 4.4: fused attention must never count as zero).
#include "ir/ops/common.h"

namespace hone::ops {

namespace {

// Sizes of both layouts: rank 4 is batch x heads x tokens x dim, rank 3 batch x tokens x (heads dim).
struct Sizes {
  Dim batch, q_heads, kv_heads, q_tokens, kv_tokens, dim, v_dim;
  bool packed;
};

Result<Sizes> sizes_of(const InferContext& c) {
  HONE_TRY_ASSIGN(const Shape q, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(const Shape k, ranked(c, 1, 3));
  HONE_TRY_ASSIGN(const Shape v, ranked(c, 2, 3));
  if (q.size() != k.size() || q.size() != v.size() || q.size() > 4) return c.fail("q, k and v must all have 3 or 4 dimensions");
  Sizes s{};
  s.packed = q.size() == 3;
  s.batch = q[0];
  if (s.packed) {
    s.q_heads = c.attrs().integer("q_num_heads", 0);
    s.kv_heads = c.attrs().integer("kv_num_heads", 0);
    if (s.q_heads < 1 || s.kv_heads < 1) return c.fail("inputs of 3 dimensions need q_num_heads and kv_num_heads");
    const auto splits = [](Dim width, int64_t heads) { return width < 0 || width % heads == 0; };
    if (!splits(q[2], s.q_heads) || !splits(k[2], s.kv_heads) || !splits(v[2], s.kv_heads)) return c.fail("the width is not a multiple of the number of heads");
    s.q_tokens = q[1];
    s.kv_tokens = k[1];
    s.dim = q[2] < 0 ? kUnknown : q[2] / s.q_heads;
    s.v_dim = v[2] < 0 ? kUnknown : v[2] / s.kv_heads;
  } else {
    s.q_heads = q[1];
    s.kv_heads = k[1];
    s.q_tokens = q[2];
    s.kv_tokens = k[2];
    s.dim = q[3];
    s.v_dim = v[3];
    if (k[3] >= 0 && q[3] >= 0 && k[3] != q[3]) return c.fail(fmt::format("queries have {} dimensions a head, keys {}", q[3], k[3]));
  }
  if (s.q_heads > 0 && s.kv_heads > 0 && s.q_heads % s.kv_heads) return c.fail(fmt::format("{} query heads do not share {} key heads", s.q_heads, s.kv_heads));
  return s;
}

Status infer_attention(InferContext& c) {
  HONE_TRY_ASSIGN(const Sizes s, sizes_of(c));
  Dim past = 0;
  if (c.has_input(4)) {
    HONE_TRY_ASSIGN(const Shape p, ranked(c, 4, 4));
    past = p[2];
  }
  const Int sum = Int(s.kv_tokens) + Int(past), width = Int(s.q_heads) * Int(s.v_dim);
  if (!sum.ok() || !width.ok()) return c.fail("the sizes do not fit 64 bits");
  const Dim total = s.kv_tokens < 0 || past < 0 ? kUnknown : sum.value();
  const DType t = c.input(0).dtype;
  if (s.packed) c.set_output(0, {t, {s.batch, s.q_tokens, s.v_dim < 0 ? kUnknown : width.value()}});
  else c.set_output(0, {t, {s.batch, s.q_heads, s.q_tokens, s.v_dim}});
  c.set_output(1, {t, {s.batch, s.kv_heads, total, s.dim}});
  c.set_output(2, {c.input(2).dtype, {s.batch, s.kv_heads, total, s.v_dim}});
  c.set_output(3, {t, {s.batch, s.q_heads, s.q_tokens, total}});
  return {};
}

Counts cost_attention(const CostContext& c) {
  const Shape &q = c.input(0).shape, &k = c.input(1).shape;
  const bool packed = q.size() == 3;
  const Int heads = packed ? Int(c.attrs().integer("q_num_heads", 1)) : Int(q[1]);
  const Int past = c.has_input(4) ? Int(c.input(4).shape[2]) : Int(0);
  const Int q_tokens = q[packed ? 1 : 2], kv_tokens = Int(k[packed ? 1 : 2]) + past;
  const Int logits = Int(q[0]) * heads * q_tokens * kv_tokens;
  Counts n;
  const Int dim = packed ? Int(q[2]) / heads : Int(q[3]);
  n.acts_matmul = logits + c.elements_out();
  n.macs_matmul = logits * dim + c.elements_out() * kv_tokens;
  n.softmax_elements = logits;
  return n;
}

// A running state of key x value sizes a head in place of logits; tensors are packed, batch x tokens x (heads dim).
Status infer_linear_attention(InferContext& c) {
  for (size_t i = 0; i < 3; ++i) HONE_TRY(ranked(c, i, 3));
  HONE_TRY_ASSIGN(const Sizes s, sizes_of(c));
  if (!s.packed) return c.fail("q, k and v must have 3 dimensions");
  const Int width = Int(s.q_heads) * Int(s.v_dim);
  if (!width.ok()) return c.fail("the output's width does not fit 64 bits");
  c.set_output(0, {c.input(0).dtype, {s.batch, s.q_tokens, s.v_dim < 0 ? kUnknown : width.value()}});
  c.set_output(1, {c.has_input(3) ? c.input(3).dtype : c.input(0).dtype, {s.batch, s.kv_heads, s.dim, s.v_dim}});
  return {};
}

// A token reads the state once per query head and adds one outer product to it per key head; the delta rules read it
// once more per key head.
Counts cost_linear_attention(const CostContext& c) {
  const Shape &q = c.input(0).shape, &k = c.input(1).shape, &v = c.input(2).shape;
  const std::string_view rule = c.attrs().text("update_rule", "gated_delta");
  const Int heads = c.attrs().integer("q_num_heads", 1), kv_heads = c.attrs().integer("kv_num_heads", 1);
  const Int state = Int(k[2]) / kv_heads * (Int(v[2]) / kv_heads);
  Counts n;
  n.macs_matmul = Int(q[0]) * q[1] * state * (heads + kv_heads * (rule == "delta" || rule == "gated_delta" ? 2 : 1));
  n.acts_matmul = c.elements_out();
  return n;
}

Status infer_rotary(InferContext& c) {
  HONE_TRY(ranked(c, 0, 3));
  return infer_same(c);
}

std::vector<Sample> attention_samples() {
  Sample s{.label = "heads apart, other value width", .inputs = {f32({1, 2, 5, 4}), f32({1, 2, 7, 4}), f32({1, 2, 7, 3})}};
  s.outputs = {f32({1, 2, 5, 3})};
  s.counts = Counts{.macs_matmul = 70 * 4 + 30 * 7, .acts_matmul = 70 + 30, .softmax_elements = 70};
  Sample packed{.label = "packed heads, shared keys", .inputs = {f32({2, 5, 8}), f32({2, 7, 4}), f32({2, 7, 4})}};
  packed.attrs = {{"q_num_heads", int64_t{4}}, {"kv_num_heads", int64_t{2}}};
  packed.outputs = {f32({2, 5, 8})};
  packed.counts = Counts{.macs_matmul = 280 * 2 + 80 * 7, .acts_matmul = 280 + 80, .softmax_elements = 280};
  return {s, packed};
}

std::vector<Sample> linear_attention_samples() {
  // 3 tokens, 2 heads with a state of 4 x 5: one product to read it and one to write it a head.
  Sample s{.label = "linear", .inputs = {f32({1, 3, 8}), f32({1, 3, 8}), f32({1, 3, 10})}};
  s.attrs = {{"kv_num_heads", int64_t{2}}, {"q_num_heads", int64_t{2}}, {"update_rule", std::string("linear")}};
  s.outputs = {f32({1, 3, 10}), f32({1, 2, 4, 5})};
  s.counts = Counts{.macs_matmul = 3 * 20 * 4, .acts_matmul = 30};
  Sample delta = s;
  delta.label = "delta rule";
  delta.attrs.set("update_rule", std::string("delta"));
  delta.counts = Counts{.macs_matmul = 3 * 20 * 6, .acts_matmul = 30};
  return {s, delta};
}

std::vector<Sample> rotary_samples() {
  Sample s{.label = "rank 4", .inputs = {f32({1, 2, 5, 4}), f32({5, 2}), f32({5, 2})}};
  s.outputs = {f32({1, 2, 5, 4})};
  return {s};
}

}  // namespace

std::vector<OpDef> attention_ops() {
  return {
      {"Attention", 3, 7, 1, 4,
       {{"is_causal", AttrKind::integer}, {"kv_num_heads", AttrKind::integer}, {"q_num_heads", AttrKind::integer}, {"qk_matmul_output_mode", AttrKind::integer},
        {"left_window_size", AttrKind::integer}, {"right_window_size", AttrKind::integer}, {"scale", AttrKind::real}, {"softcap", AttrKind::real},
        {"softmax_precision", AttrKind::integer}},
       infer_attention, cost_attention, attention_samples},
      {"LinearAttention", 3, 6, 2, 2,
       {{"chunk_size", AttrKind::integer}, {"kv_num_heads", AttrKind::integer, true}, {"q_num_heads", AttrKind::integer, true}, {"scale", AttrKind::real}, {"update_rule", AttrKind::text}},
       infer_linear_attention, cost_linear_attention, linear_attention_samples},
      {"RotaryEmbedding", 3, 4, 1, 1, {{"interleaved", AttrKind::integer}, {"num_heads", AttrKind::integer}, {"rotary_embedding_dim", AttrKind::integer}}, infer_rotary, nullptr, rotary_samples},
  };
}

}  // namespace hone::ops
