#include "data/question_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/file.h"

namespace hone::questions {

namespace fs = std::filesystem;

namespace {

constexpr int kMostDepth = 32;

// An error of the caller on its way through the parser.
struct Stop {
  Error error;
};

tl::unexpected<Error> bad_json(const std::exception& e, const std::string& where) { return fail(Code::invalid, fmt::format("is not the JSON expected: {}", e.what()), where); }

}  // namespace

Status for_each_element(const std::string& path, const std::string& key, const std::function<Status(const Json&)>& element) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  const int depth_of_elements = key.empty() ? 1 : 2;
  bool inside = key.empty(), found = key.empty();
  const auto visit = [&](int depth, Json::parse_event_t event, Json& value) {
    if (depth > kMostDepth) throw std::runtime_error("nested too deeply");
    if (!key.empty() && depth == 1 && event == Json::parse_event_t::key) {
      inside = value == key;
      found |= inside;
    }
    const bool ends = event == Json::parse_event_t::object_end || event == Json::parse_event_t::array_end || event == Json::parse_event_t::value;
    if (depth != depth_of_elements || !ends) return true;
    if (!inside) return false;  // metadata
    if (Status s = element(value); !s) throw Stop{s.error()};
    return false;  // not kept
  };
  try {
    const std::string_view text = file->text();
    const Json root = Json::parse(text.begin(), text.end(), visit);
    if (!(key.empty() ? root.is_array() : root.is_object())) return fail(Code::invalid, fmt::format("is no {}", key.empty() ? "array" : "object"), path);
  } catch (const Stop& stop) {
    return fail(stop.error);
  } catch (const std::exception& e) {
    return bad_json(e, path);
  }
  if (!found) return fail(Code::invalid, fmt::format("has no '{}'", key), path);
  return {};
}

Status for_each_line(const std::string& path, const std::function<Status(const Json&)>& element) {
  HONE_TRY_ASSIGN(const auto file, MappedFile::open(path));
  std::string_view text = file->text();
  for (int64_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (std::ranges::all_of(row, [](char c) { return c == ' ' || c == '\r' || c == '\t'; })) continue;
    const auto shallow = [](int depth, Json::parse_event_t, Json&) {
      if (depth > kMostDepth) throw std::runtime_error("nested too deeply");
      return true;
    };
    Json value;
    try {
      value = Json::parse(row.begin(), row.end(), shallow);
    } catch (const std::exception& e) {
      return bad_json(e, fmt::format("{}:{}", path, line));
    }
    if (Status s = element(value); !s) {
      Error error = s.error();
      error.where = fmt::format("{}:{}", path, line);
      return fail(std::move(error));
    }
  }
  return {};
}

Result<std::string> text_field(const Json& object, const char* name, const std::string& where) {
  if (object.is_object())
    if (const auto at = object.find(name); at != object.end() && at->is_string()) return at->get<std::string>();
  return fail(Code::invalid, fmt::format("an element has no text '{}': {:.200}", name, object.dump(-1, ' ', false, Json::error_handler_t::replace)), where);
}

Result<int64_t> int_field(const Json& object, const char* name, const std::string& where) {
  if (object.is_object())
    if (const auto at = object.find(name); at != object.end() && at->is_number_integer()) return at->get<int64_t>();
  return fail(Code::invalid, fmt::format("an element has no integer '{}': {:.200}", name, object.dump(-1, ' ', false, Json::error_handler_t::replace)), where);
}

std::optional<std::string> find_file(const std::string& folder, const std::string& name) {
  std::error_code ec;
  for (const char* below : {"", "annotations", "data"})
    if (const fs::path p = fs::path(folder) / below / name; fs::is_regular_file(p, ec)) return p.string();
  return std::nullopt;
}

std::string Reader::folder(std::initializer_list<std::string> candidates) const {
  const fs::path root = options_.images.empty() ? path_ : options_.images;
  std::error_code ec;
  for (const std::string& c : candidates)
    if (fs::is_directory(root / c, ec)) return (root / c).string();
  // Given pictures may lie in the folder itself.
  return (options_.images.empty() ? root / *candidates.begin() : root).string();
}

std::optional<uint32_t> Reader::picture(const std::string& folder, const std::string& file, const std::string& id) {
  const std::string full = (fs::path(folder) / file).string();
  if (const auto at = pictures_.find(full); at != pictures_.end()) return at->second;
  const std::string parent = fs::path(full).parent_path().string(), name = fs::path(full).filename().string();
  if (!listed_.contains(parent)) {
    auto& names = listed_[parent];
    std::error_code ec;
    for (fs::directory_iterator it(parent, ec), end; !ec && it != end; it.increment(ec)) names.insert(it->path().filename().string());
  }
  // Names come out of a file: nothing above the folder is opened.
  if (!check_relative(file) || !listed_[parent].contains(name)) {
    searched_.insert(parent);
    if (missing_.insert(full).second) note("missing image", full);
    else ++std::ranges::find(set_.notes, "missing image", &DataNote::kind)->count;  // each picture is named once
    return std::nullopt;
  }
  const auto index = static_cast<uint32_t>(set_.images.size());
  set_.images.push_back({id, [full]() -> Result<Image> {
                           HONE_TRY_ASSIGN(const auto mapped, MappedFile::open(full));
                           return decode_image(mapped->bytes(), full);
                         }});
  pictures_.emplace(full, index);
  return index;
}

bool Reader::fresh(const std::string& id) {
  if (ids_.insert(id).second) return true;
  note("duplicate id", id);
  return false;
}

uint16_t Reader::kind(const std::string& name) {
  const auto [at, fresh] = kinds_.emplace(name, static_cast<uint16_t>(set_.kinds.size()));
  if (fresh && set_.kinds.size() == UINT16_MAX) return 0;
  if (fresh) set_.kinds.push_back(name);
  return at->second;
}

uint32_t Reader::given(const std::string& answer) {
  const auto [at, fresh] = given_.emplace(answer, static_cast<uint32_t>(set_.given.size()));
  if (fresh) set_.given.push_back(answer);
  return at->second;
}

std::vector<uint32_t>& Reader::split(const std::string& name) {
  for (auto& s : set_.splits)
    if (s.name == name) return s.questions;
  return set_.splits.emplace_back(QuestionSet::Split{name, {}}).questions;
}

Status Reader::finish() {
  std::erase_if(set_.splits, [](const auto& s) { return s.questions.empty(); });
  if (set_.kinds.empty()) set_.kinds = {""};
  if (set_.images.empty() && !missing_.empty()) return fail(Code::not_found, fmt::format("none of the {} pictures is there", missing_.size()), fmt::format("{}", fmt::join(searched_, ", ")), "say where the pictures are: --images DIR");
  if (set_.questions.empty()) return fail(Code::invalid, "holds no questions that can be used", path_);
  if (options_.strict && !set_.notes.empty()) return fail(Code::invalid, fmt::format("{} x {}: {}", set_.notes[0].count, set_.notes[0].kind, fmt::join(set_.notes[0].examples, "; ")), path_);
  set_.checksum = checksum_of(set_);
  return {};
}

}  // namespace hone::questions
