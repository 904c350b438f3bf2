// manifest.json of a run directory: what the run was made with, so that its figures can be traced and repeated.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/error.h"
#include "run/run_dir.h"

namespace hone {

// The machine that a process runs on.
struct Host {
  std::string name, system, cpu, device;  // device: what trained, when it is not the CPU
  int64_t cores = 0;                      // that this process may use
  int64_t memory_bytes = 0;
};
Host this_host();

// A data set as it was found.
struct DataFacts {
  std::string name, path, checksum;            // checksum: SHA-256 of what the data room defines; may be empty
  std::map<std::string, int64_t> counts;       // "train photos" -> 1010
};

// One process that worked on the run: the first, and one more for every time it was resumed.
struct Session {
  std::string began, ended;                    // UTC, "2026-11-23T14:05:00Z"; ended is empty while it runs or when it died
  int64_t from_step = 0;
  std::vector<std::string> command_line;
  std::map<std::string, std::string> versions; // "hone", "compiler", "torch" ...
  Host host;
};

struct Manifest {
  int64_t seed = 0;
  std::vector<DataFacts> data;
  std::vector<Session> sessions;
};

// The versions that every process knows: hone, compiler, standard library.
std::map<std::string, std::string> own_versions();
std::string utc_now();
std::string utc_text(int64_t seconds);           // since 1970: "2026-11-23T14:05:00Z"

// Code::not_found when the run has none yet.
Result<Manifest> read_manifest(const RunDir& run);
Status write_manifest(const RunDir& run, const Manifest& manifest);

// Adds this process to the run's manifest, or makes it. `command_line` may be empty: then it is the process's own.
// A resumed run whose data has other checksums or counts is an error: it would not be the same run.
Status begin_session(const RunDir& run, int64_t seed, int64_t from_step, const std::vector<DataFacts>& data,
                     const std::map<std::string, std::string>& versions = {}, const std::string& device = {},
                     std::vector<std::string> command_line = {});
Status end_session(const RunDir& run);

// SHA-256 of a file's bytes, in hexadecimal.
Result<std::string> file_checksum(const std::string& path);

}  // namespace hone
