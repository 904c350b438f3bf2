// What stands in place of a skipped attention (EAS), against its formula written out with ATen.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include "ir/builder.h"
#include "ir/infer.h"
#include "rewrite/adapters.h"
#include "train/params.h"
#include "zoo/tokens.h"

namespace hone::methods {
namespace {

constexpr int64_t kWidth = 32, kHidden = 6;  // 3/16 of the width

// x + dense(attention(norm(x))), as one module.
Graph block() {
  Builder b("block");
  const ValueId x = b.input("x", DType::f32, {1, 5, kWidth});
  ValueId out;
  {
    Builder::Scope scope(b, "block");
    const ValueId y = b.layer_norm(x, "norm");
    const ValueId z = multi_head_attention(b, b.linear(y, "q", kWidth), b.linear(y, "k", kWidth), b.linear(y, "v", kWidth), 4, kNoValue);
    out = b.add(x, b.linear(z, "out", kWidth));
  }
  b.output(b.layer_norm(out, "last"));
  return *b.finish();
}

TEST(PropagationAdapter, IsItsFormula) {
  const Graph g = infer(block())->graph;
  const auto candidates = skip_candidates(g, "attention");
  ASSERT_TRUE(candidates) << candidates.error().text();
  ASSERT_EQ(candidates->size(), 1u);
  auto skipped = apply_skips(g, *candidates, {0}, {.keep = Keep::none, .replace = Replace::propagate});
  ASSERT_TRUE(skipped) << skipped.error().text();
  const std::string name = candidates->front().skip_adapter;
  for (Value& v : skipped->values)
    if (v.kind == ValueKind::parameter && is_adapter(v.name)) v.init = {Init::Kind::normal, 0.3f};  // also what starts at zero
  auto params = train::Params::of(*skipped, 3);
  const auto program = train::Program::compile(*skipped);
  ASSERT_TRUE(params && program);
  EXPECT_EQ(params->find("block.q.weight"), nullptr);
  at::NoGradGuard quiet;
  const at::Tensor x = at::linspace(-2, 3, 5 * kWidth).sin().view({1, 5, kWidth});
  const auto got = program->run({x}, *params->bind(*program), {});
  ASSERT_TRUE(got) << got.error().text();

  const auto dense = [&](const at::Tensor& in, const std::string& leaf) { return at::linear(in, params->find(name + leaf + ".weight")->tensor, params->find(name + leaf + ".bias")->tensor); };
  const at::Tensor own = dense(x, ".own_proj");
  ASSERT_EQ(own.size(2), kHidden);
  // The attention reads norm(x); its norm goes with the branch, so that the context is x itself.
  const at::Tensor middle = (own + dense(x, ".context_proj").mean(1, true)) / 2;
  const at::Tensor up = at::cat({dense(middle.slice(2, 0, kHidden / 2), ".up_proj.0"), dense(middle.slice(2, kHidden / 2), ".up_proj.1")}, 2);
  const at::Tensor expected = at::layer_norm(x + up, {kWidth}, params->find("last.weight")->tensor, params->find("last.bias")->tensor, 1e-5);
  EXPECT_LT(((*got)[0] - expected).abs().max().item<double>(), 1e-5);
}

}  // namespace
}  // namespace hone::methods
