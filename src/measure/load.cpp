#include "measure/load.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "core/rng.h"
#include "core/shape.h"
#include "rewrite/weights.h"

namespace hone {

namespace {

template <class T>
Tensor filled(const TensorType& type, const std::vector<T>& values) {
  Tensor t;
  t.dtype = type.dtype;
  t.shape = type.shape;
  t.bytes = Bytes::copy(values.data(), values.size() * sizeof(T));
  return t;
}

Result<Tensor> sample(const EnginePort& port, Rng& rng) {
  const auto count = port.type.ranked ? element_count(port.type.shape) : std::nullopt;
  if (!count || *count < 0) return fail(Code::usage, fmt::format("the input is {}: its shape must be known", to_string(port.type)), port.name, "give it with --input NAME=1x3x224x224");
  const auto n = static_cast<size_t>(*count);
  switch (port.type.dtype) {
    case DType::f32: {
      std::vector<float> values(n);
      for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
      return filled(port.type, values);
    }
    case DType::f64: {
      std::vector<double> values(n);
      for (double& v : values) v = 2 * rng.uniform() - 1;
      return filled(port.type, values);
    }
    case DType::f16: return filled(port.type, std::vector<uint16_t>(n, 0x3800));   // 0.5
    case DType::bf16: return filled(port.type, std::vector<uint16_t>(n, 0x3F00));  // 0.5
    case DType::i64:
    case DType::u64: return filled(port.type, std::vector<int64_t>(n, 1));
    case DType::i32:
    case DType::u32: return filled(port.type, std::vector<int32_t>(n, 1));
    case DType::i16:
    case DType::u16: return filled(port.type, std::vector<int16_t>(n, 1));
    case DType::i8:
    case DType::u8:
    case DType::boolean: return filled(port.type, std::vector<int8_t>(n, 1));
    default: return fail(Code::unsupported, fmt::format("cannot make an input of type {}", name(port.type.dtype)), port.name);
  }
}

Result<std::unique_ptr<EngineSession>> fed(Result<std::unique_ptr<EngineSession>> loaded, uint64_t seed) {
  if (!loaded) return loaded;
  HONE_TRY_ASSIGN(const std::vector<Tensor> inputs, sample_inputs((*loaded)->inputs(), seed));
  HONE_TRY_ASSIGN(const std::vector<Tensor> outputs, (*loaded)->run(inputs));
  return loaded;
}

}  // namespace

Result<std::vector<Tensor>> sample_inputs(const std::vector<EnginePort>& ports, uint64_t seed) {
  std::vector<Tensor> out;
  Rng rng(seed);
  for (const EnginePort& port : ports) {
    HONE_TRY_ASSIGN(Tensor t, sample(port, rng));
    out.push_back(std::move(t));
  }
  return out;
}

Result<std::unique_ptr<EngineSession>> load_ready(Engine& engine, const Graph& graph, const EngineOptions& options, uint64_t seed) {
  HONE_TRY_ASSIGN(const Graph filled, with_fresh_weights(graph, seed));
  return fed(engine.load(filled, options), seed);
}

Result<std::unique_ptr<EngineSession>> load_file_ready(Engine& engine, const std::string& path, const EngineOptions& options, uint64_t seed) {
  return fed(engine.load_file(path, options), seed);
}

Candidate candidate(std::string name, EngineSession& session) {
  return {std::move(name), [&session] { return session.again(); }};
}

}  // namespace hone
