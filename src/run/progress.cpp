#include "run/progress.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <deque>
#include <mutex>

#include "run/format.h"

namespace hone {

namespace {

constexpr double kRedraw = 0.1;      // seconds between two pictures of a terminal's line
constexpr double kPlain = 10;        // seconds between two plain lines
constexpr double kWindow = 30;       // seconds that the throughput is taken over
constexpr size_t kLongestBar = 30, kShortestBar = 8;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const std::string_view locale = variable(name); !locale.empty())
      return locale.find("UTF-8") != locale.npos || locale.find("utf8") != locale.npos || locale.find("UTF8") != locale.npos;
  return true;
}

std::string format_rate(double rate) { return rate >= 1000 ? fmt::format("{:.0f}", rate) : fmt::format("{:.3g}", rate); }

}  // namespace

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e12) return "?";
  if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
  const auto s = static_cast<int64_t>(std::llround(seconds));
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{} min {:02} s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{} h {:02} min", s / 3600, s % 3600 / 60);
  return fmt::format("{} d {} h", s / 86400, s % 86400 / 3600);
}

ProgressStream ProgressStream::standard_error() {
  ProgressStream stream;
  if (::fcntl(STDERR_FILENO, F_GETFD) < 0) return stream;
  stream.write = [](std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return;  // nobody reads it; the work goes on
      text.remove_prefix(static_cast<size_t>(n));
    }
  };
  const std::string_view term = variable("TERM");
  if (::isatty(STDERR_FILENO) && term != "dumb") {
    stream.width = [] {
      winsize size{};
      return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size_t{size.ws_col} : size_t{80};
    };
    stream.color = variable("NO_COLOR").empty();
  }
  stream.utf8 = utf8_locale();
  return stream;
}

struct Progress::State {
  std::string why;  // it ended; empty: it has not, or was stopped
  std::string title, unit;
  int64_t total = 0, first = 0, done = 0;
  double per_step = 1;
  ProgressStream stream;
  std::mutex mutex;
  double begun = 0, printed = -1e300;
  std::deque<std::pair<double, int64_t>> past;  // (seconds, steps done), of the last kWindow seconds
  std::vector<std::pair<std::string, double>> figures;

  double now() const {
    if (stream.seconds) return stream.seconds();
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  bool terminal() const { return static_cast<bool>(stream.width); }

  // Steps a second of late; 0 while unknown.
  double speed(double at) const {
    if (past.empty() || done <= past.front().second || at <= past.front().first) return 0;
    return static_cast<double>(done - past.front().second) / (at - past.front().first);
  }

  std::string paint(std::string_view code, const std::string& text) const {
    return stream.color && !text.empty() ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  }

  std::string bar(size_t columns) const {
    const double share = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0., 1.) : 0;
    std::string filled;
    size_t used = 0;
    if (stream.utf8) {
      static constexpr std::string_view kEighths[] = {"", "\u258F", "\u258E", "\u258D", "\u258C", "\u258B", "\u258A", "\u2589"};
      const auto eighths = static_cast<size_t>(std::lround(share * static_cast<double>(columns) * 8));
      for (; used < eighths / 8; ++used) filled += "\u2588";
      if (eighths % 8 > 0) filled += kEighths[eighths % 8], ++used;
    } else {
      used = static_cast<size_t>(std::lround(share * static_cast<double>(columns)));
      filled.assign(used, '#');
    }
    return "[" + paint("36", filled) + std::string(columns - std::min(used, columns), ' ') + "]";
  }

  // Title, bar, counts, throughput, figures, time left: what does not fit goes, figures first, from the last one.
  std::string line(double at, size_t width) const {
    const double rate = speed(at);
    const double percent = total > 0 ? 100. * static_cast<double>(done) / static_cast<double>(total) : 0;
    std::vector<std::string> must = {fmt::format("{:3.0f} %", std::floor(percent)), fmt::format("{}/{}", done, total)};
    std::string left;
    if (rate > 0 && done < total) left = format_duration(static_cast<double>(total - done) / rate) + " left";
    std::vector<std::string> may;
    if (rate > 0) may.push_back(fmt::format("{} {}/s", format_rate(rate * per_step), unit));
    for (const auto& [name, value] : figures) may.push_back(fmt::format("{} {:.4g}", clean_text(name), value));

    const std::string name = shorten(clean_text(title), std::max<size_t>(width / 4, 8), stream.utf8 ? "\u2026" : "...");
    const auto length = [](const std::vector<std::string>& parts) {
      size_t n = 0;
      for (const std::string& p : parts) n += display_width(p) + 2;
      return n;
    };
    const size_t room = width > 1 ? width - 1 : width;  // the last column would wrap
    const size_t fixed = display_width(name) + 2 + length(must) + (left.empty() ? 0 : left.size() + 2);
    while (!may.empty() && fixed + kShortestBar + 2 + length(may) > room) may.pop_back();
    const size_t used = fixed + 2 + length(may);
    const size_t bar_columns = used + kShortestBar <= room ? std::min(kLongestBar, room - used) : 0;
    std::string out = paint("1", name);
    if (bar_columns > 0) out += "  " + bar(bar_columns);
    for (const auto* parts : {&must, &may})
      for (const std::string& p : *parts) out += "  " + p;
    if (!left.empty()) out += "  " + paint("2", left);
    if (bar_columns == 0 && used - 2 > room) out = shorten(fmt::format("{} {} {}", name, must[0], must[1]), room, "");  // too narrow even for that
    return out;
  }

  std::string plain(double at) const {
    std::string out = fmt::format("{}: {}/{}", clean_text(title), done, total);
    if (total > 0) out += fmt::format(" ({:.0f} %)", std::floor(100. * static_cast<double>(done) / static_cast<double>(total)));
    const double rate = speed(at);
    if (rate > 0) out += fmt::format(", {} {}/s", format_rate(rate * per_step), unit);
    for (const auto& [name, value] : figures) out += fmt::format(", {} {:.4g}", clean_text(name), value);
    if (rate > 0 && done < total) out += ", " + format_duration(static_cast<double>(total - done) / rate) + " left";
    return out + "\n";
  }

  void draw(double at) {
    printed = at;
    if (terminal()) stream.write("\r" + line(at, stream.width()) + "\x1b[K");
    else stream.write(plain(at));
  }
};

Progress::Progress(std::string title, int64_t total, std::string unit, double per_step, int64_t done, ProgressStream stream) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.title = std::move(title), s.unit = std::move(unit), s.total = total, s.per_step = per_step, s.first = s.done = done, s.stream = std::move(stream);
  s.begun = s.now();
  s.past.emplace_back(s.begun, done);
  if (!s.stream.write) return;
  if (s.terminal()) s.draw(s.begun);
  else s.printed = s.begun;
}

Progress::~Progress() {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (!s.stream.write) return;
  const double at = s.now(), took = at - s.begun;
  const int64_t steps = s.done - s.first;
  std::string out = s.why.empty() ? fmt::format("{}: {}{}/{} in {}", clean_text(s.title), s.done < s.total ? "stopped at " : "", s.done, s.total, format_duration(took))
                                  : fmt::format("{}: {} {} in {}, {}", clean_text(s.title), s.done, s.unit, format_duration(took), clean_text(s.why));
  if (steps > 0 && took > 0) out += fmt::format(", {} {}/s", format_rate(static_cast<double>(steps) * s.per_step / took), s.unit);
  for (const auto& [name, value] : s.figures) out += fmt::format(", {} {:.4g}", clean_text(name), value);
  s.stream.write((s.terminal() ? "\r\x1b[K" : "") + out + "\n");
}

void Progress::end(const std::string& why) {
  const std::lock_guard lock(state_->mutex);
  state_->why = why;
}

void Progress::step(int64_t done, const std::vector<std::pair<std::string, double>>& figures) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  s.done = done;
  if (!figures.empty()) s.figures = figures;
  const double at = s.now();
  // A few hundred points of the past are enough.
  if (at - s.past.back().first >= kWindow / 300) s.past.emplace_back(at, done);
  while (s.past.size() > 2 && at - s.past.front().first > kWindow) s.past.pop_front();
  if (s.stream.write && at - s.printed >= (s.terminal() ? kRedraw : kPlain)) s.draw(at);
}

void Progress::say(const std::string& line) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  if (!s.stream.write) return;
  s.stream.write((s.terminal() ? "\r\x1b[K" : "") + clean_text(line) + "\n");
  if (s.terminal()) s.draw(s.now());
}

}  // namespace hone
