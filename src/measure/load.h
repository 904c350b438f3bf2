// Networks made ready for timing: compiled by an engine, fed, run once.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "engine/engine.h"
#include "ir/graph.h"
#include "measure/timing.h"

namespace hone {

// Contents for the inputs of a session, the same for every network of these inputs: floating point uniform in [-1, 1);
// integers and truth values 1, which is a valid token, mask and segment alike.
Result<std::vector<Tensor>> sample_inputs(const std::vector<EnginePort>& ports, uint64_t seed);

// Loaded and run once. What the graph lacks of its contents is filled from the seed: time does not depend on values,
// except for denormal numbers, which fresh weights do not make.
Result<std::unique_ptr<EngineSession>> load_ready(Engine& engine, const Graph& graph, const EngineOptions& options, uint64_t seed = 0);
// The same for an ONNX file as it lies on disk.
Result<std::unique_ptr<EngineSession>> load_file_ready(Engine& engine, const std::string& path, const EngineOptions& options, uint64_t seed = 0);

// Runs the session again; it must live as long as the candidate.
Candidate candidate(std::string name, EngineSession& session);

}  // namespace hone
