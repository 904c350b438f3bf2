// Batches in order, whatever the number of threads; errors in their turn; computed permutations.
#include "data/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

#include "data/shuffle.h"

namespace hone {
namespace {

struct Numbers {
  std::vector<uint64_t> values;
};

// Some steps take much longer than others.
Status fill(int64_t step, Numbers& batch) {
  Rng rng(derive_seed(7, uint64_t(step)));
  if (step % 3 == 0) std::this_thread::sleep_for(std::chrono::microseconds(300));
  batch.values.clear();
  for (int i = 0; i < 50; ++i) batch.values.push_back(rng.next());
  return {};
}

TEST(Loader, OrderAndContentsDoNotDependOnThreads) {
  for (const LoaderOptions o : {LoaderOptions{0, 0}, {1, 1}, {2, 4}, {3, 1}, {5, 20}}) {
    Loader<Numbers> loader(10, 60, fill, o);
    for (int64_t step = 10; step < 60; ++step) {
      const auto batch = loader.next();
      ASSERT_TRUE(batch && *batch);
      Numbers expected;
      ASSERT_TRUE(fill(step, expected));
      ASSERT_EQ((*batch)->values, expected.values) << step << " with " << o.threads;
    }
    EXPECT_EQ(*loader.next(), nullptr);
    EXPECT_EQ(*loader.next(), nullptr);
  }
}

TEST(Loader, TheCallersBatchIsNotTouched) {
  Loader<Numbers> loader(0, 40, fill, {4, 3});
  for (int64_t step = 0; step < 40; ++step) {
    const auto batch = loader.next();
    ASSERT_TRUE(batch);
    const auto copy = (*batch)->values;
    std::this_thread::sleep_for(std::chrono::microseconds(500));
    ASSERT_EQ((*batch)->values, copy);
  }
}

TEST(Loader, NeverMoreAheadThanAskedFor) {
  std::atomic<int64_t> made{0};
  Loader<Numbers> loader(0, 1000, [&](int64_t, Numbers&) -> Status { return ++made, Status{}; }, {2, 3});
  for (int64_t taken = 1; taken <= 20; ++taken) {
    ASSERT_TRUE(loader.next());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_LE(made, taken + 3);
  }
}

TEST(Loader, AnErrorComesInItsTurnAndStays) {
  for (const int threads : {0, 1, 3}) {
    Loader<Numbers> loader(0, 100, [](int64_t step, Numbers& b) -> Status {
      if (step == 7) return fail(Code::invalid, "is damaged", "picture 7");
      if (step == 9) throw std::runtime_error("boom");
      return fill(step, b);
    }, {threads, 5});
    for (int i = 0; i < 7; ++i) ASSERT_TRUE(loader.next()) << i;
    for (int i = 0; i < 3; ++i) {
      const auto failed = loader.next();
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().where, "picture 7");
    }
  }
}

TEST(Loader, AnExceptionIsAnError) {
  for (const int threads : {0, 2}) {
    Loader<Numbers> loader(0, 4, [](int64_t, Numbers&) -> Status { throw std::runtime_error("boom"); }, {threads, 2});
    EXPECT_NE(loader.next().error().message.find("boom"), std::string::npos);
  }
}

TEST(Loader, LeavingEarlyIsClean) {
  for (int round = 0; round < 50; ++round) {
    Loader<Numbers> loader(0, 1000000, fill, {3, 6});
    for (int i = 0; i < round % 4; ++i) ASSERT_TRUE(loader.next());
  }
  Loader<Numbers> empty(5, 5, fill, {2, 2});
  EXPECT_EQ(*empty.next(), nullptr);
}

TEST(Shuffle, IsAPermutation) {
  for (uint64_t n : {1, 2, 3, 4, 5, 16, 17, 1000, 50000}) {
    const Shuffle shuffle(n, 42);
    std::vector<bool> seen(n);
    for (uint64_t i = 0; i < n; ++i) {
      const uint64_t at = shuffle(i);
      ASSERT_LT(at, n);
      ASSERT_FALSE(seen[at]);
      seen[at] = true;
    }
  }
}

// Each place of 6 gets each value equally often over many seeds, and pairs are independent (chi squared, 1 in 10^6).
TEST(Shuffle, PermutationsAreEven) {
  const int n = 6, rounds = 60000;
  int single[6][6] = {}, pair[36] = {};
  for (int seed = 0; seed < rounds; ++seed) {
    const Shuffle shuffle(n, derive_seed(1, uint64_t(seed)));
    for (int i = 0; i < n; ++i) ++single[i][shuffle(uint64_t(i))];
    ++pair[shuffle(0) * 6 + shuffle(1)];
  }
  for (auto& row : single) {
    double chi = 0;
    for (int count : row) chi += (count - rounds / 6.0) * (count - rounds / 6.0) / (rounds / 6.0);
    EXPECT_LT(chi, 36);  // 5 degrees of freedom
  }
  double chi = 0;
  for (int i = 0; i < 36; ++i) {
    if (i % 7 == 0) EXPECT_EQ(pair[i], 0);
    else chi += (pair[i] - rounds / 30.0) * (pair[i] - rounds / 30.0) / (rounds / 30.0);
  }
  EXPECT_LT(chi, 81);  // 29 degrees of freedom
}

}  // namespace
}  // namespace hone
