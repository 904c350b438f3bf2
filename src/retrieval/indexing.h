// Photos of a gallery into a store: what hone index does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "data/sketch_photos.h"
#include "engine/engine.h"
#include "retrieval/search.h"
#include "retrieval/trained.h"

namespace hone {

struct IndexRequest {
  std::string run;            // a sketch run, or a selector's: then its encoder's
  std::string photos;         // as open_gallery() takes it
  std::string store;          // file to write; goes on with one that is there
  std::string engine = "openvino";
  int64_t batch = 16;         // photos at once through the network
  int threads = 1;
  bool again = false;         // replaces a store that is there
};

struct Indexed {
  StoreFacts facts;
  int64_t photos = 0;              // of the gallery
  int64_t added = 0, kept = 0;     // rows of this gallery: new ones, ones that were there
  int64_t rows = 0;                // of the store in the end
  double seconds = 0;
  std::vector<DataNote> notes;     // photos that could not be read, by name
};

// Appends the photos whose ids the store lacks, in the gallery's order, some hundred a block: stopped at any moment, the next
// call goes on. A photo that cannot be read is noted and left out. Progress goes to standard error.
Result<Indexed> index_photos(const IndexRequest& request);

// Vectors of a gallery in memory, for searches that keep nothing.
Result<std::shared_ptr<const EmbeddingStore>> embed_gallery(const SketchRun& run, Engine& engine, const std::vector<Photo>& photos, const std::string& source, int threads);

}  // namespace hone
