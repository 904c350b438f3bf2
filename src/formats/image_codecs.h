// What formats/image.cpp chooses between; not for other files.
#pragma once

#include "formats/image.h"

namespace hone::codec {

Status decode_jpeg(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out);
Status decode_png(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out);
Result<ImageSize> jpeg_size(std::span<const std::byte> bytes, const std::string& source);
Result<std::string> encode_jpeg(const Image& image, int quality);
Result<std::string> encode_png(const Image& image);

// An error unless 0 < width * height <= max_pixels.
Status check_size(int64_t width, int64_t height, int64_t max_pixels, const std::string& source);

}  // namespace hone::codec
