// The lowering table is complete; every differentiable operator's gradient agrees with central differences in double
// precision on the operator's own samples; batch norms train as PyTorch's do; errors name their node.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/rng.h"
#include "ir/builder.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "../ir/sample_case.h"
#include "train/lower.h"
#include "train/program.h"

namespace hone::train {
namespace {

TEST(LoweringTable, SpeaksOfEveryOperator) {
  for (const OpDef& op : all_ops()) {
    const LoweringDef* def = find_lowering(op.name);
    ASSERT_TRUE(def) << op.name << " has neither a lowering nor a reason why not";
    EXPECT_NE(def->lower == nullptr, def->why_not.empty()) << op.name;
  }
  for (const LoweringDef& def : all_lowerings()) EXPECT_TRUE(find_op(def.op)) << def.op << " is lowered but unknown";
}

// Operators whose outputs are random, or whose sample describes types only.
const std::set<std::string_view> kNoGradientCase{"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial",
                                                 "BitCast",          // bits of another type
                                                 "Unique",           // libtorch has no gradient for merging equal elements
                                                 "MelWeightMatrix",  // integers in
                                                 "QuantizeLinear", "CastLike", "Cast"};
// Operands that operators read as positions or statistics, without a gradient.
const std::set<std::pair<std::string_view, size_t>> kNotDifferentiable{{"BatchNormalization", 3}, {"BatchNormalization", 4}, {"RoiAlign", 1}, {"MaxRoiPool", 1}};
const std::set<std::string_view> kPositive{"Log", "Sqrt", "Pow", "BatchNormalization", "ReduceLogSum", "LRN"};

// Distinct numbers away from zero and from each other, so that no kink lies within a step.
at::Tensor distinct(at::IntArrayRef shape, std::string_view op, Rng& rng) {
  at::Tensor t = at::empty(shape, at::kDouble);
  double* data = t.mutable_data_ptr<double>();
  for (int64_t i = 0; i < t.numel(); ++i) {
    double v = 0.15 + 0.75 * rng.uniform();
    if (op == "Acosh") v += 1.2;
    else if (!kPositive.contains(op) && rng.below(2)) v = -v;
    data[i] = v;
  }
  return t;
}

at::Tensor from_known(const Known& k) {
  if (k.is_float()) return at::tensor(k.floats, at::kDouble).reshape(k.shape).to(at::kFloat);
  return at::tensor(k.ints, at::kLong).reshape(k.shape);
}

struct GradientCase {
  std::vector<at::Tensor> values;   // by sample input
  std::vector<bool> differentiable;
};

GradientCase make_values(const OpDef& op, const Sample& s, Rng& rng) {
  GradientCase out;
  int64_t smallest = 8;
  if (!s.inputs.empty() && s.inputs[0].ranked)
    for (const Dim d : s.inputs[0].shape) smallest = std::min(smallest, std::max<Dim>(d, 1));
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    const TensorType& type = s.inputs[i];
    const bool known = i < s.contents.size() && s.contents[i];
    out.differentiable.push_back(type.dtype == DType::f32 && !known && !kNotDifferentiable.contains({op.name, i}));
    if (type.dtype == DType::undefined) out.values.emplace_back();
    else if (known) out.values.push_back(from_known(*s.contents[i]));
    else if (type.dtype == DType::f32) out.values.push_back(distinct(type.shape, op.name, rng));
    else if (type.dtype == DType::boolean) out.values.push_back(at::remainder(at::arange(element_count(type.shape).value()), 2).reshape(type.shape).to(at::kBool));
    else if (op.name == "MaxUnpool") out.values.push_back(at::arange(element_count(type.shape).value()).reshape(type.shape));
    else out.values.push_back(at::remainder(at::arange(element_count(type.shape).value()), type.shape.empty() ? 1 : smallest).reshape(type.shape).to(*scalar_type(type.dtype)));
  }
  return out;
}

class Gradient : public testing::TestWithParam<std::string_view> {};

TEST_P(Gradient, AgreesWithCentralDifferences) {
  const OpDef& op = *find_op(GetParam());
  const LoweringDef* def = find_lowering(op.name);
  if (!def->lower) GTEST_SKIP() << def->why_not;
  for (const Sample& s : op.samples()) {
    SCOPED_TRACE(s.label);
    if (s.label == "contents not known") continue;  // a case of shape inference
    Rng rng(7);
    const Case c = build(op, s);
    const auto program = Program::compile(c.graph, {.channels_last = false, .fuse = false});
    if (!program && program.error().code == Code::unsupported) continue;
    ASSERT_TRUE(program) << program.error().text();
    GradientCase values = make_values(op, s, rng);
    // The same weights for the sum of outputs at every evaluation.
    const auto objective = [&](const std::vector<at::Tensor>& v) -> at::Tensor {
      std::vector<at::Tensor> inputs, state;
      for (size_t i = 0; i < v.size(); ++i) {
        if (s.inputs[i].dtype == DType::undefined) continue;
        (i < s.parameter.size() && s.parameter[i] ? state : inputs).push_back(v[i]);
      }
      const auto out = program->run(inputs, state, {});
      if (!out) {
        ADD_FAILURE() << out.error().text();
        return at::zeros({}, at::kDouble);
      }
      at::Tensor sum = at::zeros({}, at::kDouble);
      int64_t seed = 1;
      for (const at::Tensor& y : *out) {
        ++seed;
        if (!y.defined() || !at::isFloatingType(y.scalar_type())) continue;
        const at::Tensor weight = at::sin(at::arange(1, y.numel() + 1, at::kDouble) * static_cast<double>(seed)).reshape(y.sizes());
        sum = sum + (y.to(at::kDouble) * weight).sum();
      }
      return sum;
    };
    std::vector<at::Tensor> leaves = values.values;
    for (size_t i = 0; i < leaves.size(); ++i)
      if (values.differentiable[i]) leaves[i] = leaves[i].clone().requires_grad_(true);
    const at::Tensor total = objective(leaves);
    if (testing::Test::HasFailure()) return;
    if (total.requires_grad()) total.backward();
    at::NoGradGuard quiet;
    for (size_t i = 0; i < leaves.size(); ++i) {
      if (!values.differentiable[i]) continue;
      const at::Tensor analytic = leaves[i].grad().defined() ? leaves[i].grad().contiguous() : at::zeros_like(leaves[i]);
      std::vector<at::Tensor> moved = values.values;
      for (int64_t k = 0; k < leaves[i].numel(); ++k) {
        constexpr double kStep = 1e-5;
        double difference[2];
        for (const int side : {0, 1}) {
          moved[i] = values.values[i].clone();
          moved[i].mutable_data_ptr<double>()[k] += side ? kStep : -kStep;
          difference[side] = objective(moved).item<double>();
        }
        const double numeric = (difference[1] - difference[0]) / (2 * kStep), exact = analytic.const_data_ptr<double>()[k];
        ASSERT_NEAR(exact, numeric, 1e-6 + 1e-5 * std::fabs(numeric)) << "operand " << i << ", element " << k;
      }
    }
  }
}

std::vector<std::string_view> gradient_operators() {
  std::vector<std::string_view> out;
  for (const OpDef& op : all_ops()) {
    if (!op.samples || kNoGradientCase.contains(op.name)) continue;
    const auto samples = op.samples();
    if (std::ranges::any_of(samples, [](const Sample& s) { return std::ranges::any_of(s.inputs, [](const TensorType& t) { return t.dtype == DType::f32; }); })) out.push_back(op.name);
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Lowering, Gradient, testing::ValuesIn(gradient_operators()), [](const auto& info) {
  std::string name(info.param);
  std::erase(name, ':');
  return name;
});

// x -> Conv -> BatchNormalization -> Relu, and the sum with a second branch, as residual networks have it.
Graph residual() {
  Builder b("residual");
  ValueId x = b.input("x", DType::f32, {4, 3, 8, 8});
  x = b.batch_norm(b.conv(x, "conv1", conv_spec(6, 3)), "bn1");
  const ValueId r = b.relu(x);
  x = b.batch_norm(b.conv(r, "conv2", conv_spec(6, 3)), "bn2");
  b.output(b.relu(b.add(x, r)));
  auto g = b.finish();
  EXPECT_TRUE(g) << g.error().text();
  return *g;
}

std::vector<at::Tensor> state_of(const Program& p) {
  at::manual_seed(3);
  std::vector<at::Tensor> out;
  for (const Program::Slot& s : p.state()) {
    if (s.dtype == at::kLong) out.push_back(at::zeros(s.sizes, at::kLong));
    else if (s.name.ends_with("running_var")) out.push_back(at::rand(s.sizes) + 0.5);
    else out.push_back(at::randn(s.sizes) * 0.5);
  }
  return out;
}

TEST(Program, MemoryIsReusedOnlyWhereNobodyLooks) {
  const Graph g = residual();
  auto p = Program::compile(g);
  ASSERT_TRUE(p) << p.error().text();
  const auto state = state_of(*p);
  const at::Tensor x = at::randn({4, 3, 8, 8}), before = x.clone();
  auto recorded = p->run({x}, state, {});
  ASSERT_TRUE(recorded) << recorded.error().text();
  at::NoGradGuard quiet;
  auto in_place = p->run({x}, state, {});
  ASSERT_TRUE(in_place) << in_place.error().text();
  EXPECT_TRUE(at::equal((*recorded)[0], (*in_place)[0]));
  EXPECT_TRUE(at::equal(x, before));
  // Values asked for by name are what they were when they appeared.
  const std::string relu = g.value(g.nodes[2].outputs[0]).name;
  auto plain = Program::compile(g, {.fuse = false});
  ASSERT_TRUE(plain);
  auto middle = plain->run_to({relu, g.value(g.outputs[0]).name}, {x}, state, {});
  ASSERT_TRUE(middle) << middle.error().text();
  const at::Tensor conv = at::conv2d(x, state[0], {}, at::IntArrayRef({1, 1}), at::IntArrayRef({1, 1}));
  EXPECT_TRUE(at::allclose((*middle)[0], at::relu(at::batch_norm(conv, state[1], state[2], state[3], state[4], false, 0.1, 1e-5, true)), 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose((*middle)[1], (*recorded)[0], 1e-4, 1e-5));
}

TEST(Program, BatchNormTrainsAsPyTorchDoes) {
  auto p = Program::compile(residual());
  ASSERT_TRUE(p) << p.error().text();
  auto state = state_of(*p);
  std::vector<at::Tensor> before;
  for (const at::Tensor& t : state) before.push_back(t.clone());
  const at::Tensor x = at::randn({4, 3, 8, 8});
  RunOptions options;
  options.batch_norm = BatchNorm::train;
  options.batch_norm_momentum = 0.1;
  auto y = p->run({x}, state, options);
  ASSERT_TRUE(y) << y.error().text();
  ASSERT_EQ(p->state()[3].name, "bn1.running_mean");
  const at::Tensor conv = at::conv2d(x, before[0], {}, at::IntArrayRef({1, 1}), at::IntArrayRef({1, 1}));
  EXPECT_TRUE(at::allclose(state[3], before[3] * 0.9 + conv.mean({0, 2, 3}) * 0.1, 1e-4, 1e-5));
  EXPECT_TRUE(at::allclose(state[4], before[4] * 0.9 + conv.var({0, 2, 3}, true) * 0.1, 1e-4, 1e-5)) << "the running variance is the unbiased one";
  ASSERT_EQ(p->state()[5].name, "bn1.num_batches_tracked");
  EXPECT_EQ(state[5].item<int64_t>(), 1);
  // The run used the batch's own statistics, not the ones it updated.
  auto again = p->run({x}, before, {});
  ASSERT_TRUE(again);
  EXPECT_FALSE(at::allclose((*y)[0], (*again)[0], 1e-3, 1e-3));
}

TEST(Program, ProductsRunInBf16WhenAsked) {
  auto p = Program::compile(residual());
  ASSERT_TRUE(p);
  const auto state = state_of(*p);
  at::NoGradGuard quiet;
  const at::Tensor x = at::randn({4, 3, 8, 8});
  RunOptions options;
  options.compute = at::kBFloat16;
  auto brief = p->run({x}, state, options), full = p->run({x}, state, {});
  ASSERT_TRUE(brief) << brief.error().text();
  EXPECT_EQ((*brief)[0].scalar_type(), at::kFloat);
  EXPECT_FALSE(at::equal((*brief)[0], (*full)[0]));
  EXPECT_LT(((*brief)[0] - (*full)[0]).abs().max().item<double>(), 0.05 * (*full)[0].abs().max().item<double>());
}

TEST(Program, ErrorsNameTheNode) {
  auto p = Program::compile(residual());
  ASSERT_TRUE(p);
  auto wrong = p->run({at::randn({4, 5, 8, 8})}, state_of(*p), {});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().where.find("conv1"), std::string::npos) << wrong.error().text();
  EXPECT_FALSE(p->run({}, state_of(*p), {}));
  EXPECT_FALSE(p->run({at::randn({4, 3, 8, 8})}, {}, {}));
  EXPECT_FALSE(p->run_to({"nobody"}, {at::randn({4, 3, 8, 8})}, state_of(*p), {}));
}

TEST(Program, DropoutNeedsAGeneratorAndRepeats) {
  Builder b("dropout");
  b.output(b.op("Dropout", {b.input("x", DType::f32, {1000}), b.scalar(0.25f)}));
  auto g = b.finish();
  ASSERT_TRUE(g) << g.error().text();
  auto p = Program::compile(*g);
  ASSERT_TRUE(p) << p.error().text();
  const at::Tensor x = at::ones({1000});
  RunOptions options;
  EXPECT_TRUE(at::equal((*p->run({x}, {}, options))[0], x));
  options.training = true;
  EXPECT_FALSE(p->run({x}, {}, options));
  const auto drawn = [&] {
    options.generator = at::make_generator<at::CPUGeneratorImpl>(5);
    return (*p->run({x}, {}, options))[0];
  };
  const at::Tensor y = drawn();
  EXPECT_TRUE(at::equal(y, drawn()));
  EXPECT_NEAR((y == 0).sum().item<double>(), 250, 60);
  EXPECT_NEAR(y.max().item<double>(), 1 / 0.75, 1e-6);
}

TEST(ToTorch, RoundTripsAndRefusesWhatLibtorchLacks) {
  const Tensor t = Tensor::floats({1, 2, 3});
  auto back = from_torch(*to_torch(t));
  ASSERT_TRUE(back);
  EXPECT_TRUE(same_contents(t, *back));
  Tensor strings;
  strings.dtype = DType::string;
  strings.shape = {1};
  strings.strings = {"a"};
  ASSERT_FALSE(to_torch(strings));
  EXPECT_EQ(to_torch(strings).error().code, Code::unsupported);
}

}  // namespace
}  // namespace hone::train
