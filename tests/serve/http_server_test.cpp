// The server on real sockets: what good clients get, and what bad ones cost.
#include "serve/http_server.h"

#include <gtest/gtest.h>

#include <atomic>

#include "client.h"

#ifdef HONE_HTTP

namespace hone {
namespace {

using test::ask;
using test::Client;
using test::Gate;
using test::get;
using test::post;
using test::RunningServer;

HttpResponse echo(const HttpRequest& r) {
  HttpResponse out;
  out.type = "text/plain";
  out.body = r.method + " " + r.path + " " + r.body;
  if (r.path == "/throw") throw std::runtime_error("thrown");
  if (r.path == "/large") out.body = std::string(32 << 20, 'x');
  if (r.path == "/stream")
    out.stream = [](EventSink& sink) {
      while (sink.send("data: tick\n\n") && sink.wait(0.05)) {}
    };
  return out;
}

HttpLimits quick() {
  HttpLimits l;
  l.request_seconds = 0.5, l.idle_seconds = 0.5, l.write_seconds = 0.5;
  l.body_bytes = 1000, l.head_bytes = 2000;
  return l;
}

TEST(HttpServer, ServesRequestsOnOneConnection) {
  RunningServer s(echo);
  Client c(s.port());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(c.send(post("/a", std::to_string(i))));
    const auto r = c.reply();
    EXPECT_EQ(r.status, 200);
    EXPECT_EQ(r.body, "POST /a " + std::to_string(i));
  }
  // Several at once, one arriving in parts.
  ASSERT_TRUE(c.send(get("/1") + get("/2") + "GET /3 HTT"));
  EXPECT_EQ(c.reply().body, "GET /1 ");
  EXPECT_EQ(c.reply().body, "GET /2 ");
  ASSERT_TRUE(c.send("P/1.1\r\n\r\n"));
  EXPECT_EQ(c.reply().body, "GET /3 ");
}

TEST(HttpServer, HeadHasNoBody) {
  RunningServer s(echo);
  Client c(s.port());
  c.send("HEAD /a HTTP/1.1\r\n\r\n" + get("/b"));
  const auto r = c.reply(20, false);
  EXPECT_EQ(r.status, 200);
  EXPECT_NE(r.head.find("Content-Length: 8"), r.head.npos);
  EXPECT_EQ(c.reply().body, "GET /b ");
}

TEST(HttpServer, ContinuesWhenAskedTo) {
  RunningServer s(echo);
  Client c(s.port());
  c.send("POST /a HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(c.reply(20, false).status, 100);
  c.send("hi");
  EXPECT_EQ(c.reply().body, "POST /a hi");
}

TEST(HttpServer, MalformedRequestsGetJsonAndAClosedConnection) {
  RunningServer s(echo, quick());
  for (const auto& [text, status] : std::vector<std::pair<std::string, int>>{
           {"nonsense\r\n\r\n", 400}, {"GET / HTTP/9\r\n\r\n", 400}, {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411}, {"POST /a HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413},
           {"GET /" + std::string(1500, 'a') + " HTTP/1.1\r\n\r\n", 414}, {"GET / HTTP/1.1\r\nA: " + std::string(4000, 'a'), 431}, {std::string(100, '\0') + "\r\n\r\n", 400}}) {
    Client c(s.port());
    c.send(text);
    const auto r = c.reply();
    EXPECT_EQ(r.status, status) << text.substr(0, 40);
    EXPECT_NE(r.head.find("application/json"), r.head.npos);
    EXPECT_EQ(r.body.find("{\"error\":{\"status\":" + std::to_string(status)), 0u) << r.body;
    EXPECT_FALSE(c.receive(2)) << "open after " << text.substr(0, 40);
  }
  EXPECT_EQ(s.server->counts().refused, 7);
  EXPECT_EQ(ask(s.port(), get("/")).status, 200);
}

// The response to a large refused body is not lost to a reset.
TEST(HttpServer, OversizedBodyIsAnsweredWhileItIsStillSent) {
  RunningServer s(echo, quick());
  for (int i = 0; i < 20; ++i) {
    Client c(s.port());
    c.send("POST /a HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n");
    c.send(std::string(3000000, 'x'));
    EXPECT_EQ(c.reply().status, 413);
  }
}

TEST(HttpServer, CutRequestsAre400) {
  RunningServer s(echo, quick());
  for (const char* text : {"GET / HT", "POST /a HTTP/1.1\r\nContent-Length: 100\r\n\r\nonly this"}) {
    Client c(s.port());
    c.send(text);
    c.end();
    EXPECT_EQ(c.reply().status, 400) << text;
  }
}

// Bytes that drip keep no connection open for longer than a request may take.
TEST(HttpServer, SlowRequestsAre408InBoundedTime) {
  RunningServer s(echo, quick());
  for (const std::string start : {"GET / HTTP/1.1\r\nA: ", "POST /a HTTP/1.1\r\nContent-Length: 900\r\n\r\n"}) {
    Client c(s.port());
    c.send(start);
    std::atomic<bool> over{false};
    std::thread drip([&] {
      while (!over && c.send("x")) std::this_thread::sleep_for(std::chrono::milliseconds(50));
    });
    const auto r = c.reply(5);
    over = true;
    drip.join();
    EXPECT_EQ(r.status, 408);
    EXPECT_LT(r.seconds, 2);
  }
}

TEST(HttpServer, IdleConnectionsClose) {
  RunningServer s(echo, quick());
  Client c(s.port());
  c.send(get("/"));
  EXPECT_EQ(c.reply().status, 200);
  const auto began = std::chrono::steady_clock::now();
  while (c.receive(5)) {}
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  EXPECT_GT(seconds, 0.3);
  EXPECT_LT(seconds, 2);
}

// A client that asks and does not read does not hold its place for ever.
TEST(HttpServer, ClientsThatDoNotReadAreDropped) {
  RunningServer s(echo, quick());
  Client c(s.port());
  c.send(get("/large"));
  const auto began = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  while (s.server->counts().connections > 0 && std::chrono::steady_clock::now() - began < std::chrono::seconds(10)) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(s.server->counts().connections, 0);
}

TEST(HttpServer, MoreConnectionsThanPlacesWaitAndThenAreRefused) {
  HttpLimits l;
  l.connections = 2, l.waiting = 2;
  Gate gate;
  RunningServer s([&](const HttpRequest& r) { return gate.pass(), echo(r); }, l);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(s.port()));
    clients.back()->send(get("/a", "Connection: close\r\n"));
    if (i == 1) gate.await(2);  // both places are taken
  }
  for (size_t i = 4; i < 8; ++i) EXPECT_EQ(clients[i]->reply().status, 503) << i;
  gate.open();
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(clients[i]->reply().status, 200) << i;
}

// Connections that are kept without a request make room.
TEST(HttpServer, IdleConnectionsGiveWay) {
  HttpLimits l;
  l.connections = 2, l.idle_seconds = 60;
  RunningServer s(echo, l);
  Client a(s.port()), b(s.port());
  a.send(get("/")), b.send(get("/"));
  EXPECT_EQ(a.reply().status, 200);
  EXPECT_EQ(b.reply().status, 200);
  const auto r = ask(s.port(), get("/"));
  EXPECT_EQ(r.status, 200);
  EXPECT_LT(r.seconds, 3);
}

TEST(HttpServer, AnExceptionIsA500) {
  RunningServer s(echo);
  const auto r = ask(s.port(), get("/throw"));
  EXPECT_EQ(r.status, 500);
  EXPECT_NE(r.body.find("thrown"), r.body.npos);
}

TEST(HttpServer, StreamsUntilTheClientGoes) {
  HttpLimits l;
  l.streams = 1;
  RunningServer s(echo, l);
  {
    Client c(s.port());
    c.send(get("/stream"));
    while (c.received.find("tick\n\ndata: tick") == c.received.npos) ASSERT_TRUE(c.receive(5));
    EXPECT_NE(c.received.find("Content-Type: text/plain"), c.received.npos);
    EXPECT_EQ(s.server->counts().streams, 1);
    EXPECT_EQ(ask(s.port(), get("/stream")).status, 503);
  }
  for (int i = 0; i < 1000 && s.server->counts().streams > 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_EQ(s.server->counts().streams, 0);
}

TEST(HttpServer, StopFinishesWhatIsInFlight) {
  Gate gate;
  RunningServer s([&](const HttpRequest& r) {
    if (r.path == "/slow") gate.pass();
    return echo(r);
  });
  Client slow(s.port()), idle(s.port()), stream(s.port());
  idle.send(get("/"));
  EXPECT_EQ(idle.reply().status, 200);
  stream.send(get("/stream"));
  while (stream.received.find("tick") == stream.received.npos) ASSERT_TRUE(stream.receive(5));
  slow.send(get("/slow"));
  gate.await(1);
  std::thread release([&] {
    while (stream.receive(5)) {}  // ends when the server has begun to stop
    gate.open();
  });
  s.stop();
  release.join();
  EXPECT_EQ(slow.reply().body, "GET /slow ");
  EXPECT_FALSE(Client(s.port()).connected());
}

TEST(HttpServer, StopsBeforeItHasRun) {
  auto bound = HttpServer::bind("127.0.0.1", 0, {}, echo);
  ASSERT_TRUE(bound);
  (*bound)->stop();
  (*bound)->run();
}

// A page of another site that had its name resolve to 127.0.0.1 gets nothing.
TEST(HttpServer, ForeignNamesAreRefusedOnLoopback) {
  RunningServer s(echo);
  EXPECT_EQ(ask(s.port(), "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 421);
  EXPECT_EQ(ask(s.port(), "GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n").status, 421);
  for (const char* name : {"localhost", "localhost:1234", "127.0.0.1:99", "[::1]:8080", "127.8.8.8"})
    EXPECT_EQ(ask(s.port(), "GET / HTTP/1.1\r\nHost: " + std::string(name) + "\r\n\r\n").status, 200) << name;
}

TEST(HttpServer, SaysWhyItCannotListen) {
  RunningServer s(echo);
  const auto second = HttpServer::bind("127.0.0.1", s.port(), {}, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::io);
  EXPECT_FALSE(HttpServer::bind("192.0.2.1", 0, {}, echo));
  EXPECT_EQ(HttpServer::bind("127.0.0.1", 70000, {}, echo).error().code, Code::usage);
}

}  // namespace
}  // namespace hone

#endif
