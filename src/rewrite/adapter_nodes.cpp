#include "rewrite/adapter_nodes.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace hone {

namespace {

constexpr Init kZeros{Init::Kind::zeros, 0}, kOnes{Init::Kind::ones, 0};

// A dense layer over channels, with bias: name.weight, name.bias.
ValueId dense(Editor& e, ValueId x, const std::string& name, int64_t in, int64_t out, Init init, bool map) {
  const Shape shape = map ? Shape{out, in, 1, 1} : Shape{out, in};
  const ValueId w = e.parameter(name + ".weight", shape, init), b = e.parameter(name + ".bias", {out}, kZeros);
  if (!map) return e.emit("hone::Linear", {x, w, b}, name);
  return e.emit("Conv", {x, w, b}, name, {{"kernel_shape", std::vector<int64_t>{1, 1}}, {"pads", std::vector<int64_t>{0, 0, 0, 0}}, {"strides", std::vector<int64_t>{1, 1}}});
}

ValueId ints(Editor& e, std::vector<int64_t> values, const std::string& name) { return e.constant(Tensor::ints(std::move(values)), name); }

ValueId dropped(Editor& e, ValueId x, const std::string& name, double ratio) {
  return ratio > 0 ? e.emit("Dropout", {x, e.constant(Tensor::scalar(static_cast<float>(ratio)), name + ".dropout")}, name) : x;
}

Init start_of(const AdapterShape& s, float deviation) { return s.xavier ? Init{Init::Kind::xavier_uniform, 0} : Init{Init::Kind::normal, deviation}; }

// From the bottleneck to the width, part by part where there are groups; the last part of the channels takes the remainder.
ValueId up_projection(Editor& e, ValueId y, const std::string& name, const AdapterShape& s, Init init) {
  y = dropped(e, y, name, s.dropout);
  if (s.groups == 1) return dense(e, y, name, s.bottleneck, s.width, init, s.map);
  const int64_t axis = s.map ? 1 : -1, in = s.bottleneck / s.groups, out = s.width / s.groups;
  std::vector<ValueId> parts;
  for (int64_t i = 0; i < s.groups; ++i) {
    const std::string g = std::to_string(i);
    const ValueId part = e.emit("Slice", {y, ints(e, {i * in}, name + ".begin" + g), ints(e, {(i + 1) * in}, name + ".end" + g), ints(e, {axis}, name + ".axis" + g)}, name);
    parts.push_back(dense(e, part, name + "." + g, in, i + 1 < s.groups ? out : s.width - i * out, init, s.map));
  }
  return e.emit("Concat", parts, name, {{"axis", axis}});
}

// up(relu(down(x))), weights of this deviation.
ValueId bottleneck(Editor& e, ValueId x, const std::string& name, const AdapterShape& s, float deviation) {
  ValueId y = dense(e, x, name + ".down_proj", s.width, s.bottleneck, start_of(s, deviation), s.map);
  if (s.relu) y = e.emit("Relu", {y}, name);
  return up_projection(e, y, name + ".up_proj", s, s.zero_up ? kZeros : start_of(s, deviation));
}

}  // namespace

ValueId parallel_adapter(Editor& e, ValueId base, ValueId source, const std::string& name, const AdapterShape& s, ValueId into) {
  const std::string norm = name + ".adapter_layer_norm_before";
  ValueId y = source;
  if (s.norm) {
    const ValueId gain = e.parameter(norm + ".weight", {s.width}, kOnes), shift = e.parameter(norm + ".bias", {s.width}, kZeros);
    y = s.map ? e.emit("GroupNormalization", {source, gain, shift}, norm, {{"num_groups", int64_t{1}}, {"epsilon", 1e-5f}})
              : e.emit("LayerNormalization", {source, gain, shift}, norm, {{"axis", int64_t{-1}}, {"epsilon", 1e-5f}});
  }
  y = bottleneck(e, y, name, s, 0.02f);
  if (s.scale != 1) y = e.emit("Mul", {y, e.constant(Tensor::scalar(static_cast<float>(s.scale)), name + ".scale")}, name);
  return e.emit("Add", {base, y}, name, {}, into);
}

ValueId houlsby_adapter(Editor& e, ValueId x, const std::string& name, const AdapterShape& s) {
  return e.emit("Add", {x, bottleneck(e, x, name, s, 0.01f)}, name);
}

ValueId bottleneck_adapter(Editor& e, ValueId x, const std::string& name, const AdapterShape& s) { return e.emit("Add", {x, bottleneck(e, x, name, s, 0.02f)}, name); }

ValueId low_rank_branch(Editor& e, ValueId base, ValueId x, const LowRank& branch, ValueId into) {
  const int64_t in = e.value(x).type.shape.back();
  const ValueId a = e.parameter(branch.name + "_A", {branch.rank, in}, {Init::Kind::normal, 1}), b = e.parameter(branch.name + "_B", {branch.out, branch.rank}, kZeros);
  ValueId y = e.emit("hone::Linear", {e.emit("hone::Linear", {dropped(e, x, branch.name, branch.dropout), a}, branch.name), b}, branch.name);
  if (branch.before || branch.after) {
    // Only the last axis grows, whatever the rank.
    y = e.emit("Pad", {y, ints(e, {branch.before, branch.after}, branch.name + ".pads"), kNoValue, ints(e, {-1}, branch.name + ".axis")}, branch.name);
  }
  return e.emit("Add", {base, y}, branch.name, {}, into);
}

ValueId propagation_adapter(Editor& e, ValueId x, ValueId context, const std::string& name, const AdapterShape& s, ValueId into) {
  const int64_t width = s.width, hidden = 2 * std::max<int64_t>(1, width * 3 / 32);
  const Init normal = start_of(s, 0.02f);
  const ValueId own = dense(e, x, name + ".own_proj", width, hidden, normal, false);
  const ValueId other = e.emit("ReduceMean", {dense(e, context, name + ".context_proj", e.value(context).type.shape.back(), hidden, normal, false), ints(e, {1}, name + ".axes")}, name,
                               {{"keepdims", int64_t{1}}});
  const ValueId y = e.emit("Mul", {e.emit("Add", {own, other}, name), e.constant(Tensor::scalar(0.5f), name + ".half")}, name);
  AdapterShape up = s;
  up.bottleneck = hidden;
  up.groups = 2;
  return e.emit("Add", {x, up_projection(e, y, name + ".up_proj", up, kZeros)}, name, {}, into);
}

ValueId attention_context(const Graph& g, const SkipPass& pass) {
  const NodeId attention = pass.sums[0].attention;
  // Back from the keys: to the stream, or to what comes from outside and is made like it, the other stream.
  std::vector<ValueId> todo{g.nodes[attention].inputs[g.nodes[attention].type == "Attention" ? 1 : 0]};
  std::set<ValueId> seen;
  ValueId outside = pass.input;
  while (!todo.empty()) {
    const ValueId v = todo.back();
    todo.pop_back();
    if (v == pass.input) return v;
    if (v == kNoValue || !seen.insert(v).second) continue;
    const Value& value = g.value(v);
    if (value.producer != kNoNode && std::binary_search(pass.nodes.begin(), pass.nodes.end(), value.producer)) {
      todo.insert(todo.end(), g.nodes[value.producer].inputs.begin(), g.nodes[value.producer].inputs.end());
    } else if (value.kind != ValueKind::parameter && value.type.dtype == g.value(pass.input).type.dtype && value.type.shape.size() == g.value(pass.input).type.shape.size()) {
      outside = v;
    }
  }
  return outside;
}

ValueId append_prompt(Editor& e, ValueId x, const std::string& name, int64_t n, int64_t width) {
  const ValueId prompt = e.parameter(name, {1, n, width}, {Init::Kind::uniform, static_cast<float>(std::sqrt(6.0 / (3 * 16 * 16 + static_cast<double>(width))))});
  const ValueId batch = e.emit("Shape", {x}, name, {{"start", int64_t{0}}, {"end", int64_t{1}}});
  const ValueId shape = e.emit("Concat", {batch, ints(e, {n, width}, name + ".shape")}, name, {{"axis", int64_t{0}}});
  return e.emit("Concat", {x, e.emit("Expand", {prompt, shape}, name)}, name, {{"axis", int64_t{1}}});
}

ValueId take_first(Editor& e, ValueId x, int64_t axis, int64_t n, const std::string& name) {
  return e.emit("Slice", {x, ints(e, {0}, name + ".begin"), ints(e, {n}, name + ".end"), ints(e, {axis}, name + ".axis")}, name);
}

ValueId open_mask(Editor& e, ValueId mask, int64_t n, const std::string& name) {
  return e.emit("Pad", {mask, ints(e, {0, n}, name + ".pads"), kNoValue, ints(e, {-1}, name + ".axis")}, name);
}

}  // namespace hone
