#include "serve/thumbnails.h"

#include <algorithm>

#include "data/resize.h"

namespace hone {

Result<std::string> thumbnail(const Image& image, int side) {
  const int square = std::min(image.width, image.height);
  if (square < 1) return fail(Code::invalid, "the photo is empty");
  const double left = (image.width - square) / 2.0, top = (image.height - square) / 2.0;
  Image small;
  resize(image, {left, top, left + square, top + square}, side, side, Filter::bicubic, small);
  return encode_jpeg(small, 85);
}

Result<std::shared_ptr<const std::string>> Thumbnails::get(int64_t photo, const std::function<Result<Image>()>& load) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = at_.find(photo); found != at_.end()) {
      kept_.splice(kept_.begin(), kept_, found->second);
      return found->second->jpeg;
    }
  }
  HONE_TRY_ASSIGN(const Image image, load());
  HONE_TRY_ASSIGN(std::string jpeg, thumbnail(image, side_));
  const auto made = std::make_shared<const std::string>(std::move(jpeg));
  const std::lock_guard lock(mutex_);
  if (at_.count(photo) || made->size() > capacity_) return made;
  kept_.push_front({photo, made});
  at_[photo] = kept_.begin();
  bytes_ += made->size();
  while (bytes_ > capacity_) {
    bytes_ -= kept_.back().jpeg->size();
    at_.erase(kept_.back().photo);
    kept_.pop_back();
  }
  return made;
}

size_t Thumbnails::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace hone
