// NET on the command line: opened, its inputs bound, its shapes inferred.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "zoo/catalog.h"

namespace hone::cli {

struct NetworkOptions {
  std::string net;                  // RUN:ARCH, too: a supernet run, and the file with the member's encoding or stage table
  std::vector<std::string> inputs;  // "[NAME=]1x3x224x224"
  std::optional<int64_t> batch;
  std::optional<int64_t> canvas;    // of a sketch run
  std::string space;                // of an encoding
  std::optional<std::string> member;  // of a supernet run: a file with its encoding; the largest unless told
  bool calibrated = false;          // a supernet run's member with statistics of its own, which needs the run's pictures
  bool raw = false;                 // a file's nodes as they are, without ir/recognise.h
};
void add_network(Command& command, NetworkOptions& options, std::string argument = "NET");
void add_bindings(Command& command, NetworkOptions& options);
void add_member(Command& command, NetworkOptions& options);  // --arch, for supernet runs
void add_space(Command& command, std::string& space);  // --space, for encodings

// The network with every value typed.
Result<Network> open(const NetworkOptions& options);

}  // namespace hone::cli
