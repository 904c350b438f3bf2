// How many ElasticViT architectures are costed a second on one core, through the public API.
#include <benchmark/benchmark.h>

#include <vector>

#include "zoo/space_cost.h"

namespace {

using namespace hone::space;

void BM_CostOfRandomMember(benchmark::State& state) {
  const auto table = CostTable::make();
  if (!table) return state.SkipWithError(table.error().text().c_str());
  hone::Rng rng(1);
  std::vector<Member> members(1 << 14);
  for (Member& m : members) m = sample(published_space(), rng);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize((*table)(members[i++ % members.size()]));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CostOfRandomMember);

void BM_SampleAndCost(benchmark::State& state) {
  const auto table = CostTable::make();
  if (!table) return state.SkipWithError(table.error().text().c_str());
  hone::Rng rng(1);
  for (auto _ : state) benchmark::DoNotOptimize((*table)(sample(published_space(), rng)));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_SampleAndCost);

void BM_MakeTables(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(CostTable::make());
}
BENCHMARK(BM_MakeTables)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
