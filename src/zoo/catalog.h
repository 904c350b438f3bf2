// Names of networks to networks (contract, "Names of networks").
#pragma once

#include <string>
#include <vector>

#include "zoo/arch.h"

namespace hone {

// Every published Arch, sorted by name. Built once.
const std::vector<Arch>& catalog();

// Names that mean another network, sorted: "pycls/ResNeXt-50" -> "pycls/ResNeXt-50-32x4d".
const std::vector<std::pair<std::string, std::string>>& aliases();

// "LIB/NAME[@RES]" or a bare "NAME[@RES]" (timm, then torchvision, then the rest). An unknown name is a usage error that
// lists the three nearest, where any are near; @RES on vilt, meter or elasticvit is a usage error.
Result<Arch> find_arch(const std::string& name);

// NET: a name, an .onnx file, an arch .toml, a .hone graph text or a .json encoding (run directories: retrieval/trained.h). `arch` is set
// where the network has one.
struct Network {
  std::string name;
  Graph graph;          // typed for zoo networks; as read for files (bind and infer() it)
  std::optional<Arch> arch;
};
// An encoding is of a member of `space` (a preset's name or a .toml file, docs/space.md); with any other NET a space is a usage error.
Result<Network> open_network(const std::string& net, const std::string& space = {});

// The state dict as lines "name shape\n" (shape comma-joined, "scalar" for rank 0), sorted bytewise; the SHA-256 of
// this text is the one in the spec's tensors/checksums.csv.
std::string tensor_manifest(const Graph& graph);

}  // namespace hone
