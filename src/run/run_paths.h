// Files that a run's recipe names, found again later: from another folder, or on another machine.
#pragma once

#include <string>

#include "run/run_dir.h"

namespace hone {

// Copies of stage tables and search spaces that a recipe names as TOML files (network.name, network.net, space.name), so that a run can
// be opened when those have moved, and means what it meant when those have changed.
inline constexpr const char* kKeptNetwork = "stage_table.toml";
inline constexpr const char* kKeptSpace = "space.toml";
// Copies what `recipe`, the frozen text, names and the run does not hold yet. Errors: a file that cannot be read, a full disk.
Status keep_named_files(const RunDir& run, const std::string& recipe);
// The run's copy where there is one, else `name`, located; a name of hone's own, which no file has, as it is.
std::string kept_or_located(const std::string& name, const char* copy, const std::string& run);

// A path of a recipe is relative to where training was started: it is looked for from here, then from the folders above the run, so
// that a run is found again from anywhere.
std::string located(const std::string& path, const std::string& run);

}  // namespace hone
