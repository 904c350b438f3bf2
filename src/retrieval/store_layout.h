// Bytes of a store (store.h), for its reader, its writer and their tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/checked.h"
#include "retrieval/store.h"

namespace hone::store_layout {

inline constexpr std::string_view kMagic = "HONEVEC1", kBlockMagic = "HONEBLK1";
inline constexpr size_t kHeader = 4096, kBlockHeader = 64, kMaxId = 1 << 16;
inline constexpr int64_t kMaxDim = 1 << 20;

// What follows a block's header, its padding included.
inline Int body_bytes(int64_t rows, int64_t dim, int64_t id_bytes) { return (Int(rows) * Int(dim) * Int(4) + Int(rows) * Int(4) + Int(id_bytes) + Int(63)) / Int(64) * Int(64); }

// As far as the file is whole. Views into `file`.
struct Contents {
  StoreFacts facts;
  std::vector<EmbeddingStore::Block> blocks;
  std::vector<std::string_view> ids;
  std::unordered_map<std::string_view, int64_t> by_id;
  int64_t count = 0;
  uint64_t checksum = 0;
  StoreDamage damage;
};
Result<Contents> read(std::span<const std::byte> file, const std::string& source);
Error error_of(const StoreDamage& damage, const std::string& source);

// Fails when the facts are too long for the header.
Result<std::string> header(const StoreFacts& facts);
// As StoreWriter::append() says, but for ids that are there already.
Status check_rows(int64_t dim, std::span<const std::string> ids, std::span<const float> values, const std::string& where);
std::string block(int64_t first, int64_t dim, std::span<const std::string> ids, std::span<const float> values);

}  // namespace hone::store_layout
