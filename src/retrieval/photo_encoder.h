// Photos to vectors, on an engine session.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "engine/engine.h"
#include "retrieval/store.h"
#include "retrieval/trained.h"

namespace hone {

// What a store of this run's photos says of itself.
StoreFacts facts_of(const SketchRun& run, const std::string& photos);

// Photos by name: "data:SPLIT" (train, validation, test, all) of a run's data; else a folder or archive, with every .jpg, .jpeg
// and .png in it by its relative name, in order of names. Loading is thread-safe.
Result<std::vector<Photo>> open_gallery(const std::string& photos, const SketchData& data);

// Not for several threads at once.
class PhotoEncoder {
 public:
  // `batch` photos go through the network at once, on `threads` threads.
  static Result<std::unique_ptr<PhotoEncoder>> open(const SketchRun& run, Engine& engine, int64_t batch, int threads);
  virtual ~PhotoEncoder() = default;

  virtual int64_t batch() const = 0;
  virtual int64_t dim() const = 0;
  // Rows of at most batch() photos of any size.
  virtual Result<std::vector<float>> embed(std::span<const Image> photos) = 0;
};

}  // namespace hone
