// The run directories beneath the folders that a server was started with: listed, looked at, followed while they train.
// A request names a run by a key; the key is looked up among the runs that were found, and never becomes a path.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "run/report.h"
#include "run/run_summary.h"
#include "serve/http.h"

namespace hone {

struct FoundRun {
  std::string key;    // 12 hexadecimal digits, of its name: the same in every process
  std::string name;   // path beneath its folder
  std::string path;
};

class RunTable {
 public:
  explicit RunTable(std::vector<std::string> folders) : folders_(std::move(folders)) {}

  // Looks at the folders anew when the last look is more than two seconds old. Thread-safe, as everything here.
  std::vector<FoundRun> runs();
  std::optional<FoundRun> find(const std::string& key);

  // {"runs":[{"run","name","state","step","watched","best",...}]}
  std::string list_json();
  // One run with its newest figures, its recipe, and its charts by title and height.
  Result<std::string> run_json(const FoundRun& run);
  // An SVG picture as wide as its frame. Code::not_found: no chart of that number.
  Result<std::string> chart_svg(const FoundRun& run, int64_t number);

  // events.jsonl as server-sent events until the client or the server ends it: "entry" for a line, with its end in bytes
  // as id; "ready" when what was there has been sent; "state" when the run begins or stops to be written; "reset" when a
  // resumed run has cut lines off. `from`: the id of the last entry that the client has; 0: all, of a long file the end.
  void follow(const FoundRun& run, int64_t from, EventSink& sink);

 private:
  struct Drawn {  // charts of a run as its events were
    int64_t bytes = -1;
    std::string title;
    struct Picture {
      std::string title, caption, svg;
      int height = 0;
    };
    std::vector<Picture> pictures;
  };
  Result<Drawn> charts(const FoundRun& run);

  const std::vector<std::string> folders_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point looked_{};
  bool looked_once_ = false;
  std::vector<FoundRun> runs_;
  std::map<std::string, std::pair<int64_t, RunSummary>> summaries_;  // path -> bytes of events when it was read
  std::map<std::string, Drawn> drawn_;                               // by key; a few
};

// Charts of a run: its curves, and of a sketch run with several canvases accuracy against work.
Result<Report> charts_report(const std::string& path);

}  // namespace hone
