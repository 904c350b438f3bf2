#include "data/sketch_sheet.h"

#include <algorithm>
#include <cstring>

#include "data/raster.h"
#include "data/resize.h"

namespace hone {

namespace {

constexpr int kGap = 4;

// In the middle of a white square.
void put_photo(const Image& photo, Image& sheet, int left, int top, int side) {
  const double scale = static_cast<double>(side) / std::max(photo.width, photo.height);
  const Image small = resize(photo, std::clamp(static_cast<int>(photo.width * scale), 1, side), std::clamp(static_cast<int>(photo.height * scale), 1, side));
  const size_t bytes = 3 * static_cast<size_t>(small.width);
  for (int y = 0; y < small.height; ++y) {
    const size_t at = static_cast<size_t>(top + (side - small.height) / 2 + y) * static_cast<size_t>(sheet.width) + static_cast<size_t>(left + (side - small.width) / 2);
    std::memcpy(sheet.pixels.data() + 3 * at, small.pixels.data() + static_cast<size_t>(y) * bytes, bytes);
  }
}

void put_sketch(const Sketch& sketch, Image& sheet, int left, int top, int side) {
  const auto ink = rasterise(sketch, SmoothRaster{.side = side, .width = 3, .dark_on_white = true});
  for (int y = 0; y < side; ++y)
    for (int x = 0; x < side; ++x)
      for (size_t c = 0; c < 3; ++c)
        sheet.pixels[3 * (static_cast<size_t>(top + y) * static_cast<size_t>(sheet.width) + static_cast<size_t>(left + x)) + c] = ink[static_cast<size_t>(y) * static_cast<size_t>(side) + static_cast<size_t>(x)];
}

Result<Image> blank(int64_t width, int64_t height) {
  if (width * height > (int64_t{1} << 27)) return fail(Code::usage, "the sheet would be larger than 128 million pixels");
  return Image{static_cast<int>(width), static_cast<int>(height), std::vector<uint8_t>(static_cast<size_t>(3 * width * height), 255)};
}
Status check_options(const SheetOptions& o) {
  if (o.rows < 1 || o.columns < 1 || o.sketches < 0 || o.side < 16 || o.rows > 1000 || o.columns > 100 || o.sketches > 100 || o.side > 1024)
    return fail(Code::usage, "a sheet has 1 to 1000 rows, 1 to 100 columns and pictures of 16 to 1024 pixels");
  return {};
}

}  // namespace

Result<Image> contact_sheet(const SketchPhotoSet& set, const SheetOptions& o) {
  HONE_TRY(check_options(o));
  std::vector<uint32_t> photos = o.photos;
  const size_t room = static_cast<size_t>(o.rows) * static_cast<size_t>(o.columns), n = std::min(room, set.photos.size());
  if (photos.empty())
    for (size_t i = 0; i < n; ++i) photos.push_back(static_cast<uint32_t>(i * set.photos.size() / n));
  photos.resize(std::min(photos.size(), room));
  std::vector<std::vector<const Sketch*>> sketches(set.photos.size());
  for (const auto& item : set.items) sketches[item.photo].push_back(&item.sketch);

  const int cell = o.side + kGap, rows = (static_cast<int>(photos.size()) + o.columns - 1) / o.columns;
  HONE_TRY_ASSIGN(Image sheet, blank(int64_t{o.columns} * ((1 + o.sketches) * cell + 2 * kGap) - kGap, int64_t{std::max(1, rows)} * cell + kGap));
  for (size_t i = 0; i < photos.size(); ++i) {
    const int left = kGap + static_cast<int>(i % static_cast<size_t>(o.columns)) * ((1 + o.sketches) * cell + 2 * kGap), top = kGap + static_cast<int>(i / static_cast<size_t>(o.columns)) * cell;
    HONE_TRY_ASSIGN(const Image photo, set.photos[photos[i]].load());
    put_photo(photo, sheet, left, top, o.side);
    for (size_t k = 0; k < std::min(sketches[photos[i]].size(), static_cast<size_t>(o.sketches)); ++k) put_sketch(*sketches[photos[i]][k], sheet, left + (static_cast<int>(k) + 1) * cell, top, o.side);
  }
  return sheet;
}

Result<Image> contact_sheet(const std::vector<Sketch>& sketches, const SheetOptions& o) {
  HONE_TRY(check_options(o));
  const size_t n = std::min(sketches.size(), static_cast<size_t>(o.rows) * static_cast<size_t>(o.columns));
  const int cell = o.side + kGap, across = static_cast<int>(std::min<size_t>(std::max<size_t>(n, 1), static_cast<size_t>(o.columns))), rows = (static_cast<int>(n) + across - 1) / across;
  HONE_TRY_ASSIGN(Image sheet, blank(int64_t{across} * cell + kGap, int64_t{std::max(1, rows)} * cell + kGap));
  for (size_t i = 0; i < n; ++i)
    put_sketch(sketches[i * sketches.size() / n], sheet, kGap + static_cast<int>(i) % across * cell, kGap + static_cast<int>(i) / across * cell, o.side);
  return sheet;
}

}  // namespace hone
