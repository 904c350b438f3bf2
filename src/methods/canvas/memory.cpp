#include "methods/canvas/memory.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "core/rng.h"
#include "retrieval/embeddings.h"

namespace hone::methods {

Result<CanvasMemory> remember_canvases(const Encoder& encoder, const SketchPhotoSet& set, const PhotoCache& photos, const std::vector<uint32_t>& items,
                                       const std::vector<uint32_t>& gallery, double margin, uint64_t seed) {
  CanvasMemory m;
  m.items = items;
  std::map<uint32_t, uint32_t> position;
  for (size_t i = 0; i < gallery.size(); ++i) position[gallery[i]] = static_cast<uint32_t>(i);
  std::vector<uint32_t> truth, other;
  Rng rng(seed);
  for (uint32_t i : items) {
    const auto found = position.find(set.items[i].photo);
    if (found == position.end()) return fail(Code::invalid, "the gallery does not hold the photo of this sketch", set.items[i].sketch.id);
    truth.push_back(found->second);
    uint32_t negative = static_cast<uint32_t>(rng.below(std::max<size_t>(1, gallery.size() - 1)));
    if (negative >= found->second && gallery.size() > 1) ++negative;
    other.push_back(negative);
  }
  HONE_TRY_ASSIGN(const Embeddings vectors, embed_photos(encoder, encoder.params(), photos, gallery));
  const int64_t n = static_cast<int64_t>(items.size()), k = static_cast<int64_t>(encoder.options().canvases.size());
  m.ranks = at::empty({n, k});
  m.triplets = at::empty({n, k});
  for (int64_t c = 0; c < k; ++c) {
    const int64_t canvas = encoder.options().canvases[static_cast<size_t>(c)];
    HONE_TRY_ASSIGN(const Graph graph, at_canvas(encoder.options(), encoder.graph(), canvas));
    HONE_TRY_ASSIGN(const int64_t flops, paper_flops(graph));
    m.flops.push_back(flops);
    HONE_TRY_ASSIGN(const Embeddings queries, embed_sketches(encoder, encoder.params(), set, items, canvas));
    HONE_TRY_ASSIGN(const std::vector<int64_t> r, ranks(queries, vectors, truth));
    for (int64_t i = 0; i < n; ++i) {
      const auto query = queries.row(i);
      m.ranks.data_ptr<float>()[i * k + c] = static_cast<float>(r[static_cast<size_t>(i)]);
      m.triplets.data_ptr<float>()[i * k + c] =
          static_cast<float>(std::max(0.0, margin + distance(query, vectors.row(truth[static_cast<size_t>(i)])) - distance(query, vectors.row(other[static_cast<size_t>(i)]))));
    }
  }
  return m;
}

void append(CanvasMemory& memory, CanvasMemory more) {
  if (memory.items.empty()) {
    memory = std::move(more);
    return;
  }
  memory.items.insert(memory.items.end(), more.items.begin(), more.items.end());
  std::move(more.rows.begin(), more.rows.end(), std::back_inserter(memory.rows));
  memory.ranks = at::cat({memory.ranks, more.ranks});
  memory.triplets = at::cat({memory.triplets, more.triplets});
}

}  // namespace hone::methods
