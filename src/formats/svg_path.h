// The geometry of SVG 1.1: affine maps and path data as chords.
#pragma once

#include <string_view>
#include <vector>

#include "formats/strokes.h"

namespace hone::svg {

// x' = a x + c y + e, y' = b x + d y + f.
struct Affine {
  double a = 1, b = 0, c = 0, d = 1, e = 0, f = 0;
  Point operator()(const Point& p) const { return {a * p.x + c * p.y + e, b * p.x + d * p.y + f}; }
  // This map after `inner`.
  Affine operator*(const Affine& inner) const {
    return {a * inner.a + c * inner.b, b * inner.a + d * inner.b, a * inner.c + c * inner.d, b * inner.c + d * inner.d, a * inner.e + c * inner.f + e, b * inner.e + d * inner.f + f};
  }
};

// The numbers of a list, separated by blanks or commas; stops at the first thing that is none. `flag` reads one digit.
class Numbers {
 public:
  explicit Numbers(std::string_view text) : text_(text) {}
  void skip_blanks();
  bool number(double& out);
  bool flag(bool& out);
  bool done() const { return at_ == text_.size(); }
  char peek() const { return done() ? '\0' : text_[at_]; }
  void next() { ++at_; }
  size_t at() const { return at_; }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

// "translate(2 3) scale(.5)": the left one applied last.
Result<Affine> parse_transform(std::string_view text, const std::string& source);
// Chords of the path's lines, mapped; they leave the curves by at most `tolerance` in the units mapped to.
Result<std::vector<Stroke>> parse_path(std::string_view data, const Affine& map, double tolerance, const std::string& source);

}  // namespace hone::svg
