#include "run/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace hone {

namespace {

tl::unexpected<Error> io_error(const std::string& path, const char* doing) {
  return fail(Code::io, std::string("cannot ") + doing + ": " + std::strerror(errno), path);
}

}  // namespace

Status check_writable(const std::string& path, bool force) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return {};
  if (S_ISDIR(info.st_mode)) return fail(Code::usage, "is a folder; a file name was expected", path);
  if (!force && S_ISREG(info.st_mode)) return fail(Code::usage, "exists already", path, "--force overwrites it");
  return {};
}

Status write_file(const std::string& path, std::string_view contents, bool force) {
  HONE_TRY(check_writable(path, force));
  // A pipe or device (/dev/stdout) cannot be renamed onto.
  struct stat info {};
  const bool replace = ::stat(path.c_str(), &info) != 0 || S_ISREG(info.st_mode);
  const std::string target = replace ? path + ".part" + std::to_string(::getpid()) : path;
  const int file = ::open(target.c_str(), replace ? O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC : O_WRONLY | O_CLOEXEC, 0666);
  if (file < 0) return io_error(path, "write");
  const auto give_up = [&](const char* doing) {
    const int saved = errno;
    ::close(file);
    if (replace) ::unlink(target.c_str());
    errno = saved;
    return io_error(path, doing);
  };
  while (!contents.empty()) {
    const ssize_t n = ::write(file, contents.data(), contents.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up("write");
    contents.remove_prefix(static_cast<size_t>(n));
  }
  if (replace && ::fsync(file) != 0) return give_up("write");
  if (::close(file) != 0) {
    const int saved = errno;
    if (replace) ::unlink(target.c_str());
    errno = saved;
    return io_error(path, "write");
  }
  if (replace && ::rename(target.c_str(), path.c_str()) != 0) {
    const int saved = errno;
    ::unlink(target.c_str());
    errno = saved;
    return io_error(path, "write");
  }
  return {};
}

}  // namespace hone
