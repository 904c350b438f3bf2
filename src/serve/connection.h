// A client's socket: requests come whole or not at all, within a deadline, and responses go out within one.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "serve/http.h"

namespace hone {

class Connection {
 public:
  using Clock = std::chrono::steady_clock;

  // Takes the socket over. `hurry` is asked while the client is idle: true ends the wait (the server stops, or others wait
  // for a place).
  Connection(int socket, const HttpLimits& limits, std::function<bool()> hurry);
  ~Connection();  // closes in order: what the client still sends is read for a moment, so that it sees the last response
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  struct Incoming {
    HttpRequest request;
    bool close = false;
  };
  // Nothing: the client closed between requests, or was idle for too long. Error: what to answer before closing; 408 for a
  // request that came too slowly, 400 for one that was cut.
  tl::expected<std::optional<Incoming>, HttpError> next();

  // All of it, within HttpLimits::write_seconds; false: the client is gone or does not read.
  bool write(std::string_view bytes);
  // A response by itself, for requests that reach no route; the connection closes after it.
  void refuse(const HttpResponse& response);
  // The same without waiting for anything: what has come is passed over, the socket closed at once.
  void turn_away(const HttpResponse& response);
  // The client has closed or reset its side.
  bool peer_gone() const;

  int socket() const { return socket_; }

 private:
  enum class Got { bytes, end, timeout, idle };
  Got receive(Clock::time_point deadline, bool between_requests);

  int socket_;
  const HttpLimits& limits_;
  std::function<bool()> hurry_;
  std::string buffer_;      // received, not yet used
  bool written_ = false, broken_ = false;
  bool linger_ = true;
};

}  // namespace hone
