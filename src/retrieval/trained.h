// What runs have trained, opened as networks with their weights: the frozen recipe says which network, the best checkpoint
// holds its tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_data.h"
#include "retrieval/encoder.h"
#include "run/run_dir.h"
#include "run/run_paths.h"
#include "zoo/catalog.h"

namespace hone {

// "RUN:ARCH": a member of a supernet. RUN is the directory of its run, ARCH a file with the member's encoding (.json) or stage
// table (.toml). Nothing for any other text.
struct MemberName {
  std::string run, arch;
};
std::optional<MemberName> member_name(const std::string& net);
// What a run that started from such a member holds of it: the stage table, and the weights that it started with.
inline constexpr const char* kStartNetwork = "network.toml";
inline constexpr const char* kStartWeights = "network.safetensors";

// "sketch", "canvas", "classify", "skip": the task of a run's recipe.
Result<std::string> task_of(const std::string& run);
// File of the best checkpoint of a run, else its last. Code::not_found when there is none yet.
Result<std::string> checkpoint_of(const RunDir& run);

// The encoder of a sketch run.
struct SketchRun {
  std::string path;        // of the run
  SketchData data;
  EncoderOptions options;  // its network where it is now
  std::string net;         // as the recipe calls it
  std::string checkpoint;  // file that the tensors came from
  std::string sha256;      // of that file
  Graph graph;             // at the largest canvas, without contents
  NamedTensors tensors;

  int64_t side() const { return options.canvases.back(); }
  // With its parameters, those of the canvas where it has its own.
  Result<Graph> at(int64_t canvas, int64_t batch = 1) const;
};
// Errors: no run directory, a run of another task, no checkpoint yet.
Result<SketchRun> open_sketch_run(const std::string& run);

// The selector of a canvas run.
struct SelectorRun {
  std::string path, encoder;  // run directories
  SelectorOptions options;
  std::vector<int64_t> canvases;
  std::string checkpoint, sha256;
  NamedTensors tensors;

  Result<Graph> at(int64_t points) const;
};
Result<SelectorRun> open_selector_run(const std::string& run);

// NET, run directories included (zoo/catalog.h knows the others): the network that a run has trained, with its weights and, as
// metadata, where they come from. `canvas` picks a sketch run's (0: the largest); on anything else it is a usage error.
// `space` is that of an encoding (open_network).
Result<Network> open_net(const std::string& net, int64_t canvas = 0, const std::string& space = {});

}  // namespace hone
