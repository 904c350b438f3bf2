// hone launch: N processes of one distributed run on this machine, as torchrun would start them.
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>

#include "cli/commands.h"

namespace hone::cli {

namespace {

struct Options {
  std::optional<int64_t> ranks;
  std::vector<std::string> command;
};

volatile std::sig_atomic_t g_signal = 0;
void remember_signal(int signal) { g_signal = signal; }

// A port that nobody listens on now. Another process may take it before rank 0 does; then rank 0 says so.
Result<int> free_port() {
  const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  const bool ok = s >= 0 && ::bind(s, raw, sizeof address) == 0 && ::getsockname(s, raw, &size) == 0;
  const int error = errno;
  if (s >= 0) ::close(s);
  if (!ok) return fail(Code::io, fmt::format("no free port on this machine: {}", std::strerror(error)));
  return ntohs(address.sin_port);
}

Result<pid_t> start(const std::vector<std::string>& command, int64_t rank, int64_t ranks, int port) {
  std::vector<std::string> text = {"hone"};
  text.insert(text.end(), command.begin(), command.end());
  std::vector<char*> arguments;
  for (std::string& t : text) arguments.push_back(t.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid(), child = ::fork();
  if (child < 0) return fail(Code::io, fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // no ranks are left behind when the launcher is killed
  if (::getppid() != parent) ::_exit(1);
  const std::pair<const char*, std::string> variables[] = {{"RANK", std::to_string(rank)},       {"LOCAL_RANK", std::to_string(rank)},       {"WORLD_SIZE", std::to_string(ranks)},
                                                           {"LOCAL_WORLD_SIZE", std::to_string(ranks)}, {"MASTER_ADDR", "127.0.0.1"}, {"MASTER_PORT", std::to_string(port)}};
  for (const auto& [name, value] : variables) ::setenv(name, value.c_str(), 1);
  ::execv("/proc/self/exe", arguments.data());
  ::_exit(127);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status)) return fmt::format("was ended by signal {} ({})", WTERMSIG(status), ::strsignal(WTERMSIG(status)));
  return fmt::format("ended with status {}", WEXITSTATUS(status));
}

Result<Outcome> launch(const Options& o) {
  if (!o.ranks) return fail(Code::usage, "is missing: how many processes", "-n", "as in: hone launch -n 2 -- train RECIPE RUN");
  const int64_t ranks = *o.ranks;
  if (ranks < 1 || ranks > 1024) return fail(Code::usage, "is not from 1 to 1024", "-n");
  HONE_TRY_ASSIGN(const int port, free_port());
  struct sigaction action {};
  action.sa_handler = remember_signal;
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);

  std::vector<pid_t> alive;
  std::vector<std::pair<pid_t, int64_t>> rank_of;
  const auto send = [&](int signal) {
    for (pid_t p : alive) ::kill(p, signal);
  };
  for (int64_t r = 0; r < ranks; ++r) {
    const auto child = start(o.command, r, ranks, port);
    if (!child) {
      send(SIGTERM);
      return fail(child.error());
    }
    alive.push_back(*child);
    rank_of.emplace_back(*child, r);
  }

  // The first rank that fails decides, or the one that a signal ended: a rank that lost contact may be gone before the one that
  // it lost is seen. The others notice by themselves and say so; whoever has not ended after five seconds is told, and after
  // ten more is killed.
  std::string why;
  bool certain = false;  // `why` is no consequence of something else
  bool misused = false;  // the command is wrong, and would be again
  int waited = 0;  // tenths of a second since the first failure
  while (!alive.empty()) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended > 0) {
      const auto rank = std::ranges::find(rank_of, ended, &std::pair<pid_t, int64_t>::first);
      std::erase(alive, ended);
      const bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      if (!ok && rank != rank_of.end() && (why.empty() || (!certain && WIFSIGNALED(status)))) {
        why = fmt::format("rank {} of {} {}", rank->second, ranks, how_it_ended(status));
        certain = WIFSIGNALED(status);
        misused = WIFEXITED(status) && WEXITSTATUS(status) == exit_code(Code::usage);
      }
      continue;
    }
    if (g_signal) {
      send(g_signal);
      if (why.empty()) why = fmt::format("stopped by signal {} ({})", static_cast<int>(g_signal), ::strsignal(g_signal));
      certain = true;  // what ends from now on was told to
      g_signal = 0;
    }
    ::usleep(100'000);
    if (why.empty()) continue;
    ++waited;
    if (waited == 50) {
      send(SIGTERM);
      certain = true;
    }
    if (waited == 150) send(SIGKILL);
  }
  if (misused) return fail(Code::usage, why);
  if (!why.empty()) return fail(Code::failed, why + (ranks > 1 ? ", so the others were ended too" : ""), {}, "the same command goes on from the last checkpoint; any number of ranks will do");
  return Outcome{};
}

}  // namespace

Command launch_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "launch";
  c.summary = "Several processes of one training run on this machine";
  c.about = "Starts `hone COMMAND` N times with the environment of torchrun (RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT), passes signals on, and ends all when one fails.";
  c.arguments = {{"COMMAND", &o->command, "behind --: a command of hone, its arguments and options"}};
  c.options = {{"-n,--ranks", "N", &o->ranks, "how many processes"}};
  c.examples = {{"hone launch -n 2 -- train recipes/classify/patterns.toml runs/two", "each rank computes half of every batch"}};
  c.run = [o](const TextStyle&) { return launch(*o); };
  return c;
}

}  // namespace hone::cli
