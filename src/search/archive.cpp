#include "search/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/xxhash.h"

namespace hone::search {

namespace {

using Json = nlohmann::json;
constexpr int kVersion = 1;
constexpr std::string_view kSum = ",\"sum\":\"";
constexpr size_t kTail = kSum.size() + 16 + 2;  // ,"sum":"0123456789abcdef"}

std::string quoted(const std::string& text) { return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace); }

// `body` is an object without its closing brace.
std::string sealed(const std::string& body) { return fmt::format("{}{}{:016x}\"}}\n", body, kSum, xxh64(body.data(), body.size())); }

Result<Json> unsealed(std::string_view line, const std::string& where) {
  auto damaged = [&] { return fail(Code::invalid, "the line is damaged: its checksum does not fit", where, "a damaged archive is not gone on with; restore it, or move it away and search anew"); };
  if (line.size() < kTail || line.substr(line.size() - kTail, kSum.size()) != kSum) return damaged();
  const std::string_view body = line.substr(0, line.size() - kTail);
  if (line != std::string_view(sealed(std::string(body))).substr(0, line.size())) return damaged();
  Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return fail(Code::invalid, "the line is no JSON object", where);
  return json;
}

std::string encoding(const space::Space& s, const space::Member& m) {
  std::string text = print_member(s, m);
  text.pop_back();
  return text;
}

std::string text_of(const ArchiveHeader& h) {
  std::string out = fmt::format("{{\"archive\":{},\"method\":{},\"budget\":{},\"seed\":{},\"split\":{},\"images\":{},\"weights\":{},\"options\":{{", kVersion, quoted(h.method), quoted(h.budget), h.seed, quoted(h.split), h.images, quoted(h.weights));
  for (size_t i = 0; i < h.numbers.size(); ++i) out += fmt::format("{}{}:{}", i ? "," : "", quoted(h.numbers[i].first), h.numbers[i].second);
  return out + fmt::format("}},\"space\":{}", quoted(print_space(h.space)));
}

std::string text_of(const space::Space& s, const Entry& e) {
  std::string out = fmt::format("{{\"n\":{},\"accuracy\":{},\"loss\":{},\"images\":{},\"macs\":{},\"authors_macs\":{},\"params\":{},\"acts\":{}", e.index, e.score.accuracy, e.score.loss, e.score.images, e.cost.counts.macs,
                                e.cost.counts.authors_macs, e.cost.counts.params, e.cost.counts.acts);
  if (e.cost.memory) out += fmt::format(",\"memory\":{}", *e.cost.memory);
  if (e.cost.latency_ms) out += fmt::format(",\"latency_ms\":{}", *e.cost.latency_ms);
  out += fmt::format(",\"generation\":{},\"origin\":{},\"parents\":[", e.generation, quoted(e.origin));
  for (size_t i = 0; i < e.parents.size(); ++i) out += fmt::format("{}{}", i ? "," : "", e.parents[i]);
  return out + fmt::format("],\"member\":{}", encoding(s, e.member));
}

// What a file holds is of the kind that was written, or an error; nlohmann's exceptions stay here.
Result<ArchiveHeader> header_of(const Json& j, const std::string& where) {
  try {
    if (!j.contains("archive")) return fail(Code::invalid, "is no archive of a search: its first line does not say what was searched", where);
    if (j.at("archive").get<int>() != kVersion) return fail(Code::unsupported, fmt::format("is an archive of version {}, this program reads {}", j.at("archive").get<int>(), kVersion), where);
    ArchiveHeader h;
    h.method = j.at("method").get<std::string>();
    h.budget = j.at("budget").get<std::string>();
    h.split = j.at("split").get<std::string>();
    h.weights = j.at("weights").get<std::string>();
    h.seed = j.at("seed").get<int64_t>();
    h.images = j.at("images").get<int64_t>();
    for (const auto& [key, value] : j.at("options").items()) h.numbers.emplace_back(key, value.get<double>());
    HONE_TRY_ASSIGN(h.space, space::parse_space(j.at("space").get<std::string>(), where + ": space"));
    return h;
  } catch (const Json::exception& e) {
    return fail(Code::invalid, fmt::format("the first line is not what a search writes: {}", e.what()), where);
  }
}

Result<Entry> entry_of(const space::Space& s, const Json& j, int64_t index, const std::string& where) {
  try {
    Entry e;
    e.index = j.at("n").get<int64_t>();
    if (e.index != index) return fail(Code::invalid, fmt::format("the line is number {}, expected {}", e.index, index), where);
    e.score = {j.at("accuracy").get<double>(), j.at("loss").get<double>(), j.at("images").get<int64_t>()};
    e.cost.counts = {j.at("authors_macs").get<int64_t>(), j.at("macs").get<int64_t>(), j.at("params").get<int64_t>(), j.at("acts").get<int64_t>()};
    if (j.contains("memory")) e.cost.memory = j.at("memory").get<int64_t>();
    if (j.contains("latency_ms")) e.cost.latency_ms = j.at("latency_ms").get<double>();
    e.generation = j.at("generation").get<int64_t>();
    e.origin = j.at("origin").get<std::string>();
    e.parents = j.at("parents").get<std::vector<int64_t>>();
    for (const int64_t p : e.parents)
      if (p < 0 || p >= index) return fail(Code::invalid, fmt::format("parent {} is no line before", p), where);
    HONE_TRY_ASSIGN(e.member, parse_member(s, j.at("member").dump(), where));
    return e;
  } catch (const Json::exception& e) {
    return fail(Code::invalid, fmt::format("the line is not what a search writes: {}", e.what()), where);
  }
}

struct Read {
  ArchiveFile file;
  size_t whole = 0;  // bytes of whole lines
};
Result<Read> parse(std::string_view text, const std::string& path) {
  Read out;
  int64_t line = 0;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = text.find('\n', at);
    if (end == std::string_view::npos) {
      out.file.torn = true;
      break;
    }
    const std::string where = fmt::format("{}:{}", path, line + 1);
    HONE_TRY_ASSIGN(const Json json, unsealed(text.substr(at, end - at), where));
    if (line == 0) {
      HONE_TRY_ASSIGN(out.file.header, header_of(json, where));
    } else {
      HONE_TRY_ASSIGN(Entry e, entry_of(out.file.header.space, json, line - 1, where));
      out.file.entries.push_back(std::move(e));
    }
    at = out.whole = end + 1;
  }
  return out;
}

Result<Read> read(const std::string& path) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path, size_t{1} << 30));
  return parse(text, path);
}

tl::unexpected<Error> io_error(const std::string& path) { return fail(Code::io, fmt::format("cannot write: {}", std::strerror(errno)), path); }

}  // namespace

bool better(const Entry& a, const Entry& b) {
  if (a.score.accuracy != b.score.accuracy) return a.score.accuracy > b.score.accuracy;
  if (a.score.loss != b.score.loss) return a.score.loss < b.score.loss;
  return a.index < b.index;
}

std::string ArchiveHeader::id() const {
  const std::string text = text_of(*this);
  return fmt::format("{}-{:08x}", method, static_cast<uint32_t>(xxh64(text.data(), text.size())));
}

Result<ArchiveFile> read_archive(const std::string& path) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path, size_t{1} << 30));
  return parse_archive(text, path);
}

Result<ArchiveFile> parse_archive(std::string_view text, const std::string& source) {
  HONE_TRY_ASSIGN(Read r, parse(text, source));
  if (r.whole == 0) return fail(Code::invalid, "is empty, or was cut off within its first line", source);
  return std::move(r.file);
}

ComparableArchives comparable_archives(const std::string& folder, const std::string& weights) {
  namespace fs = std::filesystem;
  std::vector<std::pair<fs::file_time_type, std::string>> files;
  std::error_code failed;
  for (const auto& file : fs::directory_iterator(folder, failed))
    if (file.path().extension() == ".jsonl") files.emplace_back(file.last_write_time(failed), file.path().string());
  std::sort(files.rbegin(), files.rend());
  ComparableArchives out;
  std::vector<std::pair<ArchiveFile, std::string>> all;
  for (const auto& [time, path] : files) {
    auto archive = read_archive(path);
    if (archive) {
      all.emplace_back(std::move(*archive), path);
      continue;
    }
    if (!out.damaged) out.damaged = archive.error();
    out.left_out.push_back(archive.error().text());
  }
  if (all.empty()) return out;
  auto first = std::find_if(all.begin(), all.end(), [&](const auto& a) { return a.first.header.weights.starts_with(weights); });
  if (first == all.end()) {
    first = all.begin();
    out.left_out.push_back(fmt::format("{} is not of the weights that the run has now", first->second));
  }
  const ArchiveHeader like = first->first.header;
  for (auto& [archive, path] : all) {
    const ArchiveHeader& own = archive.header;
    if (own.weights == like.weights && own.space == like.space && own.split == like.split && own.images == like.images) {
      out.files.push_back(std::move(archive));
      out.paths.push_back(path);
    } else {
      out.left_out.push_back(fmt::format("{} was left out: its scores are of other weights, pictures or another space", path));
    }
  }
  return out;
}

Result<Archive> Archive::open(const std::string& path, const ArchiveHeader& header) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), failed);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file < 0) return io_error(path);
  Archive archive(path, file, header.space);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) return fail(Code::failed, "another process is searching with this archive", path, "wait for it, or give the search another seed");
  HONE_TRY_ASSIGN(Read r, read(path));
  if (r.file.torn && ::ftruncate(file, static_cast<off_t>(r.whole)) != 0) return io_error(path);
  if (r.whole == 0) {
    const std::string line = sealed(text_of(header));
    if (::write(file, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return io_error(path);
    return archive;
  }
  if (r.file.header.id() != header.id()) return fail(Code::failed, "is the archive of another search", path, "move it away, or search with its options");
  archive.entries_ = std::move(r.file.entries);
  archive.found_ = archive.entries_.size();
  return archive;
}

Archive::Archive(Archive&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), space_(std::move(other.space_)), entries_(std::move(other.entries_)), found_(other.found_) {}

Archive::~Archive() {
  if (file_ >= 0) ::close(file_);
}

Status Archive::append(Entry entry) {
  const std::string line = sealed(text_of(space_, entry));
  if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) return io_error(path_);
  entries_.push_back(std::move(entry));
  return {};
}

}  // namespace hone::search
