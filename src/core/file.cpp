#include "core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/units.h"

namespace hone {

namespace {

// Closes a descriptor at the end of a scope.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

tl::unexpected<Error> system_error(const std::string& path, const char* doing, int code = errno) {
  const Code kind = code == ENOENT || code == ENOTDIR ? Code::not_found : Code::io;
  const char* hint = code == ENOSPC || code == EDQUOT ? "the disk is full; nothing was left behind" : code == EROFS ? "the folder is on a read-only file system" : "";
  return fail(kind, std::string("cannot ") + doing + ": " + std::strerror(code), path, hint);
}

}  // namespace

Result<std::shared_ptr<const MappedFile>> MappedFile::map(int file, const std::string& path, bool refuse_hard_links) {
  struct stat info {};
  if (::fstat(file, &info) != 0) return system_error(path, "read");
  if (S_ISDIR(info.st_mode)) return fail(Code::io, "is a folder; a file was expected", path);
  if (!S_ISREG(info.st_mode)) return fail(Code::io, "is not a regular file", path);
  if (refuse_hard_links && info.st_nlink > 1)
    return fail(Code::invalid, "has more than one name (a hard link), which a model may not point at", path, "copy the file");
  const auto size = static_cast<size_t>(info.st_size);
  const std::byte* data = nullptr;
  if (size > 0) {
    void* p = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (p == MAP_FAILED) return system_error(path, "map");
    ::madvise(p, size, MADV_RANDOM);  // no read-ahead: headers are scattered among weights
    data = static_cast<const std::byte*>(p);
  }
  return std::shared_ptr<const MappedFile>(new MappedFile(data, size));
}

void MappedFile::read_ahead() const {
  if (!data_) return;
  ::madvise(const_cast<std::byte*>(data_), size_, MADV_NORMAL);
  ::madvise(const_cast<std::byte*>(data_), size_, MADV_WILLNEED);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(const_cast<std::byte*>(data_), size_);
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string& path) {
  // O_NONBLOCK: opening a pipe must not wait for its other end.
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  if (file.fd < 0) return system_error(path, "read");
  return map(file.fd, path, false);
}

Status check_relative(const std::string& relative) {
  const auto bad = [&](const char* why) { return fail(Code::invalid, why, relative, "a model may only name files beneath its own folder"); };
  if (relative.empty()) return bad("the name of an external file is empty");
  if (relative.find('\0') != std::string::npos) return bad("the name of an external file holds a zero byte");
  if (relative[0] == '/' || relative[0] == '\\' || (relative.size() > 1 && relative[1] == ':')) return bad("the path of an external file is absolute");
  for (size_t begin = 0; begin <= relative.size();) {
    const size_t end = std::min(relative.find_first_of("/\\", begin), relative.size());
    if (relative.substr(begin, end - begin) == "..") return bad("the path of an external file leads out of the folder");
    begin = end + 1;
  }
  return {};
}

Result<std::shared_ptr<const MappedFile>> MappedFile::open_beneath(const std::string& folder, const std::string& relative) {
  HONE_TRY(check_relative(relative));
  const std::string shown = folder.empty() ? relative : folder + "/" + relative;
  Descriptor at{::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY)};
  if (at.fd < 0) return system_error(folder, "read");
  // Step by step without following links: what is checked is what is opened.
  for (size_t begin = 0;;) {
    const size_t end = std::min(relative.find('/', begin), relative.size());
    const std::string part = relative.substr(begin, end - begin);
    const bool last = end == relative.size();
    if (!part.empty() && part != ".") {
      const int next = ::openat(at.fd, part.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
      if (next < 0) {
        const int code = errno;
        struct stat info {};
        if (::fstatat(at.fd, part.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode))
          return fail(Code::invalid, "is a symbolic link, which a model may not point at", shown, "copy the file");
        return system_error(shown, "read", code);
      }
      ::close(at.fd);
      at.fd = next;
    }
    if (last) break;
    begin = end + 1;
  }
  return map(at.fd, shown, true);
}

Result<std::string> read_file(const std::string& path, size_t limit) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return system_error(path, "read");
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) return system_error(path, "read");
  if (S_ISDIR(info.st_mode)) return fail(Code::io, "is a folder; a file was expected", path);
  std::string out;
  char buffer[1 << 14];
  while (true) {
    const ssize_t n = ::read(file.fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(path, "read");
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
    if (out.size() > limit) return fail(Code::invalid, "is larger than " + format_bytes(static_cast<int64_t>(limit)) + ", the most that is read of such a file", path);
  }
}

Status check_writable(const std::string& path, bool force) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  if (S_ISDIR(info.st_mode)) return fail(Code::usage, "is a folder; a file name was expected", path);
  if (!force && S_ISREG(info.st_mode)) return fail(Code::usage, "exists already", path, "--force overwrites it");
  return {};
}

Result<AtomicFile> AtomicFile::create(const std::string& path, bool force) {
  HONE_TRY(check_writable(path, force));
  // A pipe or device cannot be renamed onto.
  struct stat info {};
  const bool replace = ::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
  const std::string part = replace ? path + ".part" + std::to_string(::getpid()) : std::string();
  const int file = replace ? ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666) : ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) {
    auto error = system_error(path, "write");
    error.value().code = Code::io;
    return error;
  }
  return AtomicFile(path, part, file);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept : path_(std::move(other.path_)), part_(std::move(other.part_)), file_(std::exchange(other.file_, -1)) {}

AtomicFile::~AtomicFile() {
  if (file_ < 0) return;
  ::close(file_);
  if (!part_.empty()) ::unlink(part_.c_str());
}

tl::unexpected<Error> AtomicFile::io_error() const { return system_error(path_, "write"); }

Status AtomicFile::write(std::string_view contents) {
  while (!contents.empty()) {
    const ssize_t n = ::write(file_, contents.data(), contents.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return io_error();
    contents.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Status AtomicFile::commit() {
  if (!part_.empty() && ::fsync(file_) != 0) return io_error();
  if (::close(std::exchange(file_, -1)) != 0 || (!part_.empty() && ::rename(part_.c_str(), path_.c_str()) != 0)) {
    auto error = io_error();
    if (!part_.empty()) ::unlink(part_.c_str());
    return error;
  }
  return {};
}

Status write_file(const std::string& path, std::string_view contents, bool force) {
  HONE_TRY_ASSIGN(AtomicFile file, AtomicFile::create(path, force));
  HONE_TRY(file.write(contents));
  return file.commit();
}

}  // namespace hone
