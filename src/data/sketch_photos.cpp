#include "data/sketch_photos.h"

#include <fmt/format.h>

namespace hone {

std::string describe(const DataNote& note) {
  std::string out = fmt::format("{} x {}", note.count, note.kind);
  for (const std::string& e : note.examples) out += (&e == note.examples.data() ? ": " : "; ") + e;
  if (!note.examples.empty() && note.count > static_cast<int64_t>(note.examples.size())) out += "; ...";
  return out;
}

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
