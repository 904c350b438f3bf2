// What the server asks of the query path. On the engine it is engine_service.h; tests have a small gallery of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "formats/image.h"
#include "formats/strokes.h"
#include "retrieval/query.h"

namespace hone {

struct GalleryFacts {
  std::string run, network, engine, search;  // names for people
  std::string full;                          // what ask_full() asks, for people
  std::string gallery;                       // another one when the photos are others: a checksum; letters and digits
  std::vector<int64_t> canvases;             // rising
  std::vector<int64_t> macs;                 // of the network, one a canvas
  bool selector = false;
  int64_t photos = 0, dim = 0;
};

struct PhotoFacts {
  std::string id, category;                  // category may be empty
};

// One worker's query path: the server opens as many as it computes with. Questions come from one thread at a time, the
// const functions from several.
class QueryService {
 public:
  virtual ~QueryService() = default;
  virtual const GalleryFacts& facts() const = 0;
  virtual Result<Answer> ask(const Sketch& sketch, const Ask& ask) = 0;
  // The full-size network on its largest canvas: what the chosen one is compared with. Photos are numbers of the same gallery.
  virtual Result<Answer> ask_full(const Sketch& sketch, int64_t top) = 0;
  virtual PhotoFacts photo_facts(int64_t photo) const = 0;      // 0 <= photo < facts().photos
  virtual Result<Image> photo(int64_t photo) const = 0;
  virtual std::vector<Sketch> examples() const = 0;             // a few drawings to try; may be empty
};

}  // namespace hone
