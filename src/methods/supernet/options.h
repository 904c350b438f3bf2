// The recipe of a supernet run (docs/supernet.md lists the keys).
#pragma once

#include <string>
#include <vector>

#include "methods/supernet/losses.h"
#include "methods/supernet/sampler.h"
#include "train/pictures.h"

namespace hone::methods {

struct SupernetOptions {
  train::Compute compute;
  std::string space_name;                // a preset or a TOML file
  train::PictureOptions pictures;
  int64_t side = 224;                    // of the pictures that members resize to their own resolution
  double search_share = 0.05;            // of the training pictures, kept for the search split
  std::vector<int64_t> levels;           // replaces those of the space, in MMACs; empty: the space's
  double window = 0;                     // MMACs; 0: the space's
  SamplerOptions sampler;                // its seed is compute.seed

  std::vector<std::string> teachers, teacher_weights;   // networks and their checkpoints
  double sharpening = 5;                 // multiplies the teachers' logits
  double label_smoothing = 0.1;
  AlphaDivergence divergence;
  int64_t project_from = -1;             // epoch from which small members' gradients are projected; -1: never
  double small_clip = 0;                 // with projection: largest norm of the small members' gradient; 0: off

  double bn_momentum = 0.1;
  int64_t calibration = 64;              // batches
  enum class Score : uint8_t {
    fixed,      // quality on the same pictures every time
    step,       // on the step's own
    relative,   // on the step's own, less that of the smallest member on them
  };
  Score score = Score::fixed;
  int64_t score_images = 256;
  std::vector<double> refresh = {0, 0.25, 0.5, 0.75};   // parts of an epoch at which banks are scored again

  int64_t watch_points = 3, watch_images = 0;   // validation: members over the cost range, pictures (0: all)
};

// The space with the recipe's levels and the data's classes.
Result<space::Space> supernet_space(const SupernetOptions& options, int64_t classes);

Result<SupernetOptions> read_supernet_options(Recipe& recipe, const train::Compute& compute);

}  // namespace hone::methods
