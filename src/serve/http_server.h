// HTTP/1.1 on a socket. cpp-httplib accepts connections and writes responses; requests are read by Connection, because
// httplib 0.11 bounds neither the length of a line nor the time of a whole request.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "core/error.h"
#include "serve/http.h"

namespace hone {

class HttpServer {
 public:
  // Called from many threads at once. An exception that escapes becomes a 500.
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  // Port 0: any free one. A loopback address serves only requests for a loopback name (421 otherwise), so that no web page
  // reaches it through a name of its own (DNS rebinding). Errors: an address that is none of this machine's, a port in use.
  static Result<std::unique_ptr<HttpServer>> bind(const std::string& host, int port, const HttpLimits& limits, Handler handler);
  ~HttpServer();

  int port() const;
  std::string url() const;  // "http://127.0.0.1:8080/"

  // Serves until stop(); returns when the last request in flight has its response.
  void run();
  // From any thread, once. Streams end, idle connections close, requests in flight are finished.
  void stop();

  struct Counts {
    int64_t requests = 0, refused = 0;  // refused: by a limit or as malformed, before any route
    int connections = 0, streams = 0;   // now
  };
  Counts counts() const;

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
