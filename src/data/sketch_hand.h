// Objects as a hand would draw them.
#pragma once

#include "core/rng.h"
#include "data/sketch_objects.h"

namespace hone::procedural {

// In a frame of 256, fitted as QMUL's drawings are. `abstraction` 0 draws every line carefully; towards 1 details go,
// lines grow crooked, corners round, thin parts become single lines.
std::vector<Stroke> draw_strokes(const Object& object, double abstraction, Rng& rng);

}  // namespace hone::procedural
