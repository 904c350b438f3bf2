// Progress of long work on standard error: on a terminal one line that is redrawn (bar, throughput, losses, time left),
// elsewhere a plain line now and then. NO_COLOR is honoured; nothing is printed when standard error is closed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone {

class Progress {
 public:
  // `unit` is what a step counts ("images"); `total` steps of `per_step` units each. `done` steps were done by an earlier process.
  Progress(std::string title, int64_t total, std::string unit, double per_step = 1, int64_t done = 0);
  ~Progress();  // ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void step(int64_t done, const std::vector<std::pair<std::string, double>>& figures = {});
  void say(const std::string& line);  // a whole line above the bar

 private:
  struct State;
  State* state_;
};

}  // namespace hone
