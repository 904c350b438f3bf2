#include "rewrite/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <unordered_map>

#include "core/checked.h"
#include "core/rng.h"

namespace hone {

namespace {

uint64_t hash_of(std::string_view name) {  // FNV-1a
  uint64_t h = 0xcbf29ce484222325;
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

// Standard normal numbers, two at a time (Box and Muller 1958).
class Normal {
 public:
  explicit Normal(Rng& rng) : rng_(rng) {}
  double operator()() {
    if (have_) {
      have_ = false;
      return spare_;
    }
    const double radius = std::sqrt(-2 * std::log(1 - rng_.uniform())), angle = 2 * std::numbers::pi * rng_.uniform();
    spare_ = radius * std::sin(angle);
    have_ = true;
    return radius * std::cos(angle);
  }

 private:
  Rng& rng_;
  double spare_ = 0;
  bool have_ = false;
};

struct Fans {
  double in = 1, out = 1;
};

Fans fans(const Shape& shape) {
  double field = 1;
  for (size_t i = 2; i < shape.size(); ++i) field *= static_cast<double>(shape[i]);
  if (shape.empty()) return {};
  return {field * static_cast<double>(shape.size() > 1 ? shape[1] : shape[0]), field * static_cast<double>(shape[0])};
}

template <class T>
void fill(T* data, int64_t n, const Value& value, uint64_t seed) {
  const auto generate = [&](auto&& next) {
    for (int64_t i = 0; i < n; ++i) data[i] = static_cast<T>(next());
  };
  Rng rng(seed ^ hash_of(value.name));
  Normal normal(rng);
  const Fans fan = fans(value.type.shape);
  const auto uniform = [&](double bound) { generate([&] { return (2 * rng.uniform() - 1) * bound; }); };
  const double a = value.init.a;
  switch (value.init.kind) {
    case Init::Kind::zeros: generate([] { return 0.0; }); return;
    case Init::Kind::ones: generate([] { return 1.0; }); return;
    case Init::Kind::constant: generate([&] { return a; }); return;
    case Init::Kind::normal: generate([&] { return normal() * a; }); return;
    case Init::Kind::truncated_normal:
      generate([&] {
        double z = normal();
        while (std::fabs(z) > 2) z = normal();
        return z * a;
      });
      return;
    case Init::Kind::uniform: uniform(a); return;
    case Init::Kind::kaiming_normal: generate([&, s = std::sqrt(2 / fan.out)] { return normal() * s; }); return;
    case Init::Kind::kaiming_uniform: uniform(std::sqrt(6 / ((1 + a * a) * fan.in))); return;
    case Init::Kind::xavier_uniform: uniform(std::sqrt(6 / (fan.in + fan.out))); return;
  }
}

template <class T>
Bytes filled(int64_t n, const Value& value, uint64_t seed) {
  auto data = std::make_shared<std::vector<T>>(static_cast<size_t>(n));
  fill(data->data(), n, value, seed);
  const auto* bytes = reinterpret_cast<const std::byte*>(data->data());
  return {std::move(data), bytes, static_cast<size_t>(n) * sizeof(T)};
}

// The same numbers in another floating point type.
Result<Tensor> converted(const Tensor& tensor, DType to, const std::string& name) {
  auto values = to_doubles(tensor);
  if (!values || (to != DType::f32 && to != DType::f64))
    return fail(Code::unsupported, fmt::format("is {} in the file, the network needs {}", hone::name(tensor.dtype), hone::name(to)), name);
  Tensor out{to, tensor.shape, {}, {}};
  if (to == DType::f64) {
    out.bytes = Bytes::copy(values->data(), values->size() * sizeof(double));
  } else {
    const std::vector<float> narrow(values->begin(), values->end());
    out.bytes = Bytes::copy(narrow.data(), narrow.size() * sizeof(float));
  }
  return out;
}

}  // namespace

Result<Bound> with_weights(Graph graph, const std::vector<std::pair<std::string, Tensor>>& tensors) {
  std::unordered_map<std::string_view, const Tensor*> by_name;
  for (const auto& [name, tensor] : tensors) by_name.emplace(name, &tensor);
  std::vector<bool> read(graph.values.size());
  for (const Node& node : graph.nodes)
    for (ValueId v : node.inputs)
      if (v != kNoValue) read[v] = true;

  std::vector<std::string> missing;
  for (ValueId id : graph.state()) {
    Value& value = graph.values[id];
    const auto found = by_name.find(value.name);
    if (found == by_name.end()) {
      if (read[id]) missing.push_back(value.name);
      continue;
    }
    const Tensor& tensor = *found->second;
    by_name.erase(found);
    if (tensor.shape != value.type.shape)
      return fail(Code::invalid, fmt::format("is {} in the file, the network needs {}", to_string(tensor.shape), to_string(value.type.shape)), value.name);
    if (tensor.dtype == value.type.dtype) {
      value.data = std::make_shared<const Tensor>(tensor);
    } else if (is_float(tensor.dtype) && is_float(value.type.dtype)) {
      HONE_TRY_ASSIGN(Tensor same, converted(tensor, value.type.dtype, value.name));
      value.data = std::make_shared<const Tensor>(std::move(same));
    } else {
      return fail(Code::invalid, fmt::format("is {} in the file, the network needs {}", hone::name(tensor.dtype), hone::name(value.type.dtype)), value.name);
    }
  }
  if (!missing.empty()) {
    std::string names;
    for (size_t i = 0; i < std::min<size_t>(3, missing.size()); ++i) names += (i ? ", " : "") + missing[i];
    return fail(Code::invalid, fmt::format("{} tensors of the network are not in the file: {}{}", missing.size(), names, missing.size() > 3 ? ", ..." : ""), {},
                "hone zoo NET --tensors lists the names that are looked for");
  }
  Bound bound{std::move(graph), {}};
  for (const auto& [name, tensor] : tensors)
    if (by_name.count(name)) bound.unused.push_back(name);
  return bound;
}

Result<Graph> with_reversed_channels(Graph graph) {
  std::vector<ValueId> stems;
  for (const Node& node : graph.nodes) {
    if (node.type != "Conv" || node.inputs.size() < 2) continue;
    const Value &image = graph.value(node.inputs[0]), &weight = graph.value(node.inputs[1]);
    if (image.kind != ValueKind::input || weight.type.shape.size() < 3 || weight.type.shape[1] != 3) continue;
    if (std::ranges::find(stems, node.inputs[1]) == stems.end()) stems.push_back(node.inputs[1]);
  }
  if (stems.empty()) return fail(Code::unsupported, "no convolution reads an image of three channels, so there are no channels to reverse");
  for (ValueId id : stems) {
    Value& weight = graph.values[id];
    const Shape& shape = weight.type.shape;
    const auto n = element_count(shape);
    if (!weight.data || !weight.data->bytes.data || n.value_or(0) == 0 || bits(weight.type.dtype) % 8 || byte_size(weight.type.dtype, *n) != static_cast<int64_t>(weight.data->bytes.size))
      return fail(Code::invalid, "has no contents to reverse", weight.name);
    const size_t plane = weight.data->bytes.size / static_cast<size_t>(shape[0] * 3);  // bytes of one channel of one filter
    auto bytes = std::make_shared<std::vector<std::byte>>(weight.data->bytes.size);
    for (size_t filter = 0; filter < static_cast<size_t>(shape[0]); ++filter)
      for (size_t c = 0; c < 3; ++c) std::copy_n(weight.data->bytes.data + (filter * 3 + c) * plane, plane, bytes->data() + (filter * 3 + 2 - c) * plane);
    Tensor reversed = *weight.data;
    const std::byte* data = bytes->data();
    reversed.bytes = {std::move(bytes), data, weight.data->bytes.size};
    weight.data = std::make_shared<const Tensor>(std::move(reversed));
  }
  return graph;
}

Result<Graph> with_fresh_weights(Graph graph, uint64_t seed) {
  constexpr int64_t kMaxBytes = int64_t{1} << 40;
  for (ValueId id : graph.state()) {
    Value& value = graph.values[id];
    if (value.data && value.data->has_data()) continue;
    const auto n = element_count(value.type.shape);
    if (!value.type.ranked || !n) return fail(Code::invalid, "its shape is not known, so it cannot be filled", value.name);
    if (*n > kMaxBytes / 8) return fail(Code::unsupported, fmt::format("{} elements are too many to fill", *n), value.name);
    Tensor tensor{value.type.dtype, value.type.shape, {}, {}};
    switch (value.type.dtype) {
      case DType::f32: tensor.bytes = filled<float>(*n, value, seed); break;
      case DType::f64: tensor.bytes = filled<double>(*n, value, seed); break;
      case DType::i64: tensor.bytes = filled<int64_t>(*n, value, seed); break;
      case DType::i32: tensor.bytes = filled<int32_t>(*n, value, seed); break;
      case DType::boolean:
      case DType::u8: tensor.bytes = filled<uint8_t>(*n, value, seed); break;
      default: return fail(Code::unsupported, fmt::format("hone cannot fill a tensor of {}", name(value.type.dtype)), value.name);
    }
    value.data = std::make_shared<const Tensor>(std::move(tensor));
  }
  return graph;
}

}  // namespace hone
