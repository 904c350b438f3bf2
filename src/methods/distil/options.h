// What a sketch retrieval run is: the recipe's tables [data], [network], [teacher], [distil], [sample], [augment], [evaluate].
#pragma once

#include <string>
#include <vector>

#include "data/sketch_photos.h"
#include "methods/distil/encoder.h"
#include "methods/distil/photos.h"

namespace hone::methods {

// Which photo stands for "another one" in a triplet. Photos of the same object are never taken, whatever sketch they come with.
enum class Negatives : uint8_t {
  random,      // any other photo of the training split
  batch_random,// another photo of the batch: its embedding is there already
  batch_hard,  // the nearest wrong photo of the batch
  batch_all,   // every wrong photo of the batch: the triplet loss averages over those that still cost something
};

// What a student learns from its teacher besides the triplets.
enum class Knowledge : uint8_t {
  none,
  relations,   // the three distances of a triplet (Sain et al. 2025, section 2 of the spec)
  vectors,     // regression to the teacher's embedding through a learned projection
  rkd,         // distances and angles of the batch (Park et al. 2019)
};

struct SketchOptions {
  std::string data;                  // path of a set, or "procedural"
  double validation = 0.15;          // share of the training photos held back to choose checkpoints by
  uint64_t split_seed = 0;
  int64_t procedural_photos = 0, procedural_sketches = 0;
  uint64_t procedural_seed = 0;

  EncoderOptions network;
  bool freeze_norms = false;         // BatchNorm keeps its statistics and its affine values learn

  std::string teacher;               // run directory; "" : none
  Knowledge knowledge = Knowledge::none;
  double lambda = 0.5;               // total = lambda * triplet + (1 - lambda) * knowledge
  double huber_delta = 1;
  bool normalise_by_mean = false;
  double distance_weight = 1, angle_weight = 2;  // rkd
  double vector_weight = 1;

  int64_t batch = 16;                // triplets
  double margin = 0.2;
  Negatives negatives = Negatives::random;
  bool mirror = true;                // sketch and photos together, half of the time
  double photo_crop = 1;             // smallest share of the side that a photo shows
  SketchChanges changes;
};

SketchOptions read_sketch_options(Recipe& recipe);

// The set that `options.data` names. `data` may be a folder (hone data show) or "procedural".
Result<SketchPhotoSet> open_set(const SketchOptions& options);

// Items of a set by what they are for. No photo is in two of them.
struct Splits {
  std::vector<uint32_t> train, validation, test;
};
// Validation photos are drawn from the training photos by `split_seed` alone, so that teacher, student and selector hold back the same.
Splits split(const SketchPhotoSet& set, double validation, uint64_t split_seed);

}  // namespace hone::methods
