// A network cut into blocks where a single value holds all that flows on: a ResNet's blocks, the layers of a VGG, the
// attention and MLP halves of a ViT.
#pragma once

#include <vector>

#include "measure/device_block.h"
#include "zoo/catalog.h"

namespace hone {

struct CutBlock {
  Block block;         // kind "cut:<hash>": the operators, how they are joined and their settings, without any size
  std::string label;   // its products for people: "Conv1x1 Conv3x3/2 Conv1x1"
  int64_t count = 1;
  Graph graph;         // of the first occurrence, with its parameters; the values that come in are its inputs
};

// `graph` is typed. Every block holds a product (convolution, linear layer, matrix product); what follows a product up to
// the next cut belongs to it. Blocks in order of first occurrence.
Result<std::vector<CutBlock>> cut_blocks(const Graph& graph);

// The blocks of any network: those of the ElasticViT family by their stage table, others by cutting.
Result<std::vector<BlockCount>> blocks_of(const Network& network);
// The same of a stage table; its graph is built only to be cut.
Result<std::vector<BlockCount>> parts_of(const Arch& arch);

}  // namespace hone
