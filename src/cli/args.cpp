// The only file that knows CLI11: declarations in, filled targets or a usage error out.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "cli/command.h"
#include "core/nearest.h"

namespace hone::cli {

namespace {

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) out += (out.empty() ? "" : ", ") + s;
  return out;
}

// CLI11 splits the command line; values arrive as text and are converted here, so that the messages are ours.
CLI::Option* add(CLI::App& app, const std::string& name, const Target& target, std::vector<std::string>& values) {
  if (auto* flag = std::get_if<bool*>(&target)) return app.add_flag(name, **flag);
  CLI::Option* option = app.add_option(name, values)->allow_extra_args(false);
  // An argument that repeats takes what is left; an option takes one value each time it is written.
  if (std::holds_alternative<std::vector<std::string>*>(target)) return name[0] == '-' ? option : option->allow_extra_args(true);
  return option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::Throw);
}

template <class T>
std::optional<T> number_from(const std::string& text) {
  T value{};
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status store(const std::string& name, const Target& target, const std::vector<std::string>& values, const std::vector<std::string>& choices) {
  if (values.empty() || std::holds_alternative<bool*>(target)) return {};
  for (const std::string& v : values)
    if (!choices.empty() && std::find(choices.begin(), choices.end(), v) == choices.end())
      return fail(Code::usage, fmt::format("is '{}', expected one of: {}", v, joined(choices)), name);
  if (auto* text = std::get_if<std::string*>(&target)) **text = values[0];
  else if (auto* maybe = std::get_if<std::optional<std::string>*>(&target)) **maybe = values[0];
  else if (auto* list = std::get_if<std::vector<std::string>*>(&target)) **list = values;
  else if (auto* integer = std::get_if<std::optional<int64_t>*>(&target)) {
    if (!(**integer = number_from<int64_t>(values[0]))) return fail(Code::usage, fmt::format("is '{}', expected a whole number", values[0]), name);
  } else if (auto* real = std::get_if<std::optional<double>*>(&target)) {
    if (!(**real = number_from<double>(values[0])) || !std::isfinite(***real)) return fail(Code::usage, fmt::format("is '{}', expected a number", values[0]), name);
  }
  return {};
}

// The first option written that the command does not have.
std::string unknown_option(const Command& command, const std::vector<std::string>& args) {
  for (const std::string& a : args) {
    if (a == "--") break;
    if (a.size() < 2 || a[0] != '-') continue;
    const std::string name = a.substr(0, a.find('='));
    const auto has = [&](const Option& o) { return ("," + o.flags + ",").find("," + name + ",") != std::string::npos; };
    if (std::none_of(command.options.begin(), command.options.end(), has)) return name;
  }
  return "";
}

}  // namespace

Status parse(const Command& command, const std::vector<std::string>& args) {
  const std::string help = fmt::format("usage: {}\n  help:  hone {} --help", command.usage(), command.name);
  try {
    CLI::App app;
    app.set_help_flag();  // main.cpp answers --help
    struct Declared {
      CLI::Option* option;
      std::string name;
      const Target* target;
      const std::vector<std::string>* choices;
      std::vector<std::string> values;
    };
    static const std::vector<std::string> any;
    std::vector<Declared> all(command.arguments.size() + command.options.size());
    for (size_t i = 0; i < all.size(); ++i) {
      Declared& d = all[i];
      if (i < command.arguments.size()) {
        const Argument& a = command.arguments[i];
        d = {nullptr, a.name, &a.target, &any, {}};
        d.option = add(app, a.name, a.target, d.values);
      } else {
        const Option& o = command.options[i - command.arguments.size()];
        d = {nullptr, o.flags.substr(o.flags.rfind(',') + 1), &o.target, &o.choices, {}};
        d.option = add(app, o.flags, o.target, d.values)->type_name(o.value);
      }
    }
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 takes them last first
    for (const Argument& a : command.arguments)
      if (const Declared& d = all[static_cast<size_t>(&a - command.arguments.data())]; a.required && d.option->count() == 0)
        return fail(Code::usage, a.name + " is missing: " + a.help, {}, help);
    for (const Declared& d : all)
      if (Status stored = store(d.name, *d.target, d.values, *d.choices); !stored) {
        stored.error().hint = help;
        return stored;
      }
    return {};
  } catch (const CLI::ExtrasError&) {
    if (const std::string name = unknown_option(command, args); !name.empty()) {
      std::vector<std::string> names;
      for (const Option& o : command.options) names.push_back(o.flags.substr(o.flags.rfind(',') + 1));
      const auto near = nearest(name, names, 1);
      return fail(Code::usage, fmt::format("unknown option '{}'{}", name, near.empty() || edit_distance(name, near[0]) > 3 ? "" : ", did you mean " + near[0] + "?"), {}, help);
    }
    return fail(Code::usage, fmt::format("too many arguments, {} expected", command.arguments.size()), {}, help);
  } catch (const CLI::Error& e) {
    const std::string text = e.what();
    return fail(Code::usage, text.substr(0, text.find('\n')), {}, help);
  }
}

}  // namespace hone::cli
