// A hierarchical navigable small world over the rows of a store (Malkov and Yashunin 2018): links only, the vectors stay in the
// store. Built by hnswlib (graph_build.cpp), kept and searched here. Little-endian file:
//
//   0..127   "HONEGRA1", u64 checksum of the store, u64 rows, u32 dim, u32 levels, u32 entry row, u32 links, u32 build width,
//            u32 search width, u64 seed, f64 recall@10, u64 queries, f64 seconds, u64 XXH64 of the body, zeros, u64 XXH64 of
//            the 120 bytes before it
//   body     for each level from 0: u32 first link of each row and one more for the end, then the links
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "retrieval/search.h"

namespace hone {

struct RowGraph {
  struct Level {
    std::vector<uint32_t> first, links;  // rows + 1; neighbours of row i: links[first[i]] .. links[first[i + 1]]
  };
  GraphFacts facts;
  uint64_t store = 0;  // checksum
  int64_t rows = 0, dim = 0;
  uint32_t entry = 0;  // where a search starts, on the highest level
  std::vector<Level> levels;
};

// Every link leads to a row that is there; nothing of the file is believed.
Result<RowGraph> parse_graph_file(std::span<const std::byte> file, const std::string& source);
std::string print_graph_file(const RowGraph& graph);

// The `width` nearest rows that a best-first search meets (algorithms 2 and 5 of the paper), in no order.
std::vector<uint32_t> search_graph(const RowGraph& graph, const EmbeddingStore& store, std::span<const float> query, size_t width, int64_t& measured);

}  // namespace hone
