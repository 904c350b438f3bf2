#include "formats/svg_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "formats/strokes_read.h"

namespace hone {
namespace svg {

namespace {

bool blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }
Point operator+(const Point& a, const Point& b) { return {a.x + b.x, a.y + b.y}; }
Point operator-(const Point& a, const Point& b) { return {a.x - b.x, a.y - b.y}; }
Point operator*(double s, const Point& p) { return {s * p.x, s * p.y}; }
double length(const Point& p) { return std::hypot(p.x, p.y); }

constexpr double kMostChords = 100;  // of one curve: enough for one as large as the frame; larger ones lie outside

// Takes path commands in user units, keeps chords in mapped units.
class Pen {
 public:
  Pen(const Affine& map, double tolerance) : map_(map), tolerance_(tolerance) {}

  void move(const Point& p) {
    start_ = at_ = p;
    open_ = false;
  }
  void line(const Point& p) {
    begin();
    put(p);
    at_ = p;
  }
  void close() {
    begin();
    if (at_ != start_) put(start_);
    at_ = start_;
    open_ = false;
  }
  // Number of equal steps by Wang's bound: second differences of the control points over the tolerance.
  void cubic(const Point& p1, const Point& p2, const Point& p3) {
    begin();
    const Point p0 = at_;
    const double bend = std::max(length(linear(p0 - 2 * p1 + p2)), length(linear(p1 - 2 * p2 + p3)));
    const double steps = std::clamp(std::ceil(std::sqrt(0.75 * bend / tolerance_)), 1.0, kMostChords);
    for (double i = 1; i < steps; ++i) {
      const double t = i / steps, u = 1 - t;
      put(u * u * u * p0 + 3 * u * u * t * p1 + 3 * u * t * t * p2 + t * t * t * p3);
    }
    put(p3);
    at_ = p3;
  }
  void quadratic(const Point& c, const Point& p) { cubic(at_ + (2.0 / 3) * (c - at_), p + (2.0 / 3) * (c - p), p); }
  // SVG 1.1, appendix F.6: the centre from the end points, then at most a quarter turn per cubic.
  void arc(double rx, double ry, double degrees, bool large, bool sweep, const Point& to) {
    rx = std::abs(rx);
    ry = std::abs(ry);
    if (to == at_) return;
    if (rx == 0 || ry == 0) return line(to);
    const double phi = degrees * M_PI / 180, cos = std::cos(phi), sin = std::sin(phi);
    const Point half = 0.5 * (at_ - to), p{cos * half.x + sin * half.y, -sin * half.x + cos * half.y};
    const double over = p.x * p.x / (rx * rx) + p.y * p.y / (ry * ry);
    if (over > 1) rx *= std::sqrt(over), ry *= std::sqrt(over);
    const double below = rx * rx * p.y * p.y + ry * ry * p.x * p.x;
    const double root = below > 0 ? std::sqrt(std::max(0.0, rx * rx * ry * ry / below - 1)) * (large == sweep ? -1 : 1) : 0;
    const Point c{root * rx * p.y / ry, -root * ry * p.x / rx};
    const Point centre{cos * c.x - sin * c.y + (at_.x + to.x) / 2, sin * c.x + cos * c.y + (at_.y + to.y) / 2};
    const double from = std::atan2((p.y - c.y) / ry, (p.x - c.x) / rx);
    double turn = std::atan2((-p.y - c.y) / ry, (-p.x - c.x) / rx) - from;
    if (sweep && turn < 0) turn += 2 * M_PI;
    if (!sweep && turn > 0) turn -= 2 * M_PI;
    if (!std::isfinite(from + turn)) return line(to);
    const int parts = std::max(1, static_cast<int>(std::ceil(std::abs(turn) / (M_PI / 2) - 1e-9)));
    const double step = turn / parts, k = 4.0 / 3 * std::tan(step / 4);
    const auto on = [&](double x, double y) { return Point{centre.x + cos * rx * x - sin * ry * y, centre.y + sin * rx * x + cos * ry * y}; };
    for (int i = 0; i < parts; ++i) {
      const double t0 = from + i * step, t1 = t0 + step, c0 = std::cos(t0), s0 = std::sin(t0), c1 = std::cos(t1), s1 = std::sin(t1);
      cubic(on(c0 - k * s0, s0 + k * c0), on(c1 + k * s1, s1 - k * c1), i + 1 == parts ? to : on(c1, s1));
    }
  }

  const Point& at() const { return at_; }
  bool finite() const { return finite_; }
  std::vector<Stroke> take() { return std::move(out_); }

 private:
  void begin() {
    if (open_) return;
    open_ = true;
    out_.emplace_back();
    put(at_);
  }
  void put(const Point& p) {
    const Point q = map_(p);
    finite_ = finite_ && std::isfinite(q.x) && std::isfinite(q.y);
    out_.back().push_back(q);
  }
  Point linear(const Point& v) const { return {map_.a * v.x + map_.c * v.y, map_.b * v.x + map_.d * v.y}; }

  const Affine map_;
  const double tolerance_;
  std::vector<Stroke> out_;
  Point at_, start_;
  bool open_ = false, finite_ = true;
};

}  // namespace

void Numbers::skip_blanks() {
  while (!done() && (blank(peek()) || peek() == ',')) next();
}

bool Numbers::number(double& out) {
  skip_blanks();
  size_t begin = at_;
  if (begin < text_.size() && text_[begin] == '+') ++begin;  // from_chars takes no plus
  const char* first = text_.data() + begin;
  if (begin < text_.size() && !(*first == '-' || *first == '.' || (*first >= '0' && *first <= '9'))) return false;  // nor do we take "inf"
  const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), out);
  if (error != std::errc() || !std::isfinite(out)) return false;
  at_ = static_cast<size_t>(end - text_.data());
  return true;
}

bool Numbers::flag(bool& out) {
  skip_blanks();
  if (peek() != '0' && peek() != '1') return false;
  out = peek() == '1';
  next();
  return true;
}

Result<Affine> parse_transform(std::string_view text, const std::string& source) {
  Affine out;
  const auto bad = [&](std::string_view what) { return fail(Code::invalid, fmt::format("transform '{}' is not understood", what), source); };
  for (size_t at = 0;;) {
    while (at < text.size() && (blank(text[at]) || text[at] == ',')) ++at;
    if (at == text.size()) return out;
    const size_t open = text.find('(', at), close = text.find(')', at);
    if (open == text.npos || close == text.npos || close < open) return bad(text.substr(at, 40));
    std::string_view name = text.substr(at, open - at);
    while (!name.empty() && blank(name.back())) name.remove_suffix(1);
    double v[6];
    size_t n = 0;
    Numbers numbers(text.substr(open + 1, close - open - 1));
    while (n < 6 && numbers.number(v[n])) ++n;
    numbers.skip_blanks();
    const std::string_view whole = text.substr(at, std::min<size_t>(close + 1 - at, 80));
    if (!numbers.done() || n == 0) return bad(whole);
    const double turn = v[0] * M_PI / 180;
    Affine next;
    if (name == "matrix" && n == 6) next = {v[0], v[1], v[2], v[3], v[4], v[5]};
    else if (name == "translate" && n <= 2) next = {1, 0, 0, 1, v[0], n > 1 ? v[1] : 0};
    else if (name == "scale" && n <= 2) next = {v[0], 0, 0, n > 1 ? v[1] : v[0], 0, 0};
    else if (name == "rotate" && n == 1) next = {std::cos(turn), std::sin(turn), -std::sin(turn), std::cos(turn), 0, 0};
    else if (name == "rotate" && n == 3) next = Affine{1, 0, 0, 1, v[1], v[2]} * Affine{std::cos(turn), std::sin(turn), -std::sin(turn), std::cos(turn), 0, 0} * Affine{1, 0, 0, 1, -v[1], -v[2]};
    else if (name == "skewX" && n == 1) next = {1, 0, std::tan(turn), 1, 0, 0};
    else if (name == "skewY" && n == 1) next = {1, std::tan(turn), 0, 1, 0, 0};
    else return bad(whole);
    out = out * next;
    at = close + 1;
  }
}

Result<std::vector<Stroke>> parse_path(std::string_view data, const Affine& map, double tolerance, const std::string& source) {
  Pen pen(map, tolerance);
  Numbers in(data);
  char command = 0, before = 0;  // upper case of the one before
  Point control;                 // last control point, for S and T
  const auto bad = [&](const char* what) { return fail(Code::invalid, fmt::format("path data: {} at character {}", what, in.at()), source); };
  while (in.skip_blanks(), !in.done()) {
    if (const char c = in.peek(); std::string_view("MmLlHhVvCcSsQqTtAaZz").find(c) != std::string_view::npos) {
      command = c;
      in.next();
    } else if (command == 0 || command == 'Z' || command == 'z') {
      return bad("a command is expected");
    }
    if (before == 0 && command != 'M' && command != 'm') return bad("a path starts with M");
    const char kind = static_cast<char>(command & ~0x20);
    const Point origin = command == kind ? Point{} : pen.at();
    double v[6];
    bool flags[2] = {};
    const size_t count = kind == 'Z' ? 0 : kind == 'H' || kind == 'V' ? 1 : kind == 'C' ? 6 : kind == 'S' || kind == 'Q' ? 4 : kind == 'A' ? 5 : 2;
    for (size_t i = 0; i < count; ++i) {
      if (kind == 'A' && i == 3 && !(in.flag(flags[0]) && in.flag(flags[1]))) return bad("an arc's flag is expected");
      if (!in.number(v[i])) return bad("a number is expected");
    }
    const auto point = [&](size_t i) { return origin + Point{v[i], v[i + 1]}; };
    const auto mirrored = [&](bool same) { return same ? pen.at() + (pen.at() - control) : pen.at(); };
    switch (kind) {
      case 'M':
        pen.move(point(0));
        command = command == 'M' ? 'L' : 'l';  // further pairs are lines
        break;
      case 'L': pen.line(point(0)); break;
      case 'H': pen.line({origin.x + v[0], pen.at().y}); break;
      case 'V': pen.line({pen.at().x, origin.y + v[0]}); break;
      case 'C': control = point(2); pen.cubic(point(0), control, point(4)); break;
      case 'S': {
        const Point first = mirrored(before == 'C' || before == 'S');
        control = point(0);
        pen.cubic(first, control, point(2));
        break;
      }
      case 'Q': control = point(0); pen.quadratic(control, point(2)); break;
      case 'T': control = mirrored(before == 'Q' || before == 'T'); pen.quadratic(control, point(0)); break;
      case 'A': pen.arc(v[0], v[1], v[2], flags[0], flags[1], point(3)); break;
      default: pen.close(); break;
    }
    before = kind;
    if (!pen.finite()) return bad("coordinates overflow");
  }
  return pen.take();
}

}  // namespace svg

Result<std::vector<Stroke>> parse_svg_path(std::string_view data, double tolerance, const std::string& source) { return svg::parse_path(data, {}, tolerance, source); }

}  // namespace hone
