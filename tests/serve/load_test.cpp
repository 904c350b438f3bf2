// The short form of bench/serve_load: 64 clients, a tenth of their requests bad.
#include "load.h"

#include <gtest/gtest.h>

#include "fake_service.h"
#include "serve/api.h"

#ifdef HONE_HTTP

namespace hone {
namespace {

TEST(Load, NoGoodRequestIsLostAndEveryBadOneIsA4xxInTime) {
  Api api(test::fake_workers(2, [] { std::this_thread::sleep_for(std::chrono::milliseconds(1)); }), {});
  HttpLimits limits;
  limits.request_seconds = 1;
  test::RunningServer server([&](const HttpRequest& r) { return api.handle(r); }, limits);
  test::LoadOptions o;
  o.port = server.port(), o.photos = 9;  // the tenth is damaged
  o.requests = 500;
  (void)test::run_load(o);  // threads and caches come to their size
  const int64_t before = test::resident_kb(::getpid());
  o.requests = 1500, o.seed = 2;
  const auto result = test::run_load(o);
  const int64_t after = test::resident_kb(::getpid());
  int64_t asked = 0;
  for (const auto& [kind, k] : result.kinds) {
    SCOPED_TRACE(test::name_of(kind));
    asked += k.asked;
    for (const auto& [status, count] : k.statuses) std::printf("%-10s %3d: %lld\n", test::name_of(kind), status, static_cast<long long>(count));
    EXPECT_EQ(k.answered, k.asked);
    EXPECT_LT(k.quantile(1), 8) << "seconds";
  }
  EXPECT_EQ(asked, 1500);
  EXPECT_EQ(result.kinds.size(), 7u) << "every kind has been asked";
  EXPECT_LT(after - before, 12 * 1024) << "kilobytes grown";
  EXPECT_LE(server.server->counts().connections, 64);
}

}  // namespace
}  // namespace hone

#endif
