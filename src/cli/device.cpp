// hone device build, show, check, import: what blocks take on a device, and predictions from that.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <set>

#include "cli/commands.h"
#include "core/file.h"
#include "measure/device_meter.h"
#include "measure/device_report.h"
#include "measure/machine.h"
#include "run/manifest.h"
#include "run/progress.h"

namespace hone::cli {

namespace {

struct Options {
  std::vector<std::string> nets;
  std::optional<std::string> space, file, name, keep;
  std::string table, engine = "openvino", precision = "f32";
  std::optional<int64_t> threads, seed, networks, column;
  std::optional<double> minutes;
  Output output;
};

Result<EngineOptions> engine_options(int64_t threads, const std::string& precision) {
  if (threads < 1 || threads > 1024) return fail(Code::usage, fmt::format("{} threads, expected 1 to 1024", threads), "--threads");
  EngineOptions e;
  e.threads = static_cast<int>(threads);
  e.precision = precision;
  return e;
}

bool exists(const std::string& path) {
  std::error_code ec;
  return std::filesystem::exists(path, ec);
}

Result<BuildPlan> plan(const Options& o) {
  const auto seed = static_cast<uint64_t>(o.seed.value_or(1));
  if (o.space) {
    HONE_TRY_ASSIGN(const space::Space space, space::open_space(*o.space));
    return plan_for(space, space.name, seed);
  }
  std::vector<Network> networks;
  for (const std::string& net : o.nets) {
    HONE_TRY_ASSIGN(Network n, open_network(net));
    networks.push_back(std::move(n));
  }
  return plan_for(networks);
}

// The table to go on with: the file's, or an empty one. A damaged file is never replaced unasked.
Result<DeviceTable> begun(const Options& o, const DeviceFacts& facts, const std::string& space) {
  if (!exists(*o.file) || o.output.force) return DeviceTable{facts, space, {}, {}};
  HONE_TRY_ASSIGN(DeviceTable table, read_table(*o.file));
  const std::string rebuild = "write another file, or measure anew with --force";
  if (const auto same = same_device(table.device, facts); !same) return fail(Code::usage, "the table was measured elsewhere: " + same.error().message, *o.file, rebuild);
  if (table.space != space) return fail(Code::usage, fmt::format("the table was built for {}, not {}", table.space, space), *o.file, rebuild);
  return table;
}

// The space that the table was built for, as the file that is given or by name.
Result<space::Space> space_of(const DeviceTable& table, const std::string& file, const std::optional<std::string>& given) {
  auto space = space::open_space(given.value_or(table.space));
  if (!space && !given) return fail(Code::usage, fmt::format("was built for '{}', which is no known space", table.space), file, "--space FILE names the space's file, or name networks");
  return space;
}

// The graph of the table's anchor; nothing where it is hone's own.
Result<std::function<Result<Graph>()>> anchor_of(const DeviceTable& table, const std::string& file, const std::optional<std::string>& given) {
  if (table.device.anchor.empty()) return std::function<Result<Graph>()>();
  HONE_TRY_ASSIGN(const space::Space space, space_of(table, file, given));
  HONE_TRY_ASSIGN(const Probe probe, probe_of(space, table.device.anchor));
  return probe.graph;
}

Result<Outcome> build(const Options& o, const TextStyle& style) {
  if (!o.file) return fail(Code::usage, "no file to write", {}, "-o DEVICE.json");
  if (o.space.has_value() == !o.nets.empty()) return fail(Code::usage, o.space ? "--space and networks exclude each other" : "say what for: --space elasticvit, or networks");
  if (o.minutes && !(*o.minutes > 0 && *o.minutes < 1e5)) return fail(Code::usage, fmt::format("{} minutes", *o.minutes), "--budget-minutes");
  HONE_TRY_ASSIGN(const EngineOptions options, engine_options(o.threads.value_or(1), o.precision));
  if (!exists(*o.file) || o.output.force) HONE_TRY(check_writable(*o.file, true));
  HONE_TRY_ASSIGN(Engine* const engine, open_engine(o.engine));
  HONE_TRY_ASSIGN(const BuildPlan p, plan(o));
  DeviceFacts facts = this_device(*engine, options);
  if (o.name) facts.name = *o.name;
  HONE_TRY_ASSIGN(DeviceTable table, begun(o, facts, p.space));
  HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.threads));

  MeterOptions meter_options;
  meter_options.engine = options;
  meter_options.anchor_ms = &table.device.anchor_ms;
  if (table.device.anchor.empty() && !(table.device.anchor_ms > 0)) table.device.anchor = p.anchor;
  HONE_TRY_ASSIGN(meter_options.anchor, anchor_of(table, *o.file, o.space));
  const Meter meter = engine_meter(*engine, meter_options);
  BuildOptions b;
  b.seconds = 60 * o.minutes.value_or(15);
  Progress progress("device table", static_cast<int64_t>(b.seconds), "s");
  b.save = [&](const DeviceTable& t) { return write_table(t, *o.file, true); };
  b.progress = [&](const BuildProgress& now) {
    progress.step(static_cast<int64_t>(now.share * b.seconds), {{"blocks", static_cast<double>(now.rows)}, {"networks", static_cast<double>(now.networks)}, {"open %", 100 * now.open}});
  };
  HONE_TRY(build_table(table, p, meter, b));
  table.device.ended = utc_now();
  HONE_TRY(write_table(table, *o.file, true));
  HONE_TRY_ASSIGN(Report report, table_report(table, *o.file));
  report.command = "device build";
  return present(report, o.output, style);
}

Result<Outcome> show(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const DeviceTable table, read_table(o.table));
  HONE_TRY_ASSIGN(const Report report, table_report(table, o.table));
  return present(report, o.output, style);
}

Result<std::vector<Probe>> probes_for(const Options& o, const DeviceTable& table) {
  std::vector<Probe> out;
  for (const std::string& net : o.nets) {
    // Encodings are of the table's space where it has one.
    const bool encoding = net.ends_with(".json"), of_a_space = o.space || space::open_space(table.space);
    HONE_TRY_ASSIGN(const Network n, open_network(net, !encoding || !of_a_space ? std::string() : o.space.value_or(table.space)));
    HONE_TRY_ASSIGN(Probe p, probe_of(n));
    out.push_back(std::move(p));
  }
  if (!o.nets.empty()) return out;
  HONE_TRY_ASSIGN(const space::Space space, space_of(table, o.table, o.space));
  std::set<std::string> seen;
  for (const NetworkRow& n : table.networks) seen.insert(n.network);
  Rng rng(static_cast<uint64_t>(o.seed.value_or(1000)));
  const auto wanted = static_cast<size_t>(o.networks.value_or(200));
  while (out.size() < wanted) {
    HONE_TRY_ASSIGN(Probe p, probe_of(space, space::sample(space, rng)));
    if (seen.insert(p.name).second) out.push_back(std::move(p));
  }
  return out;
}

Result<Outcome> check(const Options& o, const TextStyle& style) {
  if (o.networks && (*o.networks < 1 || *o.networks > 100000)) return fail(Code::usage, fmt::format("{} networks", *o.networks), "--networks");
  HONE_TRY_ASSIGN(const DeviceTable table, read_table(o.table));
  HONE_TRY_ASSIGN(const std::vector<Probe> probes, probes_for(o, table));
  DeviceTable kept{table.device, table.space, {}, {}};
  if (o.keep && exists(*o.keep)) {
    HONE_TRY_ASSIGN(kept, read_table(*o.keep));
    if (const auto same = same_device(kept.device, table.device); !same) return fail(Code::usage, "the networks were measured elsewhere: " + same.error().message, *o.keep);
  }
  std::vector<NetworkRow> measured;
  std::vector<Probe> todo;
  for (const Probe& p : probes) {
    const auto known = std::find_if(kept.networks.begin(), kept.networks.end(), [&](const NetworkRow& n) { return n.network == p.name; });
    if (known != kept.networks.end())
      measured.push_back(*known);
    else
      todo.push_back(p);
  }
  if (!todo.empty()) {
    HONE_TRY_ASSIGN(Engine* const engine, open_engine(table.device.engine.empty() ? "openvino" : table.device.engine));
    HONE_TRY_ASSIGN(const EngineOptions options, engine_options(std::max<int64_t>(1, table.device.threads), table.device.precision));
    if (const auto same = same_device(table.device, this_device(*engine, options)); !same)
      return fail(Code::usage, "the table is of another device, and nothing can be measured there from here: " + same.error().message, o.table);
    HONE_TRY_ASSIGN(const Pinned pinned, Pinned::to(options.threads));
    MeterOptions meter_options;
    meter_options.engine = options;
    meter_options.seconds = 0.4;
    double anchor_ms = table.device.anchor_ms;
    if (anchor_ms > 0) {
      meter_options.anchor_ms = &anchor_ms;
      HONE_TRY_ASSIGN(meter_options.anchor, anchor_of(table, o.table, o.space));
    }
    const Meter meter = engine_meter(*engine, meter_options);
    Progress progress("measuring", static_cast<int64_t>(todo.size()), "networks");
    constexpr size_t kAtOnce = 3;
    for (size_t at = 0; at < todo.size(); at += kAtOnce) {
      const std::vector<Probe> some(todo.begin() + static_cast<std::ptrdiff_t>(at), todo.begin() + static_cast<std::ptrdiff_t>(std::min(todo.size(), at + kAtOnce)));
      HONE_TRY_ASSIGN(const std::vector<MeasuredTime> times, meter(some));
      for (size_t i = 0; i < some.size(); ++i) {
        measured.push_back({some[i].name, some[i].blocks, some[i].acts, times[i]});
        kept.networks.push_back(measured.back());
      }
      if (o.keep) HONE_TRY(write_table(kept, *o.keep, true));
      progress.step(static_cast<int64_t>(at + some.size()));
    }
  }
  HONE_TRY_ASSIGN(const Report report, check_report(table, measured, o.table));
  return present(report, o.output, style);
}

Result<Outcome> import(const Options& o, const TextStyle& style) {
  if (!o.file) return fail(Code::usage, "no file to write", {}, "-o DEVICE.json");
  const int64_t column = o.column.value_or(1);
  if (column < 1 || column > 1000) return fail(Code::usage, fmt::format("column {}, expected 1 or more", column), "--column");
  HONE_TRY(check_writable(*o.file, o.output.force));
  HONE_TRY_ASSIGN(const std::string text, read_file(o.table));
  DeviceFacts facts;
  facts.name = o.name.value_or("");
  facts.note = "imported from " + std::filesystem::path(o.table).filename().string();
  HONE_TRY_ASSIGN(const DeviceTable table, import_table(text, o.table, static_cast<size_t>(column - 1), facts));
  HONE_TRY(write_table(table, *o.file, o.output.force));
  HONE_TRY_ASSIGN(Report report, table_report(table, *o.file));
  report.command = "device import";
  return present(report, o.output, style);
}

void add_table(Command& c, Options& o) { c.arguments.push_back({"DEVICE", &o.table, "a device table, as hone device build writes it"}); }

}  // namespace

Command device_build_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "device build";
  c.summary = "What the blocks of a search space or of networks take on this machine";
  c.about = "Measures single blocks where the table knows least, and whole networks to learn what blocks alone do not show. The table is saved after every step: the same command goes on with it.";
  c.arguments.push_back({"NET", &o->nets, "networks whose blocks are measured, in their own size, smaller and larger", false});
  c.options.push_back({"--space", "SPACE", &o->space, "a search space: a preset's name or a TOML file"});
  c.options.push_back({"-o,--output", "FILE", &o->file, "the device table, a .json"});
  c.options.push_back({"--budget-minutes", "M", &o->minutes, "time for measuring, all sittings together; 15 unless told"});
  c.options.push_back({"--threads", "N", &o->threads, "threads of one inference; 1 unless told"});
  c.options.push_back({"--precision", "P", &o->precision, "of products: f32 (default) or bf16", {"f32", "bf16"}});
  c.options.push_back({"--engine", "NAME", &o->engine, "openvino", {"openvino"}});
  c.options.push_back({"--name", "NAME", &o->name, "what the device is called; its host name unless told"});
  c.options.push_back({"--seed", "S", &o->seed, "of the networks that are drawn from the space, 1 unless told"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone device build --space elasticvit -o laptop.json", "a table for every member of the space, in a quarter of an hour"},
                {"hone device build pycls/RegNetX-400MF timm/resnet18 --budget-minutes 3 -o laptop-cnn.json", "for two networks and what they scale to"}};
  c.run = [o](const TextStyle& style) { return build(*o, style); };
  return c;
}

Command device_show_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "device show";
  c.summary = "A device table: facts, coverage, how well it predicts";
  add_table(c, *o);
  add_output(c, o->output, true, true);
  c.examples = {{"hone device show laptop.json", "what was measured, and the errors of each model"}, {"hone device show laptop.json --html laptop.html", "with a chart"}};
  c.run = [o](const TextStyle& style) { return show(*o, style); };
  return c;
}

Command device_check_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "device check";
  c.summary = "A device table against networks that it has not seen, measured now";
  add_table(c, *o);
  c.arguments.push_back({"NET", &o->nets, "networks; random members of the table's space unless told", false});
  c.options.push_back({"--networks", "N", &o->networks, "random networks to measure, 200 unless told"});
  c.options.push_back({"--space", "SPACE", &o->space, "the space of the table, when it was built for a file"});
  c.options.push_back({"--seed", "S", &o->seed, "of the random networks, 1000 unless told"});
  c.options.push_back({"--keep", "FILE", &o->keep, "keep what was measured here; what is there already is not measured again"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone device check laptop.json --networks 50 --seed 7 --keep checked.json", "median and p90 error, rank correlation"}};
  c.run = [o](const TextStyle& style) { return check(*o, style); };
  return c;
}

Command device_import_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "device import";
  c.summary = "Other people's table of block latencies as a device table";
  c.about = "Takes the JSON of a device table from any program, its checksum ignored, or plain text with a line per block: conv 16 16 16 e3 s1 k3 se | 0.1343 0.0563";
  c.arguments.push_back({"FILE", &o->table, "the table"});
  c.options.push_back({"-o,--output", "FILE", &o->file, "the device table, a .json"});
  c.options.push_back({"--name", "NAME", &o->name, "what the device is called"});
  c.options.push_back({"--column", "N", &o->column, "which column of milliseconds of a text, from 1"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone device import phones.txt --column 3 --name 'Pixel 6' -o pixel6.json", "the third column of a text"}};
  c.run = [o](const TextStyle& style) { return import(*o, style); };
  return c;
}

}  // namespace hone::cli
