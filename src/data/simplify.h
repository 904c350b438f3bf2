// Fewer points per stroke: Ramer-Douglas-Peucker (Ramer 1972; Douglas and Peucker 1973).
#pragma once

#include <limits>
#include <vector>

#include "formats/strokes.h"

namespace hone {

// Keeps both ends; splits at the point farthest from the line through the ends while that distance is more than
// `epsilon` (in the sketch's own units). Where the ends coincide the distance to that point counts.
Stroke simplify(const Stroke& stroke, double epsilon);
Sketch simplify(const Sketch& sketch, double epsilon);

// The smallest epsilon, the same for every stroke, that leaves at most `max_points` points. Where even two points a
// stroke are too many, the shortest strokes go too. max_points of 0 counts as 1.
Sketch simplify_to(const Sketch& sketch, size_t max_points);

// What simplification is made of. The algorithm splits at the same points whatever epsilon is; a larger one only stops
// earlier. significance()[i] is the epsilon from which on point i is gone: infinite at the ends. Points whose value is
// not above `floor` may stand at 0.
std::vector<double> significance(const Stroke& stroke, double floor = 0);

}  // namespace hone
