// Small JPEG pictures of a gallery's photos, made once and kept while they fit.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "core/error.h"
#include "formats/image.h"

namespace hone {

class Thumbnails {
 public:
  // `side`: of the square that a picture is fitted into, centred and cut; `bytes`: of all that are kept.
  Thumbnails(int side, size_t bytes) : side_(side), capacity_(bytes) {}

  // The kept picture, or `load`'s made small. Thread-safe; two that ask at once may both load.
  Result<std::shared_ptr<const std::string>> get(int64_t photo, const std::function<Result<Image>()>& load);
  size_t bytes() const;

 private:
  struct Kept {
    int64_t photo;
    std::shared_ptr<const std::string> jpeg;
  };
  const int side_;
  const size_t capacity_;
  mutable std::mutex mutex_;
  size_t bytes_ = 0;
  std::list<Kept> kept_;  // used last first
  std::unordered_map<int64_t, std::list<Kept>::iterator> at_;
};

// The middle square of a picture, `side` pixels wide, as JPEG.
Result<std::string> thumbnail(const Image& image, int side);

}  // namespace hone
