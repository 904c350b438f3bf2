#include "retrieval/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/checked.h"
#include "core/file.h"
#include "core/xxhash.h"
#include "retrieval/store_layout.h"

namespace hone {

namespace store_layout {

namespace {

template <class T>
T load(std::span<const std::byte> at, size_t offset) {
  T v;
  std::memcpy(&v, at.data() + offset, sizeof v);
  return v;
}

bool has_magic(std::span<const std::byte> at, std::string_view magic) { return at.size() >= magic.size() && std::memcmp(at.data(), magic.data(), magic.size()) == 0; }

bool all_finite(std::span<const float> values) {
  // Exponent bits all set: infinity or NaN. Without a branch, so that the compiler makes vectors of it.
  uint32_t bad = 0;
  for (float v : values) {
    uint32_t bits;
    std::memcpy(&bits, &v, 4);
    bad |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return bad == 0;
}

// A block header with its own checksum right.
bool is_block(std::span<const std::byte> at) {
  return at.size() >= kBlockHeader && has_magic(at, kBlockMagic) && load<uint64_t>(at, kBlockHeader - 8) == xxh64(at.data(), kBlockHeader - 8);
}

Result<StoreFacts> read_facts(std::span<const std::byte> file, const std::string& source) {
  const auto damaged = [&](std::string what) { return fail(Code::invalid, std::move(what), source, "it cannot be repaired: make it again with hone index"); };
  if (file.size() < kHeader || !has_magic(file, kMagic)) return damaged("is no store of vectors, or its first 4096 bytes are damaged");
  if (load<uint64_t>(file, kHeader - 8) != xxh64(file.data(), kHeader - 8)) return damaged("the checksum of the header is wrong");
  StoreFacts facts;
  facts.dim = load<uint32_t>(file, 8);
  const size_t length = load<uint32_t>(file, 12);
  if (facts.dim < 1 || facts.dim > kMaxDim || length > kHeader - 24) return damaged(fmt::format("the header says {} dimensions and {} bytes of facts", facts.dim, length));
  const auto* text = reinterpret_cast<const char*>(file.data()) + 16;
  const auto json = nlohmann::json::parse(text, text + length, nullptr, false);
  if (!json.is_object()) return damaged("the facts of the header are no JSON object");
  const auto word = [&](const char* key) { return json.contains(key) && json[key].is_string() ? json[key].get<std::string>() : std::string(); };
  facts.run = word("run");
  facts.checkpoint = word("checkpoint");
  facts.network = word("network");
  facts.photos = word("photos");
  if (json.contains("side") && json["side"].is_number_integer()) facts.side = json["side"].get<int64_t>();
  return facts;
}

}  // namespace

Result<Contents> read(std::span<const std::byte> file, const std::string& source) {
  Contents out;
  HONE_TRY_ASSIGN(out.facts, read_facts(file, source));
  const int64_t dim = out.facts.dim;
  out.checksum = load<uint64_t>(file, kHeader - 8);
  out.damage.file_bytes = static_cast<int64_t>(file.size());
  size_t at = kHeader;
  std::unordered_map<std::string_view, int64_t> ids;
  while (at < file.size()) {
    const auto rest = file.subspan(at);
    const auto damaged = [&](const std::string& what) { out.damage.what = fmt::format("block {} at byte {} {}", out.blocks.size(), at, what); };
    if (rest.size() < kBlockHeader) {
      damaged(fmt::format("ends after {} bytes", rest.size()));
      break;
    }
    if (!is_block(rest)) {
      damaged("has a damaged header");
      break;
    }
    const int64_t rows = load<uint32_t>(rest, 8), id_bytes = load<uint32_t>(rest, 12);
    if (load<uint64_t>(rest, 16) != static_cast<uint64_t>(out.count)) {
      damaged(fmt::format("counts {} rows before it, there are {}", load<uint64_t>(rest, 16), out.count));
      break;
    }
    const Int body = body_bytes(rows, dim, id_bytes);
    if (!body.ok() || body.value() > static_cast<int64_t>(rest.size() - kBlockHeader)) {
      damaged(fmt::format("ends after {} of its {} bytes", rest.size(), body.ok() ? std::to_string(body.value() + static_cast<int64_t>(kBlockHeader)) : "many"));
      break;
    }
    const auto bytes = rest.subspan(kBlockHeader, static_cast<size_t>(body.value()));
    if (load<uint64_t>(rest, 24) != xxh64(bytes.data(), bytes.size())) {
      damaged("has another checksum than its header says");
      break;
    }
    const size_t numbers = static_cast<size_t>(rows * dim);
    const EmbeddingStore::Block block{out.count, rows, {reinterpret_cast<const float*>(bytes.data()), numbers}};
    if (!all_finite(block.values)) {
      damaged("holds numbers that are not finite");
      break;
    }
    size_t id_at = 4 * numbers + 4 * static_cast<size_t>(rows);
    const size_t id_end = id_at + static_cast<size_t>(id_bytes), first_id = out.ids.size();
    for (int64_t r = 0; r < rows && out.damage.what.empty(); ++r) {
      const size_t length = load<uint32_t>(bytes, 4 * numbers + 4 * static_cast<size_t>(r));
      if (length == 0 || length > kMaxId || length > id_end - id_at) {
        damaged(fmt::format("has an id of {} bytes at row {}", length, r));
        break;
      }
      const std::string_view id(reinterpret_cast<const char*>(bytes.data()) + id_at, length);
      if (!ids.emplace(id, out.count + r).second) damaged(fmt::format("has an id at row {} that stands before it already", r));
      out.ids.push_back(id);
      id_at += length;
    }
    if (out.damage.what.empty() && id_at != id_end) damaged("has bytes behind its ids");
    if (!out.damage.what.empty()) {
      out.ids.resize(first_id);
      break;
    }
    const uint64_t header = load<uint64_t>(rest, kBlockHeader - 8);
    out.checksum = xxh64(&header, 8, out.checksum);
    out.blocks.push_back(block);
    out.count += rows;
    at += kBlockHeader + bytes.size();
  }
  if (out.count > UINT32_MAX) return fail(Code::unsupported, fmt::format("{} vectors are too many for one store", out.count), source);
  out.damage.rows = out.count;
  out.damage.bytes = static_cast<int64_t>(at);
  if (!out.damage.what.empty()) {
    out.damage.tail = true;
    for (size_t next = at + 64; next + kBlockHeader <= file.size() && out.damage.tail; next += 64) out.damage.tail = !is_block(file.subspan(next));
    for (auto it = ids.begin(); it != ids.end();) it = it->second >= out.count ? ids.erase(it) : std::next(it);
  }
  out.by_id = std::move(ids);
  return out;
}

Error error_of(const StoreDamage& damage, const std::string& source) {
  return {Code::invalid, fmt::format("{}; {} vectors before it are whole{}", damage.what, damage.rows, damage.tail ? " and nothing whole lies behind it: a write that was cut" : ", and more lie behind it"), source,
          "hone index --repair keeps those before it; indexing again adds the rest"};
}

}  // namespace store_layout

Result<std::shared_ptr<const EmbeddingStore>> EmbeddingStore::open(const std::string& path) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  file->read_ahead();
  return parse({file, file->bytes().data(), file->bytes().size()}, path);
}

Result<std::shared_ptr<const EmbeddingStore>> EmbeddingStore::parse(Bytes file, const std::string& source) {
  HONE_TRY_ASSIGN(store_layout::Contents contents, store_layout::read({file.data, file.size}, source));
  if (!contents.damage.what.empty()) return fail(store_layout::error_of(contents.damage, source));
  auto store = std::shared_ptr<EmbeddingStore>(new EmbeddingStore);
  store->file_ = std::move(file);
  store->path_ = source;
  store->facts_ = std::move(contents.facts);
  store->count_ = contents.count;
  store->checksum_ = contents.checksum;
  store->blocks_ = std::move(contents.blocks);
  store->ids_ = std::move(contents.ids);
  store->by_id_ = std::move(contents.by_id);
  return std::shared_ptr<const EmbeddingStore>(std::move(store));
}

Result<std::shared_ptr<const EmbeddingStore>> EmbeddingStore::of(const StoreFacts& facts, std::span<const std::string> ids, std::span<const float> values) {
  HONE_TRY_ASSIGN(std::string file, store_layout::header(facts));
  HONE_TRY(store_layout::check_rows(facts.dim, ids, values, "rows in memory"));
  if (!ids.empty()) file += store_layout::block(0, facts.dim, ids, values);
  return parse(Bytes::copy(file.data(), file.size()), "rows in memory");
}

std::span<const float> EmbeddingStore::row(int64_t i) const {
  const auto block = std::upper_bound(blocks_.begin(), blocks_.end(), i, [](int64_t row, const Block& b) { return row < b.first; }) - 1;
  return block->values.subspan(static_cast<size_t>((i - block->first) * dim()), static_cast<size_t>(dim()));
}

int64_t EmbeddingStore::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? -1 : found->second;
}

Embeddings EmbeddingStore::copy() const {
  Embeddings out{count_, dim(), {}};
  out.values.reserve(static_cast<size_t>(count_ * dim()));
  for (const Block& b : blocks_) out.values.insert(out.values.end(), b.values.begin(), b.values.end());
  return out;
}

}  // namespace hone
