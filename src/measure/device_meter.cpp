#include "measure/device_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/rng.h"
#include "measure/machine.h"
#include "measure/timing.h"
#include "rewrite/weights.h"
#include "run/manifest.h"

namespace hone {

namespace {

// Floating point inputs are uniform in [0, 1), everything else is 0 (token ids, masks).
Status fill_inputs(EngineSession& session) {
  Rng rng(1);
  for (size_t i = 0; i < session.inputs().size(); ++i) {
    const TensorType& type = session.inputs()[i].type;
    const auto n = element_count(type.shape);
    const auto bytes = n ? byte_size(type.dtype, *n) : std::nullopt;
    if (!bytes) return fail(Code::failed, "an input without a size", session.inputs()[i].name);
    HONE_TRY_ASSIGN(void* const data, session.input_buffer(i));
    std::memset(data, 0, static_cast<size_t>(*bytes));
    if (type.dtype == DType::f32)
      for (int64_t k = 0; k < *n; ++k) static_cast<float*>(data)[k] = static_cast<float>(rng.uniform());
  }
  return {};
}

// Large random tensors as one stretch of random numbers over and over, scaled as a layer's weights are: drawing each of
// some ten million numbers would take longer than compiling the network. Small ones and constants are left to
// with_fresh_weights().
Graph with_quick_weights(Graph graph) {
  constexpr int64_t kLarge = 4096;
  constexpr size_t kStretch = 4093;  // a prime: rows of a matrix differ
  Rng rng(1);
  std::vector<float> stretch(kStretch);
  for (float& v : stretch) v = static_cast<float>(2 * rng.uniform() - 1);
  for (Value& value : graph.values) {
    const Init::Kind kind = value.init.kind;
    const auto n = element_count(value.type.shape);
    if (value.kind != ValueKind::parameter || value.data || value.type.dtype != DType::f32 || !n || *n < kLarge || kind == Init::Kind::zeros || kind == Init::Kind::ones || kind == Init::Kind::constant) continue;
    const double fan_in = static_cast<double>(*n) / static_cast<double>(std::max<int64_t>(1, value.type.shape[0]));
    const auto bound = static_cast<float>(std::sqrt(3 / std::max(1.0, fan_in)));  // keeps the variance of what flows through
    auto numbers = std::make_shared<std::vector<float>>(static_cast<size_t>(*n));
    for (size_t i = 0; i < numbers->size(); i += kStretch)
      for (size_t k = 0, end = std::min(kStretch, numbers->size() - i); k < end; ++k) (*numbers)[i + k] = bound * stretch[k];
    Tensor t;
    t.dtype = DType::f32;
    t.shape = value.type.shape;
    t.bytes = {numbers, reinterpret_cast<const std::byte*>(numbers->data()), numbers->size() * sizeof(float)};
    value.data = std::make_shared<Tensor>(std::move(t));
  }
  return graph;
}

}  // namespace

namespace {

struct Loaded {
  std::unique_ptr<EngineSession> session;
  Candidate candidate;
};
Result<Loaded> load(Engine& engine, const EngineOptions& options, const Probe& p) {
  Loaded out;
  HONE_TRY_ASSIGN(Graph graph, p.graph());
  HONE_TRY_ASSIGN(graph, with_fresh_weights(with_quick_weights(std::move(graph)), 1));
  HONE_TRY_ASSIGN(out.session, engine.load(graph, options));
  HONE_TRY(fill_inputs(*out.session));
  out.candidate = {p.name, [s = out.session.get()] { return s->again(); }};
  return out;
}

Result<std::vector<Timing>> timed(const std::vector<Candidate>& candidates, const MeterOptions& options, double seconds, int64_t min_rounds) {
  TimingOptions o;
  o.seconds = seconds;
  o.min_seconds = 0;
  o.min_rounds = min_rounds;
  o.precision = options.precision;
  o.visit_ms = 4;
  o.warm_up_seconds = 0.2;
  o.one_thread = options.engine.threads == 1;
  HONE_TRY_ASSIGN(Measurement m, measure(candidates, o));
  return std::move(m.timings);
}

}  // namespace

Meter engine_meter(Engine& engine, const MeterOptions& options) {
  const auto anchor = std::make_shared<Loaded>();
  return [&engine, options, anchor](const std::vector<Probe>& probes) -> Result<std::vector<MeasuredTime>> {
    if (options.anchor_ms && !anchor->session) {
      const auto known = []() -> Result<Graph> {
        HONE_TRY_ASSIGN(const Arch arch, find_arch(kAnchor));
        return build(arch);
      };
      HONE_TRY_ASSIGN(*anchor, load(engine, options.engine, {"anchor", {}, 0, options.anchor ? options.anchor : known}));
      if (!(*options.anchor_ms > 0)) {
        HONE_TRY_ASSIGN(const std::vector<Timing> first, timed({anchor->candidate}, options, 4, 100));
        *options.anchor_ms = first[0].median;
      }
    }
    std::vector<Loaded> loaded;
    std::vector<Candidate> candidates;
    for (const Probe& p : probes) {
      HONE_TRY_ASSIGN(Loaded l, load(engine, options.engine, p));
      candidates.push_back(l.candidate);
      loaded.push_back(std::move(l));
    }
    if (options.anchor_ms) candidates.push_back(anchor->candidate);
    HONE_TRY_ASSIGN(const std::vector<Timing> timings, timed(candidates, options, options.seconds * static_cast<double>(candidates.size()), options.min_rounds));
    const double speed = options.anchor_ms ? *options.anchor_ms / timings.back().median : 1;
    std::vector<MeasuredTime> out;
    for (size_t i = 0; i < probes.size(); ++i) {
      const Timing& t = timings[i];
      out.push_back({speed * t.median, speed * std::min(t.interval.low, t.median), speed * std::max(t.interval.high, t.median), t.rounds});
    }
    return out;
  };
}

Result<TimeOf> this_machine_as(const DeviceFacts& facts) {
  if (facts.engine.empty()) return fail(Code::failed, "the table names no engine", facts.name);
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(facts.engine));
  MeterOptions options;
  options.engine.threads = static_cast<int>(std::clamp<int64_t>(facts.threads, 1, 1024));
  options.engine.precision = facts.precision;
  options.seconds = 1.5;
  options.precision = 0.005;
  options.min_rounds = 16;
  if (auto same = same_device(facts, this_device(*engine, options.engine)); !same) return fail(std::move(same).error());
  return [engine, options](const Arch& arch) -> Result<MeasuredTime> {
    HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.engine.threads));
    HONE_TRY_ASSIGN(const std::vector<MeasuredTime> times, engine_meter(*engine, options)({{arch.name, {}, 0, [&arch] { return build(arch); }}}));
    return times[0];
  };
}

DeviceFacts this_device(const Engine& engine, const EngineOptions& options) {
  const Host host = this_host();
  DeviceFacts d;
  d.name = host.name.empty() ? host.cpu : host.name;
  d.cpu = host.cpu;
  d.cores = host.cores;
  d.engine = engine.name();
  d.engine_version = engine.version();
  d.threads = options.threads;
  d.precision = options.precision;
  d.basis = options.threads == 1 ? "undisturbed runs, else processor time" : "undisturbed runs, else all";
  d.began = utc_now();
  d.hone = HONE_VERSION;
  return d;
}

}  // namespace hone
