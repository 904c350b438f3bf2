// 64 clients, 10,000 requests, a tenth of them malformed, oversized, slow or cut, against a server that runs already:
//   serve_load PORT PROCESS [REQUESTS [CLIENTS]]      PROCESS: the server's, for its memory
// Prints a Markdown table; status 1 when a good request was lost or a bad one got anything but a 4xx.
#include <cstdio>
#include <cstdlib>

#include "../tests/serve/load.h"

int main(int argc, char** argv) {
  using namespace hone::test;
  if (argc < 3) return std::fprintf(stderr, "usage: serve_load PORT PROCESS [REQUESTS [CLIENTS]]\n"), 2;
  LoadOptions o;
  o.port = std::atoi(argv[1]);
  const pid_t server = std::atoi(argv[2]);
  const int requests = argc > 3 ? std::atoi(argv[3]) : o.requests;
  if (argc > 4) o.clients = std::atoi(argv[4]);
  const Reply info = ask(o.port, get("/api/v1/info"));
  const size_t photos = info.body.find("\"photos\":");
  if (photos != std::string::npos) o.photos = std::max(1, std::atoi(info.body.c_str() + photos + 9));
  o.requests = std::max(200, requests / 5);
  (void)run_load(o);  // threads, caches and networks come to their size
  const int64_t before = resident_kb(server);
  o.requests = requests, o.seed = 2;
  const LoadResult result = run_load(o);
  const int64_t after = resident_kb(server);

  bool ok = true;
  std::printf("| request | asked | answered | median ms | p95 ms | longest ms | status |\n| --- | ---: | ---: | ---: | ---: | ---: | --- |\n");
  for (const auto& [kind, k] : result.kinds) {
    std::string statuses;
    for (const auto& [status, count] : k.statuses) statuses += (statuses.empty() ? "" : ", ") + (status ? std::to_string(status) : std::string("none")) + (k.statuses.size() > 1 ? " (" + std::to_string(count) + ")" : "");
    std::printf("| %s | %lld | %lld | %.1f | %.1f | %.0f | %s |\n", name_of(kind), static_cast<long long>(k.asked), static_cast<long long>(k.answered), 1e3 * k.quantile(0.5), 1e3 * k.quantile(0.95), 1e3 * k.quantile(1), statuses.c_str());
    ok = ok && k.answered == k.asked;
  }
  std::printf("\n%d requests of %d clients in %.1f s. The server's memory: %.1f MiB before, %.1f MiB after.\n", requests, o.clients, result.seconds, static_cast<double>(before) / 1024, static_cast<double>(after) / 1024);
  return ok ? 0 : 1;
}
