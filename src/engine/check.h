// Running networks in engines and comparing what they give: with recorded outputs, with another network, or one engine with
// another.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/engine.h"
#include "ir/graph.h"

namespace hone {

// a equals b when |a - b| <= abs min(1, largest |b|) + rel |b|: small outputs are not equal to whatever is small too. NaN
// equals NaN, integers and truth values must be the same. f16 and bf16 are not held to more than their own resolution.
struct Tolerance {
  double rel = 1e-3, abs = 1e-5;
};

// What two engines may differ by on `graph` when products are computed in `precision` (EngineOptions): rounding errors of
// independent sums add up like the root of their number (Higham 2002, 2.8), so abs is 32 units in the last place of f32, or 2
// of bf16, times the root of the most products (convolutions, dense layers, matrix products) on one path; rel is 1e-3, or 2^-7.
Tolerance engine_tolerance(const Graph& graph, const std::string& precision);

struct Difference {
  bool ok = false;
  std::string why;             // types or shapes that differ; then the numbers say nothing
  double max_abs = 0, max_rel = 0, mean_abs = 0;  // |a - b|; relative to |b|, where that is above the absolute tolerance
  double relative = 0;         // max_abs by the largest |b|
  double cosine = 1;           // of both as vectors; 1 when both are zero
};
Difference compare(const Tensor& a, const Tensor& b, const Tolerance& tolerance);

struct RunCheck {
  struct Output {
    std::string name;          // A's
    TensorType got, expected;
    Difference difference;
  };
  struct Layer {
    std::string node;
    Difference difference;
  };
  std::vector<Output> outputs;
  std::vector<std::string> unsupported;  // "Op: reason", each once; then nothing was run
  std::string first_departure;           // the first node whose result departs, as far as both sides have it; "" when none
  std::vector<Layer> layers;             // every node that both sides have, in order; empty unless asked for
  std::string how;                       // what was compared with what, in a sentence
  bool ok() const {
    return unsupported.empty() && std::ranges::all_of(outputs, [](const Output& o) { return o.difference.ok; });
  }
};

struct CheckOptions {
  Tolerance tolerance;
  uint64_t seed = 0;           // of random inputs and of contents that a network lacks
  bool layers = false;         // compare node by node, too (between engines only)
};

// A network and what runs it.
struct CheckSide {
  const Graph* graph = nullptr;
  Engine* engine = nullptr;
  EngineOptions options;
};

// A on the recorded inputs in `folder` (formats/onnx_case.h) against the recorded outputs. The inputs bind what the graph
// leaves open.
Result<RunCheck> check_recorded(const CheckSide& a, const std::string& folder, const CheckOptions& options);
// A against B, which is the reference: typed graphs with as many inputs and outputs of the same types, on seeded random
// inputs or on those recorded in `folder` (if not empty). Contents that one of them lacks are the other's of the same name,
// or fresh ones from the seed. Values of nodes that both have under one name tell where they depart: they become outputs,
// a few at a time, so that the engines fuse the rest as ever.
Result<RunCheck> check_pair(const CheckSide& a, const CheckSide& b, const std::string& folder, const CheckOptions& options);

// Floats are uniform in [-1, 1), integers and truth values 0 or 1; the same for every network of these input types.
Result<std::vector<Tensor>> random_inputs(const Graph& graph, uint64_t seed);
// The graph with contents everywhere: its own, then those of `other` (may be null) that have its names and shapes, then fresh
// ones.
Result<Graph> with_contents(Graph graph, const Graph* other, uint64_t seed);
// The most products on one path from an input to an output.
int64_t product_depth(const Graph& graph);

}  // namespace hone
