// Objects as photos: filled anti-aliased outlines with shading, texture, shadow, background and sensor noise.
#pragma once

#include "data/sketch_objects.h"
#include "formats/image.h"

namespace hone::procedural {

// side x side RGB; `seed` sets place, size, light, background and noise, not the object.
Image render_photo(const Object& object, uint64_t seed, int side = 256);

struct Box2 {
  Point low, high;
};
Box2 bounds(const Object& object);  // of its parts

}  // namespace hone::procedural
