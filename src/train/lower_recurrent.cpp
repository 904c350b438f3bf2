// Recurrent layers. libtorch's own where it computes the same (default activations, no clipping, whole sequences); a loop
// over steps otherwise.
#include <algorithm>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;
using Activation = std::function<Tensor(const Tensor&)>;

enum class Cell : uint8_t { rnn, gru, lstm };
constexpr int64_t gates(Cell c) { return c == Cell::rnn ? 1 : c == Cell::gru ? 3 : 4; }
constexpr size_t functions(Cell c) { return static_cast<size_t>(c) + 1; }

// Activation functions by ONNX's names; alpha and beta are taken from the lists by those that have them.
Result<Activation> activation(const Lowering& c, std::string name, const std::vector<float>& alphas, const std::vector<float>& betas, size_t& alpha_at, size_t& beta_at) {
  std::ranges::transform(name, name.begin(), [](unsigned char ch) { return static_cast<char>(std::tolower(ch)); });
  const auto alpha = [&](double fallback) { return alpha_at < alphas.size() ? static_cast<double>(alphas[alpha_at++]) : fallback; };
  const auto beta = [&](double fallback) { return beta_at < betas.size() ? static_cast<double>(betas[beta_at++]) : fallback; };
  if (name == "sigmoid") return Activation([](const Tensor& x) { return at::sigmoid(x); });
  if (name == "tanh") return Activation([](const Tensor& x) { return at::tanh(x); });
  if (name == "relu") return Activation([](const Tensor& x) { return at::relu(x); });
  if (name == "softsign") return Activation([](const Tensor& x) { return x / (1 + at::abs(x)); });
  if (name == "softplus") return Activation([](const Tensor& x) { return at::softplus(x); });
  if (name == "elu") return Activation([a = alpha(1)](const Tensor& x) { return at::elu(x, a); });
  if (name == "leakyrelu") return Activation([a = alpha(0.01)](const Tensor& x) { return at::leaky_relu(x, a); });
  if (name == "thresholdedrelu") return Activation([a = alpha(1)](const Tensor& x) { return at::threshold(x, a, 0); });
  if (name == "affine") {
    const double a = alpha(1), b = beta(0);
    return Activation([a, b](const Tensor& x) { return x * a + b; });
  }
  if (name == "scaledtanh") {
    const double a = alpha(1), b = beta(1);
    return Activation([a, b](const Tensor& x) { return at::tanh(x * b) * a; });
  }
  if (name == "hardsigmoid") {
    const double a = alpha(0.2), b = beta(0.5);
    return Activation([a, b](const Tensor& x) { return at::clamp(x * a + b, 0, 1); });
  }
  return c.unsupported("activation '" + name + "'");
}

struct Spec {
  std::vector<Activation> functions;  // functions(cell) a direction
  double clip = 0;                    // 0: none
  bool reverse = false, both = false, batch_first = false, linear_before_reset = false, input_forget = false;
};

struct Weights {
  Tensor w, r, wb, rb, peephole;  // one direction; biases and peephole may be undefined
};

Tensor rows(const Tensor& t, int64_t gate, int64_t hidden) { return t.narrow(0, gate * hidden, hidden); }

// One direction over x (steps x batch x in); outputs of all steps, last hidden and cell state.
template <Cell cell>
std::tuple<Tensor, Tensor, Tensor> loop(const Spec& s, const Activation* fn, const Weights& p, const Tensor& x, Tensor h, Tensor cs, const Tensor& lengths, bool reverse) {
  const int64_t steps = x.size(0), hidden = p.r.size(1);
  // The input's share of every gate, for all steps at once.
  const Tensor input = at::linear(x, p.w, p.wb);
  const auto limited = [&](const Tensor& t) { return s.clip > 0 ? at::clamp(t, -s.clip, s.clip) : t; };
  std::vector<Tensor> out(static_cast<size_t>(steps));
  for (int64_t k = 0; k < steps; ++k) {
    const int64_t t = reverse ? steps - 1 - k : k;
    const Tensor from_input = input.select(0, t), h0 = h, c0 = cs;
    const auto part = [&](const Tensor& all, int64_t gate) { return all.narrow(1, gate * hidden, hidden); };
    if constexpr (cell == Cell::rnn) {
      h = fn[0](limited(from_input + at::linear(h0, p.r, p.rb)));
    } else if constexpr (cell == Cell::gru) {  // gates z, r, h
      const Tensor recurrent = at::linear(h0, p.r.narrow(0, 0, 2 * hidden), p.rb.defined() ? p.rb.narrow(0, 0, 2 * hidden) : Tensor());
      const Tensor z = fn[0](limited(part(from_input, 0) + part(recurrent, 0))), r = fn[0](limited(part(from_input, 1) + part(recurrent, 1)));
      const Tensor rh = rows(p.r, 2, hidden), rbh = p.rb.defined() ? rows(p.rb, 2, hidden) : Tensor();
      const Tensor candidate = fn[1](limited(part(from_input, 2) + (s.linear_before_reset ? r * at::linear(h0, rh, rbh) : at::linear(r * h0, rh, rbh))));
      h = (1 - z) * candidate + z * h0;
    } else {  // gates i, o, f, c; peepholes i, o, f
      const Tensor all = from_input + at::linear(h0, p.r, p.rb);
      const auto peek = [&](const Tensor& gate, int64_t which, const Tensor& c) { return limited(p.peephole.defined() ? gate + c * rows(p.peephole, which, hidden) : gate); };
      const Tensor i = fn[0](peek(part(all, 0), 0, c0)), forget = s.input_forget ? 1 - i : fn[0](peek(part(all, 2), 2, c0));
      cs = forget * c0 + i * fn[1](limited(part(all, 3)));
      h = fn[0](peek(part(all, 1), 1, cs)) * fn[2](cs);
    }
    Tensor y = h;
    if (lengths.defined()) {  // finished sequences keep their state and put out zeros
      const Tensor alive = (lengths > t).unsqueeze(1);
      h = at::where(alive, h, h0);
      if (cs.defined()) cs = at::where(alive, cs, c0);
      y = at::where(alive, y, at::zeros_like(y));
    }
    out[static_cast<size_t>(t)] = y;
  }
  return {at::stack(out), h, cs};
}

// Gates in libtorch's order: GRU r z n, LSTM i f g o.
template <Cell cell>
Tensor reordered(const Tensor& t, int64_t hidden) {
  if constexpr (cell == Cell::rnn) return t;
  if constexpr (cell == Cell::gru) return at::cat({rows(t, 1, hidden), rows(t, 0, hidden), rows(t, 2, hidden)});
  return at::cat({rows(t, 0, hidden), rows(t, 2, hidden), rows(t, 3, hidden), rows(t, 1, hidden)});
}

// x, w, r, [b], [lengths], [h0], and for LSTM [c0], [peepholes]
template <Cell cell>
Result<Step> lower_recurrent(const Lowering& c) {
  const Attrs& a = c.attrs();
  Spec s;
  const std::string_view direction = a.text("direction", "forward");
  s.both = direction == "bidirectional";
  s.reverse = direction == "reverse";
  s.clip = a.real("clip", 0);
  s.batch_first = a.integer("layout", 0) != 0;
  s.linear_before_reset = a.integer("linear_before_reset", 0) != 0;
  s.input_forget = a.integer("input_forget", 0) != 0;
  static const std::vector<std::string> kDefault[] = {{"tanh"}, {"sigmoid", "tanh"}, {"sigmoid", "tanh", "tanh"}};
  std::vector<std::string> names;
  const Attr* given = a.find("activations");
  if (given) names = std::get<std::vector<std::string>>(*given);
  const size_t count = functions(cell) * (s.both ? 2 : 1);
  if (names.empty())
    while (names.size() < count) names.insert(names.end(), kDefault[static_cast<size_t>(cell)].begin(), kDefault[static_cast<size_t>(cell)].end());
  if (names.size() != count) return c.unsupported("as many activations as gates and directions need");
  const auto floats = [&](const char* name) {
    const Attr* list = a.find(name);
    return list ? std::get<std::vector<float>>(*list) : std::vector<float>();
  };
  const auto alphas = floats("activation_alpha"), betas = floats("activation_beta");
  size_t alpha_at = 0, beta_at = 0;
  for (const std::string& name : names) {
    HONE_TRY_ASSIGN(Activation f, activation(c, name, alphas, betas, alpha_at, beta_at));
    s.functions.push_back(std::move(f));
  }
  const bool library = !given && s.clip == 0 && !s.reverse && !s.input_forget && !c.has_input(4) && !c.has_input(7) && (cell != Cell::gru || s.linear_before_reset);
  return Step([s, library](Frame& f) {
    const Tensor x = s.batch_first ? f[0].transpose(0, 1) : f[0];
    const int64_t directions = f[1].size(0), hidden = f[2].size(2), batch = x.size(1), g = gates(cell) * hidden;
    const auto state = [&](size_t i) {
      if (!f.has(i)) return at::zeros({directions, batch, hidden}, x.options());
      return (s.batch_first ? f[i].transpose(0, 1) : f[i]).contiguous();
    };
    const Tensor h0 = state(5), c0 = cell == Cell::lstm ? state(6) : Tensor();
    Tensor y, h, cs;
    if (library) {
      std::vector<Tensor> params;
      for (int64_t d = 0; d < directions; ++d) {
        params.push_back(reordered<cell>(f[1].select(0, d), hidden));
        params.push_back(reordered<cell>(f[2].select(0, d), hidden));
        if (!f.has(3)) continue;
        params.push_back(reordered<cell>(f[3].select(0, d).narrow(0, 0, g), hidden));
        params.push_back(reordered<cell>(f[3].select(0, d).narrow(0, g, g), hidden));
      }
      const bool train = at::GradMode::is_enabled();
      if constexpr (cell == Cell::lstm) std::tie(y, h, cs) = at::lstm(x, {h0, c0}, params, f.has(3), 1, 0, train, s.both, false);
      else if constexpr (cell == Cell::gru) std::tie(y, h) = at::gru(x, h0, params, f.has(3), 1, 0, train, s.both, false);
      else std::tie(y, h) = at::rnn_tanh(x, h0, params, f.has(3), 1, 0, train, s.both, false);
      y = y.reshape({x.size(0), batch, directions, hidden}).transpose(1, 2);
    } else {
      const Tensor lengths = f.has(4) ? f[4].to(x.device(), at::kLong) : Tensor();
      std::vector<Tensor> ys, hs, css;
      for (int64_t d = 0; d < directions; ++d) {
        Weights p{f[1].select(0, d), f[2].select(0, d), {}, {}, f.has(7) ? f[7].select(0, d) : Tensor()};
        if (f.has(3)) {
          p.wb = f[3].select(0, d).narrow(0, 0, g);
          p.rb = f[3].select(0, d).narrow(0, g, g);
        }
        auto [one, last, cell_state] =
            loop<cell>(s, s.functions.data() + static_cast<size_t>(d) * functions(cell), p, x, h0.select(0, d), c0.defined() ? c0.select(0, d) : Tensor(), lengths, s.reverse || d == 1);
        ys.push_back(one);
        hs.push_back(last);
        if (cell_state.defined()) css.push_back(cell_state);
      }
      y = at::stack(ys, 1);
      h = at::stack(hs);
      if (!css.empty()) cs = at::stack(css);
    }
    f.set(0, s.batch_first ? y.permute({2, 0, 1, 3}) : y);
    f.set(1, s.batch_first ? h.transpose(0, 1) : h);
    if (cs.defined()) f.set(2, s.batch_first ? cs.transpose(0, 1) : cs);
  });
}

}  // namespace

std::vector<LoweringDef> recurrent_lowerings() {
  return {{"RNN", lower_recurrent<Cell::rnn>}, {"GRU", lower_recurrent<Cell::gru>}, {"LSTM", lower_recurrent<Cell::lstm>}};
}

}  // namespace hone::train
