// Many clients at once, a tenth of whose requests are malformed, oversized, slow or cut. Shared by load_test.cpp (short) and
// bench/serve_load.cpp (long, against a server in a process of its own).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "client.h"
#include "core/rng.h"

namespace hone::test {

enum class Asked : uint8_t { query, photo, info, malformed, oversized, cut, slow };
inline const char* name_of(Asked a) { return std::array{"query", "photo", "info", "malformed", "oversized", "cut", "slow"}[static_cast<size_t>(a)]; }

struct LoadOptions {
  int port = 0;
  int clients = 64;
  int requests = 10000;
  int64_t photos = 10;          // of the gallery
  double bad_share = 0.1;
  uint64_t seed = 1;
};

struct LoadResult {
  struct Kind {
    int64_t asked = 0, answered = 0;  // answered: 200 for the good kinds, a 4xx for the bad ones
    std::vector<double> seconds;
    std::map<int, int64_t> statuses;  // 0: none
    double quantile(double q) const {
      if (seconds.empty()) return 0;
      std::vector<double> s = seconds;
      std::sort(s.begin(), s.end());
      return s[static_cast<size_t>(q * static_cast<double>(s.size() - 1))];
    }
  };
  std::map<Asked, Kind> kinds;
  double seconds = 0;
};

// Kilobytes of a process that are resident.
inline int64_t resident_kb(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  int64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * (::sysconf(_SC_PAGESIZE) / 1024);
}

class LoadClient {
 public:
  LoadClient(const LoadOptions& o, uint64_t seed) : o_(o), rng_(seed) {}

  Asked pick() {
    if (rng_.uniform() < o_.bad_share) return std::array{Asked::malformed, Asked::oversized, Asked::cut, Asked::slow}[rng_.below(4)];
    const double u = rng_.uniform();
    return u < 0.7 ? Asked::query : u < 0.95 ? Asked::photo : Asked::info;
  }

  Reply run(Asked kind) {
    switch (kind) {
      case Asked::query: return kept(post("/api/v1/query", drawing()));
      case Asked::photo: return kept(get("/api/v1/photos/" + std::to_string(rng_.below(static_cast<uint64_t>(o_.photos)))));
      case Asked::info: return kept(get("/api/v1/info"));
      case Asked::malformed: {
        const std::string whole = post("/api/v1/query", drawing());
        switch (rng_.below(4)) {
          case 0: return kept(post("/api/v1/query", "{\"drawing\":[[[1,2],[3]]]}"));
          case 1: return kept(post("/api/v1/query", "{\"drawing\":"));
          case 2: return once("GET /\x01 HTTP/1.1\r\n\r\n");
          default: return once("POST /api/v1/query HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
        }
      }
      case Asked::oversized: return once("POST /api/v1/query HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n\r\n" + std::string(200000, ' '));
      case Asked::cut: {
        Client c(o_.port);
        const std::string whole = post("/api/v1/query", drawing());
        c.send(whole.substr(0, 20 + rng_.below(whole.size() - 20)));
        c.end();
        return c.reply();
      }
      case Asked::slow: {
        Client c(o_.port);
        const auto began = std::chrono::steady_clock::now();
        c.send("POST /api/v1/query HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n");
        for (int i = 0; i < 290 && !c.receive(0.1); ++i) c.send(" ");
        Reply r = c.reply();
        r.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
        return r;
      }
    }
    return {};
  }

 private:
  std::string drawing() {
    std::string xs, ys;
    const int points = 2 + static_cast<int>(rng_.below(60));
    for (int i = 0; i < points; ++i) {
      xs += (i ? "," : "") + std::to_string(rng_.below(256));
      ys += (i ? "," : "") + std::to_string(rng_.below(256));
    }
    return "{\"drawing\":[[[" + xs + "],[" + ys + "]]]}";
  }
  Reply once(const std::string& text) {
    Client c(o_.port);
    c.send(text);
    return c.reply();
  }
  // On a connection that is used again. One that the server has closed meanwhile is opened anew, as a browser does.
  Reply kept(const std::string& text) {
    for (int attempt = 0;; ++attempt) {
      const bool fresh = !connection_;
      if (fresh) connection_ = std::make_unique<Client>(o_.port);
      connection_->send(text);
      const Reply r = connection_->reply();
      if (r.status == 0 || r.head.find("Connection: close") != r.head.npos) connection_.reset();
      if (r.status != 0 || fresh || attempt > 2) return r;
    }
  }

  const LoadOptions& o_;
  Rng rng_;
  std::unique_ptr<Client> connection_;
};

inline LoadResult run_load(const LoadOptions& o) {
  LoadResult result;
  std::mutex mutex;
  std::atomic<int> left{o.requests};
  std::vector<std::thread> threads;
  const auto began = std::chrono::steady_clock::now();
  for (int c = 0; c < o.clients; ++c)
    threads.emplace_back([&, c] {
      LoadClient client(o, o.seed * 1000 + static_cast<uint64_t>(c));
      while (left-- > 0) {
        const Asked kind = client.pick();
        const auto start = std::chrono::steady_clock::now();
        const Reply r = client.run(kind);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const bool good = kind < Asked::malformed;
        const std::lock_guard lock(mutex);
        auto& k = result.kinds[kind];
        ++k.asked, ++k.statuses[r.status];
        k.answered += good ? r.status == 200 : r.status >= 400 && r.status < 500;
        k.seconds.push_back(seconds);
      }
    });
  for (std::thread& t : threads) t.join();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

}  // namespace hone::test
