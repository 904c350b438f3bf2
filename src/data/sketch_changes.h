// Sketches changed as augmentation.
#pragma once

#include "core/rng.h"
#include "formats/strokes.h"

namespace hone {

// Variations of a sketch as a hand might draw it again; every field 0: the sketch as it is. Coordinates stay in the frame.
struct SketchChanges {
  double rotate = 0;        // up to so many degrees either way
  double scale = 0;         // side lengths by up to this share either way
  double shift = 0;         // up to this share of the frame either way
  double drop = 0;          // chance that a stroke is left out; the longest always stays
};
Sketch changed(const Sketch& sketch, const SketchChanges& how, Rng& rng);

}  // namespace hone
