// Requests and responses as values: what the routes are written in. No socket and no HTTP library shows here, so routes are
// tested and fuzzed as functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

namespace hone {

// Bounds on what one client may take. A request that breaks one is answered with a 4xx in bounded time.
struct HttpLimits {
  size_t head_bytes = size_t{16} << 10;    // request line and headers
  size_t target_bytes = 1024;
  size_t headers = 64;
  size_t body_bytes = size_t{512} << 10;
  double request_seconds = 10;             // from the first byte of a request to its last, however slowly they drip
  double idle_seconds = 5;                 // a kept connection without a request
  double write_seconds = 10;               // a response, or one message of a stream, until the client has taken it
  int connections = 128;                   // served at once, a thread each
  int waiting = 128;                       // accepted and waiting for one of those; more are refused
  int requests_per_connection = 10000;
  int streams = 32;                        // connections that may be event streams
};

// A request that cannot be served, and why.
struct HttpError {
  int status = 400;
  std::string message;
};

struct HttpRequest {
  std::string method, path;                       // the path as sent: no route needs decoding
  std::map<std::string, std::string> headers;     // names in lower case
  std::string body;

  std::string_view header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? std::string_view() : std::string_view(found->second);
  }
};

// Where a stream of events writes.
class EventSink {
 public:
  virtual ~EventSink() = default;
  // False when the client has gone, does not read, or the server stops: the stream ends then.
  virtual bool send(std::string_view text) = 0;
  // Waits; false as above.
  virtual bool wait(double seconds) = 0;
};

struct HttpResponse {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::function<void(EventSink&)> stream;         // instead of a body, when set
};

// {"error":{"status":..,"message":..}}
HttpResponse error_response(const HttpError& error);
std::string_view reason_phrase(int status);       // "Not Found"

// A request's head, checked; headers of one name twice, unless equal, are refused. What it claims is not read yet.
struct HttpHead {
  HttpRequest request;       // without its body
  size_t content_length = 0;
  bool close = false;        // the client wants the connection closed
  bool expects_continue = false;
};
// `text` ends with the empty line. RFC 9112, strictly: lines end in CRLF, no folding, no transfer coding (411), no body
// with GET or HEAD, origin-form targets only.
tl::expected<HttpHead, HttpError> parse_head(std::string_view text, const HttpLimits& limits);

}  // namespace hone
