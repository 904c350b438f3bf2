#include "retrieval/search.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>

#include "core/rng.h"
#include "retrieval/codes.h"
#include "retrieval/graph.h"
#include "retrieval/kernels.h"
#include "retrieval/store_layout.h"
#include "support.h"

namespace hone {
namespace {

namespace fs = std::filesystem;

// A store in memory: blocks of seven rows.
std::shared_ptr<const EmbeddingStore> store_of(const std::vector<float>& values, int64_t dim) {
  std::string file = *store_layout::header({dim});
  const int64_t count = static_cast<int64_t>(values.size()) / dim;
  for (int64_t first = 0; first < count; first += 7) {
    const int64_t n = std::min<int64_t>(7, count - first);
    std::vector<std::string> ids;
    for (int64_t i = 0; i < n; ++i) ids.push_back(std::to_string(first + i));
    file += store_layout::block(first, dim, ids, std::span(values).subspan(static_cast<size_t>(first * dim), static_cast<size_t>(n * dim)));
  }
  auto store = EmbeddingStore::parse(Bytes::copy(file.data(), file.size()), "memory");
  EXPECT_TRUE(store);
  return *store;
}

std::vector<float> random_vectors(int64_t count, int64_t dim, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> out(static_cast<size_t>(count * dim));
  for (float& v : out) v = static_cast<float>(2 * rng.uniform() - 1);
  return out;
}

void expect_same(const std::vector<Neighbour>& a, const std::vector<Neighbour>& b, const std::string& what) {
  ASSERT_EQ(a.size(), b.size()) << what;
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(a[i].item, b[i].item) << what << ", place " << i;
    EXPECT_EQ(a[i].distance, b[i].distance) << what << ", place " << i;
  }
}

// The reference is nearest() of embeddings.h: double precision, every row, ties by row.
void check_exact(const std::vector<float>& values, int64_t dim, std::span<const float> query, size_t k) {
  const auto store = store_of(values, dim);
  const auto index = SearchIndex::of(store);
  const std::vector<Neighbour> truth = nearest(query, store->copy(), k);
  for (SearchMode mode : {SearchMode::exact, SearchMode::int8, SearchMode::best})
    for (int threads : {1, 3}) {
      const auto found = index->nearest(query, k, mode, threads);
      ASSERT_TRUE(found) << found.error().text();
      expect_same(found->found, truth, std::string(name(mode)) + " with " + std::to_string(threads) + " threads");
    }
}

RC_GTEST_PROP(Search, ExactAndInt8GiveTheOrderOfNearest, ()) {
  const int64_t dim = *rc::gen::inRange<int64_t>(1, 200), count = *rc::gen::inRange<int64_t>(0, 300);
  const size_t k = *rc::gen::inRange<size_t>(0, 30);
  const auto values = random_vectors(count, dim, *rc::gen::arbitrary<uint64_t>());
  check_exact(values, dim, random_vectors(1, dim, 5), k);
}

// Few values, so that most distances are equal: the order is by row, across blocks and threads.
RC_GTEST_PROP(Search, TiesGoByRow, ()) {
  const auto values = *rc::gen::container<std::vector<float>>(60, rc::gen::element(-1.0f, 0.0f, 1.0f));
  const auto query = *rc::gen::container<std::vector<float>>(2, rc::gen::element(-1.0f, 0.0f, 1.0f));
  check_exact(values, 2, query, *rc::gen::inRange<size_t>(1, 31));
}

// Distances that f32 cannot tell apart, and sizes at the ends of its range.
TEST(Search, NearTiesAndOddSizesAreExact) {
  Rng rng(3);
  for (float size : {1e-25f, 1e-10f, 1.0f, 1e15f, 1e25f}) {
    std::vector<float> values = random_vectors(1, 64, 9);
    const std::vector<float> base = values;
    for (int i = 1; i < 200; ++i)
      for (float v : base) values.push_back(std::nextafter(v, rng.uniform() < 0.5 ? 2.0f : -2.0f));
    std::vector<float> query = random_vectors(1, 64, 10);
    for (float& v : values) v *= size;
    for (float& v : query) v *= size;
    check_exact(values, 64, query, 10);
    check_exact(values, 64, std::span(values).subspan(640, 64), 10);
  }
  check_exact(std::vector<float>(64, 0.0f), 8, std::vector<float>(8, 0.0f), 5);
}

TEST(Search, ManyRowsOnSeveralThreads) {
  const auto values = random_vectors(20000, 24, 1);
  check_exact(values, 24, random_vectors(1, 24, 2), 10);
}

TEST(Search, RefusesWhatItCannotCompare) {
  const auto index = SearchIndex::of(store_of(random_vectors(20, 4, 1), 4));
  EXPECT_NE(index->nearest(std::vector<float>(3), 5).error().text().find("3 dimensions, the store 4"), std::string::npos);
  EXPECT_NE(index->nearest(std::vector<float>{1, 2, NAN, 4}, 5).error().text().find("not finite"), std::string::npos);
  EXPECT_NE(index->nearest(std::vector<float>(4), 5, SearchMode::graph).error().text().find("no graph"), std::string::npos);
  const auto empty = SearchIndex::of(store_of({}, 4));
  for (SearchMode mode : {SearchMode::best, SearchMode::exact, SearchMode::int8}) EXPECT_TRUE(empty->nearest(std::vector<float>(4), 5, mode)->found.empty());
  EXPECT_EQ(index->nearest(std::vector<float>(4), 50)->found.size(), 20u);
}

RC_GTEST_PROP(Codes, TheErrorBoundHolds, ()) {
  const size_t dim = *rc::gen::inRange<size_t>(1, 100);
  const auto a = random_vectors(1, static_cast<int64_t>(dim), *rc::gen::arbitrary<uint64_t>()), b = random_vectors(1, static_cast<int64_t>(dim), *rc::gen::arbitrary<uint64_t>());
  std::vector<int8_t> ca(dim), cb(dim);
  const RowCode ea = encode(a, ca.data()), eb = encode(b, cb.data());
  const double between = code_distance(ea, eb, dot(ca.data(), cb.data(), dim)), truth = distance(a, b);
  RC_ASSERT(std::abs(between - truth) <= static_cast<double>(ea.error) + eb.error + 1e-9);
  RC_ASSERT(ea.error <= 0.51 * std::sqrt(static_cast<double>(dim)) / 127);
}

TEST(Kernels, WhatTheCompilerMakesOfThemIsRight) {
  for (size_t n : {0, 1, 7, 63, 64, 65, 200, 1280}) {
    const auto a = random_vectors(1, static_cast<int64_t>(n), n), b = random_vectors(1, static_cast<int64_t>(n), n + 1);
    const double truth = distance(a, b) * distance(a, b);
    EXPECT_NEAR(squared_distance(a.data(), b.data(), n), truth, truth * kernel_error(n) + 1e-12);
    std::vector<int8_t> x(n), y(n);
    int32_t sum = 0;
    for (size_t i = 0; i < n; ++i) {
      x[i] = static_cast<int8_t>(i % 2 ? -127 : 127);
      y[i] = static_cast<int8_t>(i * 37 % 255 - 127);
      sum += x[i] * y[i];
    }
    EXPECT_EQ(dot(x.data(), y.data(), n), sum);
  }
}

struct Graphs : ::testing::Test {
  std::string folder, path;
  void SetUp() override {
    folder = ::testing::TempDir() + "graph_" + std::to_string(::getpid()) + "/";
    fs::create_directories(folder);
    path = folder + "v";
  }
  void TearDown() override { fs::remove_all(folder); }
  void fill(int64_t count, int64_t dim) {
    auto w = StoreWriter::open(path, {dim});
    ASSERT_TRUE(w) << w.error().text();
    std::vector<std::string> ids;
    for (int64_t i = 0; i < count; ++i) ids.push_back(std::to_string(w->count() + i));
    ASSERT_TRUE(w->append(ids, random_vectors(count, dim, 4)));
  }
};

TEST_F(Graphs, FindNearlyEverything) {
  fill(3000, 16);
  for (int threads : {1, 2}) {
    GraphOptions o;
    o.threads = threads;
    const auto facts = build_graph(path, o);
    ASSERT_TRUE(facts) << facts.error().text();
    EXPECT_GE(facts->recall_at_10, 0.95);
    EXPECT_EQ(facts->queries, 200);
    const auto index = SearchIndex::open(path);
    ASSERT_TRUE(index) << index.error().text();
    ASSERT_TRUE((*index)->graph());
    EXPECT_EQ((*index)->graph()->recall_at_10, facts->recall_at_10);
    double hits = 0;
    for (uint64_t q = 0; q < 50; ++q) {
      const auto query = random_vectors(1, 16, 100 + q);
      const auto graph = (*index)->nearest(query, 10, SearchMode::graph), exact = (*index)->nearest(query, 10, SearchMode::exact);
      ASSERT_TRUE(graph && exact);
      EXPECT_LT(graph->measured, 2500);
      for (const Neighbour& n : graph->found)
        for (const Neighbour& t : exact->found) hits += n.item == t.item;
      EXPECT_TRUE(std::is_sorted(graph->found.begin(), graph->found.end(), [](const auto& a, const auto& b) { return a.distance < b.distance; }));
    }
    EXPECT_GE(hits / 500, 0.95);
    // A width of every row visits what is connected: all of it.
    EXPECT_EQ((*index)->nearest(random_vectors(1, 16, 7), 3000, SearchMode::graph)->found.size(), 3000u);
  }
}

TEST_F(Graphs, SmallStoresAreExact) {
  for (int64_t count : {1, 1, 3}) {
    fill(count, 3);
    ASSERT_TRUE(build_graph(path));
    const auto index = SearchIndex::open(path);
    ASSERT_TRUE(index) << index.error().text();
    const std::vector<float> query = {0.1f, 0.2f, 0.3f};
    expect_same((*index)->nearest(query, 10, SearchMode::graph)->found, (*index)->nearest(query, 10, SearchMode::exact)->found, std::to_string((*index)->store().count()));
  }
}

TEST_F(Graphs, ThoseOfOtherRowsAndDamagedOnesAreNamed) {
  EXPECT_FALSE(build_graph(path));
  ASSERT_TRUE(StoreWriter::open(path, {4}));
  EXPECT_NE(build_graph(path).error().text().find("empty"), std::string::npos);
  fill(50, 4);
  ASSERT_TRUE(build_graph(path));
  const std::string whole = *test::read_file(path + ".graph");
  fill(10, 4);
  EXPECT_NE(SearchIndex::open(path).error().text().find("other rows (50, the store has 60)"), std::string::npos);
  ASSERT_TRUE(build_graph(path));
  EXPECT_TRUE(SearchIndex::open(path));
  const auto parse = [](const std::string& s) { return parse_graph_file(std::as_bytes(std::span(s)), "g"); };
  ASSERT_TRUE(parse(whole));
  EXPECT_EQ(print_graph_file(*parse(whole)), whole);
  for (size_t at = 0; at < whole.size(); at += at < 200 ? 1 : 37) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    EXPECT_FALSE(parse(damaged)) << at;
    EXPECT_FALSE(parse(whole.substr(0, at))) << at;
  }
  // Right checksums, wrong links.
  for (const auto& change : std::vector<std::function<void(RowGraph&)>>{[](RowGraph& g) { g.entry = 50; }, [](RowGraph& g) { g.levels[0].links[3] = 50; }, [](RowGraph& g) { g.levels[0].first[1] = 1u << 30; },
                                                                        [](RowGraph& g) { g.levels[0].first[0] = 1; }, [](RowGraph& g) { g.levels[0].first.back() += 1; }, [](RowGraph& g) { g.levels.clear(); },
                                                                        [](RowGraph& g) { g.levels[0].links.push_back(0); }, [](RowGraph& g) { g.facts.options.search_width = 0; }}) {
    RowGraph g = *parse(whole);
    change(g);
    EXPECT_FALSE(parse(print_graph_file(g)));
  }
  GraphOptions o;
  o.links = 1;
  EXPECT_EQ(build_graph(path, o).error().code, Code::usage);
}

}  // namespace
}  // namespace hone
