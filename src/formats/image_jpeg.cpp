// JPEG by libjpeg-turbo's TurboJPEG interface, which reports errors as values.
#if HONE_IMAGE
#include <fmt/format.h>
#include <turbojpeg.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "formats/image_codecs.h"

namespace hone::codec {

namespace {

struct Close {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<void, Close>;

// One decoder a thread: making one costs as much as decoding a small picture.
Handle& decoder() {
  thread_local Handle handle(tjInitDecompress());
  if (!handle) handle.reset(tjInitDecompress());
  return handle;
}

// What libjpeg-turbo said. A decoder that failed in the middle of a header goes on there with the next file, so it goes.
std::string failure() {
  std::string message = tjGetErrorStr2(decoder().get());
  decoder().reset();
  return message;
}

struct Header {
  int width, height, colorspace;
};

const unsigned char* data(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

// Stray bytes between markers are common in photos from the web and harmless as long as the picture has its end.
bool harmless(std::span<const std::byte> bytes) {
  const tjhandle handle = decoder().get();
  const std::string_view warning = tjGetErrorStr2(handle);
  if (tjGetErrorCode(handle) != TJERR_WARNING || warning.find("extraneous bytes") == warning.npos) return false;
  const std::span<const std::byte> tail = bytes.last(std::min<size_t>(bytes.size(), 4096));
  const std::byte end[] = {std::byte{0xff}, std::byte{0xd9}};
  return std::search(tail.begin(), tail.end(), std::begin(end), std::end(end)) != tail.end();
}

Result<Header> read_header(std::span<const std::byte> bytes, const std::string& source) {
  if (!decoder()) return fail(Code::failed, "no JPEG decoder could be made: out of memory", source);
  Header header{};
  int sampling = 0;
  if (tjDecompressHeader3(decoder().get(), data(bytes), bytes.size(), &header.width, &header.height, &sampling, &header.colorspace) != 0 && !harmless(bytes))
    return fail(Code::invalid, fmt::format("is no readable JPEG: {}", failure()), source);
  return header;
}

Status decompress(std::span<const std::byte> bytes, const std::string& source, int width, int height, int format, uint8_t* to) {
  // The limit on scans: a progressive file of a few KB can otherwise ask for hours of work.
  if (tjDecompress2(decoder().get(), data(bytes), bytes.size(), to, width, 0, height, format, TJFLAG_LIMITSCANS) == 0 || harmless(bytes)) return {};
  return fail(Code::invalid, fmt::format("is a damaged JPEG: {}", failure()), source);
}

}  // namespace

Result<ImageSize> jpeg_size(std::span<const std::byte> bytes, const std::string& source) {
  HONE_TRY_ASSIGN(const Header header, read_header(bytes, source));
  return ImageSize{header.width, header.height};
}

Status decode_jpeg(std::span<const std::byte> bytes, const std::string& source, const DecodeOptions& options, Image& out) {
  HONE_TRY_ASSIGN(const Header header, read_header(bytes, source));
  HONE_TRY(check_size(header.width, header.height, options.max_pixels, source));
  out.width = header.width;
  out.height = header.height;
  if (options.min_side > 0)
    for (int reduce : {8, 4, 2}) {
      const tjscalingfactor factor{1, reduce};
      const int width = TJSCALED(header.width, factor), height = TJSCALED(header.height, factor);
      if (std::min(width, height) < options.min_side) continue;
      out.width = width;
      out.height = height;
      break;
    }
  const size_t pixels = static_cast<size_t>(out.width) * static_cast<size_t>(out.height);
  out.pixels.resize(3 * pixels);
  if (header.colorspace != TJCS_CMYK && header.colorspace != TJCS_YCCK) return decompress(bytes, source, out.width, out.height, TJPF_RGB, out.pixels.data());

  // Printers' colours as Adobe's programs write them: inverted, so that a channel is the light that its ink lets through.
  std::vector<uint8_t> inks(4 * pixels);
  HONE_TRY(decompress(bytes, source, out.width, out.height, TJPF_CMYK, inks.data()));
  for (size_t i = 0; i < pixels; ++i)
    for (size_t c = 0; c < 3; ++c) out.pixels[3 * i + c] = static_cast<uint8_t>((inks[4 * i + c] * inks[4 * i + 3] + 127) / 255);
  return {};
}

Result<std::string> encode_jpeg(const Image& image, int quality) {
  const Handle encoder(tjInitCompress());
  if (!encoder) return fail(Code::failed, "no JPEG encoder could be made: out of memory");
  unsigned char* made = nullptr;
  unsigned long size = 0;
  const int status = tjCompress2(encoder.get(), image.pixels.data(), image.width, 0, image.height, TJPF_RGB, &made, &size, TJSAMP_444, quality, TJFLAG_ACCURATEDCT);
  const std::unique_ptr<unsigned char, decltype(&tjFree)> owner(made, tjFree);
  if (status != 0) return fail(Code::failed, fmt::format("a JPEG of {} x {} cannot be written: {}", image.width, image.height, tjGetErrorStr2(encoder.get())));
  return std::string(reinterpret_cast<const char*>(made), size);
}

}  // namespace hone::codec
#endif
