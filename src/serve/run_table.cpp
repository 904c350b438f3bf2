#include "serve/run_table.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/sha256.h"
#include "retrieval/encoder.h"
#include "retrieval/trained.h"
#include "run/chart.h"
#include "run/run_report.h"

namespace hone {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr auto kLookAgain = std::chrono::seconds(2);
constexpr int64_t kBacklog = int64_t{2} << 20;      // bytes of events that a stream begins with
constexpr int64_t kDrawable = int64_t{64} << 20;    // bytes of events that are drawn as charts
constexpr size_t kLongestLine = size_t{64} << 10;
constexpr size_t kDrawnRuns = 8;

std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }
Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

int64_t file_bytes(const std::string& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  return failed ? -1 : static_cast<int64_t>(size);
}

Json figures_json(const Figures& figures) {
  Json out = Json::object();
  for (const auto& [name, value] : figures) out[name] = number(value);
  return out;
}

Json summary_json(const FoundRun& run, const RunSummary& s) {
  const auto best = s.best_value();
  return {{"run", run.key}, {"name", run.name}, {"state", s.state_name()}, {"step", s.step}, {"began", s.began}, {"idle_ms", static_cast<int64_t>(s.idle_seconds * 1000)},
          {"watched", s.watched}, {"best_step", s.best_step}, {"best_value", best ? number(*best) : Json(nullptr)}, {"best", figures_json(s.best)}, {"last", figures_json(s.last)}};
}

// The part of the file from `from` that holds whole lines, at most `most` bytes; "" when there is none.
std::string whole_lines(const std::string& path, int64_t from, size_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return "";
  std::string text(most, '\0');
  const ssize_t n = ::pread(file, text.data(), most, static_cast<off_t>(from));
  ::close(file);
  if (n <= 0) return "";
  text.resize(static_cast<size_t>(n));
  const size_t end = text.rfind('\n');
  if (end == text.npos) return text.size() == most ? text : "";  // a line longer than all that is read at once is passed over
  text.resize(end + 1);
  return text;
}

// Acc@1 of a sketch run at each of its canvases against the work of one sketch there. Validation calls them "acc1@32", and
// the largest one's "acc1".
void add_work_chart(Report& report, const std::string& path, const Figures& figures) {
  const auto figure = [&](const std::string& name) -> std::optional<double> {
    for (const auto& [key, value] : figures)
      if (key == name) return value;
    return std::nullopt;
  };
  if (const auto task = task_of(path); !task || *task != "sketch" || !figure("acc1")) return;
  const auto run = open_sketch_run(path);
  if (!run) return;  // its network may lie elsewhere, or its first checkpoint is to come
  Table table{"work", "", {{"gflops", "GFLOPs of a sketch"}, {"accuracy", "Acc@1", Unit::share}, {"canvas", "canvas"}}, {}, false, kJson};
  for (const int64_t canvas : run->options.canvases) {
    const auto accuracy = figure(canvas == run->side() ? "acc1" : fmt::format("acc1@{}", canvas));
    const auto graph = at_canvas(run->options, run->graph, canvas);
    const auto flops = graph ? paper_flops(*graph) : Result<int64_t>(fail(graph.error()));
    if (accuracy && flops) table.rows.push_back({static_cast<double>(*flops) * 1e-9, *accuracy, fmt::format("{0} x {0}", canvas)});
  }
  if (table.rows.size() < 2) return;
  report.parts.push_back(std::move(table));
  Chart chart;
  chart.kind = Chart::Kind::scatter;
  chart.title = "Accuracy against work", chart.caption = "Of each canvas, on validation photos, at the best checkpoint.";
  chart.table = "work", chart.x = "gflops", chart.y = "accuracy", chart.label = "canvas", chart.log_x = true, chart.connect = true;
  report.parts.insert(report.parts.begin(), std::move(chart));  // what such a run is for
}

}  // namespace

std::vector<FoundRun> RunTable::runs() {
  const std::lock_guard lock(mutex_);
  if (looked_once_ && Clock::now() - looked_ < kLookAgain) return runs_;
  std::vector<FoundRun> found;
  for (const std::string& folder : folders_)
    for (const std::string& path : find_runs(folder)) {
      std::string name = std::filesystem::path(path).lexically_relative(folder).string();
      if (name.empty() || name == ".") name = std::filesystem::path(path).lexically_normal().filename().string();
      found.push_back({sha256_hex(folders_.size() > 1 ? folder + "/" + name : name).substr(0, 12), name, path});
    }
  runs_ = std::move(found);
  looked_ = Clock::now();
  looked_once_ = true;
  return runs_;
}

std::optional<FoundRun> RunTable::find(const std::string& key) {
  for (const FoundRun& run : runs())
    if (run.key == key) return run;
  return std::nullopt;
}

std::string RunTable::list_json() {
  Json list = Json::array(), unreadable = Json::array();
  for (const FoundRun& run : runs()) {
    const auto opened = RunDir::open(run.path);
    if (!opened) {
      unreadable.push_back({{"name", run.name}, {"message", opened.error().message}});
      continue;
    }
    // A run that is not written and has not grown is what it was.
    const int64_t bytes = file_bytes(opened->file("events.jsonl"));
    std::optional<RunSummary> known;
    {
      const std::lock_guard lock(mutex_);
      if (const auto at = summaries_.find(run.path); at != summaries_.end() && at->second.first == bytes && at->second.second.state == RunSummary::State::finished) known = at->second.second;
    }
    if (!known) {
      auto s = summarise(*opened);
      if (!s) {
        unreadable.push_back({{"name", run.name}, {"message", s.error().message}});
        continue;
      }
      known = std::move(*s);
      const std::lock_guard lock(mutex_);
      summaries_[run.path] = {bytes, *known};
    }
    list.push_back(summary_json(run, *known));
  }
  return dump({{"runs", std::move(list)}, {"unreadable", std::move(unreadable)}});
}

Result<Report> charts_report(const std::string& path) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(path));
  if (file_bytes(run.file("events.jsonl")) > kDrawable) return fail(Code::failed, "the run has too many events to draw here", "", "hone runs show RUN --html FILE");
  HONE_TRY_ASSIGN(Report report, run_report(run));
  HONE_TRY_ASSIGN(const RunSummary s, summarise(run));
  add_work_chart(report, path, s.best.empty() ? s.last : s.best);
  return report;
}

Result<RunTable::Drawn> RunTable::charts(const FoundRun& run) {
  const int64_t bytes = file_bytes(run.path + "/events.jsonl");
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = drawn_.find(run.key); at != drawn_.end() && at->second.bytes == bytes) return at->second;
  }
  HONE_TRY_ASSIGN(const Report report, charts_report(run.path));
  Drawn drawn;
  drawn.bytes = bytes;
  for (const auto& part : report.parts)
    if (const auto* chart = std::get_if<Chart>(&part)) {
      std::string svg = to_svg(report, *chart);
      // The picture of a file has a width and a ground; here the page gives both.
      if (const size_t width = svg.find("width=\"860\""); width != svg.npos) svg.replace(width, 11, "width=\"100%\"");
      if (const size_t ground = svg.find("<rect class=\"page\" width=\"100%\" height=\"100%\"/>"); ground != svg.npos) svg.erase(ground, 47);
      int height = 0;
      if (const size_t at = svg.find("height=\""); at != svg.npos) std::from_chars(svg.data() + at + 8, svg.data() + svg.size(), height);
      if (!svg.empty()) drawn.pictures.push_back({chart->title, chart->caption, std::move(svg), height});
    }
  const std::lock_guard lock(mutex_);
  if (drawn_.size() >= kDrawnRuns && !drawn_.count(run.key)) drawn_.erase(drawn_.begin());
  drawn_[run.key] = drawn;
  return drawn;
}

Result<std::string> RunTable::run_json(const FoundRun& run) {
  HONE_TRY_ASSIGN(const RunDir opened, RunDir::open(run.path));
  HONE_TRY_ASSIGN(const RunSummary s, summarise(opened));
  Json out = summary_json(run, s);
  if (const auto recipe = opened.recipe()) out["recipe"] = *recipe;
  Json list = Json::array();
  const auto drawn = charts(run);
  if (drawn)
    for (const auto& p : drawn->pictures) list.push_back({{"title", p.title}, {"caption", p.caption}, {"height", p.height}});
  else out["charts_missing"] = drawn.error().message;
  out["charts"] = std::move(list);
  return dump(out);
}

Result<std::string> RunTable::chart_svg(const FoundRun& run, int64_t number) {
  HONE_TRY_ASSIGN(Drawn drawn, charts(run));
  if (number < 0 || number >= static_cast<int64_t>(drawn.pictures.size())) return fail(Code::not_found, fmt::format("the run has {} charts", drawn.pictures.size()));
  return std::move(drawn.pictures[static_cast<size_t>(number)].svg);
}

void RunTable::follow(const FoundRun& run, int64_t from, EventSink& sink) {
  const std::string path = run.path + "/events.jsonl";
  if (!sink.send("retry: 2000\n\n")) return;
  int64_t at = from;
  bool skip_first = false;  // the first line may be half a line
  const int64_t size = file_bytes(path);
  if (at <= 0 || at > size) at = 0;
  if (size - at > kBacklog) at = size - kBacklog, skip_first = true;
  bool ready = false;
  std::string state;
  auto spoke = Clock::now(), looked = Clock::time_point{};
  for (;;) {
    if (file_bytes(path) < at) {
      if (!sink.send("event: reset\ndata: {}\n\n")) return;
      at = 0;
    }
    const std::string text = whole_lines(path, at, size_t{256} << 10);
    std::string out;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size() - 1);
      const std::string_view line = std::string_view(text).substr(begin, end - begin);
      begin = end + 1;
      if (std::exchange(skip_first, false) || line.size() > kLongestLine) continue;
      // Read and printed again: what a file holds cannot end a message or begin another one.
      const Json entry = Json::parse(line, nullptr, false);
      if (entry.is_object()) out += fmt::format("event: entry\nid: {}\ndata: {}\n\n", at + static_cast<int64_t>(begin), dump(entry));
    }
    at += static_cast<int64_t>(text.size());
    if (text.empty() && !ready) out += "event: ready\ndata: {}\n\n", ready = true;
    if (Clock::now() - looked > std::chrono::seconds(2)) {
      looked = Clock::now();
      const auto opened = RunDir::open(run.path);
      std::error_code none;
      const std::string now = opened && opened->writer() ? "running" : std::filesystem::exists(run.path + "/result.json", none) ? "finished" : "stopped";
      if (now != state) out += "event: state\ndata: " + dump({{"state", state = now}}) + "\n\n";
    }
    if (out.empty() && Clock::now() - spoke > std::chrono::seconds(10)) out = ": still here\n\n";
    if (!out.empty()) {
      if (!sink.send(out)) return;
      spoke = Clock::now();
    }
    if (text.empty() && !sink.wait(0.4)) return;
  }
}

}  // namespace hone
