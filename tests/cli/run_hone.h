// Runs the built program in a folder of its own and gives back all that it said.
#pragma once

#include <string>
#include <vector>

namespace hone::test {

struct Ran {
  int exit = -1;
  std::string out, err;
};

// A fresh empty folder, removed at the end of the test program.
std::string scratch_folder();

// `command` is a shell line with `hone` first in the path; LC_ALL=C.UTF-8, no terminal.
Ran shell(const std::string& command, const std::string& folder = scratch_folder());
inline Ran hone(const std::string& arguments) { return shell("hone " + arguments); }

std::string read_file(const std::string& path);

}  // namespace hone::test
