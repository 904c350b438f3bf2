// Runs beneath a folder: listed, drawn, followed while they grow.
#include "serve/run_table.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "fake_service.h"
#include "run/run_dir.h"
#include "serve/api.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Folder {
  fs::path path = fs::temp_directory_path() / ("hone_serve_" + std::to_string(::getpid()) + "_" + std::to_string(next++));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  static inline int next = 0;
};

RunDir make_run(const std::string& path, int steps) {
  auto run = RunDir::open_for_writing(path, "seed = 1\n");
  if (!run) std::abort();
  for (int i = 1; i <= steps; ++i) {
    if (!run->append({i, "train", {{"loss", 1.0 / i}}})) std::abort();
    if (i % 5 == 0 && !run->append({i, "validate", {{"acc1@32", 0.02 * i}, {"acc1@64", 0.03 * i}, {"mrr", 0.04 * i}}})) std::abort();
  }
  return std::move(*run);
}

// What a stream has sent; ends after `most` waits, or when asked.
struct Recorder final : EventSink {
  std::string text;
  int waits = 0, most = 1;
  std::function<void(int)> between = [](int) {};
  bool send(std::string_view s) override { return text += s, true; }
  bool wait(double) override {
    between(++waits);
    return waits < most;
  }
  // Messages as (event, data, id).
  std::vector<std::array<std::string, 3>> messages() const {
    std::vector<std::array<std::string, 3>> out;
    std::array<std::string, 3> now;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) {
      if (line.empty()) {
        if (!now[0].empty()) out.push_back(now);
        now = {};
      }
      for (const auto& [key, i] : {std::pair{"event: ", 0}, std::pair{"data: ", 1}, std::pair{"id: ", 2}})
        if (line.compare(0, std::string(key).size(), key) == 0) now[static_cast<size_t>(i)] = line.substr(std::string(key).size());
    }
    return out;
  }
};

TEST(RunTable, ListsRunsByKey) {
  Folder f;
  make_run(f.path / "a", 5);
  make_run(f.path / "deep/b", 10);
  RunTable table({f.path.string()});
  const auto runs = table.runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].name, "a");
  EXPECT_EQ(runs[1].name, "deep/b");
  EXPECT_EQ(runs[0].key.size(), 12u);
  EXPECT_EQ(table.find(runs[1].key)->name, "deep/b");
  EXPECT_FALSE(table.find("deep/b"));
  EXPECT_FALSE(table.find(""));
  const Json list = Json::parse(table.list_json());
  ASSERT_EQ(list["runs"].size(), 2u);
  EXPECT_EQ(list["runs"][1]["step"], 10);
  EXPECT_EQ(list["runs"][1]["state"], "stopped");
  EXPECT_EQ(list["runs"][1]["last"]["mrr"], 0.4);
}

TEST(RunTable, ARunItselfMayBeTheFolder) {
  Folder f;
  make_run(f.path / "alone", 5);
  RunTable table({(f.path / "alone").string()});
  ASSERT_EQ(table.runs().size(), 1u);
  EXPECT_EQ(table.runs()[0].name, "alone");
}

TEST(RunTable, DamagedRunsAreNamed) {
  Folder f;
  make_run(f.path / "a", 5);
  std::ofstream(f.path / "a/result.json") << "[";
  const Json list = Json::parse(RunTable({f.path.string()}).list_json());
  EXPECT_TRUE(list["runs"].empty());
  ASSERT_EQ(list["unreadable"].size(), 1u);
  EXPECT_EQ(list["unreadable"][0]["name"], "a");
}

TEST(RunTable, DrawsCharts) {
  Folder f;
  make_run(f.path / "a", 20);
  RunTable table({f.path.string()});
  const auto run = table.runs()[0];
  const auto json = table.run_json(run);
  ASSERT_TRUE(json) << json.error().text();
  const Json detail = Json::parse(*json);
  EXPECT_EQ(detail["recipe"], "seed = 1\n");
  ASSERT_GE(detail["charts"].size(), 2u);
  for (size_t i = 0; i < detail["charts"].size(); ++i) {
    const auto svg = table.chart_svg(run, static_cast<int64_t>(i));
    ASSERT_TRUE(svg);
    EXPECT_EQ(svg->compare(0, 4, "<svg"), 0);
    EXPECT_NE(svg->find("width=\"100%\""), svg->npos);
    EXPECT_EQ(svg->find("class=\"page\""), svg->npos) << "the page gives the ground";
    EXPECT_EQ(svg->find("<script"), svg->npos);
    EXPECT_GT(detail["charts"][i]["height"], 100);
  }
  EXPECT_EQ(table.chart_svg(run, 99).error().code, Code::not_found);
}

TEST(RunTable, FollowsARunThatGrows) {
  Folder f;
  auto writer = std::make_unique<RunDir>(make_run(f.path / "a", 5));
  RunTable table({f.path.string()});
  Recorder r;
  r.most = 3;
  r.between = [&](int waits) {
    if (waits == 1 && !writer->append({6, "train", {{"loss", 0.5}}})) std::abort();
  };
  table.follow(table.runs()[0], 0, r);
  std::vector<std::string> kinds;
  std::string last_id;
  for (const auto& [event, data, id] : r.messages()) {
    kinds.push_back(event);
    EXPECT_TRUE(Json::accept(data)) << data;
    if (event == "entry") last_id = id;
    if (event == "state") { EXPECT_EQ(Json::parse(data)["state"], "running"); }
  }
  // Five steps and a validation, what is there, then the line that came.
  EXPECT_EQ(kinds, (std::vector<std::string>{"entry", "entry", "entry", "entry", "entry", "entry", "state", "ready", "entry"}));
  // From the last id on there is nothing to send again.
  Recorder again;
  table.follow(table.runs()[0], std::stoll(last_id), again);
  for (const auto& [event, data, id] : again.messages()) EXPECT_NE(event, "entry");
}

TEST(RunTable, SaysWhenLinesWereCutOff) {
  Folder f;
  make_run(f.path / "a", 6);
  RunTable table({f.path.string()});
  const std::string events = (f.path / "a/events.jsonl").string();
  Recorder r;
  r.most = 3;
  r.between = [&](int waits) {
    if (waits == 1) fs::resize_file(events, fs::file_size(events) / 2);
  };
  table.follow(table.runs()[0], 0, r);
  const auto messages = r.messages();
  EXPECT_TRUE(std::any_of(messages.begin(), messages.end(), [](const auto& m) { return m[0] == "reset"; }));
}

// What stands in a file cannot end a message or make one of its own.
TEST(RunTable, HostileLinesStayInsideTheirMessage) {
  Folder f;
  make_run(f.path / "a", 1);
  {
    std::ofstream out(f.path / "a/events.jsonl", std::ios::app);
    out << "{\"step\":2,\"kind\":\"note\",\"text\":\"a\\r\\ndata: b\\n\\nevent: evil\"}\n";
    out << "{\"step\":3}\revent: evil\r\r\n" << "not json\n" << "{\"long\":\"" << std::string(100000, 'x') << "\"}\n" << std::string(1 << 20, 'y') << "\n" << "{\"step\":4}\n" << "{\"step\":5";
  }
  RunTable table({f.path.string()});
  Recorder r;
  table.follow(table.runs()[0], 0, r);
  int entries = 0;
  for (const auto& [event, data, id] : r.messages()) {
    EXPECT_NE(event, "evil");
    entries += event == "entry";
  }
  EXPECT_EQ(r.text.find('\r'), r.text.npos);
  EXPECT_EQ(entries, 3);
}

TEST(RunTable, LongRunsBeginNearTheirEnd) {
  Folder f;
  make_run(f.path / "a", 1);
  {
    std::ofstream out(f.path / "a/events.jsonl", std::ios::app);
    for (int i = 0; i < 200000; ++i) out << "{\"step\":" << i << ",\"kind\":\"train\",\"loss\":0.5}\n";
  }
  RunTable table({f.path.string()});
  Recorder r;
  table.follow(table.runs()[0], 0, r);
  const auto messages = r.messages();
  EXPECT_LT(messages.size(), 70000u);
  EXPECT_GT(messages.size(), 30000u);
  int64_t last = 0;
  for (const auto& [event, data, id] : messages)
    if (event == "entry") last = Json::parse(data)["step"];
  EXPECT_EQ(last, 199999);
}

TEST(RunRoutes, GoByKey) {
  Folder f;
  make_run(f.path / "a", 20);
  Api api({}, {f.path.string()});
  const auto get = [&](const std::string& path) { return api.handle({"GET", path, {}, ""}); };
  const Json list = Json::parse(get("/api/v1/runs").body);
  const std::string key = list["runs"][0]["run"];
  EXPECT_EQ(get("/api/v1/runs/" + key).status, 200);
  const HttpResponse chart = get("/api/v1/runs/" + key + "/charts/0");
  EXPECT_EQ(chart.status, 200);
  EXPECT_EQ(chart.type, "image/svg+xml");
  EXPECT_EQ(get("/api/v1/runs/" + key + "/charts/99").status, 404);
  EXPECT_EQ(get("/api/v1/runs/" + key + "/charts/-1").status, 404);
  EXPECT_EQ(get("/api/v1/runs/a").status, 404);
  const HttpResponse events = get("/api/v1/runs/" + key + "/events");
  EXPECT_EQ(events.type, "text/event-stream");
  ASSERT_TRUE(events.stream);
  Recorder r;
  events.stream(r);
  EXPECT_NE(r.text.find("event: ready"), r.text.npos);
  EXPECT_EQ(get("/api/v1/runs/000000000000/events").status, 404);
}

}  // namespace
}  // namespace hone
