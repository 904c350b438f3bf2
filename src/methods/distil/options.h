// What a sketch retrieval run is: the recipe's tables [data], [network], [teacher], [distil], [sample], [augment], [evaluate].
#pragma once

#include <string>
#include <vector>

#include "data/sketch_changes.h"
#include "data/sketch_data.h"
#include "retrieval/encoder.h"

namespace hone::methods {

// Which photo stands for "another one" in a triplet. Photos of the same object are never taken, whatever sketch they come with.
enum class Negatives : uint8_t {
  random,      // any other photo of the training split
  batch_random,// another photo of the batch: its embedding is there already
  batch_hard,  // the nearest wrong photo of the batch
  softmax,     // every photo of the batch at once: softmax cross-entropy of similarities instead of triplets
  batch_all,   // every wrong photo of the batch: the triplet loss averages over those that still cost something
};

// What a student learns from its teacher besides the triplets.
enum class Knowledge : uint8_t {
  none,
  relations,   // the three distances of a triplet (Sain et al. 2025, section 2 of the spec)
  vectors,     // regression to the teacher's embedding through a learned projection
  rkd,         // distances and angles of the batch (Park et al. 2019)
  similarities,// which photos of the batch a sketch resembles, and which sketches a photo: softmax of cosines (after Fang et al. 2021)
};

// What the teacher looks at while its student learns.
enum class TeacherViews : uint8_t {
  cached,      // every sketch and photo as it is and mirrored, once for the whole run
  same,        // in every step the very strokes and crops that the student sees (Beyer et al., CVPR 2022: "consistent" teaching)
};

struct SketchOptions {
  SketchData data;
  EncoderOptions network;
  bool freeze_norms = false;         // BatchNorm keeps its statistics and its affine values learn

  std::string teacher;               // run directory; "" : none
  Knowledge knowledge = Knowledge::none;
  TeacherViews views = TeacherViews::cached;
  double lambda = 0.5;               // total = lambda * triplet + (1 - lambda) * knowledge
  double huber_delta = 1;
  bool normalise_by_mean = false;
  double distance_weight = 1, angle_weight = 2;  // rkd
  double vector_weight = 1;
  double knowledge_temperature = 0.1;            // similarities: of cosines, teacher's and student's

  int64_t batch = 16;                // triplets
  double margin = 0.2;
  double temperature = 0.07;         // softmax
  Negatives negatives = Negatives::random;
  bool mirror = true;                // sketch and photos together, half of the time
  double photo_crop = 1;             // smallest share of the side that a photo shows
  SketchChanges changes;
};

SketchOptions read_sketch_options(Recipe& recipe);

}  // namespace hone::methods
