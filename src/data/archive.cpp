#include "data/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <set>

#include "core/file.h"
#include "data/tar.h"
#include "formats/zip.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kLargest = uint64_t{1} << 30;  // of one file; pictures and stroke sets are far below

// Sorts members by name, leaves out unsafe names and all but the first of equal ones.
template <class Member>
void arrange(std::vector<Member>& members, std::vector<Archive::File>& files, std::vector<DataNote>& notes) {
  std::stable_sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.name < b.name; });
  std::vector<Member> kept;
  for (Member& m : members) {
    if (!check_relative(m.name)) add_note(notes, "unsafe name", m.name);
    else if (!kept.empty() && kept.back().name == m.name) add_note(notes, "duplicate name", m.name);
    else kept.push_back(std::move(m));
  }
  members = std::move(kept);
  for (const Member& m : members) files.push_back({m.name, m.size});
}

std::string without_dot(std::string name) {
  while (name.starts_with("./")) name.erase(0, 2);
  return name;
}

class Folder : public Archive {
 public:
  static Result<std::shared_ptr<const Archive>> open(const std::string& path) {
    const std::shared_ptr<Folder> out(new Folder(path));
    std::set<std::pair<uint64_t, uint64_t>> seen;
    HONE_TRY(out->list(path, "", seen));
    std::sort(out->files_.begin(), out->files_.end(), [](const File& a, const File& b) { return a.name < b.name; });
    return out;
  }

  Result<Bytes> read(size_t i) const override {
    const std::string name = path_ + "/" + files_[i].name;
    const auto io = [&] { return fail(Code::io, fmt::format("cannot be read: {}", std::strerror(errno)), name); };
    const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return io();
    struct stat status{};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || static_cast<uint64_t>(status.st_size) > kLargest) {
      ::close(file);
      return fail(Code::io, "is no file of at most 1 GiB any more", name);
    }
    auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(status.st_size));
    size_t have = 0;
    while (have < bytes->size()) {
      const ssize_t n = ::read(file, bytes->data() + have, bytes->size() - have);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        ::close(file);
        return io();
      }
      if (n == 0) break;
      have += static_cast<size_t>(n);
    }
    ::close(file);
    return Bytes{bytes, bytes->data(), have};
  }

 private:
  using Archive::Archive;

  Status list(const std::string& folder, const std::string& prefix, std::set<std::pair<uint64_t, uint64_t>>& seen) {
    struct stat status{};
    if (::stat(folder.c_str(), &status) != 0) return fail(Code::io, fmt::format("cannot be read: {}", std::strerror(errno)), folder);
    if (!seen.insert({status.st_dev, status.st_ino}).second) return {};  // a link back
    std::error_code ec;
    for (fs::directory_iterator it(folder, ec), end; !ec && it != end; it.increment(ec)) {
      const std::string leaf = it->path().filename().string(), full = folder + "/" + leaf;
      if (::stat(full.c_str(), &status) != 0) add_note(notes_, "broken link", prefix + leaf);
      else if (S_ISDIR(status.st_mode)) HONE_TRY(list(full, prefix + leaf + "/", seen));
      else if (S_ISREG(status.st_mode)) files_.push_back({prefix + leaf, static_cast<uint64_t>(status.st_size)});
    }
    if (ec) return fail(Code::io, fmt::format("cannot be listed: {}", ec.message()), folder);
    return {};
  }
};

class Zip : public Archive {
 public:
  static Result<std::shared_ptr<const Archive>> open(const std::string& path, const Bytes& mapped) {
    const std::shared_ptr<Zip> out(new Zip(path));
    out->mapped_ = mapped;
    HONE_TRY_ASSIGN(out->entries_, read_zip_directory(mapped, path));
    std::erase_if(out->entries_, [](const ZipEntry& e) { return e.name.ends_with('/'); });
    for (ZipEntry& e : out->entries_) e.name = without_dot(std::move(e.name));
    arrange(out->entries_, out->files_, out->notes_);
    return out;
  }

  Result<Bytes> read(size_t i) const override {
    const ZipEntry& e = entries_[i];
    if (e.size > kLargest) return fail(Code::unsupported, "is larger than 1 GiB", full_name(i));
    HONE_TRY_ASSIGN(Bytes contents, zip_contents(mapped_, e, path_));
    HONE_TRY(check_crc(e, contents, path_));
    return contents;
  }

 private:
  using Archive::Archive;

  Bytes mapped_;
  std::vector<ZipEntry> entries_;
};

class Tar : public Archive {
 public:
  static Result<std::shared_ptr<const Archive>> open(const std::string& path, const Bytes& mapped) {
    const std::shared_ptr<Tar> out(new Tar(path));
    out->mapped_ = mapped;
    HONE_TRY_ASSIGN(out->members_, read_tar_directory(mapped, path));
    for (TarMember& m : out->members_) m.name = without_dot(std::move(m.name));
    arrange(out->members_, out->files_, out->notes_);
    return out;
  }

  Result<Bytes> read(size_t i) const override { return Bytes{mapped_.owner, mapped_.data + members_[i].begin, members_[i].size}; }

 private:
  using Archive::Archive;
  Bytes mapped_;
  std::vector<TarMember> members_;
};

}  // namespace

void add_note(std::vector<DataNote>& notes, const std::string& kind, const std::string& example) {
  auto note = std::find_if(notes.begin(), notes.end(), [&](const DataNote& n) { return n.kind == kind; });
  if (note == notes.end()) note = notes.insert(notes.end(), DataNote{kind, 0, {}});
  ++note->count;
  if (note->examples.size() < 5) note->examples.push_back(example);
}

Result<std::shared_ptr<const Archive>> Archive::open(const std::string& path) {
  std::error_code ec;
  const fs::file_status status = fs::status(path, ec);
  if (!fs::exists(status)) return fail(Code::not_found, "no such file or folder", path);
  if (fs::is_directory(status)) return Folder::open(path);
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  const Bytes mapped{file, file->bytes().data(), file->bytes().size()};
  const std::string_view text = file->text();
  if (text.starts_with("PK\x03\x04") || text.starts_with("PK\x05\x06")) return Zip::open(path, mapped);
  if (is_tar(text)) return Tar::open(path, mapped);
  if (text.starts_with("\x1f\x8b")) return fail(Code::unsupported, "is compressed by gzip; its files cannot be read one by one", path, "unpack it first: gunzip " + path);
  return fail(Code::unsupported, "is no folder, zip archive or tar archive", path);
}

}  // namespace hone
