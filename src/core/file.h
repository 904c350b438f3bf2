// Files: mapped for reading, written whole or not at all, and opened beneath a folder when a file names another one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace hone {

// A file mapped read-only. Pages become resident as they are touched, so a reader that skips over weights costs
// nothing for them. Another process that truncates the file meanwhile makes a later read fail with SIGBUS, as for
// every mapping; writers of this project rename instead.
class MappedFile {
 public:
  // A folder, a pipe or a device is an error. An empty file maps to no bytes.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);
  // Opens `relative` below `folder` for a file that a model names. Refused: absolute paths, "..", links of either kind
  // on the way (a hard link may lead out of the folder too), anything but a regular file. Code::not_found when absent.
  static Result<std::shared_ptr<const MappedFile>> open_beneath(const std::string& folder, const std::string& relative);

  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Tells the system that all of it is about to be read.
  void read_ahead() const;
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }

 private:
  MappedFile(const std::byte* data, size_t size) : data_(data), size_(size) {}
  static Result<std::shared_ptr<const MappedFile>> map(int file, const std::string& path, bool refuse_hard_links);
  const std::byte* data_;
  size_t size_;
};

// Checks a path that came out of a file, without touching the disk: what open_beneath would refuse by its spelling.
Status check_relative(const std::string& relative);

// Contents of a small text file (TOML, JSON, graph text); larger than `limit` bytes is an error.
Result<std::string> read_file(const std::string& path, size_t limit = size_t{64} << 20);

// The error that writing `path` would give before any work is done: a folder, or an existing file without `force`.
Status check_writable(const std::string& path, bool force);

// Writes beside `path`, flushes, and renames; a crash or a full disk leaves the old file or the new one.
// A pipe or device (/dev/stdout) is written to directly. Not committed: the part that was written is removed.
class AtomicFile {
 public:
  static Result<AtomicFile> create(const std::string& path, bool force);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::string_view contents);
  Status commit();

 private:
  AtomicFile(std::string path, std::string part, int file) : path_(std::move(path)), part_(std::move(part)), file_(file) {}
  tl::unexpected<Error> io_error() const;
  std::string path_, part_;  // part_ empty: written in place
  int file_;
};

// All of `contents` through an AtomicFile.
Status write_file(const std::string& path, std::string_view contents, bool force);

}  // namespace hone
