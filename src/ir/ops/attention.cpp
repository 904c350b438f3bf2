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
    if (q[2] % s.q_heads || k[2] % s.kv_heads || v[2] % s.kv_heads) return c.fail("the width is not a multiple of the number of heads");
    s.q_tokens = q[1];
    s.kv_tokens = k[1];
    s.dim = q[2] / s.q_heads;
    s.v_dim = v[2] / s.kv_heads;
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
  const Dim total = s.kv_tokens < 0 || past < 0 ? kUnknown : (Int(s.kv_tokens) + Int(past)).value();
  const DType t = c.input(0).dtype;
  if (s.packed) c.set_output(0, {t, {s.batch, s.q_tokens, (Int(s.q_heads) * Int(s.v_dim)).value()}});
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
        {"scale", AttrKind::real}, {"softcap", AttrKind::real}, {"softmax_precision", AttrKind::integer}},
       infer_attention, cost_attention, attention_samples},
      {"RotaryEmbedding", 3, 4, 1, 1, {{"interleaved", AttrKind::integer}, {"num_heads", AttrKind::integer}, {"rotary_embedding_dim", AttrKind::integer}}, infer_rotary, nullptr, rotary_samples},
  };
}

}  // namespace hone::ops
