// hone: finds the command, parses its arguments, runs it, prints once.
// Results go to standard output, everything else to standard error. Exit: 0 ok, 1 failed, 2 usage, 3 budget not met.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/command.h"
#include "core/nearest.h"
#include "run/format.h"

namespace hone::cli {

namespace {

// Colour only on a terminal that has it and where nobody asked for none (no-color.org).
TextStyle text_style() {
  const auto variable = [](const char* name) -> std::string_view {
    const char* value = std::getenv(name);
    return value ? value : "";
  };
  TextStyle style;
  const bool terminal = ::isatty(STDOUT_FILENO) != 0;
  style.color = terminal && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const std::string_view locale = variable(name); !locale.empty()) {
      style.utf8 = locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos || locale.find("UTF8") != locale.npos;
      break;
    }
  winsize size{};
  if (terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40) style.width = size.ws_col;
  return style;
}

std::string overview() {
  std::string out = "hone fits neural networks to a compute budget.\n\nusage: hone COMMAND [arguments]\n\ncommands:\n";
  for (const Entry& e : commands()) out += fmt::format("  {:<19}{}\n", e.name, e.summary);
  out +=
      "\nNET is a network's name (hone zoo lists them), an .onnx file, an arch .toml, a .hone graph, a .json encoding or a run directory.\n"
      "hone COMMAND --help says more and shows examples; hone --version prints the version.\n"
      "exit status: 0 ok, 1 failed, 2 usage, 3 budget not met\n";
  return out;
}

int report_error(const Error& error) {
  // A path or name from a file must not reach the terminal raw; the hint is ours and may have lines.
  std::string text = "hone: " + (error.where.empty() ? "" : clean_text(error.where) + ": ") + clean_text(error.message) + "\n";
  if (!error.hint.empty()) text += "  " + error.hint + "\n";
  std::fwrite(text.data(), 1, text.size(), stderr);
  return exit_code(error.code);
}

int print(const std::string& text, int exit) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  if (std::fflush(stdout) != 0) return report_error({Code::io, std::string("cannot write to standard output: ") + std::strerror(errno)});
  return exit;
}

constexpr size_t kTypo = 3;  // letters that a misspelt word may be away from what is offered instead

// The entry that the first one or two words name, and how many words that took.
std::pair<const Entry*, size_t> find_command(const std::vector<std::string>& words) {
  for (size_t n : {size_t{2}, size_t{1}}) {
    if (words.size() < n) continue;
    const std::string name = n == 2 ? words[0] + " " + words[1] : words[0];
    for (const Entry& e : commands())
      if (e.name == name) return {&e, n};
  }
  return {nullptr, 0};
}

int unknown_command(const std::string& word, bool help) {
  std::vector<std::string> names;
  for (const Entry& e : commands()) names.emplace_back(e.name);
  // "hone skip": the first half of commands of two words.
  std::string parts, listed;
  for (const Entry& e : commands())
    if (e.name.starts_with(word + " ")) {
      parts += (parts.empty() ? "" : ", ") + std::string(e.name);
      listed += fmt::format("  {:<19}{}\n", e.name, e.summary);
    }
  if (help && !parts.empty()) return print(fmt::format("commands:\n{}\nhone COMMAND --help says more and shows examples\n", listed), 0);
  if (!parts.empty()) return report_error({Code::usage, fmt::format("'{}' needs one more word", word), {}, "commands: " + parts});
  std::string near;
  for (const std::string& n : nearest(word, names, 2))
    if (edit_distance(word, n) <= kTypo) near += (near.empty() ? "did you mean " : " or ") + n;
  if (!near.empty()) near += "?  ";
  return report_error({Code::usage, fmt::format("no command '{}'", word), {}, near + "hone --help lists all commands"});
}

int main(std::vector<std::string> args) {
  if (!args.empty() && args[0] == "help") {
    args.erase(args.begin());
    if (!args.empty()) args.emplace_back("--help");
  }
  if (args.empty() || args[0] == "--help" || args[0] == "-h") return print(overview(), 0);
  if (args[0] == "--version") return print(fmt::format("hone {}\n", HONE_VERSION), 0);
  const auto [entry, used] = find_command(args);
  if (!entry) return unknown_command(args[0], args.size() > 1 && (args[1] == "--help" || args[1] == "-h"));

  const Command command = entry->make();
  args.erase(args.begin(), args.begin() + static_cast<ptrdiff_t>(used));
  for (const std::string& a : args) {
    if (a == "--") break;
    if (a == "--help" || a == "-h") return print(command.help(), 0);
  }
  if (auto parsed = parse(command, args); !parsed) return report_error(parsed.error());
  auto outcome = command.run(text_style());
  if (!outcome) return report_error(outcome.error());
  std::fwrite(outcome->diagnostics.data(), 1, outcome->diagnostics.size(), stderr);
  return print(outcome->out, outcome->exit);
}

}  // namespace

}  // namespace hone::cli

int main(int argc, char** argv) {
  try {
    return hone::cli::main({argv + 1, argv + argc});
  } catch (const std::bad_alloc&) {
    return hone::cli::report_error({hone::Code::failed, "out of memory"});
  }
}
