#include "cli/command.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/file.h"
#include "run/format.h"

namespace hone::cli {

namespace {

constexpr size_t kHelpWidth = 100;

// `text` in lines of at most `width`, later lines indented by `indent`.
std::string wrap(const std::string& text, size_t indent, size_t width) {
  std::string out, line;
  size_t start = 0;
  while (start < text.size()) {
    size_t end = std::min(text.find(' ', start), text.size());
    const std::string word = text.substr(start, end - start);
    if (!line.empty() && indent + line.size() + 1 + word.size() > width) {
      out += line + '\n' + std::string(indent, ' ');
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += word;
    start = end + 1;
  }
  return out + line;
}

bool repeats(const Target& target) { return std::holds_alternative<std::vector<std::string>*>(target); }

std::string left(const Option& o) {
  std::string flags;
  for (char c : o.flags) flags += c == ',' ? std::string(", ") : std::string(1, c);
  return o.value.empty() ? flags : flags + " " + o.value;
}

}  // namespace

std::string Command::usage() const {
  std::string out = "hone " + name;
  for (const Argument& a : arguments) {
    const std::string dots = repeats(a.target) ? "..." : "";
    out += a.required ? " " + a.name + dots : " [" + a.name + dots + "]";
  }
  return options.empty() ? out : out + " [options]";
}

std::string Command::help() const {
  std::string out = fmt::format("{}\n\nusage: {}\n", summary, usage());
  if (!about.empty()) out += "\n" + wrap(about, 0, kHelpWidth) + "\n";
  size_t width = 0;
  for (const Argument& a : arguments) width = std::max(width, a.name.size());
  for (const Option& o : options) width = std::max(width, left(o).size());
  width = std::min<size_t>(width, 30);
  auto row = [&](const std::string& what, const std::string& text) {
    std::string line = fmt::format("  {:<{}}", what, width);
    if (what.size() > width) line += "\n" + std::string(width + 2, ' ');
    out += line + "  " + wrap(text, width + 4, kHelpWidth) + "\n";
  };
  if (!arguments.empty()) out += "\narguments:\n";
  for (const Argument& a : arguments) row(a.name, a.help);
  if (!options.empty()) out += "\noptions:\n";
  for (const Option& o : options) row(left(o), o.help + (repeats(o.target) ? " (repeatable)" : ""));
  if (!examples.empty()) out += "\nexamples:\n";
  for (const Example& e : examples) out += fmt::format("  # {}\n  {}\n", e.about, e.line);
  return out;
}

void add_output(Command& command, Output& output, bool csv, bool html) {
  command.options.push_back({"--json", "", &output.json, "print the result as JSON"});
  if (csv) command.options.push_back({"--csv", "", &output.csv, "print the table as CSV"});
  if (html) command.options.push_back({"--html", "FILE", &output.html, "write a report of one HTML file, with charts"});
  if (html) command.options.push_back({"--force", "", &output.force, "overwrite the file if it exists"});
}

Result<Outcome> present(const Report& report, const Output& output, const TextStyle& style) {
  if (output.json && output.csv) return fail(Code::usage, "--json and --csv exclude each other", {}, "ask for one of them");
  Outcome outcome;
  if (output.html) {
    const std::string page = to_html(report);
    HONE_TRY(write_file(*output.html, page, output.force));
    if (!output.json && !output.csv) {
      outcome.out = fmt::format("wrote {} ({} kB)\n", *output.html, (page.size() + 999) / 1000);
      return outcome;
    }
  }
  if (output.json) {
    outcome.out = to_json(report);
  } else if (output.csv) {
    HONE_TRY_ASSIGN(outcome.out, to_csv(report));
  } else {
    outcome.out = to_text(report, style);
  }
  return outcome;
}

}  // namespace hone::cli
