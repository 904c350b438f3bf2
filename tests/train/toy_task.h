// A network of 700 parameters with BatchNorm and Dropout that learns to tell four patterns apart: small enough that a whole
// run takes a second, and with everything in it that resume must bring back.
#pragma once

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "ir/infer.h"
#include "ir/text.h"
#include "train/loop.h"

namespace hone::test {

inline Result<Graph> toy_graph() {
  HONE_TRY_ASSIGN(Graph graph, parse_graph(R"(hone graph 1
name "toy"
input x: f32[N,3,8,8]
parameter conv.weight: f32[8,3,3,3] init=kaiming_normal(0.0)
parameter bn.weight: f32[8] init=ones(0.0)
parameter bn.bias: f32[8]
buffer bn.running_mean: f32[8]
buffer bn.running_var: f32[8] init=ones(0.0)
parameter fc.weight: f32[4,8] init=kaiming_uniform(2.0)
parameter fc.bias: f32[4]
c = Conv(x, conv.weight) {pads=[1,1,1,1]} module="conv"
b = BatchNormalization(c, bn.weight, bn.bias, bn.running_mean, bn.running_var) module="bn"
r = Relu(b)
p = GlobalAveragePool(r)
f = Flatten(p)
z = hone::Linear(f, fc.weight, fc.bias) module="fc"
output z
)", "toy"));
  HONE_TRY_ASSIGN(Inferred typed, infer(std::move(graph), {}, /*allow_unknown=*/true));
  return std::move(typed.graph);
}

struct ToyTask : train::Task {
  train::Compute compute;
  train::Params store;
  std::optional<train::Program> program;
  int64_t batch = 16, poison_step = -1, bank = 0;
  double poison = NAN;
  int poison_times = 0;
  int64_t die_at = -1;
  std::string checksum = "0";
  bool batch_norm = true;

  static Result<std::unique_ptr<ToyTask>> make(const train::Compute& compute) {
    auto task = std::make_unique<ToyTask>();
    task->compute = compute;
    HONE_TRY_ASSIGN(const Graph graph, toy_graph());
    HONE_TRY_ASSIGN(task->store, train::Params::of(graph, compute.seed));
    HONE_TRY_ASSIGN(task->program, train::Program::compile(graph));
    return task;
  }

  std::pair<at::Tensor, at::Tensor> data(int64_t step, int64_t n) const {
    at::Generator g = train::step_generator(compute, step, 12345);
    at::Tensor y = at::randint(4, {n}, g, at::kLong), x = at::randn({n, 3, 8, 8}, g);
    for (int64_t i = 0; i < n; ++i) x[i][y[i].item<int64_t>() % 3].add_(y[i].item<int64_t>() == 3 ? -1.5 : 1.5);
    return {x, y};
  }

  train::Params& params() override { return store; }
  int64_t steps_per_epoch() const override { return 8; }
  int64_t samples_per_step() const override { return batch; }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override {
    if (step == die_at) return fail(Code::failed, "died");
    const auto [x, y] = data(step, batch);
    const int64_t size = batch / micros;
    HONE_TRY_ASSIGN(const auto state, store.bind(*program));
    train::RunOptions options;
    options.training = true;
    options.batch_norm = batch_norm ? train::BatchNorm::train : train::BatchNorm::eval;
    at::Generator g = train::step_generator(compute, step, micro);
    options.generator = g;
    HONE_TRY_ASSIGN(const auto out, program->run({x.narrow(0, micro * size, size)}, state, options));
    at::Tensor logits = out[0];
    if (batch_norm) logits = logits + 0.1 * at::randn(logits.sizes(), g);
    at::Tensor loss = at::cross_entropy_loss(logits, y.narrow(0, micro * size, size));
    if (step == poison_step && poison_times > 0) {
      --poison_times;
      loss = loss * poison;
    }
    return train::Losses{loss, {{"cross_entropy", loss.detach()}}};
  }
  Result<train::Metrics> validate(const train::Params& p) override {
    at::NoGradGuard no_grad;
    const auto [x, y] = data(1 << 20, 64);
    HONE_TRY_ASSIGN(const auto state, p.bind(*program));
    HONE_TRY_ASSIGN(const auto out, program->run({x}, state, {}));
    return train::Metrics{{"loss", at::cross_entropy_loss(out[0], y).item<double>()}, {"accuracy", out[0].argmax(1).eq(y).to(at::kFloat).mean().item<double>()}};
  }
  std::string watched() const override { return "-loss"; }
  std::vector<DataFacts> data() const override { return {{"toy", "", checksum, {{"patterns", 4}}}}; }
  Status after_step(int64_t step, train::Ranks&) override {
    bank = bank * 31 + step;
    return {};
  }
  train::State save() const override {
    train::State s;
    s.set("bank", bank);
    return s;
  }
  Status load(const train::State& s) override {
    HONE_TRY_ASSIGN(bank, s.integer("bank"));
    return {};
  }
};

}  // namespace hone::test
