// Pictures in and out, against values frozen from Pillow (tests/data/images/make.py) and against damaged files.
#include "formats/image.h"

#include <gtest/gtest.h>

#include "support.h"

#if HONE_IMAGE
#include <zlib.h>

#include <cstring>
#include <random>

namespace hone {
namespace {

std::span<const std::byte> bytes(const std::string& s) { return std::as_bytes(std::span(s)); }
Result<Image> decode(const std::string& s, DecodeOptions options = {}) { return decode_image(bytes(s), "picture", options); }

std::string frozen(const std::string& name) {
  const auto text = test::read_file(HONE_SOURCE_DIR "/tests/data/images/" + name);
  EXPECT_TRUE(text) << name;
  return text.value_or("");
}
std::string text(const Image& image) { return {image.pixels.begin(), image.pixels.end()}; }

// A PNG from its parts: depth and colour type, further chunks, rows with their filter byte.
std::string png_chunk(const std::string& type, const std::string& data) {
  const auto number = [](uint32_t v) { return std::string{char(v >> 24), char(v >> 16), char(v >> 8), char(v)}; };
  const std::string body = type + data;
  return number(uint32_t(data.size())) + body + number(uint32_t(crc32(0, reinterpret_cast<const Bytef*>(body.data()), uInt(body.size()))));
}
std::string png(uint32_t width, uint32_t height, int depth, int colour, const std::string& chunks, const std::string& rows) {
  std::string header(13, '\0');
  for (int i = 0; i < 4; ++i) header[size_t(i)] = char(width >> (24 - 8 * i)), header[size_t(4 + i)] = char(height >> (24 - 8 * i));
  header[8] = char(depth), header[9] = char(colour);
  uLongf size = compressBound(uLong(rows.size()));
  std::string packed(size, '\0');
  compress(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(rows.data()), uLong(rows.size()));
  packed.resize(size);
  return "\x89PNG\r\n\x1a\n" + png_chunk("IHDR", header) + chunks + png_chunk("IDAT", packed) + png_chunk("IEND", "");
}
std::vector<int> pixels(const std::string& file) {
  const auto image = decode(file);
  EXPECT_TRUE(image) << image.error().text();
  return image ? std::vector<int>(image->pixels.begin(), image->pixels.end()) : std::vector<int>{};
}
using namespace std::string_literals;

TEST(Image, JpegIsWhatLibjpegTurboMakesElsewhere) {
  for (const std::string name : {"scene", "progressive", "grey"}) {
    const auto image = decode(frozen(name + ".jpg"));
    ASSERT_TRUE(image) << image.error().text();
    EXPECT_EQ(image->width, 61);
    EXPECT_EQ(image->height, 43);
    EXPECT_TRUE(text(*image) == frozen(name + ".rgb")) << name;
  }
}

TEST(Image, JpegIsReducedWhileItsShorterSideStaysLongEnough) {
  const std::string file = frozen("scene.jpg");
  const auto side = [&](int min) { return decode(file, {min}).value().height; };
  EXPECT_EQ(side(44), 43);
  EXPECT_EQ(side(23), 43);
  EXPECT_EQ(side(22), 22);
  EXPECT_EQ(side(11), 11);
  EXPECT_EQ(side(6), 6);
  EXPECT_EQ(side(1), 6);
  EXPECT_TRUE(text(*decode(file, {22})) == frozen("half.rgb"));
}

TEST(Image, PngOfEveryKindBecomesRgb) {
  const auto image = decode(frozen("scene.png"));
  ASSERT_TRUE(image);
  EXPECT_EQ(std::vector<uint8_t>(image->pixels.begin(), image->pixels.begin() + 3), (std::vector<uint8_t>{0, 0, 127}));
  EXPECT_EQ(pixels(png(2, 1, 8, 0, "", "\0\x10\xf0"s)), (std::vector<int>{16, 16, 16, 240, 240, 240}));
  EXPECT_EQ(pixels(png(4, 1, 2, 0, "", "\0\x1b"s)), (std::vector<int>{0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255}));
  EXPECT_EQ(pixels(png(2, 1, 16, 0, "", "\0\x80\x00\xff\xff"s)), (std::vector<int>{128, 128, 128, 255, 255, 255}));
  EXPECT_EQ(pixels(png(1, 1, 16, 2, "", "\0\x12\x34\x56\x78\x9a\xbc"s)), (std::vector<int>{0x12, 0x56, 0x9a}));
  EXPECT_EQ(pixels(png(2, 1, 8, 3, png_chunk("PLTE", "\x01\x02\x03\x0a\x0b\x0c"s), "\0\x01\x00"s)), (std::vector<int>{10, 11, 12, 1, 2, 3}));
}

TEST(Image, TransparencyIsLaidOnWhite) {
  EXPECT_EQ(pixels(png(3, 1, 8, 6, "", "\0\x00\x64\xc8\x00\x00\x64\xc8\xff\x00\x64\xc8\x80"s)), (std::vector<int>{255, 255, 255, 0, 100, 200, 127, 177, 227}));
  EXPECT_EQ(pixels(png(2, 1, 8, 4, "", "\0\x00\x00\x00\xff"s)), (std::vector<int>{255, 255, 255, 0, 0, 0}));
  // A palette's alpha, and one colour named transparent.
  EXPECT_EQ(pixels(png(2, 1, 8, 3, png_chunk("PLTE", "\x01\x02\x03\x0a\x0b\x0c"s) + png_chunk("tRNS", "\x00"s), "\0\x01\x00"s)), (std::vector<int>{10, 11, 12, 255, 255, 255}));
  EXPECT_EQ(pixels(png(2, 1, 8, 0, png_chunk("tRNS", "\x00\x10"s), "\0\x10\x11"s)), (std::vector<int>{255, 255, 255, 17, 17, 17}));
}

TEST(Image, WrittenPicturesComeBack) {
  const auto image = decode(frozen("scene.png"));
  ASSERT_TRUE(image);
  EXPECT_EQ(decode(*encode_png(*image))->pixels, image->pixels);
  const auto again = decode(*encode_jpeg(*image, 95));
  ASSERT_TRUE(again);
  double sum = 0;
  for (size_t i = 0; i < image->pixels.size(); ++i) sum += std::abs(image->pixels[i] - again->pixels[i]);
  EXPECT_LT(sum / double(image->pixels.size()), 3);
  EXPECT_FALSE(encode_jpeg(*image, 0));
  EXPECT_FALSE(encode_png(Image{3, 3, std::vector<uint8_t>(26)}));
  const auto size = image_size(bytes(frozen("scene.jpg")), "picture");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 61);
  EXPECT_EQ(image_size(bytes(frozen("scene.png")), "picture")->height, 43);
}

TEST(Image, SizesAreNotBelieved) {
  // 2^31-1 pixels a side in 70 bytes: refused by the limit, and under a higher limit because the file cannot hold them.
  const std::string huge = png(0x7fffffff, 0x7fffffff, 16, 6, "", "\0"s);
  EXPECT_NE(decode(huge).error().message.find("above the limit"), std::string::npos);
  DecodeOptions all;
  all.max_pixels = INT64_MAX;
  EXPECT_NE(decode(huge, all).error().message.find("too short"), std::string::npos);
  DecodeOptions few;
  few.max_pixels = 61 * 43 - 1;
  EXPECT_FALSE(decode(frozen("scene.jpg"), few));
  EXPECT_FALSE(decode(frozen("scene.png"), few));
  few.max_pixels = 61 * 43;
  EXPECT_TRUE(decode(frozen("scene.jpg"), few));
  EXPECT_FALSE(decode(png(0, 1, 8, 0, "", "\0"s)));
}

TEST(Image, OtherFilesAreNamed) {
  const auto error = decode("RIFF....WEBP").error();
  EXPECT_EQ(error.code, Code::unsupported);
  EXPECT_NE(error.text().find("picture: is neither JPEG nor PNG: it begins with 52 49 46 46"), std::string::npos) << error.text();
  EXPECT_FALSE(decode(""));
  EXPECT_FALSE(decode("\xff\xd8\xff"));
  EXPECT_FALSE(decode("\x89PNG\r\n\x1a\n"));
}

// Every cut is an error; the only bytes that may go are those behind the picture.
TEST(Image, ACutFileIsAnError) {
  for (const std::string name : {"scene.jpg", "progressive.jpg", "grey.jpg", "scene.png"}) {
    const std::string whole = frozen(name);
    const size_t last = whole.size() - (name.ends_with("png") ? 1 : 2);
    for (size_t n = 0; n < last; n += 1 + n / 50) EXPECT_FALSE(decode(whole.substr(0, n))) << name << " cut to " << n;
    EXPECT_FALSE(decode(whole.substr(0, last))) << name;
    EXPECT_TRUE(decode(whole + "trailing")) << name;
  }
}

// Stray bytes between the segments, as some cameras leave: the picture is whole.
TEST(Image, StrayBytesAreForgivenWhenThePictureIsWhole) {
  std::string file = frozen("scene.jpg");
  const size_t table = file.find("\xff\xc4");
  ASSERT_NE(table, std::string::npos);
  file.insert(table, "stray");
  const auto image = decode(file);
  ASSERT_TRUE(image) << image.error().text();
  EXPECT_TRUE(text(*image) == frozen("scene.rgb"));
  EXPECT_FALSE(decode(file.substr(0, file.size() * 3 / 4)));
}

// Whatever is flipped, the answer is a picture of a legal size or an error that names the file.
TEST(Image, DamagedFilesNeverCrash) {
  std::mt19937 random(7);
  int errors = 0, pictures = 0;
  Image reused;
  for (const std::string name : {"scene.jpg", "progressive.jpg", "grey.jpg", "scene.png"}) {
    const std::string whole = frozen(name);
    for (int round = 0; round < 1500; ++round) {
      std::string file = whole;
      const int flips = 1 + int(random() % 4);
      for (int i = 0; i < flips; ++i) file[random() % (round % 2 ? file.size() : std::min<size_t>(file.size(), 700))] ^= char(1u << (random() % 8));
      if (round % 5 == 0) file.resize(random() % file.size());
      DecodeOptions options;
      options.max_pixels = 1 << 22;
      options.min_side = round % 3 * 10;
      if (const Status done = decode_image(bytes(file), "damaged", options, reused)) {
        ++pictures;
        ASSERT_EQ(reused.pixels.size(), size_t(3) * size_t(reused.width) * size_t(reused.height));
      } else {
        ++errors;
        EXPECT_EQ(done.error().where, "damaged");
      }
    }
  }
  EXPECT_GT(errors, 1000);
  EXPECT_GT(pictures, 100);
}

}  // namespace
}  // namespace hone

#else

namespace hone {

TEST(Image, ABuildWithoutLibrariesSaysSo) {
  const std::string jpeg = "\xff\xd8\xff\xe0";
  const auto image = decode_image(std::as_bytes(std::span(jpeg)), "picture.jpg");
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code, Code::unsupported);
  EXPECT_NE(image.error().text().find("HONE_IMAGE=ON"), std::string::npos);
  EXPECT_FALSE(encode_png(Image{1, 1, {1, 2, 3}}));
  EXPECT_FALSE(encode_jpeg(Image{1, 1, {1, 2, 3}}, 90));
}

}  // namespace hone

#endif
