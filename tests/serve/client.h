// A client that says exactly what a test wants on the wire, and a server that runs while a test does.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>

#include "serve/http_server.h"

namespace hone::test {

// Where a handler waits until the test has seen what it waited for: no test depends on how long something takes.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  // Until so many have come to it.
  void await(int many) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return came_ >= many; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int came_ = 0;
  bool open_ = false;
};

struct Reply {
  int status = 0;       // 0: the connection ended without a response
  std::string head, body;
  double seconds = 0;
};

class Client {
 public:
  explicit Client(int port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET, to.sin_port = htons(static_cast<uint16_t>(port)), to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0;
  }
  ~Client() { close(); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }
  void end() { ::shutdown(socket_, SHUT_WR); }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  // More bytes into what was received; false at the end, after an error or when none come in time.
  bool receive(double seconds) {
    pollfd p{socket_, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(seconds * 1000)) <= 0) return false;
    char chunk[65536];
    const ssize_t n = ::recv(socket_, chunk, sizeof chunk, 0);
    if (n > 0) received.append(chunk, static_cast<size_t>(n));
    return n > 0;
  }
  // The next response; `has_body` false for HEAD.
  Reply reply(double seconds = 20, bool has_body = true) {
    const auto began = std::chrono::steady_clock::now();
    const auto spent = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count(); };
    Reply r;
    size_t end;
    while ((end = received.find("\r\n\r\n")) == received.npos)
      if (spent() > seconds || !receive(seconds)) return r.seconds = spent(), r;
    r.head = received.substr(0, end + 2);
    received.erase(0, end + 4);
    r.status = std::atoi(r.head.c_str() + 9);
    const size_t at = r.head.find("Content-Length: ");
    size_t length = !has_body || r.status == 304 ? 0 : at == r.head.npos ? SIZE_MAX : static_cast<size_t>(std::atoll(r.head.c_str() + at + 16));
    while (received.size() < length && receive(seconds)) {}
    length = std::min(length, received.size());
    r.body = received.substr(0, length);
    received.erase(0, length);
    r.seconds = spent();
    return r;
  }
  std::string received;

 private:
  int socket_;
  bool connected_ = false;
};

inline std::string get(const std::string& path, const std::string& headers = "") { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"; }
inline std::string post(const std::string& path, const std::string& body, const std::string& type = "application/json") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + type + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline Reply ask(int port, const std::string& text, bool has_body = true) {
  Client c(port);
  c.send(text);
  return c.reply(20, has_body);
}

// Runs until the end of its scope.
struct RunningServer {
  explicit RunningServer(HttpServer::Handler handler, const HttpLimits& limits = {}) {
    auto bound = HttpServer::bind("127.0.0.1", 0, limits, std::move(handler));
    if (!bound) std::abort();
    server = std::move(*bound);
    thread = std::thread([this] { server->run(); });
  }
  ~RunningServer() { stop(); }
  void stop() {
    if (!thread.joinable()) return;
    server->stop();
    thread.join();
  }
  int port() const { return server->port(); }
  std::unique_ptr<HttpServer> server;
  std::thread thread;
};

}  // namespace hone::test
