#include "data/question_scenes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "data/shuffle.h"

namespace hone::scenes {

namespace {

enum Kind : size_t { kShape, kColour, kCount, kExists, kRelation, kCompare, kSize };
constexpr uint8_t kYes = 0, kNo = 1;
constexpr uint8_t kAny = 255;  // no shape, or no colour, is named

constexpr std::array<std::array<uint8_t, 3>, 8> kInks = {{{214, 40, 40}, {34, 150, 60}, {35, 80, 210}, {240, 215, 30}, {245, 130, 20}, {130, 45, 165}, {25, 25, 25}, {250, 250, 250}}};
constexpr int kCells = 3;  // things stand in the cells of a kCells x kCells board

// One less than a scene can hold: where all things are alike, little else can be asked, and the greatest number would be rare.
int most_count(int most_things) { return std::max(1, most_things - 1); }

uint8_t u8(size_t v) { return static_cast<uint8_t>(v); }

}  // namespace

Scene draw_scene(Rng& rng, int least, int most) {
  Scene scene;
  const size_t n = static_cast<size_t>(least) + rng.below(static_cast<uint64_t>(most - least) + 1);
  // Few colours and shapes in a scene make repeats, which counting needs, as likely as single things, which naming needs.
  const size_t colours = 1 + rng.below(n), shapes = 1 + rng.below(n);
  const Shuffle ink(kColours.size(), rng.next()), form(kShapes.size(), rng.next()), cell(kCells * kCells, rng.next());
  for (size_t i = 0; i < n; ++i) {
    Thing t;
    t.colour = u8(ink(rng.below(std::min(colours, kColours.size()))));
    t.shape = u8(form(rng.below(std::min(shapes, kShapes.size()))));
    t.large = rng.below(2) == 1;
    t.radius = static_cast<float>((t.large ? 0.125 : 0.07) + 0.02 * rng.uniform());
    const auto at = cell(i);
    const double room = 0.5 / kCells - t.radius - 0.01;
    t.x = static_cast<float>((static_cast<double>(at % kCells) + 0.5) / kCells + room * (2 * rng.uniform() - 1));
    t.y = static_cast<float>((static_cast<double>(at / kCells) + 0.5) / kCells + room * (2 * rng.uniform() - 1));
    t.shade = u8(rng.below(256));
    scene.things.push_back(t);
  }
  const auto base = static_cast<int>(120 + rng.below(80));
  for (uint8_t& c : scene.ground) c = static_cast<uint8_t>(base + static_cast<int>(rng.below(25)) - 12);
  scene.grain = static_cast<uint32_t>(rng.next());
  return scene;
}

namespace {

// Whether a point in the thing's own units (-1..1, y down) belongs to its shape.
bool inside(uint8_t shape, double x, double y) {
  const double r2 = x * x + y * y, ax = std::abs(x), ay = std::abs(y);
  switch (shape) {
    case 0: return r2 <= 1;
    case 1: return ax <= 0.86 && ay <= 0.86;
    case 2: return y <= 0.8 && y >= -0.95 && ax <= (y + 0.95) * 0.57;
    case 3: return (ax <= 0.32 && ay <= 0.98) || (ay <= 0.32 && ax <= 0.98);
    case 4: return r2 <= 1 && r2 >= 0.3;
    default: return ax + ay <= 1.05;
  }
}

}  // namespace

Image render(const Scene& scene, int side) {
  constexpr int kSub = 4;  // samples a pixel's side
  const auto n = static_cast<size_t>(side);
  Image image{side, side, std::vector<uint8_t>(3 * n * n)};
  for (size_t i = 0; i < n * n; ++i) {
    const int noise = static_cast<int>(scramble(uint64_t{scene.grain} << 32 | i) % 9) - 4;
    for (size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = static_cast<uint8_t>(scene.ground[c] + noise);
  }
  for (const Thing& t : scene.things) {
    const double cx = t.x * side, cy = t.y * side, r = t.radius * side;
    const int x0 = std::max(0, static_cast<int>(cx - r) - 1), x1 = std::min(side - 1, static_cast<int>(cx + r) + 1);
    const int y0 = std::max(0, static_cast<int>(cy - r) - 1), y1 = std::min(side - 1, static_cast<int>(cy + r) + 1);
    for (int y = y0; y <= y1; ++y)
      for (int x = x0; x <= x1; ++x) {
        int hits = 0;
        for (int s = 0; s < kSub * kSub; ++s)
          hits += inside(t.shape, (x + (s % kSub + 0.5) / kSub - cx) / r, (y + (s / kSub + 0.5) / kSub - cy) / r);
        uint8_t* p = image.pixels.data() + 3 * (static_cast<size_t>(y) * n + static_cast<size_t>(x));
        for (size_t c = 0; c < 3; ++c) {
          const int ink = kInks[t.colour][c], shaded = std::clamp(ink + (t.shade - 128) * 18 / 128, 0, 255);
          p[c] = static_cast<uint8_t>((p[c] * (kSub * kSub - hits) + shaded * hits) / (kSub * kSub));
        }
      }
  }
  return image;
}

const std::vector<std::string>& kinds() {
  static const std::vector<std::string> names = {"shape", "colour", "count", "exists", "relation", "compare", "size"};
  return names;
}

std::vector<std::string> answers_of(size_t kind, int most_things) {
  switch (kind) {
    case kShape: return kShapes;
    case kColour: return kColours;
    case kCount: {
      std::vector<std::string> out;
      for (int i = 0; i <= most_count(most_things); ++i) out.push_back(std::to_string(i));
      return out;
    }
    case kSize: return {"small", "large"};
    default: return {"yes", "no"};
  }
}

namespace {

bool is(const Thing& t, uint8_t shape, uint8_t colour) { return (shape == kAny || t.shape == shape) && (colour == kAny || t.colour == colour); }

size_t count(const Scene& s, uint8_t shape, uint8_t colour) {
  return static_cast<size_t>(std::ranges::count_if(s.things, [&](const Thing& t) { return is(t, shape, colour); }));
}

// Every way of naming things: by colour, by shape, by both.
template <class F>
void for_each_name(F&& f) {
  for (size_t c = 0; c < kColours.size(); ++c) f(kAny, u8(c));
  for (size_t s = 0; s < kShapes.size(); ++s) {
    f(u8(s), kAny);
    for (size_t c = 0; c < kColours.size(); ++c) f(u8(s), u8(c));
  }
}

// The shortest name that only this thing has: shape, colour, or both; false when not even both tell it apart.
bool name(const Scene& scene, const Thing& t, bool both, uint8_t& shape, uint8_t& colour) {
  shape = t.shape;
  colour = t.colour;
  if (count(scene, t.shape, t.colour) != 1) return false;
  if (both) return true;
  if (count(scene, t.shape, kAny) == 1) colour = kAny;
  else if (count(scene, kAny, t.colour) == 1) shape = kAny;
  return true;
}

}  // namespace

void list_questions(const Scene& scene, size_t kind, int most_things, std::vector<Ask>& out) {
  const auto add = [&](size_t answer, uint8_t form, uint8_t a = kAny, uint8_t b = kAny, uint8_t c = kAny, uint8_t d = kAny) { out.push_back({u8(kind), u8(answer), form, {a, b, c, d}}); };
  const auto yes_no = [](bool yes) { return yes ? kYes : kNo; };
  switch (kind) {
    case kShape:
      for (const Thing& t : scene.things)
        if (count(scene, kAny, t.colour) == 1) add(t.shape, 0, kAny, t.colour);
      return;
    case kColour:
      for (const Thing& t : scene.things)
        if (count(scene, t.shape, kAny) == 1) add(t.colour, 0, t.shape, kAny);
      if (scene.things.size() == 1) add(scene.things[0].colour, 0, kAny, kAny);
      return;
    case kCount:
      for_each_name([&](uint8_t shape, uint8_t colour) {
        const size_t n = count(scene, shape, colour);
        if (n <= static_cast<size_t>(most_count(most_things)) && (shape == kAny || colour == kAny)) add(n, 0, shape, colour);
      });
      return;
    case kExists: for_each_name([&](uint8_t shape, uint8_t colour) { add(yes_no(count(scene, shape, colour) > 0), 0, shape, colour); }); return;
    case kRelation:
      for (const Thing& t : scene.things)
        for (const Thing& o : scene.things) {
          Ask ask{u8(kind), 0, 0, {}};
          if (&t == &o || !name(scene, t, false, ask.a[0], ask.a[1]) || !name(scene, o, false, ask.a[2], ask.a[3])) continue;
          // Only where it is plain to see.
          const std::array<float, 4> by = {o.x - t.x, t.x - o.x, o.y - t.y, t.y - o.y};
          for (uint8_t form = 0; form < 4; ++form)
            if (std::abs(by[form]) > 0.17f) out.push_back({u8(kind), yes_no(by[form] > 0), form, {ask.a[0], ask.a[1], ask.a[2], ask.a[3]}});
        }
      return;
    case kCompare:
      for (size_t i = 0; i < kColours.size(); ++i)
        for (size_t j = 0; j < kColours.size(); ++j)
          if (const size_t a = count(scene, kAny, u8(i)), b = count(scene, kAny, u8(j)); i != j && a + b > 0) add(yes_no(a > b), 0, kAny, u8(i), kAny, u8(j));
      for (size_t i = 0; i < kShapes.size(); ++i)
        for (size_t j = 0; j < kShapes.size(); ++j)
          if (const size_t a = count(scene, u8(i), kAny), b = count(scene, u8(j), kAny); i != j && a + b > 0) add(yes_no(a > b), 0, u8(i), kAny, u8(j), kAny);
      for (const Thing& t : scene.things)
        for (const Thing& o : scene.things)
          if (t.shape < o.shape && count(scene, t.shape, kAny) == 1 && count(scene, o.shape, kAny) == 1) add(yes_no(t.colour == o.colour), 1, t.shape, kAny, o.shape, kAny);
      return;
    case kSize:
      for (const Thing& t : scene.things) {
        uint8_t shape = 0, colour = 0;
        if (name(scene, t, false, shape, colour)) add(t.large, 0, shape, colour);
      }
      return;
    default: return;
  }
}

namespace {

std::string noun(uint8_t shape, uint8_t colour) {
  const std::string thing = shape == kAny ? "shape" : kShapes[shape];
  return colour == kAny ? thing : kColours[colour] + " " + thing;
}
std::string nouns(uint8_t shape, uint8_t colour) {
  return noun(shape, colour) + (shape != kAny && kShapes[shape].ends_with('s') ? "es" : "s");
}
std::string a(const std::string& noun) { return (std::string("aeiou").find(noun[0]) != std::string::npos ? "an " : "a ") + noun; }

}  // namespace

int naming(const Ask& ask) { return (ask.a[1] != kAny ? 1 : 0) + (ask.a[0] != kAny ? 2 : 0); }

std::vector<int> namings_of(size_t kind) {
  if (kind == kExists) return {1, 2, 3};
  if (kind == kCount || kind == kCompare) return {1, 2};
  return {-1};
}

std::string in_words(Ask& ask, Rng& rng) {
  const auto one_of = [&](std::initializer_list<std::string> forms) { return *(forms.begin() + rng.below(forms.size())); };
  const std::string first = noun(ask.a[0], ask.a[1]), second = noun(ask.a[2], ask.a[3]);
  switch (ask.kind) {
    case kShape: return one_of({"what is the " + first + "?", "which shape is " + kColours[ask.a[1]] + "?", "what shape is the " + kColours[ask.a[1]] + " one?"});
    case kColour: return one_of({"what color is the " + first + "?", "what is the color of the " + first + "?", "the " + first + " has which color?"});
    case kCount: {
      const std::string many = nouns(ask.a[0], ask.a[1]);
      return one_of({"how many " + many + " are there?", "what is the number of " + many + "?", "how many " + many + " does the image contain?"});
    }
    case kExists: {
      if (rng.below(4) == 0) {
        ask.answer = ask.answer == kYes ? kNo : kYes;
        return one_of({"is there no " + first + " in the image?", "does the image not contain " + a(first) + "?"});
      }
      return one_of({"is there " + a(first) + "?", "does the image contain " + a(first) + "?", "is " + a(first) + " present?"});
    }
    case kRelation: {
      static const std::array<const char*, 4> kWhere = {"left of", "right of", "above", "below"};
      return one_of({"is the " + first + " " + kWhere[ask.form] + " the " + second + "?", "does the " + first + " stand " + kWhere[ask.form] + " the " + second + "?"});
    }
    case kCompare:
      if (ask.form == 1) return one_of({"is the " + first + " the same color as the " + second + "?", "do the " + first + " and the " + second + " have the same color?"});
      return one_of({"are there more " + nouns(ask.a[0], ask.a[1]) + " than " + nouns(ask.a[2], ask.a[3]) + "?", "does the image contain more " + nouns(ask.a[0], ask.a[1]) + " than " + nouns(ask.a[2], ask.a[3]) + "?"});
    default: return one_of({"is the " + first + " large or small?", "what size is the " + first + "?"});
  }
}

}  // namespace hone::scenes
