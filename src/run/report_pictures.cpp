#include "run/report_pictures.h"

#include <fmt/format.h>

#include <cstdint>

#include "run/format.h"

namespace hone {

namespace {

// By the file's first bytes; "" for anything but PNG and JPEG.
std::string_view mime_type(std::string_view image) {
  if (image.substr(0, 8) == "\x89PNG\r\n\x1a\n") return "image/png";
  if (image.substr(0, 3) == "\xff\xd8\xff") return "image/jpeg";
  return "";
}

std::string picture_html(const Picture& p) {
  static constexpr struct {
    const char *style, *sign, *word;
  } kMarks[] = {{"", "", ""}, {"hit", "\u2713 ", "hit: "}, {"miss", "", "miss: "}, {"query", "", "query: "}};
  const auto& mark = kMarks[static_cast<size_t>(p.mark)];
  const std::string_view type = mime_type(p.image);
  std::string out = fmt::format("<li class=\"{}\">", mark.style);
  if (type.empty()) out += "<div class=\"none\"></div>";
  else out += fmt::format("<img alt=\"{}{}\" src=\"data:{};base64,{}\">", mark.word, escape_html(p.caption), type, base64(p.image));
  if (!p.caption.empty() || *mark.sign) out += fmt::format("<span>{}{}</span>", *mark.sign ? fmt::format("<b>{}</b>", mark.sign) : "", escape_html(p.caption));
  return out + "</li>";
}

}  // namespace

std::string base64(std::string_view bytes) {
  static constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t v = 0;
    for (size_t k = 0; k < 3; ++k) v = v << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kDigits[v >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string pictures_html(const Pictures& pictures) {
  if (pictures.rows.empty()) return "";
  std::string out;
  if (!pictures.title.empty()) out += "<h2>" + escape_html(pictures.title) + "</h2>\n";
  out += fmt::format("<figure class=\"box\">\n<div class=\"pictures\" style=\"--side:{}px\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n", pictures.side, escape_html(pictures.title));
  for (const PictureRow& row : pictures.rows) {
    if (!row.title.empty()) out += "<h3>" + escape_html(row.title) + "</h3>\n";
    out += "<ul class=\"strip\">\n";
    for (const Picture& p : row.pictures) out += picture_html(p) + "\n";
    out += "</ul>\n";
  }
  out += "</div>\n";
  if (!pictures.caption.empty()) out += "<figcaption>" + escape_html(pictures.caption) + "</figcaption>\n";
  return out + "</figure>\n";
}

}  // namespace hone
