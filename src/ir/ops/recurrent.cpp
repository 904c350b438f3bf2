// Recurrent layers: every time step multiplies the input and the hidden state by the gates' weights (spec zoo.md 4.3,
// point 10: the factor of time steps is what other tools forget). Both products are dense layers; their outputs, one
// per gate, are activations.
#include "ir/ops/common.h"

namespace hone::ops {

namespace {

template <int gates>
Status infer_recurrent(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 3));
  HONE_TRY_ASSIGN(const Shape w, ranked(c, 1, 3));
  HONE_TRY_ASSIGN(const Shape r, ranked(c, 2, 3));
  const Dim hidden = c.attrs().integer("hidden_size", r[2]);
  if (hidden == 0 || hidden < kUnknown) return c.fail(fmt::format("a hidden size of {}", hidden));
  if (w[2] >= 0 && x[2] >= 0 && w[2] != x[2]) return c.fail(fmt::format("{} input features, but the weight expects {}", x[2], w[2]));
  if (hidden >= 0 && w[1] >= 0 && checked_mul(hidden, gates) != w[1]) return c.fail(fmt::format("the weight has {} rows, expected {} gates of {}", w[1], gates, hidden));
  const bool batch_first = c.attrs().integer("layout", 0) != 0;
  const Dim steps = x[batch_first ? 1 : 0], batch = x[batch_first ? 0 : 1], directions = w[0];
  const DType t = c.input(0).dtype;
  c.set_output(0, {t, batch_first ? Shape{batch, steps, directions, hidden} : Shape{steps, directions, batch, hidden}});
  const Shape last = batch_first ? Shape{batch, directions, hidden} : Shape{directions, batch, hidden};
  c.set_output(1, {t, last});
  c.set_output(2, {t, last});
  return {};
}

Counts cost_recurrent(const CostContext& c) {
  const Shape &x = c.input(0).shape, &w = c.input(1).shape, &r = c.input(2).shape;
  const Int steps_and_batch = Int(x[0]) * Int(x[1]);
  const Int rows = Int(w[0]) * Int(w[1]) * steps_and_batch;  // gate outputs of one product
  Counts n;
  n.macs_linear = rows * (Int(w[2]) + Int(r[2]));
  n.acts_linear = rows + rows;
  if (c.has_input(3)) n.linear_bias_adds = rows + rows;
  return n;
}

template <int gates>
std::vector<Sample> recurrent_samples() {
  constexpr int64_t g = gates;
  Sample s{.label = "forward with bias", .inputs = {f32({5, 2, 3}), f32({1, g * 4, 3}), f32({1, g * 4, 4}), f32({1, 2 * g * 4})}};
  s.attrs = {{"hidden_size", int64_t{4}}};
  s.outputs = {f32({5, 1, 2, 4}), f32({1, 2, 4})};
  s.counts = Counts{.macs_linear = 10 * g * 4 * 7, .linear_bias_adds = 20 * g * 4, .acts_linear = 20 * g * 4};
  return {s};
}

std::vector<AttrSpec> recurrent_attrs(std::initializer_list<AttrSpec> more) {
  std::vector<AttrSpec> all{{"activation_alpha", AttrKind::reals}, {"activation_beta", AttrKind::reals}, {"activations", AttrKind::texts}, {"clip", AttrKind::real},
                            {"direction", AttrKind::text},         {"hidden_size", AttrKind::integer},   {"layout", AttrKind::integer}};
  all.insert(all.end(), more);
  return all;
}

}  // namespace

std::vector<OpDef> recurrent_ops() {
  return {
      {"RNN", 3, 6, 0, 2, recurrent_attrs({}), infer_recurrent<1>, cost_recurrent, recurrent_samples<1>},
      {"GRU", 3, 6, 0, 2, recurrent_attrs({{"linear_before_reset", AttrKind::integer}}), infer_recurrent<3>, cost_recurrent, recurrent_samples<3>},
      {"LSTM", 3, 8, 0, 3, recurrent_attrs({{"input_forget", AttrKind::integer}}), infer_recurrent<4>, cost_recurrent, recurrent_samples<4>},
  };
}

}  // namespace hone::ops
