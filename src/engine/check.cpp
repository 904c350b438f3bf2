#include "engine/check.h"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <functional>

#include "core/rng.h"
#include "formats/checkpoint.h"
#include "formats/onnx_case.h"
#include "ir/infer.h"
#include "rewrite/weights.h"

namespace hone {

namespace {

// How many values in the middle a network gives out at once: enough to search quickly, few enough that engines still fuse.
constexpr size_t kProbes = 24;

template <class T>
void append(std::vector<std::byte>& bytes, T value) {
  const auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(value);
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

// x in [-1, 1) cut to 16 bits, towards zero; f16 below its normal range becomes zero.
uint16_t narrowed(DType type, float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  if (type == DType::bf16) return static_cast<uint16_t>(bits >> 16);
  const int exponent = static_cast<int>(bits >> 23 & 0xff) - 127 + 15;
  return static_cast<uint16_t>((bits >> 16 & 0x8000) | (exponent > 0 ? static_cast<uint32_t>(exponent) << 10 | (bits >> 13 & 0x3ff) : 0));
}

bool lacks_contents(const Graph& graph) {
  return std::ranges::any_of(graph.state(), [&](ValueId v) { return !graph.value(v).data; });
}

std::string called(const Graph& graph, const Node& node) {
  return node.name.empty() ? fmt::format("{} '{}'", node.type, graph.value(node.outputs[0]).name) : node.name;
}

// A node's name for an output that departs, when nothing in between is known.
std::string producer(const Graph& graph, const RunCheck& check) {
  for (const RunCheck::Output& out : check.outputs) {
    if (out.difference.ok) continue;
    const Value& v = graph.value(graph.find(out.name));
    return v.producer != kNoNode ? called(graph, graph.nodes[v.producer]) : v.name;
  }
  return {};
}

// "Op: reason" of operators that stop `graph`; other errors stay errors.
Result<RunCheck> refused(const Graph& graph, const Error& error, std::string how) {
  if (error.code != Code::unsupported) return fail(error);
  RunCheck check;
  check.how = std::move(how);
  check.unsupported = unsupported_operators(graph);
  if (check.unsupported.empty()) check.unsupported.push_back(error.where.empty() ? error.message : fmt::format("{}: {}", error.where, error.message));
  return check;
}

Result<std::vector<Tensor>> given(const Graph& graph, std::vector<std::optional<Tensor>> recorded) {
  std::vector<Tensor> out;
  for (size_t i = 0; i < recorded.size(); ++i) {
    if (!recorded[i]) return fail(Code::unsupported, "an optional input is left out, which engines do not have", graph.value(graph.inputs[i]).name, "--with torch runs such cases");
    out.push_back(std::move(*recorded[i]));
  }
  return out;
}

// Typed for these inputs, which bind what the graph leaves open.
Result<Graph> bound(const Graph& graph, std::span<const Tensor> inputs) {
  Bindings bindings;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::string& name = graph.value(graph.inputs[i]).name;
    bindings.inputs[name] = inputs[i].shape;
    if (auto contents = known_contents(inputs[i])) bindings.contents[name] = std::move(*contents);
  }
  HONE_TRY_ASSIGN(Inferred inferred, infer(graph, bindings, true));
  return std::move(inferred.graph);
}

Result<std::vector<Tensor>> run_once(const CheckSide& side, const Graph& graph, std::span<const Tensor> inputs) {
  HONE_TRY_ASSIGN(const std::unique_ptr<EngineSession> session, side.engine->load(graph, side.options));
  return session->run(inputs);
}

// A value in the middle that both graphs compute.
struct Probe {
  ValueId a, b;
  std::string node;
};

std::vector<Probe> probes(const Graph& a, const Graph& b) {
  std::vector<Probe> out;
  for (const Node& node : a.nodes)
    for (const ValueId v : node.outputs) {
      if (v == kNoValue) continue;
      const ValueId w = b.find(a.value(v).name);
      if (w == kNoValue || b.value(w).producer == kNoNode || a.value(v).type != b.value(w).type || !is_float(a.value(v).type.dtype)) continue;
      out.push_back({v, w, called(a, node)});
    }
  return out;
}

using Compare = std::function<Result<std::vector<Difference>>(std::span<const Probe>)>;

// Differences of values in the middle, which become the graphs' only outputs.
Compare comparer(const CheckSide& a, const Graph& left, const CheckSide& b, const Graph& right, std::span<const Tensor> inputs, const Tolerance& tolerance) {
  return [=, &left, &right](std::span<const Probe> wanted) -> Result<std::vector<Difference>> {
    Graph x = left, y = right;
    x.outputs.clear(), y.outputs.clear();
    for (const Probe& p : wanted) x.outputs.push_back(p.a), y.outputs.push_back(p.b);
    HONE_TRY_ASSIGN(const std::vector<Tensor> got, run_once(a, prune(x), inputs));
    HONE_TRY_ASSIGN(const std::vector<Tensor> expected, run_once(b, prune(y), inputs));
    std::vector<Difference> out;
    for (size_t i = 0; i < wanted.size(); ++i) out.push_back(compare(got[i], expected[i], tolerance));
    return out;
  };
}

// The first probe that departs, by narrowing the range between one that agrees and one that does not.
Result<std::string> first_departure(const std::vector<Probe>& all, const Compare& differences) {
  size_t begin = 0, end = all.size();  // the first departure lies in here, if there is one
  bool found = false;
  while (begin < end) {
    std::vector<size_t> at;
    const size_t n = std::min(kProbes, end - begin);
    for (size_t i = 1; i <= n; ++i) at.push_back(begin + (end - begin) * i / n - 1);
    std::vector<Probe> wanted;
    for (const size_t i : at) wanted.push_back(all[i]);
    HONE_TRY_ASSIGN(const std::vector<Difference> d, differences(wanted));
    size_t bad = 0;
    while (bad < n && d[bad].ok) ++bad;
    if (bad == n) return found ? all[end - 1].node : std::string();
    found = true;
    if (bad > 0) begin = at[bad - 1] + 1;
    if (at[bad] == begin) return all[begin].node;
    // At full resolution the probe itself is the answer; else what lies before it is searched, the probe included.
    if (n == end - begin) return all[at[bad]].node;
    end = at[bad] + 1;
  }
  return std::string();
}

}  // namespace

Result<std::vector<Tensor>> random_inputs(const Graph& graph, uint64_t seed) {
  std::vector<Tensor> out;
  Rng rng(seed);
  for (const ValueId id : graph.inputs) {
    const Value& v = graph.value(id);
    const int64_t n = v.type.ranked ? element_count(v.type.shape).value_or(-1) : -1;
    if (n < 0) return fail(Code::usage, fmt::format("the input '{}' is {}: its shape must be known", v.name, to_string(v.type)), {}, "give it with --input NAME=1x3x224x224, or recorded inputs with --data");
    const bool integer = is_integer(v.type.dtype) || v.type.dtype == DType::boolean, narrow = v.type.dtype == DType::f16 || v.type.dtype == DType::bf16;
    if ((!integer && !narrow && v.type.dtype != DType::f32 && v.type.dtype != DType::f64) || bits(v.type.dtype) < 8)
      return fail(Code::unsupported, fmt::format("no random input of type {} is made", name(v.type.dtype)), v.name, "give recorded inputs with --data");
    std::vector<std::byte> bytes;
    for (int64_t i = 0; i < n; ++i) {
      if (v.type.dtype == DType::f32) append(bytes, static_cast<float>(2 * rng.uniform() - 1));
      else if (narrow) append(bytes, narrowed(v.type.dtype, static_cast<float>(2 * rng.uniform() - 1)));
      else if (v.type.dtype == DType::f64) append(bytes, 2 * rng.uniform() - 1);
      else {
        bytes.push_back(static_cast<std::byte>(rng.below(2)));
        bytes.resize(bytes.size() + static_cast<size_t>(bits(v.type.dtype) / 8 - 1));
      }
    }
    out.push_back({v.type.dtype, v.type.shape, Bytes::copy(bytes.data(), bytes.size()), {}});
  }
  return out;
}

Result<Graph> with_contents(Graph graph, const Graph* other, uint64_t seed) {
  if (other && lacks_contents(graph)) {
    NamedTensors held;
    for (const ValueId v : other->state())
      if (other->value(v).data) held.emplace_back(other->value(v).name, *other->value(v).data);
    for (auto& [name, tensor] : to_names_of(graph, std::move(held)).tensors) {
      const ValueId v = graph.find(name);
      if (v == kNoValue || graph.values[v].data || graph.values[v].type != TensorType(tensor.dtype, tensor.shape)) continue;
      graph.values[v].data = std::make_shared<Tensor>(std::move(tensor));
    }
  }
  return lacks_contents(graph) ? with_fresh_weights(std::move(graph), seed) : Result<Graph>(std::move(graph));
}

Result<RunCheck> check_recorded(const CheckSide& a, const std::string& folder, const CheckOptions& options) {
  const std::string how = fmt::format("recorded outputs, in {}", a.engine->name());
  HONE_TRY_ASSIGN(RecordedCase recorded, read_case(*a.graph, folder));
  auto inputs = given(*a.graph, std::move(recorded.inputs));
  if (!inputs) return refused(*a.graph, inputs.error(), how);
  auto ready = bound(*a.graph, *inputs);
  if (!ready) return refused(*a.graph, ready.error(), how);
  auto got = run_once(a, *ready, *inputs);
  if (!got) return refused(*a.graph, got.error(), how);
  RunCheck check;
  check.how = how;
  for (size_t i = 0; i < recorded.outputs.size(); ++i) {
    if (!recorded.outputs[i]) continue;
    const Tensor &x = (*got)[i], &y = *recorded.outputs[i];
    check.outputs.push_back({a.graph->value(a.graph->outputs[i]).name, {x.dtype, x.shape}, {y.dtype, y.shape}, compare(x, y, options.tolerance)});
  }
  if (!check.ok()) check.first_departure = producer(*a.graph, check);
  return check;
}

Result<RunCheck> check_pair(const CheckSide& a, const CheckSide& b, const std::string& folder, const CheckOptions& options) {
  if (a.graph->inputs.size() != b.graph->inputs.size() || a.graph->outputs.size() != b.graph->outputs.size())
    return fail(Code::usage, fmt::format("{} has {} inputs and {} outputs, {} has {} and {}", a.graph->name, a.graph->inputs.size(), a.graph->outputs.size(), b.graph->name, b.graph->inputs.size(), b.graph->outputs.size()));
  RunCheck check;
  check.how = fmt::format("{}{} in {} on {} inputs", a.graph == b.graph ? "itself" : b.graph->name.empty() ? "B" : b.graph->name,
                          b.options.as_is && a.engine == b.engine ? " as it stands" : "", b.engine->name(), folder.empty() ? "random" : "recorded");
  HONE_TRY_ASSIGN(Graph left, with_contents(*a.graph, b.graph, options.seed));
  HONE_TRY_ASSIGN(Graph right, with_contents(*b.graph, a.graph, options.seed));
  std::vector<Tensor> inputs;
  if (folder.empty()) {
    HONE_TRY_ASSIGN(inputs, random_inputs(left, options.seed));
  } else {
    HONE_TRY_ASSIGN(RecordedCase recorded, read_case(left, folder));
    HONE_TRY_ASSIGN(inputs, given(left, std::move(recorded.inputs)));
    HONE_TRY_ASSIGN(left, bound(left, inputs));
    HONE_TRY_ASSIGN(right, bound(right, inputs));
  }
  auto got = run_once(a, left, inputs);
  if (!got) return refused(left, got.error(), check.how);
  auto expected = run_once(b, right, inputs);
  if (!expected) return refused(right, expected.error(), check.how);
  for (size_t i = 0; i < got->size(); ++i) {
    const Tensor &x = (*got)[i], &y = (*expected)[i];
    check.outputs.push_back({left.value(left.outputs[i]).name, {x.dtype, x.shape}, {y.dtype, y.shape}, compare(x, y, options.tolerance)});
  }
  if (check.ok() && !options.layers) return check;
  const std::vector<Probe> all = probes(left, right);
  const Compare differences = comparer(a, left, b, right, inputs, options.tolerance);
  if (options.layers)
    for (size_t at = 0; at < all.size(); at += kProbes) {
      const std::span<const Probe> some(all.data() + at, std::min(kProbes, all.size() - at));
      HONE_TRY_ASSIGN(const std::vector<Difference> d, differences(some));
      for (size_t i = 0; i < some.size(); ++i) check.layers.push_back({some[i].node, d[i]});
    }
  if (check.ok()) return check;
  HONE_TRY_ASSIGN(check.first_departure, first_departure(all, differences));
  if (check.first_departure.empty()) check.first_departure = producer(left, check);
  return check;
}

}  // namespace hone
