// A server with its routes, until a signal or stop().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "serve/api.h"
#include "serve/http_server.h"

namespace hone {

struct ServeOptions {
  std::string host = "127.0.0.1";
  int port = 8080;                        // 0: any free one
  std::vector<std::string> run_folders;
  HttpLimits http;
  ApiOptions api;
};

// While it lives, SIGINT and SIGTERM wait to be asked for. To be made before other threads are: they inherit it.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();  // as they were
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  void wait() const;  // for one of them
};
// Serves until one of those signals, then finishes what is in flight; the second one ends the process at once. `ready` is
// called with the address when connections are accepted. Errors: the address cannot be listened on.
Result<HttpServer::Counts> serve(const ServeOptions& options, std::vector<std::unique_ptr<QueryService>> workers, const SignalsBlocked& signals, const std::function<void(const std::string& url)>& ready);

}  // namespace hone
