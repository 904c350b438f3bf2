#include "data/sketch_photos.h"

namespace hone {

std::vector<uint32_t> SketchPhotoSet::gallery(const std::vector<uint32_t>& of) const {
  std::vector<uint32_t> out;
  std::vector<bool> seen(photos.size(), false);
  for (const uint32_t i : of)
    if (const uint32_t photo = items[i].photo; !seen[photo]) {
      seen[photo] = true;
      out.push_back(photo);
    }
  return out;
}

}  // namespace hone
