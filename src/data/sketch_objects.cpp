#include "data/sketch_objects.h"

#include <cmath>

#include "data/sketch_builder.h"

namespace hone::procedural {

namespace {

// Named access to traits: range(i, a, b) is shape trait i between a and b; pick(i, n) one of n forms.
struct Reader {
  const Traits& t;
  double range(size_t i, double a, double b) const { return mix(a, b, t.shape[i]); }
  int pick(size_t i, int n) const { return std::min(n - 1, static_cast<int>(t.choice[i] * n)); }
  Color wood() const { return mixed({0.50, 0.32, 0.18}, {0.86, 0.68, 0.46}, t.look[0]); }
  Color paint(size_t i = 1) const { return hue(t.look[i], 0.25 + 0.55 * t.look[i + 1], 0.45 + 0.5 * t.look[i + 2]); }
  static Color mixed(Color a, Color b, double k) { return {mix(a.r, b.r, k), mix(a.g, b.g, k), mix(a.b, b.b, k)}; }
};

Object chair(const Reader& r) {
  const double w = r.range(0, 0.75, 1.15), d = r.range(1, 0.7, 1.0), thick = r.range(2, 0.06, 0.2), leg = r.range(3, 0.5, 1.0), post = r.range(4, 0.05, 0.13), back = r.range(5, 0.45, 1.25);
  const double lean = r.range(6, 0.0, 0.32), splay = r.range(7, 0.0, 0.14);
  const bool soft = r.pick(1, 2) == 0;
  const Builder::Solid frame{r.pick(2, 3) == 0 ? r.paint() : r.wood(), r.pick(2, 3) == 0 ? Texture::plain : Texture::wood, 1, true};
  const Builder::Solid seat{soft ? r.paint(4) : frame.color, soft ? Texture::cloth : frame.texture};
  Builder b(mix(-0.75, 0.75, r.t.shape[8]), mix(0.22, 0.42, r.t.shape[9]));
  const double x = w / 2 - post / 2, z = d / 2 - post / 2;
  for (const double sx : {-1.0, 1.0})
    for (const double sz : {-1.0, 1.0}) b.box(Box::between({sx * (x + splay), 0, sz * (z + splay)}, post * 0.8, post * 0.8, {sx * x, leg, sz * z}, post, post), frame);
  b.box(Box::upright({0, leg + thick / 2, 0}, w, thick, d), seat);
  const double base = leg + thick;
  const auto along = [&](double h) { return -z - lean * h / back; };  // the back's z at a height above the seat
  const auto slat = [&](double x0, double h0, double h1, double width, double deep) {
    return Box::between({x0, base + h0, along(h0)}, width, deep, {x0, base + h1, along(h1)}, width, deep);
  };
  const int form = r.pick(0, 4);
  if (form == 0) {  // a panel
    b.box(slat(0, 0.02, back, w, post), {seat.color, seat.texture});
  } else {
    for (const double sx : {-1.0, 1.0}) b.box(slat(sx * x, 0, back, post, post), frame);
    const double rail = r.range(10, 0.08, 0.24);
    b.box(slat(0, back - rail, back, w - 2 * post, post * 0.8), {frame.color, frame.texture});
    if (form == 1) {  // uprights
      const int n = 2 + r.pick(3, 4);
      for (int i = 1; i <= n; ++i) b.box(slat((i / (n + 1.0) - 0.5) * (w - post), 0, back - rail, 0.05, 0.04), {frame.color, frame.texture, 0.8, true});
    } else if (form == 2) {  // rails across
      const int n = 1 + r.pick(3, 3);
      for (int i = 0; i < n; ++i) {
        const double h = back * (0.25 + 0.5 * i / n);
        b.box(slat(0, h, h + rail * 0.6, w - 2 * post, post * 0.6), {frame.color, frame.texture, 0.8});
      }
    } else {  // a cushion between the posts
      b.box(slat(0, back * 0.25, back - rail, w - 2 * post, post * 1.3), {r.paint(4), Texture::cloth, 0.85});
    }
  }
  if (r.pick(4, 3) == 0) {
    const double high = r.range(11, 0.25, 0.45);
    for (const double sx : {-1.0, 1.0}) {
      b.box(Box::upright({sx * x, base + high / 2, z * 0.8}, post, high, post), frame);
      b.box(Box::upright({sx * x, base + high, -0.02}, post * 1.3, post, d), frame);
    }
  }
  if (r.pick(5, 3) == 0) {
    const double h = leg * r.range(12, 0.25, 0.5);
    for (const double sx : {-1.0, 1.0}) b.box(Box::upright({sx * (x + splay * 0.6), h, 0}, post * 0.6, post * 0.6, d - post), {frame.color, frame.texture, 0.6, true});
    b.box(Box::upright({0, h, 0}, w, post * 0.6, post * 0.6), {frame.color, frame.texture, 0.6, true});
  }
  return b.finish();
}

Object table(const Reader& r) {
  const double w = r.range(0, 1.2, 2.2), d = r.range(1, 0.6, 1.1), thick = r.range(2, 0.05, 0.14), leg = r.range(3, 0.5, 1.1), post = r.range(4, 0.06, 0.16), inset = r.range(5, 0.0, 0.2), splay = r.range(6, -0.05, 0.15);
  const Builder::Solid wood{r.wood(), Texture::wood}, legs{r.pick(2, 2) == 0 ? r.paint() : r.wood(), r.pick(2, 2) == 0 ? Texture::plain : Texture::wood, 1, true};
  Builder b(mix(-0.6, 0.6, r.t.shape[8]), mix(0.25, 0.45, r.t.shape[9]));
  const double x = w / 2 - post / 2 - inset, z = d / 2 - post / 2 - inset * 0.5;
  const int form = r.pick(0, 3);
  for (const double sx : {-1.0, 1.0})
    if (form == 2) b.box(Box::upright({sx * x, leg / 2, 0}, post * 0.8, leg, d * 0.85), wood);  // boards as sides
    else
      for (const double sz : {-1.0, 1.0}) b.box(Box::between({sx * (x + splay), 0, sz * (z + splay * 0.5)}, post * 0.7, post * 0.7, {sx * x, leg, sz * z}, post, post), legs);
  b.box(Box::upright({0, leg + thick / 2, 0}, w, thick, d), wood);
  const double skirt = r.range(7, 0.1, 0.28);
  if (r.pick(1, 3) > 0) {
    const double sw = 2 * x - post * 0.2, y = leg - skirt / 2, front = z + 0.02;
    b.box(Box::upright({0, y, 0}, sw, skirt, 2 * z), {scaled(wood.color, 0.93), Texture::wood, 0.9});
    const int drawers = 1 + r.pick(3, 3);
    for (int i = 0; i < drawers; ++i) {
      const double c = ((i + 0.5) / drawers - 0.5) * sw, half = sw / drawers * 0.42;
      b.face({{c - half, y - skirt * 0.36, front}, {c + half, y - skirt * 0.36, front}, {c + half, y + skirt * 0.36, front}, {c - half, y + skirt * 0.36, front}}, {wood.color, Texture::wood, 0.6}, 0.5);
      b.face({{c - 0.035, y - 0.03, front}, {c + 0.035, y - 0.03, front}, {c + 0.035, y + 0.03, front}, {c - 0.035, y + 0.03, front}}, {{0.25, 0.22, 0.2}, Texture::plain, 0.35}, 0.6);
    }
  }
  if (r.pick(4, 2) == 0) b.box(Box::upright({0, leg * r.range(10, 0.15, 0.45), 0}, 2 * x, thick * 0.7, 2 * z), {wood.color, Texture::wood, 0.75});
  return b.finish();
}

Object house(const Reader& r) {
  const double w = r.range(0, 1.0, 1.7), d = r.range(1, 0.7, 1.2), h = r.range(2, 0.6, 1.2), roof = r.range(3, 0.3, 0.85), over = r.range(4, 0.03, 0.16);
  const Builder::Solid walls{Reader::mixed(r.paint(), {0.92, 0.88, 0.8}, 0.55), r.pick(0, 2) == 0 ? Texture::brick : Texture::plain};
  const Builder::Solid tiles{hue(mix(-0.03, 0.09, r.t.look[4]) + 1, 0.5 + 0.3 * r.t.look[5], 0.4 + 0.3 * r.t.look[6]), Texture::scales};
  const double side = r.t.shape[8] < 0.5 ? -1 : 1;
  Builder b(side * mix(0.3, 0.6, std::abs(2 * r.t.shape[8] - 1)), mix(0.12, 0.3, r.t.shape[9]));
  b.box(Box::upright({0, h / 2, 0}, w, h, d), walls);
  // The roof's ridge runs along the front or across it.
  const bool across = r.pick(1, 2) == 0;
  const Point3 c{0, h, 0};
  if (across) b.box(Box::between(c, w + 2 * over, d + 2 * over, {0, h + roof, 0}, 0.001, d + 2 * over), tiles);
  else b.box(Box::between(c, w + 2 * over, d + 2 * over, {0, h + roof, 0}, (w + 2 * over) * r.range(10, 0.5, 1.0), 0.001), tiles);
  const double front = d / 2 + 0.005;
  const auto plate = [&](double x, double y, double pw, double ph, const Builder::Solid& how, double lift) {
    b.face({{x - pw / 2, y - ph / 2, front}, {x + pw / 2, y - ph / 2, front}, {x + pw / 2, y + ph / 2, front}, {x - pw / 2, y + ph / 2, front}}, how, lift);
  };
  const Color glass{0.45, 0.6, 0.72}, trim{0.95, 0.94, 0.9};
  const double dh = h * r.range(5, 0.42, 0.62), dw = r.range(6, 0.16, 0.28), dx = r.range(7, -0.32, 0.32) * w;
  plate(dx, dh / 2, dw, dh, {r.paint(5), Texture::wood, 0.95}, 1);
  plate(dx + dw * 0.3, dh * 0.48, 0.035, 0.035, {{0.85, 0.75, 0.3}, Texture::plain, 0.3}, 1.1);
  const int windows = 1 + r.pick(2, 3), rows = h > 0.9 ? 2 : 1;
  const double size = r.range(11, 0.14, 0.22);
  for (int row = 0; row < rows; ++row)
    for (int i = 0; i < windows; ++i) {
      const double x = ((i + 0.5) / windows - 0.5) * w, y = rows == 2 ? h * (row == 0 ? 0.34 : 0.76) : h * 0.6;
      if (std::abs(x - dx) < (dw + size) * 0.62 && y - size * 0.6 < dh) continue;
      plate(x, y, size + 0.04, size * 1.15 + 0.04, {trim, Texture::plain, 0.85}, 1);
      plate(x, y, size, size * 1.15, {glass, Texture::plain, 0.4}, 1.1);
      plate(x - size * 0.25, y, size * 0.46, size * 1.1, {scaled(glass, 1.12), Texture::plain, 0.25}, 1.2);
    }
  if (r.pick(3, 3) > 0) {
    const double x = r.range(12, 0.15, 0.34) * w * (r.pick(4, 2) == 0 ? 1 : -1), high = r.range(13, 0.15, 0.35), thick = r.range(14, 0.12, 0.2);
    b.box(Box::upright({x, h + roof * 0.6 + high / 2, across ? 0.0 : d * 0.12}, thick, high + roof * 0.4, thick), {{0.6, 0.34, 0.27}, Texture::brick, 0.8});
  }
  return b.finish();
}

Object lamp(const Reader& r) {
  Painter p;
  const double h = r.range(0, 1.3, 2.4), base = r.range(1, 0.22, 0.5), top = r.range(2, 0.12, 0.5), bottom = r.range(3, 0.35, 0.75), shade = r.range(4, 0.4, 0.8), stem = r.range(5, 0.025, 0.08), tilt = r.range(6, 0.08, 0.24);
  const Color metal = r.pick(0, 2) == 0 ? Color{0.3, 0.3, 0.33} : r.wood(), cloth = Reader::mixed(r.paint(), {0.98, 0.93, 0.8}, 0.45);
  const double foot = r.range(7, 0.05, 0.14), ground = h;
  p.turned(0, {{ground - foot, base * r.range(8, 0.5, 1.0)}, {ground, base}}, tilt, metal);
  const int form = r.pick(1, 3);
  if (form == 0) {
    p.turned(0, {{shade * 0.9, stem}, {ground - foot, stem}}, tilt, metal);
  } else {  // a body: a jug or stacked balls
    std::vector<Point> profile;
    const double body = r.range(9, 0.12, 0.36), from = shade * 0.95, to = ground - foot * 0.8;
    for (int i = 0; i <= 24; ++i) {
      const double t = i / 24.0, bulge = form == 1 ? std::sin(M_PI * std::pow(t, r.range(10, 0.7, 2.0))) : std::abs(std::sin(3 * M_PI * t));
      profile.push_back({mix(from, to, t), stem + body * bulge * (form == 1 ? 1 : 0.6)});
    }
    p.turned(0, profile, 0.05, form == 1 ? r.paint(4) : metal, form == 1 ? Texture::speckle : Texture::plain);
  }
  std::vector<Point> profile;
  const double bend = r.range(11, -0.12, 0.16);
  for (int i = 0; i <= 12; ++i) profile.push_back({shade * i / 12, mix(top, bottom, i / 12.0) - bend * std::sin(M_PI * i / 12)});
  p.turned(0, profile, tilt, cloth, Texture::cloth, 1, true, {1, 0.96, 0.78});
  const int bands = r.pick(2, 3);
  for (int i = 0; i < bands; ++i) {
    const double y = shade * (i == 0 ? 0.88 : 0.12), t = y / shade, rad = mix(top, bottom, t) - bend * std::sin(M_PI * t);
    p.line(ellipse({0, y}, rad, rad * tilt, 0.1, M_PI - 0.1), false, 0.5);
  }
  if (r.pick(3, 2) == 0) {  // a chain to pull
    const double x = bottom * 0.5, y = shade + r.range(12, 0.12, 0.3);
    p.fill({{x - 0.008, shade}, {x + 0.008, shade}, {x + 0.008, y}, {x - 0.008, y}}, {0.6, 0.55, 0.4});
    p.line({{x, shade + bottom * tilt * 0.8}, {x, y}}, false, 0.55);
    p.shape(ellipse({x, y}, 0.03, 0.035), {0.8, 0.7, 0.4}, Shade::dome, Texture::plain, 0.4);
  }
  return p.object;
}

Object cup(const Reader& r) {
  Painter p;
  const double h = r.range(0, 0.7, 1.5), top = r.range(1, 0.42, 0.72), bottom = top * r.range(2, 0.5, 1.0), tilt = r.range(3, 0.14, 0.36), bend = r.range(4, -0.07, 0.12);
  const Color glaze = Reader::mixed(r.paint(), {0.97, 0.96, 0.94}, 0.25);
  const auto radius = [&](double t) { return mix(top, bottom, t) + bend * std::sin(M_PI * t); };
  const double side = r.pick(0, 2) == 0 ? 1 : -1, reach = r.range(5, 0.22, 0.5), y0 = h * r.range(6, 0.12, 0.3), y1 = h * r.range(7, 0.6, 0.88), thick = r.range(8, 0.05, 0.12);
  const double x0 = side * (radius(y0 / h) - 0.03), x1 = side * (radius(y1 / h) - 0.03), mid = (y0 + y1) / 2;
  const double square = r.range(9, 0.0, 1.0);
  const auto loop = [&](double inset) {
    return curve({{x0, y0 + inset}, {x0 + side * (reach * mix(0.6, 0.9, square) - inset * 0.7), y0 + inset + (mid - y0) * 0.08}, {mix(x0, x1, 0.5) + side * (reach - inset), mid}, {x1 + side * (reach * mix(0.45, 0.85, square) - inset * 0.7), y1 - inset - (y1 - mid) * 0.08}, {x1, y1 - inset}}, false);
  };
  Polygon ring = loop(0), inner = loop(thick);
  p.line(ring, false);
  p.line(inner, false, 0.8);
  ring.insert(ring.end(), inner.rbegin(), inner.rend());
  p.fill(ring, scaled(glaze, 0.93), Shade::dome);
  for (Line& l : p.object.lines) l.covered_from = p.object.parts.size();
  std::vector<Point> profile;
  for (int i = 0; i <= 16; ++i) profile.push_back({h * i / 16, radius(i / 16.0)});
  const int band = r.pick(1, 4);
  p.turned(0, profile, tilt, glaze, r.pick(2, 2) == 0 ? Texture::speckle : Texture::plain, 1, true, scaled(glaze, 0.7));
  p.fill(ellipse({0, h * 0.04 + 0.02}, top * 0.9, top * tilt * 0.78), r.pick(3, 2) == 0 ? Color{0.28, 0.17, 0.1} : Color{0.62, 0.45, 0.2}, Shade::fade);
  p.line(ellipse({0, h * 0.04 + 0.02}, top * 0.9, top * tilt * 0.78, 0, M_PI), false, 0.35);
  const auto across = [&](double t, double margin) { return ellipse({0, h * t}, radius(t) - margin, (radius(t) - margin) * tilt * mix(1, 0.8, t), 0.02, M_PI - 0.02); };
  if (band == 1 || band == 2) {  // stripes
    for (int i = 0; i < band; ++i) {
      const double t = r.range(10, 0.25, 0.5) + 0.24 * i, wide = r.range(11, 0.06, 0.16);
      Polygon stripe = across(t, 0), low = across(t + wide, 0);
      p.line(stripe, false, 0.6);
      p.line(low, false, 0.6);
      stripe.insert(stripe.end(), low.rbegin(), low.rend());
      p.fill(stripe, r.paint(4), Shade::tube);
      for (size_t k = p.object.lines.size() - 2; k < p.object.lines.size(); ++k) p.object.lines[k].covered_from = p.object.parts.size();
    }
  } else if (band == 3) {  // a heart of two arcs and a point
    const double s = top * r.range(10, 0.22, 0.42), y = h * 0.55 + top * tilt * 0.6;
    p.shape(curve({{0, y - s * 0.4}, {s * 0.5, y - s * 0.85}, {s, y - s * 0.3}, {s * 0.55, y + s * 0.4}, {0, y + s}, {-s * 0.55, y + s * 0.4}, {-s, y - s * 0.3}, {-s * 0.5, y - s * 0.85}}, true), r.paint(4), Shade::flat, Texture::plain, 0.75);
  }
  return p.object;
}

Object bottle(const Reader& r) {
  Painter p;
  const double h = r.range(0, 1.6, 2.6), body = r.range(1, 0.28, 0.55), neck = body * r.range(2, 0.22, 0.5), shoulder = r.range(3, 0.25, 0.55), slope = r.range(4, 0.06, 0.3), waist = r.range(5, -0.12, 0.08), foot = r.range(6, 0.8, 1.05), tilt = r.range(7, 0.08, 0.2);
  std::vector<Point> profile;
  for (int i = 0; i <= 32; ++i) {
    const double t = i / 32.0, s = 1 / (1 + std::exp(-(t - shoulder) / (slope * 0.25)));
    const double low = t > shoulder ? (t - shoulder) / (1 - shoulder) : 0;
    profile.push_back({h * t, mix(neck, body * mix(1, foot, low), s) + waist * body * std::sin(M_PI * low)});
  }
  const auto radius = [&](double t) { return profile[static_cast<size_t>(std::clamp(std::lround(t * 32), 0L, 32L))].y; };
  const Color glass = r.pick(0, 2) == 0 ? hue(mix(0.25, 0.5, r.t.look[1]), 0.55, 0.35 + 0.4 * r.t.look[2]) : r.paint();
  p.turned(0, profile, tilt, glass);
  const int labels = r.pick(1, 3);
  for (int i = 0; i < std::max(1, labels) && labels > 0; ++i) {
    const double t0 = i == 0 ? r.range(8, 0.55, 0.68) : shoulder * 0.35, t1 = t0 + (i == 0 ? r.range(9, 0.12, 0.28) : 0.08);
    Polygon up, down;
    for (int k = 0; k <= 24; ++k) {
      const double a = M_PI * k / 24;
      up.push_back({radius(t0) * std::cos(a), h * t0 + radius(t0) * tilt * std::sin(a)});
      down.push_back({radius(t1) * std::cos(a), h * t1 + radius(t1) * tilt * std::sin(a)});
    }
    p.line(up, false, 0.75);
    p.line(down, false, 0.75);
    Polygon outline = up;
    outline.insert(outline.end(), down.rbegin(), down.rend());
    p.fill(outline, Reader::mixed(r.paint(4), {0.96, 0.93, 0.85}, 0.5), Shade::tube);
    for (size_t k = p.object.lines.size() - 2; k < p.object.lines.size(); ++k) p.object.lines[k].covered_from = p.object.parts.size();
    if (i == 0) {
      const double s = body * r.range(10, 0.15, 0.34), y = h * (t0 + t1) / 2 + body * tilt * 0.9;
      if (r.pick(2, 2) == 0) p.shape(ellipse({0, y}, s, s * 0.9), r.paint(3), Shade::flat, Texture::plain, 0.55);
      else p.shape({{0, y - s}, {s, y}, {0, y + s}, {-s, y}}, r.paint(3), Shade::flat, Texture::plain, 0.55);
    }
  }
  const double cap = r.range(11, 0.08, 0.24);
  p.turned(0, {{-cap, neck * 1.12}, {r.range(12, 0.03, 0.12), neck * 1.15}}, tilt, r.pick(3, 2) == 0 ? Color{0.72, 0.56, 0.38} : r.paint(2), Texture::plain, 0.95);
  return p.object;
}

Object fish(const Reader& r) {
  Painter p;
  const double l = r.range(0, 0.85, 1.2), up = r.range(1, 0.22, 0.6), down = r.range(2, 0.2, 0.5), tail = r.range(3, 0.2, 0.5), fork = r.range(4, 0.0, 0.25), peak = r.range(5, -0.45, 0.05), root = r.range(6, 0.06, 0.14);
  const Color skin = hue(r.t.look[1], 0.5 + 0.4 * r.t.look[2], 0.65 + 0.3 * r.t.look[3]), fin = hue(r.t.look[4], 0.5 + 0.3 * r.t.look[5], 0.6 + 0.3 * r.t.look[6]);
  const double x = l * 0.82;
  p.shape(curve({{x - 0.06, -root}, {l + 0.22, -tail}, {l + 0.3, -tail * 0.8}, {l + 0.26 - fork, 0}, {l + 0.3, tail * 0.8}, {l + 0.2, tail}, {x - 0.06, root}}, true), fin, Shade::fade, Texture::speckle);
  const double fx = peak * l, fh = r.range(7, 0.12, 0.42), fl = r.range(8, 0.3, 0.7);
  p.shape(curve({{fx - fl * 0.5, -up * 0.75}, {fx - fl * 0.1, -up - fh}, {fx + fl * 0.5, -up * 0.8 - fh * 0.5}, {fx + fl * 0.7, -up * 0.5}, {fx, -up * 0.5}}, true), fin, Shade::fade, Texture::speckle, 0.9);
  const double bx = r.range(9, -0.1, 0.35) * l;
  p.shape(curve({{bx - 0.12, down * 0.7}, {bx + 0.05, down + fh * 0.7}, {bx + 0.28, down * 0.75 + fh * 0.4}, {bx + 0.2, down * 0.5}}, true), fin, Shade::fade, Texture::speckle, 0.75);
  p.shape(curve({{-l, 0.02}, {-l * 0.8, -up * 0.5}, {fx - 0.1, -up}, {l * 0.45, -up * 0.55}, {x, -root}, {x, root}, {l * 0.45, down * 0.55}, {fx, down}, {-l * 0.8, down * 0.52}}, true), skin, Shade::dome, Texture::scales);
  const double gill = -l * r.range(10, 0.42, 0.6);
  p.line(curve({{gill, -up * 0.55}, {gill + 0.1, 0}, {gill, down * 0.55}}, false), false, 0.8);
  const int stripes = r.pick(0, 5);
  for (int i = 0; i < stripes; ++i) {
    const double sx = mix(gill + 0.25, l * 0.62, stripes == 1 ? 0.4 : i / (stripes - 1.0)), hu = up * 0.72 * std::cos(sx / l * 1.2), hd = down * 0.72 * std::cos(sx / l * 1.2), wide = r.range(11, 0.05, 0.12);
    p.shape(curve({{sx - wide * 0.5, -hu}, {sx + wide * 0.5, -hu}, {sx + wide, 0}, {sx + wide * 0.5, hd}, {sx - wide * 0.5, hd}, {sx, 0}}, true), scaled(fin, 0.8), Shade::dome, Texture::plain, 0.6);
  }
  const double px = gill + 0.2, ps = r.range(12, 0.14, 0.3);
  p.shape(curve({{px, 0.02}, {px + ps, 0.0}, {px + ps * 1.1, ps * 0.5}, {px + ps * 0.4, ps * 0.45}}, true), fin, Shade::fade, Texture::plain, 0.7);
  const double ex = -l * r.range(13, 0.66, 0.76), ey = -up * 0.22, es = r.range(14, 0.045, 0.09);
  p.shape(ellipse({ex, ey}, es, es), {0.97, 0.97, 0.94}, Shade::flat, Texture::plain, 1);
  p.shape(ellipse({ex - es * 0.15, ey}, es * 0.5, es * 0.5), {0.06, 0.06, 0.08}, Shade::flat, Texture::plain, 0.6);
  p.line(curve({{-l + 0.02, 0.05}, {-l + 0.1, 0.08}, {-l + 0.17, 0.06}}, false), false, 0.65);
  return p.object;
}

Object boat(const Reader& r) {
  Painter p;
  const double l = r.range(0, 0.8, 1.3), deep = r.range(1, 0.22, 0.42), bow = r.range(2, 0.1, 0.4), stern = r.range(3, 0.0, 0.25), rise = r.range(4, 0.0, 0.16), mast = r.range(5, 0.9, 1.8), mx = r.range(6, -0.25, 0.25) * l;
  const Color hull = r.paint(), cloth = Reader::mixed(r.paint(4), {0.98, 0.96, 0.9}, 0.6);
  const int form = r.pick(0, 3);
  if (form < 2) {
    p.shape({{mx - 0.025, -mast}, {mx + 0.025, -mast}, {mx + 0.025, 0.05}, {mx - 0.025, 0.05}}, {0.45, 0.3, 0.2}, Shade::tube, Texture::wood, 0.9);
    const double reach = l * r.range(7, 0.5, 0.95), belly = r.range(8, -0.05, 0.14), low = -r.range(9, 0.08, 0.25), head = -mast * r.range(10, 0.85, 0.98);
    const double tip = mx + 0.04;
    p.shape(curve({{tip, head}, {mix(tip, tip + reach, 0.45) + belly, mix(head, low, 0.5)}, {tip + reach, low}, {mix(tip, tip + reach, 0.5), low + belly * 0.4}, {tip, low}, {tip, mix(head, low, 0.5)}}, true), cloth, Shade::fade, Texture::cloth);
    if (form == 1) {
      const double fore = -l * r.range(11, 0.5, 0.85), fh = head * r.range(12, 0.6, 0.92);
      p.shape(curve({{mx - 0.04, fh}, {mx - 0.05, low}, {mix(mx, fore, 0.5), low + 0.05}, {fore, low}, {mix(mx, fore, 0.45), mix(fh, low, 0.52)}}, true), scaled(cloth, 0.94), Shade::fade, Texture::cloth, 0.9);
    }
    const double fs = r.range(13, 0.12, 0.24);
    if (r.pick(1, 2) == 0) p.shape({{mx, -mast}, {mx - fs * 1.4, -mast + fs * 0.45}, {mx, -mast + fs * 0.9}}, r.paint(3), Shade::flat, Texture::plain, 0.6);
  } else {  // a steamer: cabin and funnels
    const double cw = l * r.range(7, 0.8, 1.2), ch = r.range(8, 0.2, 0.36), fw = r.range(9, 0.12, 0.24), fh = r.range(10, 0.25, 0.55);
    const int funnels = 1 + r.pick(2, 3);
    for (int i = 0; i < funnels; ++i) {
      const double x = mx + ((i + 0.5) / funnels - 0.5) * cw * 0.8;
      p.turned(x, {{-ch - fh, fw / 2}, {-ch + 0.02, fw / 2}}, 0.2, r.paint(3), Texture::plain, 0.9);
      p.line({{x - fw / 2, -ch - fh * 0.72}, {x + fw / 2, -ch - fh * 0.72}}, false, 0.4);
    }
    p.shape({{mx - cw / 2, -ch}, {mx + cw / 2, -ch}, {mx + cw / 2, 0.06}, {mx - cw / 2, 0.06}}, {0.94, 0.93, 0.9}, Shade::fade, Texture::plain);
    const int n = 2 + r.pick(3, 4);
    for (int i = 0; i < n; ++i) p.shape(ellipse({mx + ((i + 0.5) / n - 0.5) * cw, -ch * 0.5}, ch * 0.22, ch * 0.22), {0.35, 0.5, 0.62}, Shade::fade, Texture::plain, 0.5);
  }
  Polygon side = curve({{-l - bow, -rise}, {-l * 0.4, 0.02}, {l * 0.5, 0.02}, {l + stern, -rise * 0.5}}, false);
  for (const Point& q : curve({{l * 0.9, deep * 0.75}, {l * 0.6, deep}, {-l * 0.5, deep}, {-l * 0.85, deep * 0.6}}, false)) side.push_back(q);
  p.shape(side, hull, Shade::fade, Texture::wood);
  p.line(curve({{-l * 0.95, deep * 0.42}, {-l * 0.3, deep * 0.5}, {l * 0.4, deep * 0.5}, {l * 0.96, deep * 0.4}}, false), false, 0.55);
  return p.object;
}

Object car(const Reader& r) {
  Painter p;
  const double l = r.range(0, 0.95, 1.3), hood = r.range(1, 0.28, 0.42), trunk = r.range(2, 0.26, 0.44), roof = r.range(3, 0.62, 0.95), front = r.range(4, 0.25, 0.6), cabin = r.range(5, 0.45, 0.75), rear = r.range(6, 0.35, 0.98), wheel = r.range(7, 0.17, 0.27), set = r.range(8, 0.52, 0.68);
  const Color body = r.paint();
  const double ground = 0.0, floor = -wheel * 0.75, f0 = -l * front, f1 = f0 + l * 0.22, r0 = std::min(f1 + l * cabin * 1.1, l * rear), r1 = std::min(r0 + l * 0.25, l * 0.97);
  Polygon shape = curve({{-l, floor}, {-l - 0.02, floor - hood * 0.55}, {-l * 0.9, floor - hood}, {f0, floor - hood * 1.12}, {f1, floor - roof}, {mix(f1, r0, 0.5), floor - roof - 0.03}, {r0, floor - roof * 0.97}, {r1, floor - trunk * 1.1}, {l * 0.98, floor - trunk}, {l, floor - trunk * 0.4}, {l * 0.98, floor}}, false);
  p.shape(shape, body, Shade::fade, Texture::plain);
  const Color glass{0.3, 0.42, 0.5};
  const double w0 = floor - std::max(hood, trunk) * 1.12, w1 = floor - roof + 0.07;
  const double post = mix(f1, r0, r.range(9, 0.4, 0.6)), gap = 0.03;
  p.shape({{f0 + 0.1, w0}, {f1 + 0.05, w1}, {post - gap, w1}, {post - gap, w0}}, glass, Shade::fade, Texture::plain, 0.85);
  p.shape({{post + gap, w0}, {post + gap, w1}, {r0 - 0.02, w1 + 0.01}, {mix(r0, r1, 0.6) - 0.04, w0}}, glass, Shade::fade, Texture::plain, 0.85);
  p.line({{post, w0 + 0.03}, {post, floor - 0.05}}, false, 0.5);
  if (r.pick(0, 2) == 0) p.line({{f0 + 0.06, w0 + 0.03}, {f0 + 0.02, floor - 0.06}}, false, 0.35);
  p.shape({{post + 0.06, w0 + 0.1}, {post + 0.18, w0 + 0.1}, {post + 0.18, w0 + 0.13}, {post + 0.06, w0 + 0.13}}, {0.85, 0.85, 0.85}, Shade::flat, Texture::plain, 0.3);
  p.shape(ellipse({-l * 0.93, floor - hood * 0.62}, 0.06, 0.075), {1, 0.97, 0.78}, Shade::dome, Texture::plain, 0.65);
  p.shape({{l * 0.93, floor - trunk * 0.8}, {l * 0.985, floor - trunk * 0.8}, {l * 0.99, floor - trunk * 0.45}, {l * 0.94, floor - trunk * 0.45}}, {0.8, 0.15, 0.12}, Shade::flat, Texture::plain, 0.5);
  const int spokes = r.pick(1, 3);
  for (const double x : {-l * set, l * set * r.range(10, 0.92, 1.08)}) {
    p.shape(ellipse({x, ground - wheel}, wheel, wheel), {0.12, 0.12, 0.13}, Shade::dome, Texture::plain);
    const double hub = wheel * r.range(11, 0.4, 0.65);
    p.shape(ellipse({x, ground - wheel}, hub, hub), {0.75, 0.76, 0.78}, Shade::dome, Texture::plain, 0.75);
    for (int i = 0; i < spokes * 2; ++i) {
      const double a = M_PI * i / (spokes * 2) + 0.4;
      p.line({{x - hub * std::cos(a), ground - wheel - hub * std::sin(a)}, {x + hub * std::cos(a), ground - wheel + hub * std::sin(a)}}, false, 0.3);
    }
  }
  if (r.pick(2, 3) == 0) {  // luggage on the roof
    const double x = mix(f1, r0, 0.5), w = (r0 - f1) * r.range(12, 0.5, 0.9) / 2, h = r.range(13, 0.08, 0.2);
    p.shape({{x - w, floor - roof - h - 0.02}, {x + w, floor - roof - h - 0.02}, {x + w, floor - roof - 0.01}, {x - w, floor - roof - 0.01}}, r.wood(), Shade::fade, Texture::wood, 0.8);
  }
  return p.object;
}

Object mushroom(const Reader& r) {
  Painter p;
  const double cap = r.range(0, 0.55, 1.0), high = r.range(1, 0.35, 0.95), stalk = r.range(2, 0.5, 1.1), top = r.range(3, 0.12, 0.26), foot = top * r.range(4, 0.8, 1.9), lean = r.range(5, -0.18, 0.18), brim = r.range(6, 0.06, 0.2), point = r.range(7, 0.0, 0.5);
  const Color skin = hue(mix(-0.04, 0.12, r.t.look[1]) + 1, 0.55 + 0.4 * r.t.look[2], 0.5 + 0.45 * r.t.look[3]), flesh{0.93, 0.89, 0.8};
  Polygon stem = curve({{lean - top, 0}, {lean * 0.6 - top * 0.95, stalk * 0.4}, {-foot, stalk}}, false);
  const Polygon right = curve({{foot, stalk}, {lean * 0.6 + top * 0.95, stalk * 0.4}, {lean + top, 0}}, false);
  for (const Point& q : ellipse({0, stalk}, foot, foot * 0.3, M_PI, 0)) stem.push_back(q);
  stem.insert(stem.end(), right.begin(), right.end());
  p.shape(stem, flesh, Shade::tube, Texture::cloth);
  if (r.pick(0, 2) == 0) {  // a ring
    const double y = stalk * r.range(8, 0.2, 0.4), w = top * r.range(9, 1.2, 1.8);
    p.shape(curve({{lean - top, y}, {lean - w, y + 0.1}, {lean, y + 0.17}, {lean + w, y + 0.1}, {lean + top, y}, {lean, y + 0.04}}, true), scaled(flesh, 0.95), Shade::fade, Texture::plain, 0.7);
  }
  const Polygon under = ellipse({lean, 0}, cap, brim);
  p.shape(under, scaled(flesh, 0.82), Shade::fade, Texture::plain, 0.85);
  const int gills = 3 + r.pick(1, 6);
  for (int i = 0; i < gills; ++i) {
    const double a = M_PI * (i + 0.5) / gills;
    p.line({{lean + top * 0.9 * std::cos(a), brim * 0.3}, {lean + cap * 0.9 * std::cos(a), brim * 0.9 * std::sin(a)}}, false, 0.25);
  }
  Polygon dome = curve({{lean - cap, 0}, {lean - cap * mix(0.92, 0.7, point), -high * 0.45}, {lean - cap * mix(0.5, 0.26, point), -high * mix(0.9, 0.8, point)}, {lean, -high}, {lean + cap * mix(0.5, 0.26, point), -high * mix(0.9, 0.8, point)}, {lean + cap * mix(0.92, 0.7, point), -high * 0.45}, {lean + cap, 0}}, false);
  for (const Point& q : ellipse({lean, 0}, cap, brim * r.range(10, 0.3, 0.9), 0, M_PI)) dome.push_back(q);
  p.shape(dome, skin, Shade::dome, Texture::speckle);
  const int spots = r.pick(2, 7);
  for (int i = 0; i < spots; ++i) {
    const double a = 2.399963 * i + 6 * r.t.shape[11], d = std::sqrt((i + 0.5) / spots) * 0.75, s = r.range(12, 0.05, 0.14) * mix(1.2, 0.7, d);
    p.shape(ellipse({lean + d * std::cos(a) * cap * mix(0.85, 0.6, point), -high * 0.42 + d * std::sin(a) * high * 0.42}, s * cap * 1.3, s * high * 1.2), {0.97, 0.95, 0.9}, Shade::dome, Texture::plain, 0.7);
  }
  return p.object;
}

}  // namespace

Object make_object(size_t category, const Traits& traits) {
  constexpr Object (*kMakers[])(const Reader&) = {chair, table, house, lamp, cup, bottle, fish, boat, car, mushroom};
  static_assert(std::size(kMakers) == kCategories.size());
  return kMakers[category](Reader{traits});
}

}  // namespace hone::procedural
