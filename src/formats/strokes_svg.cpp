// SVG documents: as much XML as a drawing needs. Styles, text and pictures are passed over; what would draw lines that we
// do not follow (use) is refused by name.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "formats/strokes_read.h"
#include "formats/svg_path.h"

namespace hone {

namespace {

using svg::Affine;

struct Tag {
  std::string_view name;  // without a namespace
  std::map<std::string_view, std::string_view> attributes;
  bool opens = false, closes = false;
  size_t line = 0;
};

class Tags {
 public:
  Tags(std::string_view text, const std::string& source) : text_(text), source_(source) {}

  // The next element's start or end; nothing at the end of the text.
  Result<std::optional<Tag>> next() {
    while (true) {
      const size_t open = text_.find('<', at_);
      if (open == text_.npos) return std::optional<Tag>();
      advance(open);
      if (const auto [begin, end] = passed_over(text_.substr(at_)); begin) {
        const size_t stop = text_.find(end, at_ + begin);
        if (stop == text_.npos) return bad(fmt::format("'{}' has no end", text_.substr(at_, begin)));
        advance(stop + end.size());
        continue;
      }
      return tag();
    }
  }
  std::string where() const { return fmt::format("{}:{}", source_, line_); }

 private:
  tl::unexpected<Error> bad(std::string message) const { return fail(Code::invalid, std::move(message), where()); }

  static std::pair<size_t, std::string_view> passed_over(std::string_view rest) {
    constexpr std::pair<std::string_view, std::string_view> kKinds[] = {{"<!--", "-->"}, {"<![CDATA[", "]]>"}, {"<?", "?>"}};
    for (const auto& [begin, end] : kKinds)
      if (rest.starts_with(begin)) return {begin.size(), end};
    if (!rest.starts_with("<!")) return {0, ""};
    // A document type, with its own declarations between brackets.
    const size_t bracket = rest.find('['), close = rest.find('>');
    return {2, bracket < close ? "]>" : ">"};
  }
  void advance(size_t to) {
    line_ += static_cast<size_t>(std::count(text_.begin() + static_cast<ptrdiff_t>(at_), text_.begin() + static_cast<ptrdiff_t>(to), '\n'));
    at_ = to;
  }
  static bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ':' || static_cast<unsigned char>(c) >= 0x80; }
  std::string_view name(size_t& i) const {
    const size_t begin = i;
    while (i < text_.size() && is_name(text_[i])) ++i;
    return text_.substr(begin, i - begin);
  }
  void blanks(size_t& i) const {
    while (i < text_.size() && std::isspace(static_cast<unsigned char>(text_[i]))) ++i;
  }

  Result<std::optional<Tag>> tag() {
    size_t i = at_ + 1;
    Tag out;
    out.line = line_;
    out.closes = i < text_.size() && text_[i] == '/';
    out.opens = !out.closes;
    if (out.closes) ++i;
    out.name = name(i);
    if (out.name.empty()) return bad("'<' is followed by no name");
    out.name = out.name.substr(out.name.find_last_of(':') + 1);
    while (true) {
      blanks(i);
      if (i >= text_.size()) return bad(fmt::format("'<{}' has no end", out.name));
      if (text_[i] == '>') break;
      if (text_[i] == '/') {
        out.closes = true;
        ++i;
        continue;
      }
      const std::string_view key = name(i);
      blanks(i);
      if (key.empty() || i >= text_.size() || text_[i] != '=') return bad(fmt::format("'<{}' has a damaged attribute", out.name));
      blanks(++i);
      const char quote = i < text_.size() ? text_[i] : '\0';
      const size_t end = quote == '"' || quote == '\'' ? text_.find(quote, i + 1) : text_.npos;
      if (end == text_.npos) return bad(fmt::format("attribute '{}' has no value in quotes", key));
      out.attributes.emplace(key, text_.substr(i + 1, end - i - 1));
      i = end + 1;
    }
    advance(i + 1);
    return std::optional<Tag>(std::move(out));
  }

  const std::string_view text_;
  const std::string& source_;
  size_t at_ = 0, line_ = 1;
};

struct Canvas {
  double x = 0, y = 0, width = 0, height = 0;  // width 0: not stated
};

double number_of(const Tag& tag, std::string_view key) {
  const auto it = tag.attributes.find(key);
  double v = 0;
  return it != tag.attributes.end() && svg::Numbers(it->second).number(v) ? v : 0;
}

Canvas canvas_of(const Tag& tag) {
  double v[4];
  if (const auto box = tag.attributes.find("viewBox"); box != tag.attributes.end()) {
    svg::Numbers in(box->second);
    if (in.number(v[0]) && in.number(v[1]) && in.number(v[2]) && in.number(v[3]) && v[2] > 0 && v[3] > 0) return {v[0], v[1], v[2], v[3]};
  }
  const auto percent = [&](std::string_view key) {
    const auto it = tag.attributes.find(key);
    return it != tag.attributes.end() && it->second.ends_with("%");
  };
  const double width = number_of(tag, "width"), height = number_of(tag, "height");
  return width > 0 && height > 0 && !percent("width") && !percent("height") ? Canvas{0, 0, width, height} : Canvas{};
}

// A basic shape as path data; nothing for other elements.
Result<std::optional<std::string>> shape_data(const Tag& tag, const std::string& where) {
  const auto n = [&](std::string_view key) { return number_of(tag, key); };
  const auto oval = [](double cx, double cy, double rx, double ry) { return fmt::format("M{},{}A{},{} 0 1 1 {},{}A{},{} 0 1 1 {},{}Z", cx + rx, cy, rx, ry, cx - rx, cy, rx, ry, cx + rx, cy); };
  const auto text = [&](std::string_view key) {
    const auto it = tag.attributes.find(key);
    return it == tag.attributes.end() ? std::string() : std::string(it->second);
  };
  if (tag.name == "path") return std::optional(text("d"));
  if (tag.name == "line") return std::optional(fmt::format("M{},{}L{},{}", n("x1"), n("y1"), n("x2"), n("y2")));
  if (tag.name == "circle") return n("r") > 0 ? std::optional(oval(n("cx"), n("cy"), n("r"), n("r"))) : std::nullopt;
  if (tag.name == "ellipse") return n("rx") > 0 && n("ry") > 0 ? std::optional(oval(n("cx"), n("cy"), n("rx"), n("ry"))) : std::nullopt;
  if (tag.name == "rect") return n("width") > 0 && n("height") > 0 ? std::optional(fmt::format("M{},{}h{}v{}h{}Z", n("x"), n("y"), n("width"), n("height"), -n("width"))) : std::nullopt;
  if (tag.name == "polyline" || tag.name == "polygon") {
    const std::string points = text("points");
    if (points.find_first_not_of(" \t\r\n") == points.npos) return std::optional<std::string>();
    if (points.find_first_of("MmZzLlHhVvCcSsQqTtAa") != points.npos) return fail(Code::invalid, fmt::format("'{}' has points that are no numbers", tag.name), where);
    return std::optional("M" + points + (tag.name == "polygon" ? "Z" : ""));
  }
  return std::optional<std::string>();
}

bool is_hidden(std::string_view name) {
  for (const std::string_view n : {"defs", "clipPath", "mask", "symbol", "marker", "pattern", "metadata", "style", "script", "title", "desc", "text"})
    if (n == name) return true;
  return false;
}

// Predefined entities and character references are left as they are: only ids and numbers matter here.
class Reader {
 public:
  Reader(std::string_view text, const std::string& source) : tags_(text, source) {}

  Result<Sketch> read() {
    while (true) {
      HONE_TRY_ASSIGN(const std::optional<Tag> tag, tags_.next());
      if (!tag) break;
      HONE_TRY(tag->opens ? open(*tag) : close(*tag));
    }
    if (!seen_) return fail(Code::invalid, "has no <svg> element", tags_.where());
    if (!open_.empty()) return fail(Code::invalid, fmt::format("'{}' is not closed", open_.back().name), tags_.where());
    Sketch out;
    out.strokes = std::move(strokes_);
    if (canvas_.width == 0) return fit(std::move(out));
    out.frame = std::max(canvas_.width, canvas_.height);
    return out;
  }

 private:
  struct Level {
    std::string name;
    Affine map;
    bool hidden;
  };

  Status open(const Tag& tag) {
    if (open_.empty() && tag.name != "svg") return fail(Code::invalid, fmt::format("'{}' stands outside of <svg>", tag.name), tags_.where());
    Level level{std::string(tag.name), open_.empty() ? Affine() : open_.back().map, !open_.empty() && (open_.back().hidden || is_hidden(tag.name))};
    if (tag.name == "svg" && !seen_) {
      seen_ = true;
      canvas_ = canvas_of(tag);
      const double frame = std::max(canvas_.width, canvas_.height);
      level.map = {1, 0, 0, 1, (frame - canvas_.width) / 2 - canvas_.x, (frame - canvas_.height) / 2 - canvas_.y};
      if (frame > 0) tolerance_ = frame / 1024;
    }
    if (const auto it = tag.attributes.find("transform"); it != tag.attributes.end()) {
      HONE_TRY_ASSIGN(const Affine inner, svg::parse_transform(it->second, tags_.where()));
      level.map = level.map * inner;
    }
    if (!level.hidden && tag.name == "use") return fail(Code::unsupported, "'use' draws another element again, which is not read", tags_.where(), "expand it in a drawing program");
    if (!level.hidden) {
      HONE_TRY_ASSIGN(const auto data, shape_data(tag, tags_.where()));
      if (data) {
        HONE_TRY_ASSIGN(auto strokes, svg::parse_path(*data, level.map, tolerance_, tags_.where()));
        for (Stroke& s : strokes) strokes_.push_back(std::move(s));
      }
    }
    if (!tag.closes) {
      if (open_.size() >= 256) return fail(Code::invalid, "elements are nested more than 256 deep", tags_.where());
      open_.push_back(std::move(level));
    }
    return {};
  }
  Status close(const Tag& tag) {
    if (open_.empty() || open_.back().name != tag.name) return fail(Code::invalid, fmt::format("'{}' is closed, but '{}' is open", tag.name, open_.empty() ? "nothing" : open_.back().name), tags_.where());
    open_.pop_back();
    return {};
  }

  Tags tags_;
  std::vector<Level> open_;
  std::vector<Stroke> strokes_;
  Canvas canvas_;
  double tolerance_ = 0.25;
  bool seen_ = false;
};

}  // namespace

Result<Sketch> read_svg_strokes(std::string_view text, const std::string& source) { return Reader(text, source).read(); }

}  // namespace hone
