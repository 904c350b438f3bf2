// A command of the command line, declared: its arguments, options, help and what it runs. Parsing (args.cpp), help and
// shell completion (completion.cpp) all read the same declaration, so they cannot differ.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/error.h"
#include "run/report.h"

namespace hone::cli {

// What a command gives back: its results for standard output, and an exit code that is not an error's
// (check's "not within tolerance").
struct Outcome {
  std::string out;
  int exit = 0;
  std::string diagnostics;  // for standard error; whole lines
};

// Where an argument or option is stored. std::optional: not given stays empty.
using Target = std::variant<bool*, std::string*, std::optional<std::string>*, std::optional<int64_t>*,
                            std::optional<double>*, std::vector<std::string>*>;

struct Argument {
  std::string name;      // "NET"
  Target target;
  std::string help;
  bool required = true;
};

struct Option {
  std::string flags;     // "-o,--output"
  std::string value;     // name of the value in help; "" for a flag
  Target target;
  std::string help;
  std::vector<std::string> choices;  // the only values, when not empty
};

struct Example {
  std::string line, about;
};

struct Command {
  std::string name;      // "profile"; "skip list"
  std::string summary;   // one line, in the list of commands
  std::string about;     // a paragraph in the command's own help; may be empty
  std::vector<Argument> arguments;
  std::vector<Option> options;
  std::vector<Example> examples;
  std::function<Result<Outcome>(const TextStyle&)> run;

  std::string usage() const;  // "hone profile NET [--input SHAPE]..."
  std::string help() const;
};

// A command is made when it is asked for: nothing is set up for the others.
struct Entry {
  std::string_view name, summary;
  Command (*make)();
};
const std::vector<Entry>& commands();

// Fills the targets; usage errors say which argument, what was expected, and how to get help.
Status parse(const Command& command, const std::vector<std::string>& args);

// Options that every command with a report has: --json, and as asked --csv, --html with --force.
struct Output {
  bool json = false, csv = false, force = false;
  std::optional<std::string> html;
};
void add_output(Command& command, Output& output, bool csv, bool html);
// The report in the form that was asked for.
Result<Outcome> present(const Report& report, const Output& output, const TextStyle& style);

}  // namespace hone::cli
