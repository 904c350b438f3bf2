#include "serve/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hone {

namespace {

using Clock = Connection::Clock;

Clock::time_point after(double seconds) { return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)); }

int milliseconds_until(Clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<int64_t>(left + 1, 0, 1 << 30));
}

constexpr int kIdleSlice = 200;         // milliseconds between looks at whether an idle connection should go
constexpr size_t kLingerBytes = size_t{4} << 20;
constexpr double kLingerSeconds = 1;

}  // namespace

Connection::Connection(int socket, const HttpLimits& limits, std::function<bool()> hurry)
    : socket_(socket), limits_(limits), hurry_(std::move(hurry)) {
  const int on = 1;  // a response's head and body are two writes
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Connection::~Connection() {
  // Closing with unread bytes resets the connection, and the client may lose the response that it has not read yet.
  if (written_ && !broken_ && linger_ && ::shutdown(socket_, SHUT_WR) == 0) {
    char scrap[4096];
    const auto deadline = after(kLingerSeconds);
    for (size_t total = 0; total < kLingerBytes && Clock::now() < deadline;) {
      pollfd p{socket_, POLLIN, 0};
      const int ready = ::poll(&p, 1, milliseconds_until(deadline));
      if (ready < 0 && errno != EINTR) break;
      if (ready <= 0) continue;
      const ssize_t n = ::recv(socket_, scrap, sizeof scrap, MSG_DONTWAIT);
      if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
      if (n > 0) total += static_cast<size_t>(n);
    }
  }
  ::close(socket_);
}

Connection::Got Connection::receive(Clock::time_point deadline, bool between_requests) {
  for (;;) {
    char chunk[16384];
    const ssize_t n = ::recv(socket_, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n > 0) {
      buffer_.append(chunk, static_cast<size_t>(n));
      return Got::bytes;
    }
    if (n == 0) return Got::end;
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
      broken_ = true;
      return Got::end;
    }
    const int left = milliseconds_until(deadline);
    if (Clock::now() >= deadline) return Got::timeout;
    pollfd p{socket_, POLLIN, 0};
    const int ready = ::poll(&p, 1, between_requests ? std::min(left, kIdleSlice) : left);
    if (ready == 0 && between_requests && hurry_()) return Got::idle;
  }
}

tl::expected<std::optional<Connection::Incoming>, HttpError> Connection::next() {
  const auto refuse = [](int status, std::string message) { return tl::unexpected<HttpError>(HttpError{status, std::move(message)}); };
  static constexpr std::string_view kEnd = "\r\n\r\n";
  if (buffer_.empty() && receive(after(limits_.idle_seconds), true) != Got::bytes) return std::optional<Incoming>();
  const auto deadline = after(limits_.request_seconds);

  // A robust server ignores empty lines before a request (RFC 9112, 2.2).
  size_t head_end = buffer_.npos, searched = 0;
  for (;;) {
    while (searched == 0 && buffer_.compare(0, 2, "\r\n") == 0) buffer_.erase(0, 2);
    head_end = buffer_.find(kEnd, searched);
    if (head_end != buffer_.npos) break;
    if (buffer_.size() > limits_.head_bytes) return refuse(431, "the request's head is too large");
    searched = buffer_.size() < kEnd.size() ? 0 : buffer_.size() - kEnd.size() + 1;
    const Got got = receive(deadline, false);
    if (got == Got::timeout) return refuse(408, "the request's head did not come in time");
    if (got == Got::end) {
      if (buffer_.empty()) return std::optional<Incoming>();
      return refuse(400, "the request ends within its head");
    }
  }
  auto head = parse_head(std::string_view(buffer_).substr(0, head_end + kEnd.size()), limits_);
  if (!head) return tl::unexpected(head.error());
  buffer_.erase(0, head_end + kEnd.size());
  if (head->expects_continue && buffer_.empty() && !write("HTTP/1.1 100 Continue\r\n\r\n")) return std::optional<Incoming>();
  while (buffer_.size() < head->content_length) {
    const Got got = receive(deadline, false);
    if (got == Got::timeout) return refuse(408, "the request's body did not come in time");
    if (got == Got::end) return refuse(400, "the request ends within its body");
  }
  Incoming in{std::move(head->request), head->close};
  in.request.body = buffer_.substr(0, head->content_length);
  buffer_.erase(0, head->content_length);
  if (buffer_.empty()) buffer_.shrink_to_fit();
  return std::optional<Incoming>(std::move(in));
}

bool Connection::write(std::string_view bytes) {
  if (broken_) return false;
  const auto deadline = after(limits_.write_seconds);
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      written_ = true;
      bytes.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return broken_ = true, false;
    if (Clock::now() >= deadline) return broken_ = true, false;
    pollfd p{socket_, POLLOUT, 0};
    ::poll(&p, 1, milliseconds_until(deadline));
  }
  return true;
}

void Connection::refuse(const HttpResponse& r) {
  std::string text = fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n",
                                 r.status, reason_phrase(r.status), r.type, r.body.size());
  for (const auto& [name, value] : r.headers) text += name + ": " + value + "\r\n";
  write(text + "\r\n" + r.body);
}

void Connection::turn_away(const HttpResponse& response) {
  char scrap[16384];
  while (::recv(socket_, scrap, sizeof scrap, MSG_DONTWAIT) == sizeof scrap) {}
  refuse(response);  // a few bytes into an empty buffer
  linger_ = false;
}

bool Connection::peer_gone() const {
  if (broken_) return true;
  pollfd p{socket_, POLLIN | POLLRDHUP, 0};
  return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

}  // namespace hone
