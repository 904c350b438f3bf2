// Sketches in, ranked photos out: what a trained run is for.
#pragma once

#include "methods/plugin_api.h"

namespace hone::methods {

// A row per sketch: canvas, FLOPs and milliseconds spent, the nearest photos; and the same as pictures, hits marked where
// the photo is known. Errors: no sketch, an empty gallery, a photo that cannot be read.
Result<Report> retrieve(const RetrieveRequest& request);

}  // namespace hone::methods
