#include "cli/timing_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace hone::cli {

namespace {
constexpr double kBusy = 0.25;       // processors that others may take before it is worth a remark
constexpr double kClockMoved = 0.03;
}  // namespace

void add_timing(Command& c, TimingFlags& f, const std::string& seconds_help) {
  c.options.push_back({"--threads", "N", &f.threads, "threads of one inference (default: 1)"});
  c.options.push_back({"--precision", "P", &f.precision, "of products: f32 (default) or bf16", {"f32", "bf16"}});
  c.options.push_back({"--engine", "NAME", &f.engine, "what runs the networks: openvino", {"openvino"}});
  c.options.push_back({"--seconds", "S", &f.seconds, seconds_help});
  c.options.push_back({"--rounds", "N", &f.rounds, "exactly so many rounds, however long they take"});
  c.options.push_back({"--seed", "N", &f.seed, "of the order of rounds, of inputs and fresh weights (default: 0)"});
}

Status check_used(const TimingFlags& f, bool measures) {
  if (measures || !(f.threads || f.seconds || f.rounds || f.seed || f.precision != "f32")) return {};
  return fail(Code::usage, "--threads, --precision, --seconds, --rounds and --seed say how to measure, and nothing is measured", {}, "add --measure");
}

Result<EngineOptions> engine_options(const TimingFlags& f) {
  EngineOptions o;
  const int64_t threads = f.threads.value_or(1);
  if (threads < 1 || threads > 1024) return fail(Code::usage, fmt::format("{} threads cannot be", threads), "--threads", "it starts at 1");
  if (f.seed && *f.seed < 0) return fail(Code::usage, fmt::format("{} is no seed, expected a whole number from 0", *f.seed), "--seed");
  o.threads = static_cast<int>(threads);
  o.precision = f.precision;
  return o;
}

Result<TimingOptions> timing_options(const TimingFlags& f, double seconds) {
  TimingOptions o;
  if (f.seconds && !(*f.seconds > 0 && *f.seconds <= 86400)) return fail(Code::usage, fmt::format("{} seconds cannot be", *f.seconds), "--seconds", "more than 0");
  if (f.rounds && *f.rounds < 1) return fail(Code::usage, fmt::format("{} rounds cannot be", *f.rounds), "--rounds", "it starts at 1");
  o.seconds = f.seconds.value_or(seconds);
  o.min_seconds = std::min(o.min_seconds, o.seconds);
  if (f.rounds) o.min_rounds = o.max_rounds = *f.rounds, o.seconds = 0;
  o.one_thread = f.threads.value_or(1) == 1;
  o.seed = static_cast<uint64_t>(f.seed.value_or(0));
  return o;
}

Facts machine_facts(const MachineLoad& l, const Pinned& pinned, const Engine& engine, const EngineOptions& o) {
  Facts facts{"machine", "Measured on", {}, false, kAll};
  const auto add = [&](const char* key, const char* label, Cell value, Unit unit = Unit::none, std::string note = "", uint8_t forms = kAll) { facts.facts.push_back({key, label, std::move(value), unit, std::move(note), forms}); };
  std::vector<int64_t> processors(pinned.processors().begin(), pinned.processors().end());
  const double clock = (l.mhz_before + l.mhz_after) / 2;
  add("cpu", "processor", l.cpu, Unit::none, fmt::format("{} core{}{}", l.cores, l.cores == 1 ? "" : "s", clock > 0 ? fmt::format(", {:.2f} GHz measured", clock / 1000) : ""));
  add("engine", "engine", engine.name(), Unit::none, fmt::format("{}, {} thread{}, {}", engine.version(), o.threads, o.threads == 1 ? "" : "s", o.precision));
  add("engine_version", "", engine.version(), Unit::none, "", kJson);
  add("threads", "", static_cast<int64_t>(o.threads), Unit::none, "", kJson);
  add("precision", "", o.precision, Unit::none, "", kJson);
  add("processors", "pinned to", processors, Unit::none, fmt::format("{} priority", name(pinned.priority())));
  add("priority", "", std::string(name(pinned.priority())), Unit::none, "", kJson);
  add("cores", "", l.cores, Unit::none, "", kJson);
  add("mhz_stated", "", l.mhz_stated, Unit::none, "", kJson);
  add("mhz_before", "", l.mhz_before, Unit::none, "", kJson);
  add("mhz_after", "", l.mhz_after, Unit::none, "", kJson);
  add("others", "others ran on", std::round(l.others * 100) / 100, Unit::none, fmt::format("of {} cores meanwhile; load average {:.2f} before, {:.2f} after", l.cores, l.load_before, l.load_after), kJson | kHtml);
  add("stolen", "", l.stolen, Unit::none, "", kJson);
  add("load_before", "", l.load_before, Unit::none, "", kJson);
  add("load_after", "", l.load_after, Unit::none, "", kJson);
  add("seconds", "", l.seconds, Unit::none, "", kJson);
  return facts;
}

std::optional<Note> load_note(const MachineLoad& l) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "; ") + part; };
  if (l.others > kBusy) add(fmt::format("other processes used {:.1f} of {} cores during the measurement", l.others, l.cores));
  if (l.stolen > kBusy / 5) add(fmt::format("the host gave {:.0f} % of a core to other machines", l.stolen * 100));
  if (l.mhz_before > 0 && l.mhz_after > 0 && std::fabs(l.mhz_after / l.mhz_before - 1) > kClockMoved)
    add(fmt::format("the clock went from {:.2f} to {:.2f} GHz", l.mhz_before / 1000, l.mhz_after / 1000));
  if (text.empty()) return std::nullopt;
  return Note{Note::Level::info, text};
}

}  // namespace hone::cli
