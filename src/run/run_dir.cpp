#include "run/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "core/file.h"

namespace hone {

namespace fs = std::filesystem;

namespace {

constexpr const char* kRecipe = "recipe.toml";
constexpr const char* kEvents = "events.jsonl";
constexpr const char* kLock = "lock";
constexpr size_t kMaxEvents = size_t{1} << 31;

Error io_error(const std::string& what, const std::string& path, int error) {
  const char* hint = error == ENOSPC || error == EDQUOT || error == EFBIG ? "free some space and run the same command again: it goes on from the last checkpoint"
                     : error == EACCES || error == EROFS || error == EPERM ? "choose a folder that you may write to"
                                                                          : "";
  return {Code::io, what + ": " + std::strerror(error), path, hint};
}

std::string host() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The first line in which two recipes differ, comments aside.
std::string first_difference(const std::string& mine, const std::string& theirs) {
  const auto lines = [](const std::string& text) {
    std::vector<std::pair<std::string, std::string>> out;  // table, line
    std::istringstream in(text);
    std::string table;
    for (std::string line; std::getline(in, line);) {
      if (const size_t comment = line.find("  # "); comment != std::string::npos) line.resize(comment);
      while (!line.empty() && line.back() == ' ') line.pop_back();
      if (line.empty()) continue;
      if (line[0] == '[') table = line;
      else out.emplace_back(table, line);
    }
    return out;
  };
  const auto a = lines(mine), b = lines(theirs);
  for (size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i < a.size() && i < b.size() && a[i] == b[i]) continue;
    const auto show = [&](const auto& list) { return i < list.size() ? list[i].first + " " + list[i].second : std::string("nothing"); };
    return fmt::format("the run has {}, the recipe {}", show(b), show(a));
  }
  return "";
}

Status write_all(int file, const std::string& text, const std::string& path) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t n = ::write(file, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error("cannot write", path, errno));
    done += static_cast<size_t>(n);
  }
  return {};
}

nlohmann::ordered_json to_json(const Event& e) {
  nlohmann::ordered_json j;
  j["step"] = e.step;
  j["kind"] = e.kind;
  for (const auto& [key, value] : e.values)
    std::visit(
        [&](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>) {
            if (!std::isfinite(v)) {  // JSON has no such numbers
              j[key] = std::isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
              return;
            }
          }
          j[key] = v;
        },
        value);
  return j;
}

std::optional<Event> parse_event(const std::string& line) {
  const auto j = nlohmann::ordered_json::parse(line, nullptr, false);
  if (!j.is_object() || !j.contains("step") || !j["step"].is_number_integer() || !j.contains("kind") || !j["kind"].is_string()) return {};
  Event e{j["step"].get<int64_t>(), j["kind"].get<std::string>(), {}};
  for (const auto& [key, value] : j.items()) {
    if (key == "step" || key == "kind") continue;
    if (value.is_number_integer()) e.values.emplace_back(key, value.get<int64_t>());
    else if (value.is_number()) e.values.emplace_back(key, value.get<double>());
    else if (value == "NaN") e.values.emplace_back(key, std::nan(""));
    else if (value == "Infinity" || value == "-Infinity") e.values.emplace_back(key, value == "Infinity" ? HUGE_VAL : -HUGE_VAL);
    else if (value.is_string()) e.values.emplace_back(key, value.get<std::string>());
    else return {};
  }
  return e;
}

}  // namespace

RunDir::RunDir(RunDir&& o) noexcept : path_(std::move(o.path_)), resumed_(o.resumed_), lock_(std::exchange(o.lock_, -1)), events_(std::exchange(o.events_, -1)) {}

RunDir& RunDir::operator=(RunDir&& o) noexcept {
  std::swap(path_, o.path_);
  std::swap(resumed_, o.resumed_);
  std::swap(lock_, o.lock_);
  std::swap(events_, o.events_);
  return *this;
}

RunDir::~RunDir() {
  if (events_ >= 0) ::close(events_);
  if (lock_ >= 0) {
    // Emptied, not removed: a process that waits for this very file would lock one that nobody sees.
    if (::ftruncate(lock_, 0) != 0) {}
    ::close(lock_);
  }
}

std::string RunDir::file(const std::string& name) const { return (fs::path(path_) / name).string(); }

Result<RunDir> RunDir::open(const std::string& path) {
  RunDir run;
  run.path_ = path;
  std::error_code ec;
  if (!fs::is_directory(path, ec)) return fail(Code::not_found, "no such run directory", path, "hone runs lists the runs below a folder");
  if (!fs::exists(run.file(kRecipe), ec)) return fail(Code::invalid, "this folder is no run directory: recipe.toml is missing", path);
  run.resumed_ = true;
  return run;
}

Result<RunDir> RunDir::open_for_writing(const std::string& path, const std::string& frozen_recipe) {
  RunDir run;
  run.path_ = path;
  std::error_code ec;
  if (fs::exists(path, ec) && !fs::is_directory(path, ec)) return fail(Code::usage, "a run directory is a folder, and this is a file", path);
  if (fs::is_directory(path, ec) && !fs::exists(run.file(kRecipe), ec) && !fs::exists(run.file(kLock), ec) && !fs::is_empty(path, ec))
    return fail(Code::usage, "the folder is not empty and is no run directory: nothing is written into it", path, "name a new folder");
  fs::create_directories(path, ec);
  if (ec) return fail(io_error("cannot make the run directory", path, ec.value()));

  run.lock_ = ::open(run.file(kLock).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (run.lock_ < 0) return fail(io_error("cannot write to the run directory", path, errno));
  if (::flock(run.lock_, LOCK_EX | LOCK_NB) != 0) {
    char holder[512] = "";
    const ssize_t n = ::pread(run.lock_, holder, sizeof holder - 1, 0);
    ::close(std::exchange(run.lock_, -1));
    return fail(Code::failed, fmt::format("another process is writing this run{}", n > 0 ? ": " + std::string(holder, static_cast<size_t>(n)) : ""), path, "wait for it, end it, or name another run directory");
  }
  const std::string holder = fmt::format("process {} on {}", ::getpid(), host());
  if (::ftruncate(run.lock_, 0) != 0) return fail(io_error("cannot write", run.file(kLock), errno));
  HONE_TRY(write_all(run.lock_, holder, run.file(kLock)));

  if (fs::exists(run.file(kRecipe), ec)) {
    HONE_TRY_ASSIGN(const std::string theirs, run.recipe());
    if (const std::string difference = first_difference(frozen_recipe, theirs); !difference.empty())
      return fail(Code::usage, "the run was made by another recipe: " + difference, path, "resume it with its own recipe.toml, or name a new run directory");
    run.resumed_ = true;
  }
  fs::create_directories(run.file("checkpoints"), ec);
  if (ec) return fail(io_error("cannot make a folder", run.file("checkpoints"), ec.value()));
  run.events_ = ::open(run.file(kEvents).c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (run.events_ < 0) return fail(io_error("cannot write", run.file(kEvents), errno));
  // The recipe comes last: a folder that has one has everything else.
  if (!run.resumed_) HONE_TRY(run.write(kRecipe, frozen_recipe));
  return run;
}

Result<std::string> RunDir::recipe() const { return read_file(file(kRecipe), size_t{1} << 20); }

Status RunDir::write(const std::string& name, const std::string& contents) const { return write_file(file(name), contents, true); }

Status RunDir::append(const Event& event) {
  if (events_ < 0) return fail(Code::failed, "this run was opened for reading", path_);
  struct stat before{};
  const bool known = ::fstat(events_, &before) == 0;
  const std::string line = to_json(event).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  auto written = write_all(events_, line, file(kEvents));
  if (!written && known && ::ftruncate(events_, before.st_size) != 0) {}  // half a line goes; what was there stays
  return written;
}

Status RunDir::truncate_events(int64_t after_step) {
  if (events_ < 0) return fail(Code::failed, "this run was opened for reading", path_);
  HONE_TRY_ASSIGN(const std::string text, read_file(file(kEvents), kMaxEvents));
  // Events are in order of steps: everything from the first line that is broken or too late goes.
  size_t keep = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    const auto event = parse_event(text.substr(at, end - at));
    if (!event || event->step > after_step) break;
    keep = at = end + 1;
  }
  if (keep < text.size() && ::ftruncate(events_, static_cast<off_t>(keep)) != 0) return fail(io_error("cannot cut", file(kEvents), errno));
  return {};
}

Result<std::vector<Event>> RunDir::events() const {
  std::vector<Event> out;
  std::error_code ec;
  if (!fs::exists(file(kEvents), ec)) return out;
  HONE_TRY_ASSIGN(const std::string text, read_file(file(kEvents), kMaxEvents));
  std::istringstream in(text);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    auto event = parse_event(line);
    if (!event && in.eof()) break;  // a writer is in the middle of its last line
    if (!event) return fail(Code::invalid, "this is no event", fmt::format("{}:{}", file(kEvents), number));
    out.push_back(*std::move(event));
  }
  return out;
}

}  // namespace hone
