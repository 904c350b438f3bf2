#include "run/run_summary.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "run/manifest.h"

namespace hone {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int kDeepest = 4;
constexpr size_t kTail = size_t{4} << 20;  // bytes of events that the newest figures are looked for in

Figures figures_of(const Json& object) {
  Figures out;
  for (const auto& [name, value] : object.items())
    if (value.is_number()) out.emplace_back(name, value.get<double>());
    else if (value.is_string()) {  // numbers that JSON does not have
      const std::string text = value.get<std::string>();
      const double infinity = std::numeric_limits<double>::infinity();
      out.emplace_back(name, text == "inf" ? infinity : text == "-inf" ? -infinity : std::nan(""));
    }
  return out;
}

Status read_result(const RunDir& run, RunSummary& s) {
  const std::string path = run.file("result.json");
  auto text = read_file(path);
  if (!text) return text.error().code == Code::not_found ? Status() : fail(text.error());
  const Json result = Json::parse(*text, nullptr, false);
  if (!result.is_object()) return fail(Code::invalid, "is no JSON object", path);
  s.state = RunSummary::State::finished;
  const auto integer = [&](const char* key, int64_t otherwise) { return result.contains(key) && result[key].is_number_integer() ? result[key].get<int64_t>() : otherwise; };
  s.step = std::max(s.step, integer("steps", 0));
  s.best_step = integer("best_step", 0);
  if (result.contains("watched") && result["watched"].is_string()) s.watched = result["watched"].get<std::string>();
  for (const auto& [key, to] : {std::pair{"best", &s.best}, std::pair{"last", &s.last}})
    if (result.contains(key) && result[key].is_object()) *to = figures_of(result[key]);
  return {};
}

void find(const fs::path& folder, int depth, std::vector<std::string>& out) {
  std::error_code failed;
  if (fs::is_regular_file(folder / "recipe.toml", failed) && fs::is_regular_file(folder / "events.jsonl", failed)) {
    out.push_back(folder.string());
    return;
  }
  if (depth == 0) return;
  for (const auto& entry : fs::directory_iterator(folder, failed))
    if (!entry.is_symlink(failed) && entry.is_directory(failed)) find(entry.path(), depth - 1, out);
}

}  // namespace

std::string_view RunSummary::state_name() const {
  static constexpr std::string_view kNames[] = {"running", "finished", "stopped"};
  return kNames[static_cast<size_t>(state)];
}

std::optional<double> RunSummary::best_value() const {
  const std::string name = !watched.empty() && watched[0] == '-' ? watched.substr(1) : watched;
  for (const auto& [key, value] : best)
    if (key == name) return value;
  return std::nullopt;
}

Result<RunSummary> summarise(const RunDir& run) {
  RunSummary s;
  s.path = run.path();
  HONE_TRY_ASSIGN(const std::vector<Event> events, run.events(kTail));
  for (const Event& e : events) {
    s.step = std::max(s.step, e.step);
    if (e.kind != "validate") continue;
    s.last.clear();
    for (const auto& [name, value] : e.values)
      if (const auto* real = std::get_if<double>(&value)) s.last.emplace_back(name, *real);
      else if (const auto* integer = std::get_if<int64_t>(&value)) s.last.emplace_back(name, static_cast<double>(*integer));
  }
  HONE_TRY(read_result(run, s));
  if (auto manifest = read_manifest(run)) {
    s.sessions = static_cast<int64_t>(manifest->sessions.size());
    if (!manifest->sessions.empty()) s.began = manifest->sessions.front().began;
  } else if (manifest.error().code != Code::not_found) {
    return fail(std::move(manifest).error());
  }
  std::error_code failed;
  const auto changed = fs::last_write_time(run.file("events.jsonl"), failed);
  if (!failed) s.idle_seconds = std::max(0., std::chrono::duration<double>(fs::file_time_type::clock::now() - changed).count());
  s.last_event = utc_text(std::time(nullptr) - static_cast<int64_t>(s.idle_seconds));
  if (const auto writer = run.writer()) {
    if (s.state != RunSummary::State::finished) s.state = RunSummary::State::running;  // it has its result: only the report is still to be written
    s.writer = *writer;
  }
  return s;
}

std::vector<std::string> find_runs(const std::string& folder) {
  std::vector<std::string> out;
  find(folder, kDeepest, out);
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace hone
