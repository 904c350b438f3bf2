#include "data/image_folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <thread>

#include "core/sha256.h"

namespace hone {

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool is_picture(std::string_view name) {
  const size_t dot = name.rfind('.');
  if (dot == name.npos) return false;
  const std::string end = lower(name.substr(dot));
  return end == ".jpg" || end == ".jpeg" || end == ".png";
}

// What systems leave behind in folders and archives.
bool is_litter(std::string_view name) {
  const std::string_view leaf = name.substr(name.rfind('/') + 1);
  return leaf.starts_with(".") || leaf == "Thumbs.db" || leaf == "desktop.ini" || name.starts_with("__MACOSX/") || name.find("/__MACOSX/") != name.npos;
}

// Rank of a split's folder, and the name it gets here.
std::optional<std::pair<int, std::string>> split_of(std::string_view folder) {
  const std::string name = lower(folder);
  if (name == "train" || name == "training") return {{0, "train"}};
  if (name == "val" || name == "valid" || name == "validation") return {{1, "val"}};
  if (name == "test") return {{2, "test"}};
  return std::nullopt;
}

std::string_view first_folder(std::string_view name) {
  const size_t slash = name.find('/');
  return slash == name.npos ? std::string_view() : name.substr(0, slash);
}

// Length of the folders that all pictures share and that are neither a split nor the only class.
size_t common_prefix(const std::vector<std::string_view>& names) {
  size_t length = 0;
  for (;;) {
    if (names.empty()) return length;
    const std::string_view folder = first_folder(names[0].substr(length));
    if (folder.empty() || split_of(folder)) return length;
    for (std::string_view n : names)
      if (first_folder(n.substr(length)) != folder || first_folder(n.substr(length + folder.size() + 1)).empty()) return length;
    length += folder.size() + 1;
  }
}

}  // namespace

const ImageFolder::Split* ImageFolder::split(const std::string& name) const {
  const auto found = std::find_if(splits.begin(), splits.end(), [&](const Split& s) { return s.name == name; });
  return found == splits.end() ? nullptr : &*found;
}

Status ImageFolder::load(const Item& item, const DecodeOptions& options, Image& out) const {
  try {
    HONE_TRY_ASSIGN(const Bytes bytes, files->read(item.file));
    return decode_image({bytes.data, bytes.size}, files->full_name(item.file), options, out);
  } catch (const std::bad_alloc&) {
    return fail(Code::failed, "needs more memory than there is", files->full_name(item.file));
  }
}

Result<ImageFolder> open_image_folder(const std::string& path) {
  ImageFolder out;
  HONE_TRY_ASSIGN(out.files, Archive::open(path));
  out.notes = out.files->notes();
  const auto& files = out.files->files();

  std::vector<std::string_view> names;
  std::vector<uint32_t> indices;
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& name = files[i].name;
    if (is_litter(name)) continue;
    if (!is_picture(name)) add_note(out.notes, "not a picture", name);
    else if (files[i].size == 0) add_note(out.notes, "empty file", name);
    else {
      names.push_back(name);
      indices.push_back(static_cast<uint32_t>(i));
    }
  }
  const size_t prefix = common_prefix(names);

  struct Found {
    uint32_t file;
    std::string split, name;
  };
  std::vector<Found> found;
  bool splits = false;
  for (std::string_view n : names) splits = splits || split_of(first_folder(n.substr(prefix)));
  std::map<int, std::string> split_names;
  std::set<std::string> classes;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string_view rest = names[i].substr(prefix);
    std::string split = "all";
    if (splits) {
      const auto is = split_of(first_folder(rest));
      if (!is) {
        add_note(out.notes, "picture outside a class folder", std::string(names[i]));
        continue;
      }
      split_names.emplace(is->first, is->second);
      split = is->second;
      rest.remove_prefix(first_folder(rest).size() + 1);
    }
    const std::string_view name = first_folder(rest);
    if (name.empty()) {
      add_note(out.notes, "picture outside a class folder", std::string(names[i]));
      continue;
    }
    classes.emplace(name);
    found.push_back({indices[i], split, std::string(name)});
  }
  if (found.empty())
    return fail(Code::invalid, fmt::format("holds no picture in a class folder ({} files looked at)", files.size()), path, "expected CLASS/x.jpg or train/CLASS/x.jpg, .jpg, .jpeg or .png");

  out.classes.assign(classes.begin(), classes.end());
  if (!splits) split_names.emplace(0, "all");
  std::string listing;
  for (const auto& [rank, name] : split_names) {
    ImageFolder::Split split{name, {}};
    std::vector<bool> used(out.classes.size());
    for (const Found& f : found) {
      if (f.split != name) continue;
      const auto label = static_cast<uint32_t>(std::lower_bound(out.classes.begin(), out.classes.end(), f.name) - out.classes.begin());
      used[label] = true;
      split.items.push_back({f.file, label});
      listing += fmt::format("{}\n{}\n", files[f.file].name, files[f.file].size);
    }
    for (size_t c = 0; c < used.size(); ++c)
      if (!used[c]) add_note(out.notes, "class without pictures in split", name + "/" + out.classes[c]);
    if (!split.items.empty()) out.splits.push_back(std::move(split));
  }
  out.checksum = sha256_hex(listing);
  return out;
}

PictureCheck check_pictures(const ImageFolder& folder, int threads) {
  std::vector<ImageFolder::Item> items;
  for (const ImageFolder::Split& s : folder.splits) items.insert(items.end(), s.items.begin(), s.items.end());
  std::map<uint32_t, std::string> bad;  // by file, so that the order does not depend on the threads
  std::vector<ImageSize> sizes(items.size());
  std::mutex mutex;
  std::atomic<size_t> next{0};
  const auto work = [&] {
    Image image;
    for (size_t i; (i = next.fetch_add(1)) < items.size();) {
      if (const Status loaded = folder.load(items[i], {}, image); loaded) {
        sizes[i] = {image.width, image.height};
      } else {
        const std::lock_guard lock(mutex);
        bad.emplace(items[i].file, folder.files->files()[items[i].file].name + " " + loaded.error().message);
      }
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work);
  work();
  for (std::thread& t : pool) t.join();
  PictureCheck out;
  for (const auto& [file, text] : bad) add_note(out.notes, "unreadable image", text);
  for (const ImageSize& s : sizes)
    if (s.width > 0) out.sizes.push_back(s);
  return out;
}

}  // namespace hone
