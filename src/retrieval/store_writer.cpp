// Writing and repairing stores (store.h).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

#include "core/file.h"
#include "core/xxhash.h"
#include "retrieval/store_layout.h"

namespace hone {

namespace {

tl::unexpected<Error> system_error(const std::string& path, const char* doing) {
  const int code = errno;
  return fail(Code::io, fmt::format("cannot {}: {}", doing, std::strerror(code)), path, code == ENOSPC || code == EDQUOT ? "the disk is full; what was there before is whole" : "");
}

void put(std::string& out, size_t at, const void* value, size_t size) { std::memcpy(out.data() + at, value, size); }
template <class T>
void put(std::string& out, size_t at, T value) {
  put(out, at, &value, sizeof value);
}

// What two stores must share to hold each other's vectors.
Status same_source(const StoreFacts& held, const StoreFacts& wanted, const std::string& path) {
  const auto differ = [&](const std::string& what) { return fail(Code::usage, what, path, "write to another file, or replace this one with --force"); };
  if (held.dim != wanted.dim) return differ(fmt::format("holds vectors of {} dimensions, these have {}", held.dim, wanted.dim));
  if (held.checkpoint != wanted.checkpoint) return differ(fmt::format("holds vectors of another checkpoint, of run {}", held.run));
  if (held.side != wanted.side) return differ(fmt::format("holds vectors of photos at {} pixels, these are at {}", held.side, wanted.side));
  return {};
}

}  // namespace

namespace store_layout {

Result<std::string> header(const StoreFacts& facts) {
  const nlohmann::ordered_json json = {{"dim", facts.dim}, {"run", facts.run}, {"checkpoint", facts.checkpoint}, {"network", facts.network}, {"photos", facts.photos}, {"side", facts.side}};
  const std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (facts.dim < 1 || facts.dim > kMaxDim) return fail(Code::invalid, fmt::format("a store cannot hold vectors of {} dimensions", facts.dim));
  if (text.size() > kHeader - 24) return fail(Code::unsupported, "the names of run, network and photos together are longer than a store's header", facts.run);
  std::string out(kHeader, '\0');
  put(out, 0, kMagic.data(), kMagic.size());
  put(out, 8, static_cast<uint32_t>(facts.dim));
  put(out, 12, static_cast<uint32_t>(text.size()));
  put(out, 16, text.data(), text.size());
  put(out, kHeader - 8, xxh64(out.data(), kHeader - 8));
  return out;
}

Status check_rows(int64_t dim, std::span<const std::string> ids, std::span<const float> values, const std::string& where) {
  if (dim < 1 || values.size() % static_cast<size_t>(dim) != 0 || values.size() / static_cast<size_t>(dim) != ids.size())
    return fail(Code::invalid, fmt::format("{} values for {} ids; the store holds vectors of {} dimensions", values.size(), ids.size(), dim), where);
  if (ids.size() > UINT32_MAX / kMaxId) return fail(Code::unsupported, fmt::format("{} vectors are too many at once", ids.size()), where);
  for (size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i])) return fail(Code::invalid, fmt::format("the vector of '{}' is not finite", ids[i / static_cast<size_t>(dim)]), where, "the network has diverged");
  std::unordered_set<std::string_view> fresh;
  for (const std::string& id : ids) {
    if (id.empty() || id.size() > kMaxId) return fail(Code::invalid, fmt::format("an id has {} bytes, 1 to {} are possible", id.size(), kMaxId), where);
    if (!fresh.insert(id).second) return fail(Code::invalid, fmt::format("there is a vector of '{}' already", id), where);
  }
  return {};
}

std::string block(int64_t first, int64_t dim, std::span<const std::string> ids, std::span<const float> values) {
  size_t id_bytes = 0;
  for (const std::string& id : ids) id_bytes += id.size();
  const auto body = static_cast<size_t>(body_bytes(static_cast<int64_t>(ids.size()), dim, static_cast<int64_t>(id_bytes)).value());
  std::string out(kBlockHeader + body, '\0');
  put(out, 0, kBlockMagic.data(), kBlockMagic.size());
  put(out, 8, static_cast<uint32_t>(ids.size()));
  put(out, 12, static_cast<uint32_t>(id_bytes));
  put(out, 16, static_cast<uint64_t>(first));
  size_t at = kBlockHeader;
  put(out, at, values.data(), values.size_bytes());
  at += values.size_bytes();
  for (const std::string& id : ids) put(out, at, static_cast<uint32_t>(id.size())), at += 4;
  for (const std::string& id : ids) put(out, at, id.data(), id.size()), at += id.size();
  put(out, 24, xxh64(out.data() + kBlockHeader, body));
  put(out, kBlockHeader - 8, xxh64(out.data(), kBlockHeader - 8));
  return out;
}

}  // namespace store_layout

Result<StoreDamage> examine_store(const std::string& path) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  HONE_TRY_ASSIGN(store_layout::Contents contents, store_layout::read(file->bytes(), path));
  return std::move(contents.damage);
}

Result<StoreDamage> repair_store(const std::string& path) {
  HONE_TRY_ASSIGN(StoreDamage damage, examine_store(path));
  if (damage.what.empty()) return damage;
  std::error_code ec;
  std::filesystem::resize_file(path, static_cast<uintmax_t>(damage.bytes), ec);
  if (ec) return fail(Code::io, "cannot be cut: " + ec.message(), path);
  return damage;
}

Result<StoreWriter> StoreWriter::open(const std::string& path, const StoreFacts& facts) {
  StoreWriter w;
  w.path_ = path;
  w.facts_ = facts;
  HONE_TRY_ASSIGN(const std::string header, store_layout::header(facts));
  std::error_code ec;
  if (!std::filesystem::exists(path, ec)) HONE_TRY(write_file(path, header, false));
  w.file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (w.file_ < 0) return system_error(path, "write");
  if (::flock(w.file_, LOCK_EX | LOCK_NB) != 0) return fail(Code::failed, "another process writes to this store", path, "wait until it ends");
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  HONE_TRY_ASSIGN(const store_layout::Contents contents, store_layout::read(file->bytes(), path));
  HONE_TRY(same_source(contents.facts, facts, path));
  if (!contents.damage.what.empty()) return fail(store_layout::error_of(contents.damage, path));
  w.facts_ = contents.facts;
  w.count_ = contents.count;
  w.bytes_ = contents.damage.bytes;
  for (std::string_view id : contents.ids) w.ids_.emplace(id);
  return w;
}

StoreWriter::StoreWriter(StoreWriter&& other) noexcept
    : file_(std::exchange(other.file_, -1)), path_(std::move(other.path_)), facts_(std::move(other.facts_)), count_(other.count_), bytes_(other.bytes_), ids_(std::move(other.ids_)) {}

StoreWriter::~StoreWriter() {
  if (file_ >= 0) ::close(file_);
}

Status StoreWriter::append(std::span<const std::string> ids, std::span<const float> values) {
  if (ids.empty() && values.empty()) return {};
  HONE_TRY(store_layout::check_rows(facts_.dim, ids, values, path_));
  if (count_ + static_cast<int64_t>(ids.size()) > int64_t{UINT32_MAX}) return fail(Code::unsupported, "more vectors than a store can number", path_);
  for (const std::string& id : ids)
    if (holds(id)) return fail(Code::invalid, fmt::format("there is a vector of '{}' already", id), path_);
  const std::string block = store_layout::block(count_, facts_.dim, ids, values);
  for (size_t done = 0; done < block.size();) {
    const ssize_t n = ::pwrite(file_, block.data() + done, block.size() - done, bytes_ + static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      auto error = system_error(path_, "write");
      if (::ftruncate(file_, bytes_) != 0) return fail(Code::io, "a block was written in part, and cannot be taken back", path_, "hone index --repair");
      return error;
    }
    done += static_cast<size_t>(n);
  }
  if (::fdatasync(file_) != 0) return system_error(path_, "flush");
  bytes_ += static_cast<int64_t>(block.size());
  count_ += static_cast<int64_t>(ids.size());
  ids_.insert(ids.begin(), ids.end());
  return {};
}

}  // namespace hone
