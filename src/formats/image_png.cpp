// PNG by libpng. Its errors arrive by longjmp, so what runs between is plain C data in small functions without destructors.
#if HONE_IMAGE
#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "formats/image_codecs.h"

namespace hone::codec {

namespace {

struct Reading {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const std::byte* data = nullptr;
  size_t left = 0;
  char message[128] = "";
  png_uint_32 width = 0, height = 0;
  int depth = 0, stored_channels = 0, passes = 1, channels = 0;  // channels: after conversion

  ~Reading() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp message) {
  auto* r = static_cast<Reading*>(png_get_error_ptr(png));
  std::snprintf(r->message, sizeof r->message, "%s", message);
  png_longjmp(png, 1);
}
void on_warning(png_structp, png_const_charp) {}
void on_read(png_structp png, png_bytep to, size_t n) {
  auto* r = static_cast<Reading*>(png_get_io_ptr(png));
  if (n > r->left) png_error(png, "it is cut short");
  std::memcpy(to, r->data, n);
  r->data += n;
  r->left -= n;
}

bool read_header(Reading& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_read_fn(r.png, &r, on_read);
  png_set_user_limits(r.png, 0x7fffffff, 0x7fffffff);  // sizes are checked by the caller
  png_set_chunk_malloc_max(r.png, 1 << 20);            // no text or profile of more than 1 MiB
  png_set_chunk_cache_max(r.png, 64);
  png_read_info(r.png, r.info);
  r.width = png_get_image_width(r.png, r.info);
  r.height = png_get_image_height(r.png, r.info);
  r.depth = png_get_bit_depth(r.png, r.info);
  r.stored_channels = png_get_channels(r.png, r.info);
  return true;
}

// Asks for 8-bit RGB or RGBA; from here on libpng holds memory for rows.
bool prepare_rows(Reading& r) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  png_set_expand(r.png);  // palette and few bits to 8, a transparent colour to alpha
  png_set_scale_16(r.png);
  png_set_gray_to_rgb(r.png);
  r.passes = png_set_interlace_handling(r.png);
  png_read_update_info(r.png, r.info);
  r.channels = png_get_channels(r.png, r.info);
  return png_get_rowbytes(r.png, r.info) == static_cast<size_t>(r.channels) * r.width;
}

bool read_rows(Reading& r, uint8_t* pixels) {
  if (setjmp(png_jmpbuf(r.png))) return false;
  const size_t row = static_cast<size_t>(r.channels) * r.width;
  for (int pass = 0; pass < r.passes; ++pass)
    for (png_uint_32 y = 0; y < r.height; ++y) png_read_row(r.png, pixels + y * row, nullptr);
  png_read_end(r.png, nullptr);
  return true;
}

void lay_on_white(const std::vector<uint8_t>& rgba, std::vector<uint8_t>& rgb) {
  for (size_t i = 0; i < rgb.size() / 3; ++i) {
    const int alpha = rgba[4 * i + 3];
    for (size_t c = 0; c < 3; ++c) rgb[3 * i + c] = static_cast<uint8_t>((rgba[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
  }
}

}  // namespace

Status decode_png(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out) {
  Reading r;
  r.data = bytes.data();
  r.left = bytes.size();
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning);
  if (r.png) r.info = png_create_info_struct(r.png);
  if (!r.info) return fail(Code::failed, "no PNG decoder could be made: out of memory", source);
  const auto damaged = [&] { return fail(Code::invalid, fmt::format("is a damaged PNG: {}", r.message[0] ? r.message : "its rows have an impossible length"), source); };
  if (!read_header(r)) return damaged();
  HONE_TRY(check_size(r.width, r.height, options.max_pixels, source));
  // Deflate packs at best 1032 bytes into one: a small file that announces more is cut short, and gets no memory.
  const double row_bits = static_cast<double>(r.width) * r.depth * r.stored_channels;
  if (row_bits / 8 * r.height > 1032.0 * static_cast<double>(bytes.size())) return fail(Code::invalid, fmt::format("is {} bytes long, too short for {} x {} pixels", bytes.size(), r.width, r.height), source);

  if (!prepare_rows(r)) return damaged();
  const size_t pixels = static_cast<size_t>(r.width) * r.height;
  out.width = static_cast<int>(r.width);
  out.height = static_cast<int>(r.height);
  out.pixels.resize(3 * pixels);
  if (r.channels == 3) {
    if (!read_rows(r, out.pixels.data())) return damaged();
    return {};
  }
  if (r.channels != 4) return fail(Code::unsupported, fmt::format("has {} channels", r.channels), source);
  std::vector<uint8_t> rgba(4 * pixels);
  if (!read_rows(r, rgba.data())) return damaged();
  lay_on_white(rgba, out.pixels);
  return {};
}

Result<std::string> encode_png(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::string out(size, '\0');
  if (!png_image_write_to_memory(&header, out.data(), &size, 0, image.pixels.data(), 0, nullptr))
    return fail(Code::failed, fmt::format("a PNG of {} x {} cannot be written: {}", image.width, image.height, header.message));
  out.resize(size);
  return out;
}

}  // namespace hone::codec
#endif
