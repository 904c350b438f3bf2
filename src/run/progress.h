// Progress of long work on standard error: on a terminal one line that is redrawn (bar, throughput, losses, time left),
// elsewhere a plain line every ten seconds and at the end. NO_COLOR is honoured; nothing is printed when standard error is closed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hone {

// Where progress goes. The default is standard error as it is found; tests put their own in.
struct ProgressStream {
  std::function<void(std::string_view)> write;  // empty: nothing is printed
  std::function<size_t()> width;                // columns of the terminal; empty: not a terminal
  bool color = false;
  bool utf8 = true;
  std::function<double()> seconds;              // a clock that never goes back

  static ProgressStream standard_error();
};

// Calls may come from several threads.
class Progress {
 public:
  // `unit` is what a step counts ("images"); `total` steps of `per_step` units each. `done` steps were done by an earlier process.
  Progress(std::string title, int64_t total, std::string unit, double per_step = 1, int64_t done = 0,
           ProgressStream stream = ProgressStream::standard_error());
  ~Progress();  // ends the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `done` steps are done by now, earlier processes' included. A terminal shows as many of the figures as fit.
  void step(int64_t done, const std::vector<std::pair<std::string, double>>& figures = {});
  // The work is over, whatever its steps: the last line says so and why, not that it was stopped.
  void end(const std::string& why);
  void say(const std::string& line);  // a whole line above the bar

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string format_duration(double seconds);  // "4 s", "3 min 20 s", "2 h 05 min", "3 d 4 h"

}  // namespace hone
