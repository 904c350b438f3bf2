#include "run/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "core/file.h"
#include "run/format.h"
#include "run/recipe.h"

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

std::string holder_of(int lock) {
  char holder[512] = "";
  const ssize_t n = ::pread(lock, holder, sizeof holder - 1, 0);
  return n > 0 ? clean_text(std::string_view(holder, static_cast<size_t>(n))) : "it has not said who it is";
}

std::string host() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// The first key in which two recipes differ, as a sentence; comments and layout do not count.
Result<std::string> difference(const std::string& theirs, const std::string& mine) {
  HONE_TRY_ASSIGN(const auto all, recipe_differences(theirs, mine));
  if (all.empty()) return std::string();
  const auto show = [](const std::string& v) { return v.empty() ? std::string("nothing") : clean_text(v); };
  std::string out = fmt::format("{} is {} in the run, {} in the recipe", clean_text(all[0].key), show(all[0].first), show(all[0].second));
  if (all.size() > 1) out += fmt::format(", and {} more differ", all.size() - 1);
  return out;
}

// Takes the lock, or names who has it. Someone who only looks whether a run is written holds it for an instant.
Result<int> take_lock(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (file < 0) return fail(io_error("cannot write to the run directory", path, errno));
  for (int tries = 0; ::flock(file, LOCK_EX | LOCK_NB) != 0; ++tries) {
    const int code = errno;
    if (code == EINTR) continue;
    if (code == EWOULDBLOCK && tries < 5) {
      std::this_thread::sleep_for(std::chrono::milliseconds(40));
      continue;
    }
    const std::string holder = holder_of(file);
    ::close(file);
    if (code != EWOULDBLOCK) return fail(io_error("cannot lock", path, code));
    return fail(Code::failed, "another process is writing this run: " + holder, path, "wait for it, end it, or name another run directory");
  }
  return file;
}

// "NAME.part123" is left by a process that died while it wrote NAME.
void remove_parts(const std::string& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string name = entry.path().filename().string();
    const size_t at = name.rfind(".part");
    if (at != std::string::npos && at + 5 < name.size() && name.find_first_not_of("0123456789", at + 5) == std::string::npos) fs::remove(entry.path(), ignored);
  }
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
  for (const auto& named : e.values)
    std::visit(
        [&](const auto& v) {
          if constexpr (std::is_same_v<std::decay_t<decltype(v)>, double>) {
            if (!std::isfinite(v)) {  // JSON has no such numbers
              j[named.first] = std::isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
              return;
            }
          }
          j[named.first] = v;
        },
        named.second);
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
  // Emptied, not removed: a process that waits for this very file would lock one that nobody sees.
  if (lock_ >= 0) (void)!::ftruncate(lock_, 0), ::close(lock_);
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

  HONE_TRY_ASSIGN(run.lock_, take_lock(run.file(kLock)));
  const std::string holder = fmt::format("process {} on {}", ::getpid(), host());
  if (::ftruncate(run.lock_, 0) != 0) return fail(io_error("cannot write", run.file(kLock), errno));
  HONE_TRY(write_all(run.lock_, holder, run.file(kLock)));

  if (fs::exists(run.file(kRecipe), ec)) {
    HONE_TRY_ASSIGN(const std::string theirs, run.recipe());
    HONE_TRY_ASSIGN(const std::string first, difference(theirs, frozen_recipe));
    if (!first.empty())
      return fail(Code::usage, "the run was made by another recipe: " + first, path, "resume it with its own recipe.toml, or name a new run directory");
    run.resumed_ = true;
  }
  remove_parts(path);
  remove_parts(run.file("checkpoints"));
  fs::create_directories(run.file("checkpoints"), ec);
  if (ec) return fail(io_error("cannot make a folder", run.file("checkpoints"), ec.value()));
  run.events_ = ::open(run.file(kEvents).c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (run.events_ < 0) return fail(io_error("cannot write", run.file(kEvents), errno));
  if (run.resumed_) HONE_TRY(run.truncate_events(INT64_MAX));  // a half-written last line
  // The recipe comes last: a folder that has one has everything else.
  if (!run.resumed_) HONE_TRY(run.write(kRecipe, frozen_recipe));
  return run;
}

std::optional<std::string> RunDir::writer() const {
  const int lock = ::open(file(kLock).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (lock < 0) return std::nullopt;
  std::optional<std::string> holder;
  if (::flock(lock, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) holder = holder_of(lock);
  ::close(lock);
  return holder;
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
  // Events are in order of steps: everything from the first line that is too late goes, and a last line without its end.
  size_t keep = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    if (end == std::string::npos) break;
    const auto event = parse_event(text.substr(at, end - at));
    if (!event) return fail(Code::invalid, "this is no event", fmt::format("{}: byte {}", file(kEvents), at), "remove the line");
    if (event->step > after_step) break;
    keep = at = end + 1;
  }
  if (keep < text.size() && ::ftruncate(events_, static_cast<off_t>(keep)) != 0) return fail(io_error("cannot cut", file(kEvents), errno));
  return {};
}

Result<std::vector<Event>> RunDir::events(size_t tail) const {
  std::vector<Event> out;
  std::error_code ec;
  if (!fs::exists(file(kEvents), ec)) return out;
  HONE_TRY_ASSIGN(const auto mapped, MappedFile::open(file(kEvents)));
  std::string_view text = mapped->text();
  text = text.substr(0, text.rfind('\n') + 1);  // without an end of line: its writer died there, or is at it
  size_t at = 0;
  if (text.size() > tail) at = std::min(text.find('\n', text.size() - tail - 1) + 1, text.size());
  while (at < text.size()) {
    const size_t end = text.find('\n', at);
    auto event = parse_event(std::string(text.substr(at, end - at)));
    if (!event) return fail(Code::invalid, "this is no event", fmt::format("{}:{}", file(kEvents), std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n') + 1));
    out.push_back(*std::move(event));
    at = end + 1;
  }
  return out;
}

}  // namespace hone
