// Scenes of coloured shapes, and the questions that they answer: what the procedural set (questions_procedural.h) is made of.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/rng.h"
#include "formats/image.h"

namespace hone::scenes {

inline const std::vector<std::string> kShapes = {"circle", "square", "triangle", "cross", "ring", "diamond"};
inline const std::vector<std::string> kColours = {"red", "green", "blue", "yellow", "orange", "purple", "black", "white"};

struct Thing {
  uint8_t shape = 0, colour = 0;
  bool large = false;
  float x = 0, y = 0, radius = 0;  // in units of the picture's side
  uint8_t shade = 0;               // 0..255: how its colour differs from the pure one
};
struct Scene {
  std::vector<Thing> things;  // none overlap
  uint8_t ground[3] = {};     // colour behind them
  uint32_t grain = 0;         // seed of the ground's noise
};

Scene draw_scene(Rng& rng, int least, int most);
// Anti-aliased, side x side. Uses no function that machines compute differently.
Image render(const Scene& scene, int side);

// A question that a scene answers, before it is put into words.
struct Ask {
  uint8_t kind = 0;    // index into kinds()
  uint8_t answer = 0;  // index into answers_of(kind)
  uint8_t form = 0;    // what it asks about, by kind
  uint8_t a[4] = {};   // shapes and colours that it names
};
const std::vector<std::string>& kinds();
std::vector<std::string> answers_of(size_t kind, int most_things);

// All questions of a kind that make sense in a scene, each once.
void list_questions(const Scene& scene, size_t kind, int most_things, std::vector<Ask>& out);
// How its first thing is named: 1 by colour, 2 by shape, 3 by both, 0 not at all.
int naming(const Ask& ask);
// The namings that a kind's answers go with: drawn before the answer, so that how a question names things says nothing about
// it. {-1} where the scene alone decides.
std::vector<int> namings_of(size_t kind);

// In words; `rng` chooses between equivalent ones, and may turn a yes into a no by asking for the opposite.
std::string in_words(Ask& ask, Rng& rng);

}  // namespace hone::scenes
