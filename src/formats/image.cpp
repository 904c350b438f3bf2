#include "formats/image.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "formats/image_codecs.h"

namespace hone {

namespace {

enum class Kind { jpeg, png, other };

bool begins(std::span<const std::byte> bytes, std::initializer_list<int> with) {
  if (bytes.size() < with.size()) return false;
  return std::equal(with.begin(), with.end(), bytes.begin(), [](int a, std::byte b) { return a == std::to_integer<int>(b); });
}

Kind kind_of(std::span<const std::byte> bytes) {
  if (begins(bytes, {0xff, 0xd8, 0xff})) return Kind::jpeg;
  if (begins(bytes, {0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a})) return Kind::png;
  return Kind::other;
}

tl::unexpected<Error> neither(std::span<const std::byte> bytes, const std::string& source) {
  if (bytes.empty()) return fail(Code::invalid, "is empty; expected a JPEG or PNG picture", source);
  std::string first;
  for (size_t i = 0; i < std::min<size_t>(4, bytes.size()); ++i) first += fmt::format("{}{:02x}", i ? " " : "", std::to_integer<int>(bytes[i]));
  return fail(Code::unsupported, fmt::format("is neither JPEG nor PNG: it begins with {}", first), source);
}

#if !HONE_IMAGE
tl::unexpected<Error> built_without(const std::string& source) {
  return fail(Code::unsupported, "this build of hone reads and writes no pictures", source, "build with -DHONE_IMAGE=ON");
}
#endif

Status check_pixels(const Image& image) {
  if (image.width <= 0 || image.height <= 0 || image.pixels.size() != size_t{3} * static_cast<size_t>(image.width) * static_cast<size_t>(image.height))
    return fail(Code::invalid, fmt::format("a picture of {} x {} does not have {} bytes", image.width, image.height, image.pixels.size()));
  return {};
}

}  // namespace

Result<Image> decode_image(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options) {
  Image image;
  HONE_TRY(decode_image(bytes, source, options, image));
  return image;
}

Status decode_image(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out) {
  const Kind kind = kind_of(bytes);
  if (kind == Kind::other) return neither(bytes, source);
#if HONE_IMAGE
  try {
    return kind == Kind::jpeg ? codec::decode_jpeg(bytes, source, options, out) : codec::decode_png(bytes, source, options, out);
  } catch (const std::bad_alloc&) {
    return fail(Code::failed, "needs more memory than there is", source);
  }
#else
  (void)options, (void)out;
  return built_without(source);
#endif
}

Result<ImageSize> image_size(std::span<const std::byte> bytes, const std::string& source) {
  const Kind kind = kind_of(bytes);
  if (kind == Kind::other) return neither(bytes, source);
  if (kind == Kind::png) {
    // Signature, then the chunk IHDR: length, name, width, height.
    if (bytes.size() < 24) return fail(Code::invalid, "is cut short in its header", source);
    const auto number = [&](size_t at) {
      uint32_t v = 0;
      for (size_t i = 0; i < 4; ++i) v = v << 8 | std::to_integer<uint32_t>(bytes[at + i]);
      return v;
    };
    if (number(16) > 0x7fffffff || number(20) > 0x7fffffff) return fail(Code::invalid, "has a damaged header", source);
    return ImageSize{static_cast<int>(number(16)), static_cast<int>(number(20))};
  }
#if HONE_IMAGE
  return codec::jpeg_size(bytes, source);
#else
  return built_without(source);
#endif
}

Result<std::string> encode_png(const Image& image) {
  HONE_TRY(check_pixels(image));
#if HONE_IMAGE
  return codec::encode_png(image);
#else
  return built_without({});
#endif
}

Result<std::string> encode_jpeg(const Image& image, int quality) {
  HONE_TRY(check_pixels(image));
  if (quality < 1 || quality > 100) return fail(Code::usage, fmt::format("JPEG quality is {}, expected 1 to 100", quality));
#if HONE_IMAGE
  return codec::encode_jpeg(image, quality);
#else
  return built_without({});
#endif
}

Status codec::check_size(int64_t width, int64_t height, int64_t max_pixels, const std::string& source) {
  if (width <= 0 || height <= 0) return fail(Code::invalid, fmt::format("has a size of {} x {}", width, height), source);
  if (height > max_pixels / width) return fail(Code::invalid, fmt::format("is {} x {}, above the limit of {} pixels", width, height, max_pixels), source);
  return {};
}

}  // namespace hone
