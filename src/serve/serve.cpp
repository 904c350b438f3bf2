#include "serve/serve.h"

#include <pthread.h>

#include <csignal>
#include <thread>

namespace hone {

namespace {

sigset_t endings() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&set, signal);
  return set;
}

}  // namespace

SignalsBlocked::SignalsBlocked() {
  const sigset_t set = endings();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

SignalsBlocked::~SignalsBlocked() {
  const sigset_t set = endings();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

void SignalsBlocked::wait() const {
  const sigset_t set = endings();
  int signal = 0;
  while (::sigwait(&set, &signal) != 0) {}
}

Result<HttpServer::Counts> serve(const ServeOptions& options, std::vector<std::unique_ptr<QueryService>> workers, const SignalsBlocked& signals, const std::function<void(const std::string& url)>& ready) {
  Api api(std::move(workers), options.run_folders, options.api);
  HONE_TRY_ASSIGN(const auto server, HttpServer::bind(options.host, options.port, options.http, [&api](const HttpRequest& r) { return api.handle(r); }));
  std::thread listening([&] { server->run(); });
  ready(server->url());
  signals.wait();
  const sigset_t set = endings();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);  // the second one is for whoever cannot wait
  server->stop();
  listening.join();
  return server->counts();
}

}  // namespace hone
