// hone completion: scripts for bash, zsh and fish, made from the commands' own declarations.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"

namespace hone::cli {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  size_t start = 0;
  for (size_t end; (end = text.find(separator, start)) != std::string::npos; start = end + 1) out.push_back(text.substr(start, end - start));
  out.push_back(text.substr(start));
  return out;
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& s : list) out += (out.empty() ? "" : " ") + s;
  return out;
}

std::string all_flags(const Command& c) {
  std::vector<std::string> flags;
  for (const Option& o : c.options)
    for (const std::string& f : split(o.flags, ',')) flags.push_back(f);
  flags.emplace_back("--help");
  return joined(flags);
}

// First words, each once: "skip list" and "skip apply" complete as "skip".
std::vector<std::string> first_words(const std::vector<Command>& all) {
  std::vector<std::string> words;
  for (const Command& c : all) {
    const std::string word = split(c.name, ' ')[0];
    if (words.empty() || words.back() != word) words.push_back(word);
  }
  return words;
}

std::vector<std::string> second_words(const std::vector<Command>& all, const std::string& first) {
  std::vector<std::string> words;
  for (const Command& c : all)
    if (const auto parts = split(c.name, ' '); parts.size() == 2 && parts[0] == first) words.push_back(parts[1]);
  return words;
}

constexpr const char* kNetworks = "hone zoo --names 2>/dev/null";

std::string bash(const std::vector<Command>& all) {
  std::string values, flags, seconds;
  for (const Command& c : all) {
    flags += fmt::format("    '{}') flags='{}' ;;\n", c.name, all_flags(c));
    for (const Option& o : c.options)
      if (!o.choices.empty())
        for (const std::string& f : split(o.flags, ',')) values += fmt::format("    '{} {}') COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n", c.name, f, joined(o.choices));
  }
  for (const std::string& first : first_words(all))
    if (const auto words = second_words(all, first); !words.empty()) seconds += fmt::format("    {}) if [ \"$COMP_CWORD\" = 2 ]; then COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return; fi; command=\"$1 $2\" ;;\n", first, joined(words));
  return fmt::format(R"sh(# hone completion for bash; to load it: source <(hone completion bash)
_hone() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} command flags=''
  if [ "$COMP_CWORD" = 1 ]; then COMPREPLY=($(compgen -W '{} help --help --version' -- "$cur")); return; fi
  set -- "${{COMP_WORDS[@]:1}}"
  command=$1
  case $1 in
{}  esac
  case "$command $previous" in
{}  esac
  case $command in
{}  esac
  case $cur in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$cur")) ;;
    *) COMPREPLY=($(compgen -f -- "$cur") $(compgen -W "$({})" -- "$cur")) ;;
  esac
}}
complete -o filenames -F _hone hone
)sh", joined(first_words(all)), seconds, values, flags, kNetworks);
}

std::string quoted(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + out + "'";
}

// _arguments reads brackets and colons in a description as its own.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(const std::vector<Command>& all) {
  std::string list, cases;
  for (const Command& c : all) {
    if (c.name.find(' ') == std::string::npos) list += fmt::format("    {}\n", quoted(zsh_text(c.name) + ":" + c.summary));
    std::string arguments;
    for (const Option& o : c.options)
      for (const std::string& f : split(o.flags, ',')) {
        const std::string value = o.value.empty() ? "" : fmt::format(":{}:{}", zsh_text(o.value), o.choices.empty() ? "_files" : "(" + joined(o.choices) + ")");
        arguments += " " + quoted(fmt::format("*{}[{}]{}", f, zsh_text(o.help), value));
      }
    cases += fmt::format("    {}) _arguments{} '*:network:_hone_networks' ;;\n", quoted(c.name), arguments);
  }
  std::string seconds;
  for (const std::string& first : first_words(all))
    if (const auto words = second_words(all, first); !words.empty()) {
      list += fmt::format("    {}\n", quoted(first + ":" + joined(words)));
      seconds += fmt::format("  if [[ $words[2] == {0} ]]; then\n    if (( CURRENT == 3 )); then compadd {1}; return; fi\n    command=\"{0} $words[3]\"\n  fi\n", first, joined(words));
    }
  return fmt::format(R"sh(#compdef hone
# hone completion for zsh; to load it: source <(hone completion zsh)
_hone_networks() {{ _files; compadd -- ${{(f)"$({})"}}; }}
_hone() {{
  local -a commands=(
{}  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local command=$words[2]
{}  shift words; (( CURRENT-- ))
  case $command in
{}  esac
}}
compdef _hone hone
)sh", kNetworks, list, seconds, cases);
}

std::string fish(const std::vector<Command>& all) {
  std::string out = "# hone completion for fish; to load it: hone completion fish | source\ncomplete -c hone -f\n";
  const auto words = first_words(all);
  for (const std::string& first : words) {
    const auto seconds = second_words(all, first);
    std::string about = joined(seconds);
    for (const Command& c : all)
      if (c.name == first) about = c.summary;
    out += fmt::format("complete -c hone -n __fish_use_subcommand -a {} -d {}\n", first, quoted(about));
    if (!seconds.empty()) out += fmt::format("complete -c hone -n '__fish_seen_subcommand_from {0}; and not __fish_seen_subcommand_from {1}' -a '{1}'\n", first, joined(seconds));
  }
  for (const Command& c : all) {
    std::string seen;
    for (const std::string& word : split(c.name, ' ')) seen += (seen.empty() ? "" : "; and ") + ("__fish_seen_subcommand_from " + word);
    for (const Option& o : c.options) {
      std::string flags;
      for (const std::string& f : split(o.flags, ',')) flags += f.compare(0, 2, "--") == 0 ? " -l " + f.substr(2) : " -s " + f.substr(1);
      const std::string value = o.value.empty() ? "" : o.choices.empty() ? " -r -F" : " -x -a " + quoted(joined(o.choices));
      out += fmt::format("complete -c hone -n {}{}{} -d {}\n", quoted(seen), flags, value, quoted(o.help));
    }
    if (!c.arguments.empty()) out += fmt::format("complete -c hone -n {} -F -a '({})'\n", quoted(seen), kNetworks);
  }
  return out;
}

}  // namespace

Command completion_command() {
  auto shell = std::make_shared<std::string>();
  Command c;
  c.name = "completion";
  c.summary = "The completion script for a shell";
  c.arguments.push_back({"SHELL", shell.get(), "bash, zsh or fish"});
  c.examples = {{"source <(hone completion bash)", "in ~/.bashrc"}, {"source <(hone completion zsh)", "in ~/.zshrc"}, {"hone completion fish > ~/.config/fish/completions/hone.fish", "once, for fish"}};
  c.run = [shell](const TextStyle&) -> Result<Outcome> {
    std::vector<Command> all;
    for (const Entry& e : commands()) all.push_back(e.make());
    if (*shell == "bash") return Outcome{bash(all)};
    if (*shell == "zsh") return Outcome{zsh(all)};
    if (*shell == "fish") return Outcome{fish(all)};
    return fail(Code::usage, fmt::format("no completion for '{}'", *shell), {}, "shells: bash, zsh, fish");
  };
  return c;
}

}  // namespace hone::cli
