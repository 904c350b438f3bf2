#include "data/question_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "core/file.h"
#include "data/question_answers.h"
#include "data/question_reader.h"
#include "data/shuffle.h"

namespace hone {

namespace questions {

namespace {
std::string id_text(const Json& v) { return v.is_string() ? v.get<std::string>() : v.dump(); }
}  // namespace

Status read_easy_vqa(Reader& r) {
  QuestionSet& set = r.set();
  set.name = "easy-VQA";
  std::map<std::string, uint32_t> label;
  set.answers = r.options().answers;
  if (set.answers.empty()) {
    const auto file = find_file(r.path(), "answers.txt");
    if (!file) return fail(Code::not_found, "has no answers.txt", r.path());
    HONE_TRY_ASSIGN(set.answers, read_labels(*file));
  }
  for (uint32_t i = 0; i < set.answers.size(); ++i) label[set.answers[i]] = i;
  for (const std::string split : {"train", "test"}) {
    const auto file = find_file(r.path(), split + "/questions.json");
    if (!file) continue;
    const std::string folder = r.folder({split + "/images"});
    int64_t row = 0;
    HONE_TRY(for_each_element(*file, "", [&](const Json& q) -> Status {
      const std::string id = fmt::format("{}-{}", split, row++);
      if (!q.is_array() || q.size() != 3 || !q[0].is_string() || !q[1].is_string() || !q[2].is_number_integer())
        return fail(Code::invalid, fmt::format("row {} is no [question, answer, image]: {:.200}", row - 1, q.dump(-1, ' ', false, Json::error_handler_t::replace)), *file);
      const auto image = r.picture(folder, id_text(q[2]) + ".png", split + "/" + id_text(q[2]));
      if (!image) return {};
      const auto at = label.find(q[1].get<std::string>());
      if (at == label.end()) {
        r.note("unknown answer", fmt::format("'{}' of {}", q[1].get<std::string>(), id));
        return {};
      }
      const std::string& answer = at->first;
      const std::string kind = answer == "yes" || answer == "no" ? "yes/no" : q[0].get_ref<const std::string&>().find("color") != std::string::npos ? "colour" : "shape";
      r.split(split).push_back(static_cast<uint32_t>(set.questions.size()));
      set.questions.push_back({id, q[0].get<std::string>(), {*image, 0}, r.kind(kind), {{at->second, 1.0f}}, {}});
      return {};
    }));
  }
  return r.finish();
}

Status read_nlvr2(Reader& r) {
  QuestionSet& set = r.set();
  set.name = "NLVR2";
  set.task = QuestionTask::verify;
  set.images_per_question = 2;
  set.answers = r.options().answers.empty() ? std::vector<std::string>{"false", "true"} : r.options().answers;
  if (set.answers.size() != 2) return fail(Code::usage, fmt::format("{} labels are given, NLVR2 has false and true", set.answers.size()), r.path());
  const uint16_t kind = r.kind("");
  for (const std::string split : {"train", "dev", "test1"}) {
    const auto file = find_file(r.path(), split + ".json");
    if (!file) continue;
    const std::string folder = split == "train" ? r.folder({"images/train", "train"}) : r.folder({split, "images/" + split});
    HONE_TRY(for_each_line(*file, [&](const Json& q) -> Status {
      HONE_TRY_ASSIGN(std::string id, text_field(q, "identifier", *file));
      HONE_TRY_ASSIGN(std::string sentence, text_field(q, "sentence", *file));
      HONE_TRY_ASSIGN(const std::string label, text_field(q, "label", *file));
      if (label != "True" && label != "False") return fail(Code::invalid, fmt::format("the label is '{}', expected True or False", label), *file);
      const size_t last = id.rfind('-');
      if (last == std::string::npos || std::ranges::count(id, '-') != 3) return fail(Code::invalid, fmt::format("the identifier is '{}', expected split-set-pair-sentence", id), *file);
      if (!r.fresh(id)) return {};
      std::string below;
      if (const auto at = q.find("directory"); at != q.end()) below = id_text(*at) + "/";
      const std::string pair = id.substr(0, last);
      const auto left = r.picture(folder, below + pair + "-img0.png", pair + "-img0"), right = r.picture(folder, below + pair + "-img1.png", pair + "-img1");
      if (!left || !right) return {};
      r.split(split).push_back(static_cast<uint32_t>(set.questions.size()));
      set.questions.push_back({std::move(id), std::move(sentence), {*left, *right}, kind, {{label == "True", 1.0f}}, {}});
      return {};
    }));
  }
  return r.finish();
}

Status read_karpathy(Reader& r, const std::string& file) {
  QuestionSet& set = r.set();
  set.task = QuestionTask::retrieve;
  const bool coco = file.find("coco") != std::string::npos;
  set.name = coco ? "COCO captions" : "Flickr30K captions";
  const uint16_t kind = r.kind("");
  HONE_TRY(for_each_element(file, "images", [&](const Json& image) -> Status {
    HONE_TRY_ASSIGN(const std::string name, text_field(image, "filename", file));
    HONE_TRY_ASSIGN(const std::string split, text_field(image, "split", file));
    const auto below = image.find("filepath");
    const std::string folder = below != image.end() && below->is_string() ? r.folder({below->get<std::string>()}) : r.folder({"flickr30k-images", "images"});
    if (below != image.end() && below->is_string()) HONE_TRY(check_relative(below->get<std::string>()));
    const auto at = image.find("sentences");
    if (at == image.end() || !at->is_array()) return fail(Code::invalid, fmt::format("the image '{}' has no sentences", name), file);
    if (!r.fresh(name)) return {};
    const auto index = r.picture(folder, name, name);
    if (!index) return {};
    std::unordered_set<std::string> seen;
    for (size_t i = 0; i < at->size(); ++i) {
      HONE_TRY_ASSIGN(std::string text, text_field((*at)[i], "raw", file));
      if (!seen.insert(text).second) {
        r.note("caption twice", fmt::format("{} of {}", i, name));
        continue;
      }
      r.split(split).push_back(static_cast<uint32_t>(set.questions.size()));
      set.questions.push_back({fmt::format("{}-{}", name, i), std::move(text), {*index, 0}, kind, {}, {}});
    }
    return {};
  }));
  return r.finish();
}

}  // namespace questions

Result<QuestionSet> open_questions(const std::string& path, const QuestionSetOptions& options) {
  namespace fs = std::filesystem;
  using namespace questions;
  std::error_code ec;
  if (!fs::exists(path, ec)) return fail(Code::not_found, "does not exist", path);
  if (!fs::is_directory(path, ec)) return fail(Code::usage, "is a file, expected the folder of a question set", path);
  QuestionSet set;
  Reader reader(path, options, set);
  const auto result = [&](Status s) -> Result<QuestionSet> {
    if (!s) return fail(s.error());
    return std::move(set);
  };
  for (const char* split : {"train2014", "val2014", "test2015", "test-dev2015"})
    if (find_file(path, fmt::format("v2_OpenEnded_mscoco_{}_questions.json", split))) return result(read_vqa(reader));
  for (const char* name : {"dataset_flickr30k.json", "dataset_coco.json"})
    if (const auto file = find_file(path, name)) return result(read_karpathy(reader, *file));
  if (find_file(path, "train/questions.json") || find_file(path, "test/questions.json")) return result(read_easy_vqa(reader));
  for (const char* name : {"train.json", "dev.json", "test1.json"})
    if (find_file(path, name)) return result(read_nlvr2(reader));
  return fail(Code::invalid, "holds no question set", path, "looked for v2_OpenEnded_mscoco_*_questions.json (VQAv2), train.json (NLVR2), dataset_flickr30k.json, dataset_coco.json, train/questions.json (easy-VQA)");
}

std::vector<DataNote> check_question_images(const QuestionSet& set, int threads) {
  std::vector<DataNote> notes;
  std::mutex mutex;
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i; (i = next++) < set.images.size();)
      if (const auto image = set.images[i].load(); !image) {
        const std::lock_guard lock(mutex);
        add_note(notes, "unreadable image", image.error().text());
      }
  };
  std::vector<std::thread> pool;
  for (int i = 1; i < threads; ++i) pool.emplace_back(work);
  work();
  for (std::thread& t : pool) t.join();
  return notes;
}

}  // namespace hone
