// What the readers of question_sets.cpp share.
#pragma once

#include <functional>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "data/archive.h"
#include "data/question_sets.h"

namespace hone::questions {

using Json = nlohmann::json;

// Calls `element` with each element of the array under `key` of the file's object (of the file's own array where key is
// empty) and forgets it: a file of hundreds of megabytes needs the memory of one element.
Status for_each_element(const std::string& path, const std::string& key, const std::function<Status(const Json&)>& element);
// The same of a file of one object a line.
Status for_each_line(const std::string& path, const std::function<Status(const Json&)>& element);

// Fields of an element; an error names the file, the element and what was expected.
Result<std::string> text_field(const Json& object, const char* name, const std::string& where);
Result<int64_t> int_field(const Json& object, const char* name, const std::string& where);

// First of `folder`, `folder`/annotations, `folder`/data that holds the file.
std::optional<std::string> find_file(const std::string& folder, const std::string& name);

// Builds a set: pictures are added once each, missing ones noted, ids kept unique.
class Reader {
 public:
  Reader(std::string path, const QuestionSetOptions& options, QuestionSet& set) : path_(std::move(path)), options_(options), set_(set) {}

  const std::string& path() const { return path_; }
  const QuestionSetOptions& options() const { return options_; }
  QuestionSet& set() { return set_; }

  // Index of the picture `file` below `folder`; nothing, and a note, when it is not there.
  std::optional<uint32_t> picture(const std::string& folder, const std::string& file, const std::string& id);
  // First of these folders that exists, below options.images or the set; else the first.
  std::string folder(std::initializer_list<std::string> candidates) const;
  // False, and a note, when the id was there before.
  bool fresh(const std::string& id);
  uint16_t kind(const std::string& name);
  uint32_t given(const std::string& answer);
  void note(const std::string& kind, const std::string& example) { add_note(set_.notes, kind, example); }
  std::vector<uint32_t>& split(const std::string& name);

  // Empty splits left out, refusals, the checksum.
  Status finish();

 private:
  std::string path_;
  const QuestionSetOptions& options_;
  QuestionSet& set_;
  std::unordered_map<std::string, std::unordered_set<std::string>> listed_;  // files of each folder
  std::unordered_map<std::string, uint32_t> pictures_, given_;
  std::unordered_set<std::string> ids_;
  std::map<std::string, uint16_t> kinds_;
  std::set<std::string> searched_;
  std::set<std::string> missing_;
};

Status read_vqa(Reader& reader);
Status read_nlvr2(Reader& reader);
Status read_karpathy(Reader& reader, const std::string& file);
Status read_easy_vqa(Reader& reader);

}  // namespace hone::questions
