// Running networks and comparing what they give: with recorded outputs, with another network, or one way of running them
// with another. Nothing of libtorch shows here, so that the command line can use it through the plug-in.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone::train {

// a equals b when |a - b| <= abs min(1, largest |b|) + rel |b|: small outputs are not equal to whatever is small too. NaN
// equals NaN, integers and truth values must be the same. f16 and bf16 are not held to more than their own resolution.
struct Tolerance {
  double rel = 1e-3, abs = 1e-5;
};

struct Difference {
  bool ok = false;
  std::string why;             // types or shapes that differ; then the numbers say nothing
  double max_abs = 0, max_rel = 0, mean_abs = 0;  // |a - b|; relative to |b|, where that is above the absolute tolerance
  double cosine = 1;           // of both as vectors; 1 when both are zero
};

struct RunCheck {
  struct Output {
    std::string name;          // A's
    TensorType got, expected;
    Difference difference;
  };
  std::vector<Output> outputs;
  std::vector<std::string> unsupported;  // "Op: reason", each once; then nothing was run
  std::string first_departure;           // the first node whose result departs, as far as both sides have it; "" when none
  std::string how;                       // what was compared with what, in a sentence
  bool ok() const {
    return unsupported.empty() && std::ranges::all_of(outputs, [](const Output& o) { return o.difference.ok; });
  }
};

struct CheckOptions {
  Tolerance tolerance;
  uint64_t seed = 0;           // of random inputs and of contents that a network lacks
};

// A on the recorded inputs in `folder` (formats/onnx_case.h) against the recorded outputs.
Result<RunCheck> check_recorded(const Graph& a, const std::string& folder, const CheckOptions& options);
// A against B, typed graphs with as many inputs and outputs of the same types, on seeded random inputs or on those recorded in `folder` (if
// not empty). Contents that one of them lacks are the other's of the same name, or fresh ones from the seed. Values
// of nodes that both have under one name tell where they depart.
Result<RunCheck> check_pair(const Graph& a, const Graph& b, const std::string& folder, const CheckOptions& options);
// A as training runs it (fused, channels last) against A node by node.
Result<RunCheck> check_plans(const Graph& a, const std::string& folder, const CheckOptions& options);

// What the plug-in offers the command line (extern "C" hone_check_run): the three above, chosen by what is given. `b` null:
// A alone.
struct CheckRequest {
  const Graph* a = nullptr;
  const Graph* b = nullptr;
  std::string folder;
  CheckOptions options;
};
using CheckRun = void(const CheckRequest& request, Result<RunCheck>& reply);
Result<RunCheck> check(const CheckRequest& request);

}  // namespace hone::train
