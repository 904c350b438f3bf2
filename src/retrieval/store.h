// Vectors with ids in one file: mapped for reading, appended to block by block. Little-endian.
//
//   0..4095    "HONEVEC1", u32 dim, u32 length of the facts, the facts as JSON, zeros; u64 XXH64 of the 4088 bytes before it
//   block      "HONEBLK1", u32 rows, u32 bytes of ids, u64 rows of the blocks before it, u64 XXH64 of its body, 24 zeros, u64
//              XXH64 of the 56 bytes before it; the body: rows x dim f32, for each row u32 length of its id, the ids, zeros
//              up to a multiple of 64
//
// A block is written at the end and flushed before the next one begins, and nothing before the end is ever written to: a
// crash leaves whole blocks and at most one that is cut, which open() names. Nothing of the file is believed: lengths
// against the file, products in checked arithmetic, every checksum.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/error.h"
#include "ir/types.h"
#include "retrieval/embeddings.h"

namespace hone {

// Where the vectors came from.
struct StoreFacts {
  int64_t dim = 0;
  std::string run;         // run directory as it was named
  std::string checkpoint;  // SHA-256 of the checkpoint's bytes
  std::string network;     // NET of the run's recipe
  std::string photos;      // where photos lie: a folder or archive, or "data:SPLIT" of the run's data; may be empty
  int64_t side = 0;        // of the photos as the network saw them
  bool operator==(const StoreFacts&) const = default;
};

class EmbeddingStore {
 public:
  // Errors: Code::not_found; Code::invalid with the byte where the damage begins and how many rows before it are whole.
  static Result<std::shared_ptr<const EmbeddingStore>> open(const std::string& path);
  // The same from memory; `source` names it in errors.
  static Result<std::shared_ptr<const EmbeddingStore>> parse(Bytes file, const std::string& source);
  // Rows that no file holds. Errors as StoreWriter::append().
  static Result<std::shared_ptr<const EmbeddingStore>> of(const StoreFacts& facts, std::span<const std::string> ids, std::span<const float> values);

  const StoreFacts& facts() const { return facts_; }
  const std::string& path() const { return path_; }
  int64_t count() const { return count_; }
  int64_t dim() const { return facts_.dim; }
  uint64_t checksum() const { return checksum_; }  // over header and blocks: another one when anything differs

  // Blocks in order; rows of a block are contiguous, count x dim, 4-byte aligned.
  struct Block {
    int64_t first = 0, count = 0;  // number of the first row, rows
    std::span<const float> values;
  };
  const std::vector<Block>& blocks() const { return blocks_; }
  std::span<const float> row(int64_t i) const;
  std::string_view id(int64_t i) const { return ids_[static_cast<size_t>(i)]; }
  // Number of the row with this id, -1 where there is none.
  int64_t find(std::string_view id) const;
  Embeddings copy() const;

 private:
  EmbeddingStore() = default;
  Bytes file_;
  std::string path_;
  StoreFacts facts_;
  int64_t count_ = 0;
  uint64_t checksum_ = 0;
  std::vector<Block> blocks_;
  std::vector<std::string_view> ids_;
  std::unordered_map<std::string_view, int64_t> by_id_;
};

// What a store has lost, and what a repair would keep.
struct StoreDamage {
  int64_t rows = 0, bytes = 0;  // whole, before the damage
  int64_t file_bytes = 0;
  bool tail = false;            // nothing whole lies behind it: a write that was cut
  std::string what;             // "block 3 at byte 45120 ends after 1200 of its 2112 bytes"; empty: no damage
};
// Errors: no such file, a header that is damaged (nothing can be kept then).
Result<StoreDamage> examine_store(const std::string& path);
// Cuts the file off where the damage begins; what lies behind is lost.
Result<StoreDamage> repair_store(const std::string& path);

class StoreWriter {
 public:
  // Makes the file, or goes on with one of the same facts; holds a lock until it is destroyed. Errors: the file holds
  // vectors of something else (says what differs), is damaged (hint: repair), or another process writes to it.
  static Result<StoreWriter> open(const std::string& path, const StoreFacts& facts);
  StoreWriter(StoreWriter&& other) noexcept;
  StoreWriter& operator=(StoreWriter&&) = delete;
  ~StoreWriter();

  int64_t count() const { return count_; }
  bool holds(std::string_view id) const { return ids_.count(std::string(id)) != 0; }
  // One block, on the disk when this returns. Nothing is written when it fails: another number of values than
  // ids x dim, values that are not finite, an id that is empty, longer than 64 KiB or there already.
  Status append(std::span<const std::string> ids, std::span<const float> values);

 private:
  StoreWriter() = default;
  int file_ = -1;
  std::string path_;
  StoreFacts facts_;
  int64_t count_ = 0, bytes_ = 0;
  std::unordered_set<std::string> ids_;
};

}  // namespace hone
