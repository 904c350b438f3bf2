// Pictures: JPEG and PNG bytes to RGB, and back.
//
// Sizes in a header are not believed: a picture above `max_pixels` is refused before memory is taken. A file that is cut
// short or damaged is an error, never half a picture. Colour profiles, gamma and EXIF orientation are not applied, as in
// the Python libraries that training data is usually read with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone {

// 8-bit RGB, row-major, no padding between rows: pixels.size() == 3 * width * height.
struct Image {
  int width = 0, height = 0;
  std::vector<uint8_t> pixels;
};

struct DecodeOptions {
  // JPEG only: the decoder may return the picture reduced by 1/2, 1/4 or 1/8 as long as its shorter side stays at least
  // this long (a fraction of the work). 0: full size.
  int min_side = 0;
  int64_t max_pixels = int64_t{1} << 28;
};

// Told apart by the first bytes. Grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is laid on white.
// `source` names the picture in errors. Thread-safe.
Result<Image> decode_image(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options = {});

// The same into a picture whose memory is used again; after an error its contents are unspecified.
Status decode_image(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out);

// Width and height from the header alone, before any reduction.
struct ImageSize {
  int width = 0, height = 0;
};
Result<ImageSize> image_size(std::span<const std::byte> bytes, const std::string& source);

Result<std::string> encode_png(const Image& image);
Result<std::string> encode_jpeg(const Image& image, int quality);  // quality 1 to 100, colour at full resolution

}  // namespace hone
