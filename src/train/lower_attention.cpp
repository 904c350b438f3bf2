// Attention.
#include <limits>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

// batch x tokens x (heads dim) -> batch x heads x tokens x dim
Tensor unpacked(const Tensor& x, int64_t heads) {
  if (x.dim() == 4) return x;
  return x.reshape({x.size(0), x.size(1), heads, x.size(2) / heads}).transpose(1, 2);
}
Tensor packed(const Tensor& x) { return x.transpose(1, 2).reshape({x.size(0), x.size(2), x.size(1) * x.size(3)}); }

struct AttentionSpec {
  int64_t q_heads, kv_heads;
  bool causal;
  int64_t left, right;  // window sizes; below zero: open
  std::optional<double> scale;
  double softcap;
  int64_t logits_mode;  // which of the four stages output 3 shows
};

// Additive mask of q_tokens x kv_tokens: zero where query i may see key j, minus infinity elsewhere. Query i stands at
// position i + past.
Tensor position_mask(const AttentionSpec& a, int64_t q_tokens, int64_t kv_tokens, int64_t past, const at::TensorOptions& options) {
  const Tensor offset = at::arange(kv_tokens, options.dtype(at::kLong)).unsqueeze(0) - (at::arange(q_tokens, options.dtype(at::kLong)).unsqueeze(1) + past);
  Tensor hidden = at::zeros({q_tokens, kv_tokens}, options.dtype(at::kBool));
  if (a.causal) hidden = hidden.logical_or(offset > 0);
  if (a.left >= 0) hidden = hidden.logical_or(offset < -a.left);
  if (a.right >= 0) hidden = hidden.logical_or(offset > a.right);
  return at::zeros({q_tokens, kv_tokens}, options).masked_fill(hidden, -std::numeric_limits<double>::infinity());
}

Tensor additive(const Tensor& mask, const Tensor& like) {
  if (mask.scalar_type() != at::kBool) return mask.to(like.scalar_type());
  return at::zeros(mask.sizes(), like.options()).masked_fill(mask.logical_not(), -std::numeric_limits<double>::infinity());
}

// A mask that names fewer keys than there are hides the rest.
Tensor widened_mask(const Tensor& mask, int64_t kv_tokens) {
  const int64_t missing = kv_tokens - mask.size(-1);
  return missing > 0 && mask.size(-1) != 1 ? at::constant_pad_nd(mask, {0, missing}, -std::numeric_limits<double>::infinity()) : mask;
}

// q, k, v, [mask], [past_key], [past_value], [valid keys per batch]
Result<Step> lower_attention(const Lowering& c) {
  const Attrs& attrs = c.attrs();
  AttentionSpec a{attrs.integer("q_num_heads", 0), attrs.integer("kv_num_heads", 0), attrs.integer("is_causal", 0) != 0, attrs.integer("left_window_size", -1),
                  attrs.integer("right_window_size", -1), std::nullopt, attrs.real("softcap", 0), attrs.integer("qk_matmul_output_mode", 0)};
  if (attrs.has("scale")) a.scale = attrs.real("scale", 1);
  const bool plain = a.softcap == 0 && !a.causal && a.left < 0 && a.right < 0 && !c.has_input(6) && !c.has_output(3);
  return Step([a, plain](Frame& f) {
    const bool pack = f[0].dim() == 3;
    const Tensor q = unpacked(f.factor(0), a.q_heads);
    Tensor k = unpacked(f.factor(1), a.kv_heads), v = unpacked(f.factor(2), a.kv_heads);
    int64_t past = 0;
    if (f.has(4)) {
      past = f[4].size(2);
      k = at::cat({f[4].to(k.scalar_type()), k}, 2);
      v = at::cat({f[5].to(v.scalar_type()), v}, 2);
    }
    f.set(1, k);
    f.set(2, v);
    if (const int64_t share = q.size(1) / k.size(1); share > 1) {
      k = k.repeat_interleave(share, 1);
      v = v.repeat_interleave(share, 1);
    }
    const double scale = a.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(3))));
    if (plain) {
      const std::optional<Tensor> mask = f.has(3) ? std::optional(widened_mask(additive(f[3], q), k.size(2))) : std::nullopt;
      const Tensor y = at::scaled_dot_product_attention(q, k, v, mask, 0, false, scale);
      return f.set(0, pack ? packed(y) : y);
    }
    Tensor logits = at::matmul(q, k.transpose(2, 3)) * scale;
    if (q.scalar_type() == at::kBFloat16 && f.options.compute == at::kBFloat16) logits = logits.to(at::kFloat);
    const auto show = [&](int64_t stage, const Tensor& t) {
      if (f.wants(3) && a.logits_mode == stage) f.set(3, t);
    };
    show(0, logits);
    Tensor bias;
    const auto add = [&](const Tensor& m) { bias = bias.defined() ? bias + m : m; };
    if (f.has(3)) add(widened_mask(additive(f[3], logits), k.size(2)));
    // Keys beyond the valid ones of a batch are hidden; positions then count from the last valid key.
    if (f.has(6)) {
      const Tensor valid = f[6].to(at::kLong).reshape({-1, 1, 1, 1}), position = at::arange(k.size(2), valid.options());
      add(at::zeros({valid.size(0), 1, 1, k.size(2)}, logits.options()).masked_fill(position >= valid, -std::numeric_limits<double>::infinity()));
    }
    if (a.causal || a.left >= 0 || a.right >= 0) {
      if (f.has(6)) {
        std::vector<Tensor> rows;
        for (const int64_t n : IntsOperand::read(f[6])) rows.push_back(position_mask(a, q.size(2), k.size(2), n - q.size(2), logits.options()));
        add(at::stack(rows).unsqueeze(1));
      } else {
        add(position_mask(a, q.size(2), k.size(2), past, logits.options()));
      }
    }
    if (a.softcap > 0) logits = at::tanh(logits / a.softcap) * a.softcap;
    show(1, logits);
    if (bias.defined()) logits = logits + bias;
    show(2, logits);
    const Tensor shares = at::_safe_softmax(logits, -1);  // rows that see nothing give zeros
    show(3, shares);
    const Tensor y = at::matmul(shares.to(v.scalar_type()), v);
    f.set(0, pack ? packed(y) : y);
  });
}

// A state S of key x value sizes per head, one token at a time (Yang et al. 2024, "Gated DeltaNet"):
//   linear       S = S + k v^T                       gated        S = e^g S + k v^T
//   delta        S = S + k (b (v - S^T k))^T          gated_delta  S = e^g S, then delta
// and the output is scale S^T q. Inputs: q, k, v, [state], [decay g], [beta b].
Result<Step> lower_linear_attention(const Lowering& c) {
  const std::string rule(c.attrs().text("update_rule", "gated_delta"));
  const bool gated = rule == "gated" || rule == "gated_delta", delta = rule == "delta" || rule == "gated_delta";
  if (!gated && !delta && rule != "linear") return c.unsupported("update_rule '" + rule + "'");
  const double scale = c.attrs().real("scale", 0);
  return Step([gated, delta, scale, q_heads = c.attrs().integer("q_num_heads", 1), kv_heads = c.attrs().integer("kv_num_heads", 1)](Frame& f) {
    const Tensor q = unpacked(f[0], q_heads), k = unpacked(f[1], kv_heads), v = unpacked(f[2], kv_heads);
    const int64_t tokens = q.size(2), share = q_heads / kv_heads;
    const double by = scale != 0 ? scale : 1 / std::sqrt(static_cast<double>(k.size(3)));
    Tensor state = f.has(3) ? f[3] : at::zeros({q.size(0), kv_heads, k.size(3), v.size(3)}, q.options());
    std::vector<Tensor> out;
    // One factor a token, a head and token, or a key dimension: batch x (1 or heads) x (1 or dim) x 1.
    const auto per_head = [&](const Tensor& t, int64_t at_) { return t.select(1, at_).reshape({t.size(0), t.size(-1) == 1 ? 1 : kv_heads, -1, 1}); };
    for (int64_t t = 0; t < tokens; ++t) {
      const Tensor kt = k.select(2, t).unsqueeze(-1), vt = v.select(2, t).unsqueeze(-2);
      if (gated && f.has(4)) state = state * at::exp(per_head(f[4], t));
      Tensor update = vt;
      if (delta) {
        update = vt - at::matmul(kt.transpose(-1, -2), state);
        if (f.has(5)) update = update * per_head(f[5], t);
      }
      state = state + at::matmul(kt, update);
      const Tensor seen = share > 1 ? state.repeat_interleave(share, 1) : state;
      out.push_back(at::matmul(q.select(2, t).unsqueeze(-2), seen).squeeze(-2) * by);
    }
    f.set(0, packed(at::stack(out, 2)));
    f.set(1, state);
  });
}

// Rotates pairs of dimensions by an angle of the position (Su et al. 2021): x, cos, sin, [positions]. The first
// `rotary_embedding_dim` dimensions of a head turn, the rest pass.
Result<Step> lower_rotary(const Lowering& c) {
  const bool interleaved = c.attrs().integer("interleaved", 0) != 0;
  return Step([interleaved, heads = c.attrs().integer("num_heads", 0), part = c.attrs().integer("rotary_embedding_dim", 0)](Frame& f) {
    const bool pack = f[0].dim() == 3;
    const Tensor x = pack ? unpacked(f[0], heads) : f[0];
    const int64_t turned = part ? part : x.size(3);
    const auto table = [&](const Tensor& t) {  // batch x 1 x tokens x turned / 2
      if (!f.has(3)) return (t.dim() == 2 ? t.unsqueeze(0) : t).unsqueeze(1);
      return at::embedding(t, f[3].to(at::kLong)).unsqueeze(1);
    };
    const Tensor cosine = table(f[1]), sine = table(f[2]), head = x.narrow(3, 0, turned);
    const Tensor a = interleaved ? head.slice(3, 0, turned, 2) : head.narrow(3, 0, turned / 2), b = interleaved ? head.slice(3, 1, turned, 2) : head.narrow(3, turned / 2, turned / 2);
    const Tensor real = a * cosine - b * sine, imaginary = a * sine + b * cosine;
    Tensor y = interleaved ? at::stack({real, imaginary}, -1).flatten(3) : at::cat({real, imaginary}, 3);
    if (turned < x.size(3)) y = at::cat({y, x.narrow(3, turned, x.size(3) - turned)}, 3);
    f.set(0, pack ? packed(y) : y);
  });
}

}  // namespace

std::vector<LoweringDef> attention_lowerings() {
  return {
      {"Attention", lower_attention},
      {"LinearAttention", lower_linear_attention},
      {"RotaryEmbedding", lower_rotary},
  };
}

}  // namespace hone::train
