// What the fuzz targets of the retrieval room do with their bytes; see targets.h.
#pragma once

#include <cstring>
#include <limits>

#include "core/xxhash.h"
#include "retrieval/graph.h"
#include "retrieval/store_layout.h"
#include "targets.h"

namespace hone::fuzz {

// The checksums that a store's or graph's bytes should have, so that more than its first header is reached.
inline std::string with_checksums(std::string file) {
  const auto load = [&](size_t at) {
    uint32_t v;
    std::memcpy(&v, file.data() + at, 4);
    return v;
  };
  const auto sum = [&](size_t at, size_t from, size_t size) {
    const uint64_t hash = xxh64(file.data() + from, size);
    std::memcpy(file.data() + at, &hash, 8);
  };
  using namespace store_layout;
  if (file.size() >= kHeader && file.starts_with(kMagic)) {
    sum(kHeader - 8, 0, kHeader - 8);
    const int64_t dim = load(8);
    for (size_t at = kHeader; at + kBlockHeader <= file.size();) {
      const Int body = body_bytes(load(at + 8), dim, load(at + 12));
      const size_t left = file.size() - at - kBlockHeader, size = body.ok() && body.value() <= static_cast<int64_t>(left) ? static_cast<size_t>(body.value()) : left;
      sum(at + 24, at + kBlockHeader, size);
      sum(at + kBlockHeader - 8, at, kBlockHeader - 8);
      at += kBlockHeader + size;
    }
  } else if (file.size() >= 128) {
    sum(88, 128, file.size() - 128);
    sum(120, 0, 120);
  }
  return file;
}

// Any bytes: a store whose rows are finite, whose ids are found and which can be searched; a graph that can be walked; or an error.
inline void embedding_store(std::string_view bytes) {
  for (const std::string& file : {std::string(bytes), with_checksums(std::string(bytes))}) {
    auto store = EmbeddingStore::parse(Bytes::copy(file.data(), file.size()), "fuzz");
    if (!store) {
      require(!store.error().message.empty(), "an error of EmbeddingStore::parse() has a message");
    } else {
      const EmbeddingStore& s = **store;
      for (int64_t i = 0; i < s.count(); ++i) require(s.find(s.id(i)) == i, "an id is found where it stands");
      if (s.dim() <= 4096) {
        const std::vector<float> query = s.count() > 0 ? std::vector<float>(s.row(0).begin(), s.row(0).end()) : std::vector<float>(static_cast<size_t>(s.dim()), 1.0f);
        const auto index = SearchIndex::of(*store);
        const auto exact = index->nearest(query, 3, SearchMode::exact);
        const std::vector<Neighbour> truth = nearest(query, s.copy(), 3);
        require(exact.has_value() && exact->found.size() == truth.size(), "a store can be searched");
        for (size_t i = 0; i < truth.size(); ++i) require(exact->found[i].item == truth[i].item, "exact search gives the order of nearest()");
      }
    }
    auto graph = parse_graph_file(std::as_bytes(std::span(file)), "fuzz");
    if (!graph) require(!graph.error().message.empty(), "an error of parse_graph_file() has a message");
    else if (graph->rows <= 10000) {
      std::vector<std::string> ids;
      for (int64_t i = 0; i < graph->rows; ++i) ids.push_back(std::to_string(i));
      const auto rows = EmbeddingStore::of({1}, ids, std::vector<float>(ids.size(), 1.0f));
      int64_t measured = 0;
      require(rows && !search_graph(*graph, **rows, std::vector<float>{0.5f}, 3, measured).empty(), "a graph can be walked");
    }
  }
}

}  // namespace hone::fuzz
