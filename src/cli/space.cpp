// hone space list, show, sample: search spaces, and members drawn from them.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <unordered_set>

#include "cli/commands.h"
#include "core/file.h"
#include "search/constraint.h"
#include "search/space_report.h"

namespace hone::cli {

namespace {

struct Options {
  std::string space;
  std::optional<std::string> budget, folder, device;
  std::optional<int64_t> count, seed, draws;
  bool toml = false;
  Output output;
};

Result<Outcome> show(const Options& o, const TextStyle& style) {
  if (o.draws && (*o.draws < 100 || *o.draws > 10'000'000)) return fail(Code::usage, fmt::format("{} draws, expected 100 to 10000000", *o.draws), "--draws");
  HONE_TRY_ASSIGN(const space::Space s, space::open_space(o.space));
  if (o.toml) return Outcome{space::print_space(s), 0, ""};
  const auto seed = static_cast<uint64_t>(o.seed.value_or(1));
  HONE_TRY_ASSIGN(Report report, search::show_space(s, o.draws.value_or(20000), seed));
  if (o.device) HONE_TRY(search::add_device(report, s, *o.device, std::min<int64_t>(o.draws.value_or(3000), 10000), seed));
  return present(report, o.output, style);
}

Result<Outcome> sample(const Options& o, const TextStyle& style) {
  const int64_t count = o.count.value_or(10);
  if (count < 1 || count > 1'000'000) return fail(Code::usage, fmt::format("{} members, expected 1 to 1000000", count), "--count");
  if (o.folder) {
    std::error_code failed;
    std::filesystem::create_directories(*o.folder, failed);
    if (failed) return fail(Code::io, "cannot make the folder: " + failed.message(), *o.folder);
  }
  HONE_TRY_ASSIGN(const space::Space s, space::open_space(o.space));
  HONE_TRY_ASSIGN(const search::Constraint constraint, search::Constraint::make(s, o.budget.value_or("")));
  Report report;
  report.command = "space sample";
  report.title = s.name;
  report.subtitle = o.budget ? "members with " + *o.budget : "members";
  report.parts.push_back(Facts{"", "", {{"space", "", s.name}, {"budget", "", o.budget.value_or("")}, {"seed", "", o.seed.value_or(1)}}, false, kJson});
  Table table{"members", "", {{"macs", "MACs", Unit::count}, {"params", "parameters", Unit::count}}};
  const bool authors = s.counter == space::Counter::elasticvit;
  if (authors) table.columns.push_back({"authors_macs", "authors' MACs", Unit::count});
  bool memory = false, latency = false;
  for (const Limit& l : constraint.budget().limits) memory |= l.quantity == Quantity::memory, latency |= l.quantity == Quantity::latency;
  if (memory) table.columns.push_back({"memory", "peak memory", Unit::bytes});
  if (latency) table.columns.push_back({"latency_ms", "predicted", Unit::milliseconds});
  table.columns.push_back({"encoding", "encoding"});
  Rng rng(static_cast<uint64_t>(o.seed.value_or(1)));
  std::unordered_set<uint64_t> seen;
  for (int64_t tries = 0; static_cast<int64_t>(table.rows.size()) < count && tries < 20 * count + 1000; ++tries) {
    HONE_TRY_ASSIGN(const space::Member m, constraint.draw(rng));
    if (!seen.insert(hash(m)).second) continue;
    HONE_TRY_ASSIGN(const search::MemberCost c, constraint.cost(m));
    std::vector<Cell> row{c.counts.macs, c.counts.params};
    if (authors) row.emplace_back(c.counts.authors_macs);
    if (memory) row.emplace_back(*c.memory);
    if (latency) row.emplace_back(*c.latency_ms);
    std::string text = print_member(s, m);
    if (o.folder) HONE_TRY(write_file(fmt::format("{}/{}.json", *o.folder, table.rows.size() + 1), text, o.output.force));
    text.pop_back();
    row.emplace_back(std::move(text));
    table.rows.push_back(std::move(row));
  }
  const auto drawn = static_cast<int64_t>(table.rows.size());
  report.parts.push_back(std::move(table));
  if (drawn < count) report.parts.push_back(Note{Note::Level::warning, fmt::format("{} distinct members were found, {} were asked for", drawn, count)});
  return present(report, o.output, style);
}

}  // namespace

Command space_list_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "space list";
  c.summary = "The search spaces that hone knows by name";
  add_output(c, o->output, true, true);
  c.examples = {{"hone space list", "their sizes and ranges"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    HONE_TRY_ASSIGN(const Report report, search::list_spaces());
    return present(report, o->output, style);
  };
  return c;
}

Command space_show_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "space show";
  c.summary = "A search space: size, range of costs, how sampling spreads over them, levels";
  c.arguments = {{"SPACE", &o->space, "a preset's name (hone space list) or a .toml file (docs/space.md)"}};
  c.options.push_back({"--draws", "N", &o->draws, "members drawn for quantiles and the histogram, 20000 unless told"});
  c.options.push_back({"--seed", "S", &o->seed, "of the draws, 1 unless told"});
  c.options.push_back({"--device", "TABLE", &o->device, "also which choices are fast on the device of this table (hone device build)"});
  c.options.push_back({"--toml", "", &o->toml, "the space as a file, to start one of your own from"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone space show elasticvit", "the published space of ElasticViT"}, {"hone space show small-vit --toml", "a file to start from"}, {"hone space show elasticvit --device laptop.json --html elasticvit.html", "what is fast on a device, with pictures"}};
  c.run = [o](const TextStyle& style) { return show(*o, style); };
  return c;
}

Command space_sample_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "space sample";
  c.summary = "Members of a search space, drawn within a budget";
  c.about = "Draws follow the uniform sampler of the ElasticViT authors, conditioned on the budget; nothing is drawn and thrown away but what several limits together refuse.";
  c.arguments = {{"SPACE", &o->space, "a preset's name (hone space list) or a .toml file"}};
  c.options.push_back({"--budget", "BUDGET", &o->budget, "macs, params, acts, memory or latency with = or <, as in macs<120M,params<10M"});
  c.options.push_back({"--count", "N", &o->count, "how many, all different; 10 unless told"});
  c.options.push_back({"--seed", "S", &o->seed, "of the draws, 1 unless told"});
  c.options.push_back({"-o,--output", "DIR", &o->folder, "also write each as an encoding, DIR/1.json and so on: a NET for other commands, with --space"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone space sample elasticvit --budget 'macs<120M' --count 3", "three members of at most 120 M multiply-adds"}};
  c.run = [o](const TextStyle& style) { return sample(*o, style); };
  return c;
}

}  // namespace hone::cli
