// A run directory: everything that one training or search leaves behind (docs/architecture.md).
//
//   recipe.toml       frozen, every default written out
//   manifest.json     versions, seed, data checksums and counts, device
//   events.jsonl      append-only; one JSON object a line, "step" first
//   checkpoints/      NAME.safetensors (parameters) and NAME.state (everything else needed to go on)
//   result.json       figures of the finished run
//   report.html
//   lock              held by the process that writes
//
// Every file is written beside and renamed, except events.jsonl. A crash at any moment leaves a directory that resumes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"

namespace hone {

// One line of events.jsonl. Kinds: "train" (loss parts, rates), "validate" (metrics), "note" (text).
struct Event {
  int64_t step = 0;
  std::string kind;
  std::vector<std::pair<std::string, std::variant<int64_t, double, std::string>>> values;  // NaN and infinities stand in the file as text
};

class RunDir {
 public:
  // Makes the directory or opens an existing run, and takes its lock. Errors: the lock is held (names the process and its
  // machine), the frozen recipe differs from `frozen_recipe` (shows the first lines that do, and offers a new directory),
  // the folder exists and is no run, cannot be written to, or has no space.
  static Result<RunDir> open_for_writing(const std::string& path, const std::string& frozen_recipe);
  // Reads only; takes no lock.
  static Result<RunDir> open(const std::string& path);
  RunDir(RunDir&&) noexcept;
  RunDir& operator=(RunDir&&) noexcept;
  ~RunDir();

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const;  // path of a file inside
  bool resumed() const { return resumed_; }         // the directory held a run already
  std::optional<std::string> writer() const;        // who holds the lock: "process 12 on HOST"; nothing when nobody does

  Result<std::string> recipe() const;
  Status write(const std::string& name, const std::string& contents) const;  // atomic, replaces

  // Events behind `after_step` were written by a process that died after its last checkpoint: they are cut off on resume.
  Status truncate_events(int64_t after_step);
  // One write(2) a line; a line that does not fit on the disk leaves no part of itself.
  Status append(const Event& event);
  // In order of writing, only those of the last `tail` bytes. A last line without its end (the writer died, or is at it) is
  // left out.
  Result<std::vector<Event>> events(size_t tail = SIZE_MAX) const;

 private:
  RunDir() = default;
  std::string path_;
  bool resumed_ = false;
  int lock_ = -1, events_ = -1;
};

}  // namespace hone
