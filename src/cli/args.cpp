// The only file that knows CLI11: declarations in, filled targets or a usage error out.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.h"

namespace hone::cli {

namespace {

CLI::Option* add(CLI::App& app, const std::string& name, const Target& target, const std::string& help) {
  return std::visit(
      [&](auto* t) -> CLI::Option* {
        using T = std::remove_pointer_t<decltype(t)>;
        if constexpr (std::is_same_v<T, bool>) return app.add_flag(name, *t, help);
        // A vector takes one value each time its option is written, or the arguments that are left.
        else if constexpr (std::is_same_v<T, std::vector<std::string>>) return app.add_option(name, *t, help)->allow_extra_args(name[0] != '-');
        else return app.add_option(name, *t, help);
      },
      target);
}

// CLI11's wording in one sentence of ours: "--input: 1 required TEXT missing" and the like stay, the type names go.
std::string plain(std::string text) {
  if (const size_t newline = text.find('\n'); newline != std::string::npos) text.resize(newline);
  return text;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) out += (out.empty() ? "" : ", ") + s;
  return out;
}

}  // namespace

Status parse(const Command& command, const std::vector<std::string>& args) {
  const std::string hint = fmt::format("usage: {}\n  help: hone {} --help", command.usage(), command.name);
  try {
    CLI::App app(command.summary);
    app.set_help_flag();  // main.cpp answers --help
    std::vector<std::pair<CLI::Option*, const Argument*>> positionals;
    for (const Argument& a : command.arguments) positionals.emplace_back(add(app, a.name, a.target, a.help), &a);
    std::vector<std::pair<CLI::Option*, const Option*>> options;
    for (const Option& o : command.options) options.emplace_back(add(app, o.flags, o.target, o.help), &o);
    std::vector<std::string> reversed(args.rbegin(), args.rend());  // CLI11's own order
    app.parse(reversed);
    for (const auto& [option, argument] : positionals)
      if (argument->required && option->count() == 0) return fail(Code::usage, argument->name + " is missing: " + argument->help, {}, hint);
    for (const auto& [option, declared] : options) {
      if (declared->choices.empty()) continue;
      for (const std::string& value : option->results())
        if (std::find(declared->choices.begin(), declared->choices.end(), value) == declared->choices.end())
          return fail(Code::usage, fmt::format("{} is '{}', expected one of: {}", option->get_name(), value, joined(declared->choices)), {}, hint);
    }
    return {};
  } catch (const CLI::ExtrasError&) {
    std::string extra;
    for (const std::string& a : args)
      if (a.size() > 1 && a[0] == '-') {
        const std::string name = a.substr(0, a.find('='));
        bool known = false;
        for (const Option& o : command.options) {
          const std::string flags = "," + o.flags + ",";
          known = known || flags.find("," + name + ",") != std::string::npos;
        }
        if (!known) { extra = name; break; }
      }
    if (!extra.empty()) return fail(Code::usage, fmt::format("unknown option '{}'", extra), {}, hint);
    return fail(Code::usage, fmt::format("too many arguments: {} expected", command.arguments.size()), {}, hint);
  } catch (const CLI::Error& e) {
    return fail(Code::usage, plain(e.what()), {}, hint);
  }
}

}  // namespace hone::cli
