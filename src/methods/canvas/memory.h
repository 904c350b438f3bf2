// What the policy's rewards are looked up in: for every sketch and canvas, the rank of its photo and its triplet loss under the
// frozen encoder (spec of the sketch method, 3.5: embeddings are cached, so an epoch costs the policy alone).
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "methods/distil/encoder.h"

namespace hone::methods {

struct CanvasMemory {
  std::vector<uint32_t> items;       // of the set
  std::vector<at::Tensor> rows;      // input of the selector, points x 5
  std::vector<int64_t> flops;        // paper's convention, of the encoder at each canvas
  at::Tensor ranks;                  // items x canvases, whole numbers as float
  at::Tensor triplets;               // items x canvases
};

// Embeds these items at every canvas against a gallery of photos that holds theirs. The negative of an item's triplet is
// drawn from the gallery by `seed`, the same at every canvas.
Result<CanvasMemory> remember_canvases(const Encoder& encoder, const SketchPhotoSet& set, const PhotoCache& photos, const std::vector<uint32_t>& items,
                                       const std::vector<uint32_t>& gallery, double margin, uint64_t seed);

// Appends the items of `more`, which were looked at by another encoder with the same canvases.
void append(CanvasMemory& memory, CanvasMemory more);

}  // namespace hone::methods
