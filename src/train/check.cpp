#include "train/check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "formats/onnx_case.h"
#include "train/lower.h"
#include "train/program.h"

namespace hone::train {

namespace {

using at::Tensor;

TensorType type_of(const Tensor& t) {
  if (!t.defined()) return {};
  return {dtype_of(t.scalar_type()).value_or(DType::undefined), Shape(t.sizes().begin(), t.sizes().end())};
}

Difference compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance) {
  Difference d;
  if (!a.defined() || !b.defined()) {
    d.why = "is missing";
    return d;
  }
  if (a.scalar_type() != b.scalar_type() || a.sizes() != b.sizes()) {
    d.why = fmt::format("is {}, expected {}", to_string(type_of(a)), to_string(type_of(b)));
    return d;
  }
  if (a.numel() == 0) {
    d.ok = true;
    return d;
  }
  const at::ScalarType type = a.scalar_type();
  if (!at::isFloatingType(type) && !at::isComplexType(type)) {
    d.ok = at::equal(widened(a), widened(b));
  }
  const auto wide = [&](const Tensor& t) {
    if (at::isComplexType(type)) return at::view_as_real(t.contiguous()).to(at::kDouble).reshape({-1});
    return (at::isFloatingType(type) ? t.to(t.element_size() == 1 ? at::kFloat : type) : widened(t)).to(at::kDouble).reshape({-1});
  };
  const Tensor x = wide(a), y = wide(b);
  const double resolution = type == at::kHalf ? 0x1p-10 : type == at::kBFloat16 ? 0x1p-7 : 0, rel = std::max(tolerance.rel, 2 * resolution);
  const double largest = at::nan_to_num(y, 0, INFINITY, INFINITY).abs().max().item<double>(), abs = std::max(tolerance.abs, resolution) * (largest > 0 ? std::min(1.0, largest) : 1);
  // Equal infinities and a NaN on both sides are no difference; one on one side only is an infinite one.
  const Tensor same = (x == y).logical_or(at::isnan(x).logical_and(at::isnan(y)));
  const Tensor finite = at::where(same, at::zeros_like(x), at::nan_to_num((x - y).abs(), INFINITY, INFINITY, INFINITY)), size = y.abs();
  d.max_abs = finite.max().item<double>();
  d.relative = largest > 0 ? d.max_abs / largest : d.max_abs;
  d.mean_abs = finite.mean().item<double>();
  d.max_rel = at::where(same.logical_or(size <= abs), at::zeros_like(x), finite / size).max().item<double>();
  const double product = (x.norm() * y.norm()).item<double>();
  d.cosine = product > 0 ? (x * y).sum().item<double>() / product : x.equal(y) ? 1 : 0;
  if (!std::isfinite(d.cosine)) d.cosine = d.max_abs == 0 ? 1 : 0;
  if (at::isFloatingType(type) || at::isComplexType(type)) d.ok = (finite <= size * rel + abs).logical_and(at::isfinite(finite)).logical_or(same).all().item<bool>();
  return d;
}

// Every operator that stops the graph from being run, once; `compiled` adds what only compiling finds.
std::vector<std::string> unsupported(const Graph& graph, const Error* compiled) {
  std::vector<std::string> out = unsupported_operators(graph);
  const auto add = [&](std::string line) {
    if (std::ranges::find(out, line) == out.end()) out.push_back(std::move(line));
  };
  for (const Node& node : graph.nodes)
    if (const LoweringDef* def = node.def ? find_lowering(node.type) : nullptr; def && !def->lower) add(fmt::format("{}: {}", node.type, def->why_not));
  if (out.empty() && compiled) add(compiled->message);
  return out;
}

Result<std::vector<Tensor>> state_tensors(const Graph& graph, const Program& program) {
  std::vector<Tensor> out;
  for (const Program::Slot& s : program.state()) {
    const Value& v = graph.value(graph.find(s.name));
    if (!v.data) return fail(Code::invalid, "has no contents", s.name);
    auto t = to_torch(*v.data);
    if (!t) return fail(t.error().code, t.error().message, s.name);
    out.push_back(std::move(*t));
  }
  return out;
}

Result<std::vector<Tensor>> recorded_inputs(const Graph& graph, const RecordedCase& recorded) {
  std::vector<Tensor> out;
  for (size_t i = 0; i < recorded.inputs.size(); ++i) {
    out.emplace_back();
    if (!recorded.inputs[i]) continue;
    auto t = to_torch(*recorded.inputs[i]);
    if (!t) return fail(t.error().code, fmt::format("{}: {}", graph.value(graph.inputs[i]).name, t.error().message));
    out.back() = std::move(*t);
  }
  return out;
}

Result<std::vector<Tensor>> random_tensors(const Graph& graph, uint64_t seed) {
  HONE_TRY_ASSIGN(const std::vector<hone::Tensor> made, random_inputs(graph, seed));
  std::vector<Tensor> out;
  for (const hone::Tensor& m : made) {
    HONE_TRY_ASSIGN(Tensor t, to_torch(m));
    out.push_back(std::move(t));
  }
  return out;
}

struct Side {
  Graph graph;
  Program program;
  std::vector<Tensor> state;
};

Result<Side> side(Graph graph, const CompileOptions& options) {
  HONE_TRY_ASSIGN(Program program, Program::compile(graph, options));
  HONE_TRY_ASSIGN(std::vector<Tensor> state, state_tensors(graph, program));
  return Side{std::move(graph), std::move(program), std::move(state)};
}

Status compare_outputs(RunCheck& check, const Graph& a, const std::vector<Tensor>& got, const std::vector<Tensor>& expected, const CheckOptions& options) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].defined()) continue;
    check.outputs.push_back({a.value(a.outputs[i]).name, type_of(got[i]), type_of(expected[i]), compare(got[i], expected[i], options.tolerance)});
  }
  return {};
}

// The first node of A, in order, whose result is not B's result of the same name.
Result<std::string> first_departure(const Side& a, const Side& b, const std::vector<Tensor>& inputs, const CheckOptions& options) {
  std::vector<std::string> names, nodes;
  for (const Node& node : a.graph.nodes)
    for (const ValueId v : node.outputs)
      if (v != kNoValue && a.program.holds(a.graph.value(v).name) && b.program.holds(a.graph.value(v).name)) {
        names.push_back(a.graph.value(v).name);
        nodes.push_back(node.name.empty() ? fmt::format("{} '{}'", node.type, a.graph.value(v).name) : node.name);
      }
  HONE_TRY_ASSIGN(const std::vector<Tensor> x, a.program.run_to(names, inputs, a.state, {}));
  HONE_TRY_ASSIGN(const std::vector<Tensor> y, b.program.run_to(names, inputs, b.state, {}));
  for (size_t i = 0; i < names.size(); ++i)
    if (!compare(x[i], y[i], options.tolerance).ok) return nodes[i];
  return std::string();
}

// A node's name for an output that departs, when nothing in between is known.
std::string producer(const Graph& graph, const RunCheck& check) {
  for (size_t i = 0; i < check.outputs.size(); ++i) {
    if (check.outputs[i].difference.ok) continue;
    const Value& v = graph.value(graph.find(check.outputs[i].name));
    return v.producer != kNoNode && !graph.nodes[v.producer].name.empty() ? graph.nodes[v.producer].name : v.name;
  }
  return {};
}

Result<RunCheck> check_sides(Side a, Side b, const std::string& folder, const CheckOptions& options, std::string how) {
  RunCheck check;
  check.how = std::move(how);
  std::vector<Tensor> inputs;
  if (folder.empty()) {
    HONE_TRY_ASSIGN(inputs, random_tensors(a.graph, options.seed));
  } else {
    HONE_TRY_ASSIGN(const RecordedCase recorded, read_case(a.graph, folder));
    HONE_TRY_ASSIGN(inputs, recorded_inputs(a.graph, recorded));
  }
  at::NoGradGuard quiet;
  HONE_TRY_ASSIGN(const std::vector<Tensor> x, a.program.run(inputs, a.state, {}));
  HONE_TRY_ASSIGN(const std::vector<Tensor> y, b.program.run(inputs, b.state, {}));
  HONE_TRY(compare_outputs(check, a.graph, x, y, options));
  if (check.ok()) return check;
  HONE_TRY_ASSIGN(check.first_departure, first_departure(a, b, inputs, options));
  if (check.first_departure.empty()) check.first_departure = producer(a.graph, check);
  return check;
}

// Unsupported operators are an answer; other errors stay errors.
Result<RunCheck> refused(const Graph& graph, const Error& error) {
  if (error.code != Code::unsupported) return fail(error);
  RunCheck check;
  check.unsupported = unsupported(graph, &error);
  return check;
}

}  // namespace

Result<RunCheck> check_recorded(const Graph& a, const std::string& folder, const CheckOptions& options) {
  RunCheck check;
  check.how = "recorded outputs";
  check.unsupported = unsupported(a, nullptr);
  if (!check.unsupported.empty()) return check;
  HONE_TRY_ASSIGN(const RecordedCase recorded, read_case(a, folder));
  auto ready = side(a, {});
  if (!ready) return refused(a, ready.error());
  auto inputs = recorded_inputs(a, recorded);
  if (!inputs) return refused(a, inputs.error());
  at::NoGradGuard quiet;
  auto got = ready->program.run(*inputs, ready->state, {});
  if (!got) return refused(a, got.error());
  std::vector<Tensor> expected;
  for (const auto& t : recorded.outputs) {
    expected.emplace_back();
    if (!t) continue;
    auto tensor = to_torch(*t);
    if (!tensor) return refused(a, tensor.error());
    expected.back() = std::move(*tensor);
  }
  HONE_TRY(compare_outputs(check, a, *got, expected, options));
  if (!check.ok()) check.first_departure = producer(a, check);
  return check;
}

Result<RunCheck> check_pair(const Graph& a, const Graph& b, const std::string& folder, const CheckOptions& options) {
  if (a.inputs.size() != b.inputs.size() || a.outputs.size() != b.outputs.size())
    return fail(Code::usage, fmt::format("{} has {} inputs and {} outputs, {} has {} and {}", a.name, a.inputs.size(), a.outputs.size(), b.name, b.inputs.size(), b.outputs.size()));
  HONE_TRY_ASSIGN(Graph left, with_contents(a, &b, options.seed));
  HONE_TRY_ASSIGN(Graph right, with_contents(b, &a, options.seed));
  auto x = side(std::move(left), {.fuse = false});
  if (!x) return refused(a, x.error());
  auto y = side(std::move(right), {.fuse = false});
  if (!y) return refused(b, y.error());
  return check_sides(std::move(*x), std::move(*y), folder, options, fmt::format("{} on {} inputs", b.name.empty() ? "B" : b.name, folder.empty() ? "random" : "recorded"));
}

Result<RunCheck> check_plans(const Graph& a, const std::string& folder, const CheckOptions& options) {
  HONE_TRY_ASSIGN(Graph graph, with_contents(a, nullptr, options.seed));
  auto fused = side(graph, {});
  if (!fused) return refused(a, fused.error());
  auto plain = side(std::move(graph), {.channels_last = false, .fuse = false});
  if (!plain) return refused(a, plain.error());
  return check_sides(std::move(*fused), std::move(*plain), folder, options, fmt::format("itself node by node, on {} inputs", folder.empty() ? "random" : "recorded"));
}

Result<RunCheck> check(const CheckRequest& request) {
  if (request.b) return check_pair(*request.a, *request.b, request.folder, request.options);
  return request.folder.empty() ? check_plans(*request.a, request.folder, request.options) : check_recorded(*request.a, request.folder, request.options);
}

}  // namespace hone::train
