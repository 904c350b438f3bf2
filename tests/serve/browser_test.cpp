// The page in headless Chromium: drawn on by dispatched events (selftest.js), at desk and phone width.
#include <gtest/gtest.h>

#ifdef HONE_HTTP

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>

#include "client.h"
#include "data/sketch_procedural.h"
#include "fake_service.h"
#include "run/run_dir.h"
#include "serve/api.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Rendered photos and hand-drawn sketches; ranks as FakeService gives them, over sixty photos.
class PictureService final : public QueryService {
 public:
  PictureService() : set_(*procedural_sketch_photos({.seed = 3, .photos = 60})) {
    facts_ = {"runs/demo", "student", "none", "exact", "the full-size network", "f00d", {32, 64, 128, 256}, {2000000, 8000000, 32000000, 128000000}, true, 60, 64};
  }
  const GalleryFacts& facts() const override { return facts_; }
  Result<Answer> ask(const Sketch& sketch, const Ask& ask) override {
    Answer a;
    const size_t points = sketch.points(), c = ask.canvas == 256 ? 3 : points < 60 ? 0 : points < 200 ? 1 : 2;
    a.canvas = facts_.canvases[c];
    if (ask.canvas == 0) a.chances = {c == 0 ? 0.8 : 0.1, c == 1 ? 0.8 : 0.1, c == 2 ? 0.7 : 0.06, 0.04};
    if (ask.canvas == 0) a.steps.push_back({"selector", 1600000, 0.31});
    a.steps.push_back({"picture", 0, 0.11});
    a.steps.push_back({"network", facts_.macs[c], 0.2 + 0.9 * static_cast<double>(facts_.macs[c]) / 3e7});
    a.steps.push_back({"search", 3840, 0.04});
    for (int64_t i = 0; i < std::min<int64_t>(ask.top, 60); ++i) a.found.push_back({(static_cast<int64_t>(points) * 7 + (ask.canvas == 256 ? 2 : 0) + i) % 60, "", 0.41 + 0.03 * static_cast<double>(i)});
    return a;
  }
  Result<Answer> ask_full(const Sketch& sketch, int64_t top) override { return ask(sketch, {top, 256, SearchMode::exact}); }
  PhotoFacts photo_facts(int64_t i) const override { return {set_.photos[static_cast<size_t>(i)].id, set_.photos[static_cast<size_t>(i)].category}; }
  Result<Image> photo(int64_t i) const override { return set_.photos[static_cast<size_t>(i)].load(); }
  std::vector<Sketch> examples() const override {
    std::vector<Sketch> out;
    for (size_t i = 0; i < 6; ++i) {
      out.push_back(set_.items[i * 3].sketch);
      out.back().label = set_.photos[set_.items[i * 3].photo].category;
    }
    return out;
  }

 private:
  SketchPhotoSet set_;
  GalleryFacts facts_;
};

// A browser in a process group of its own.
struct Browser {
  Browser(const std::string& program, const std::string& url, const std::string& size, const std::string& folder) : pid(::fork()) {
    if (pid != 0) return;
    ::setpgid(0, 0);
    const int quiet = ::open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2}) ::dup2(quiet, fd);
    const std::string data = "--user-data-dir=" + folder + "/profile", window = "--window-size=" + size;
    ::execlp(program.c_str(), program.c_str(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking", "--disable-extensions",
             "--remote-debugging-port=0", data.c_str(), window.c_str(), url.c_str(), nullptr);
    ::_exit(127);
  }
  ~Browser() {
    ::kill(-pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  const pid_t pid;
};

std::string chromium() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"})
    if (::access(path, X_OK) == 0) return path;
  return "";
}

struct BrowserTest : testing::TestWithParam<const char*> {};

TEST_P(BrowserTest, ThePageWorks) {
  const std::string program = chromium();
  if (program.empty()) GTEST_SKIP() << "no Chromium on this machine";
  const std::string folder = (fs::temp_directory_path() / ("hone_browser_" + std::to_string(::getpid()) + "_" + std::to_string(std::hash<std::string>()(GetParam())))).string();
  fs::create_directories(folder);
  auto run = RunDir::open_for_writing(folder + "/runs/demo", "seed = 1\n");
  ASSERT_TRUE(run);
  for (int i = 1; i <= 40; ++i) {
    ASSERT_TRUE(run->append({i, "train", {{"loss", 2.0 / i}, {"triplet", 1.0 / i}}}));
    if (i % 10 != 0) continue;
    ASSERT_TRUE(run->append({i, "validate", {{"acc1@32", 0.005 * i}, {"acc1@64", 0.01 * i}}}));
  }
  run = RunDir::open(folder + "/runs/demo");  // gives the lock back: the run has stopped

  std::vector<std::unique_ptr<QueryService>> workers;
  workers.push_back(std::make_unique<PictureService>());
  Api api(std::move(workers), {folder + "/runs"});
  std::mutex mutex;
  std::condition_variable came;
  std::string result;
  // HONE_BROWSE=SCRIPT.js leaves the server up for ten minutes with that script in the page, to look at it by hand.
  const char* by_hand = std::getenv("HONE_BROWSE");
  const auto script = test::read_file(by_hand ? by_hand : HONE_SOURCE_DIR "/tests/serve/selftest.js");
  ASSERT_TRUE(script);
  test::RunningServer server([&](const HttpRequest& request) -> HttpResponse {
    if (request.path == "/selftest.js") return {200, "text/javascript", *script, {}, {}};
    if (request.path == "/selftest/grow") {
      std::ofstream(folder + "/runs/demo/events.jsonl", std::ios::app) << "{\"step\":999,\"kind\":\"train\",\"loss\":0.01}\n";
      return {200, "application/json", "{}", {}, {}};
    }
    if (request.path == "/selftest/result") {
      const std::lock_guard lock(mutex);
      result = request.body;
      came.notify_all();
      return {200, "application/json", "{}", {}, {}};
    }
    HttpResponse r = api.handle(request);
    if (request.path == "/" && r.status == 200) r.body.insert(r.body.find("</head>"), "<script type=\"module\" src=\"selftest.js\"></script>\n");
    return r;
  });
  if (by_hand) {
    std::printf("%s\n", server.server->url().c_str());
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::minutes(10));
  } else {
    const Browser browser(program, server.server->url(), GetParam(), folder);
    std::unique_lock lock(mutex);
    came.wait_for(lock, std::chrono::seconds(120), [&] { return !result.empty(); });
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (by_hand) return;
  ASSERT_FALSE(result.empty()) << "the page did not report";
  const Json report = Json::parse(result);
  EXPECT_TRUE(report["failed"].empty()) << report["failed"].dump(1);
  EXPECT_TRUE(report["errors"].empty()) << report["errors"].dump(1);
  EXPECT_EQ(report["passed"].size(), 9u) << report["passed"].dump();
}

INSTANTIATE_TEST_SUITE_P(Windows, BrowserTest, testing::Values("1280,900", "390,844"));

}  // namespace
}  // namespace hone

#endif
