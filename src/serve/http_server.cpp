#include "serve/http_server.h"

#ifdef HONE_HTTP

#include <fmt/format.h>
#include <httplib.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "serve/connection.h"

namespace hone {

namespace {

// Set while a connection is processed that found no place: it gets a 503 on the accepting thread.
thread_local bool t_no_place = false;

// Threads are made as connections come, up to a number; further connections wait, up to a number.
class Places final : public httplib::TaskQueue {
 public:
  Places(int threads, int waiting) : most_(static_cast<size_t>(threads)), waiting_(static_cast<size_t>(waiting)) {}

  void enqueue(std::function<void()> job) override {
    {
      const std::lock_guard lock(mutex_);
      if (idle_ <= jobs_.size() && threads_.size() < most_) try {
          threads_.emplace_back([this] { work(); });
        } catch (const std::system_error&) {  // the system gives no more threads: those that there are must do
        }
      if (jobs_.size() < waiting_ + idle_ && !threads_.empty()) {
        jobs_.push_back(std::move(job));
        wake_.notify_one();
        return;
      }
    }
    t_no_place = true;
    job();
    t_no_place = false;
  }
  // Waiting connections are served first.
  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& t : threads_) t.join();
  }
  bool crowded() const {
    const std::lock_guard lock(mutex_);
    return !jobs_.empty();
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      wake_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
      --idle_;
      if (jobs_.empty()) return;
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  const size_t most_, waiting_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool ending_ = false;
};

// What httplib sees of a connection: a request that is already read, and a way to write.
class Exchange final : public httplib::Stream {
 public:
  Exchange(Connection& connection, const HttpRequest& request, bool close)
      : connection_(connection),
        head_(std::string(request.method == "HEAD" ? "HEAD" : "GET") + " / HTTP/1.1\r\n" + (close ? "Connection: close\r\n" : "") + "\r\n") {}
  bool is_readable() const override { return at_ < head_.size(); }
  bool is_writable() const override { return true; }
  ssize_t read(char* to, size_t size) override {
    const size_t n = std::min(size, head_.size() - at_);
    std::memcpy(to, head_.data() + at_, n);
    at_ += n;
    return static_cast<ssize_t>(n);
  }
  ssize_t write(const char* from, size_t size) override { return connection_.write({from, size}) ? static_cast<ssize_t>(size) : -1; }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return 0; }  // httplib only compares it with FD_SETSIZE

 private:
  Connection& connection_;
  std::string head_;
  size_t at_ = 0;
};

class Sink final : public EventSink {
 public:
  Sink(Connection& connection, const std::atomic<bool>& stopping) : connection_(connection), stopping_(stopping) {}
  bool send(std::string_view text) override { return !over() && connection_.write(text); }
  bool wait(double seconds) override {
    const auto until = Connection::Clock::now() + std::chrono::duration<double>(seconds);
    while (!over() && Connection::Clock::now() < until) std::this_thread::sleep_for(std::min<std::chrono::duration<double>>(std::chrono::milliseconds(100), until - Connection::Clock::now()));
    return !over();
  }

 private:
  bool over() const { return stopping_ || connection_.peer_gone(); }
  Connection& connection_;
  const std::atomic<bool>& stopping_;
};

bool is_loopback_address(const std::string& host) { return host == "localhost" || host == "::1" || host.compare(0, 4, "127.") == 0; }

// "localhost:8080" -> "localhost", "[::1]:8080" -> "::1".
std::string name_of(std::string_view host) {
  if (!host.empty() && host[0] == '[') return std::string(host.substr(1, host.find(']') - 1));
  return std::string(host.substr(0, host.find(':')));
}

}  // namespace

struct HttpServer::Impl final : httplib::Server {
  Impl(const HttpLimits& l, HttpServer::Handler h) : limits(l), handler(std::move(h)) {}

  const HttpLimits limits;
  const HttpServer::Handler handler;
  std::string host;
  int bound_port = 0;
  bool loopback = true;
  Places* places = nullptr;  // owned by httplib while it runs
  std::atomic<bool> stopping{false}, started{false}, ended{false};
  std::atomic<int64_t> requests{0}, refused{0};
  std::atomic<int> connections{0}, streams{0};

  bool process_and_close_socket(socket_t socket) override {
    Connection connection(socket, limits, [this] { return stopping || places->crowded(); });
    if (t_no_place) {
      ++refused;
      connection.turn_away(error_response({503, "too many connections"}));  // this is the thread that accepts
      return false;
    }
    ++connections;
    for (int served = 1;; ++served) {
      auto in = connection.next();
      if (!in) {
        ++refused;
        connection.refuse(error_response(in.error()));
        break;
      }
      if (!*in) break;
      const bool last = (*in)->close || stopping || served >= limits.requests_per_connection || places->crowded();
      if (!serve(connection, (*in)->request, last)) break;
    }
    --connections;
    return true;
  }

  void widen_backlog() { ::listen(svr_sock_, limits.waiting); }  // httplib's of 5 drops connections that come together

  // False: the connection closes.
  bool serve(Connection& connection, const HttpRequest& request, bool last) {
    ++requests;
    HttpResponse response;
    try {
      response = answer(request);
    } catch (const std::exception& e) {
      response = error_response({500, std::string("internal error: ") + e.what()});
    }
    if (response.stream) {
      last = true;
      if (++streams > limits.streams) {
        --streams;
        response = error_response({503, "too many event streams"});
      }
    }
    Exchange exchange(connection, request, last);
    bool closed = false;
    struct Leave {
      std::atomic<int>* count;
      ~Leave() { if (count) --*count; }
    } leave{response.stream ? &streams : nullptr};
    thread_response = &response;
    thread_connection = &connection;
    return process_request(exchange, last, closed, nullptr) && !closed && !last;
  }

  HttpResponse answer(const HttpRequest& request) const {
    const std::string_view wanted = request.header("host");
    if (loopback && !wanted.empty() && !is_loopback_address(name_of(wanted))) return error_response({421, "this server answers for loopback names only"});
    return handler(request);
  }

  // httplib calls this first for the exchange: every route is ours.
  HandlerResponse respond(httplib::Response& to) {
    HttpResponse& from = *thread_response;
    to.status = from.status;
    to.reason = std::string(reason_phrase(from.status));
    to.set_header("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : from.headers) to.set_header(name, value);
    if (!from.stream) {
      to.set_content(from.body, from.type);
    } else {
      // Without a length and not chunked: the stream ends with its connection.
      to.set_content_provider(from.type, [this, &from, connection = thread_connection](size_t, httplib::DataSink& sink) {
        Sink events(*connection, stopping);
        from.stream(events);
        sink.done();
        return true;
      });
    }
    return HandlerResponse::Handled;
  }

  static thread_local HttpResponse* thread_response;
  static thread_local Connection* thread_connection;
};

thread_local HttpResponse* HttpServer::Impl::thread_response = nullptr;
thread_local Connection* HttpServer::Impl::thread_connection = nullptr;

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::bind(const std::string& host, int port, const HttpLimits& limits, Handler handler) {
  if (port < 0 || port > 65535) return fail(Code::usage, fmt::format("{} is no port: 0 to 65535, 0 for any that is free", port));
  auto impl = std::make_unique<Impl>(limits, std::move(handler));
  Impl* server = impl.get();
  server->host = host;
  server->loopback = is_loopback_address(host);
  // httplib's default is SO_REUSEPORT: a second server would share the port in silence.
  server->set_socket_options([](socket_t s) {
    const int on = 1;
    ::setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  });
  server->set_keep_alive_timeout(static_cast<time_t>(limits.idle_seconds));
  server->set_keep_alive_max_count(static_cast<size_t>(limits.requests_per_connection));
  server->set_pre_routing_handler([server](const httplib::Request&, httplib::Response& to) { return server->respond(to); });
  server->new_task_queue = [server] { return server->places = new Places(server->limits.connections, server->limits.waiting); };
  errno = 0;
  server->bound_port = port == 0 ? server->bind_to_any_port(host) : server->bind_to_port(host, port) ? port : -1;
  if (server->bound_port <= 0)
    return fail(Code::io, fmt::format("cannot listen on {} port {}: {}", host, port, errno ? std::strerror(errno) : "no such address"), "", "--port 0 takes any free port; --host takes an address of this machine");
  server->widen_backlog();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->bound_port; }

std::string HttpServer::url() const {
  const bool six = impl_->host.find(':') != std::string::npos;
  return fmt::format("http://{}{}{}:{}/", six ? "[" : "", impl_->host, six ? "]" : "", impl_->bound_port);
}

void HttpServer::run() {
  impl_->started = true;
  if (!impl_->stopping) impl_->listen_after_bind();
  impl_->ended = true;
}

void HttpServer::stop() {
  if (impl_->stopping.exchange(true) || !impl_->started) return;
  while (!impl_->is_running() && !impl_->ended) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  if (!impl_->ended) impl_->httplib::Server::stop();
}

HttpServer::Counts HttpServer::counts() const { return {impl_->requests, impl_->refused, impl_->connections, impl_->streams}; }

}  // namespace hone

#else

namespace hone {

struct HttpServer::Impl {};
HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpServer::~HttpServer() = default;
Result<std::unique_ptr<HttpServer>> HttpServer::bind(const std::string&, int, const HttpLimits&, Handler) {
  return fail(Code::unsupported, "this hone was built without its server", "", "build with -DHONE_HTTP=ON; scripts/setup installs what that needs");
}
int HttpServer::port() const { return 0; }
std::string HttpServer::url() const { return ""; }
void HttpServer::run() {}
void HttpServer::stop() {}
HttpServer::Counts HttpServer::counts() const { return {}; }

}  // namespace hone

#endif
