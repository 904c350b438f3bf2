// The budget solver, whole: from an Arch and a budget to the scaled Arch with its counts and peak memory. The claim is
// under 20 ms for any budget; the slowest of each network's budgets and strategies is what counts.
#include <benchmark/benchmark.h>

#include "scale/closed_form.h"
#include "scale/scale.h"
#include "zoo/catalog.h"

namespace {

constexpr const char* kNetworks[] = {"pycls/RegNetY-400MF", "pycls/RegNetX-32GF",         "pycls/EfficientNet-B0", "timm/resnet152",
                                     "timm/mobilenetv3_large_100", "timm/vit_base_patch16_224", "elasticvit/L3",   "torchvision/efficientnet_b7"};
constexpr const char* kBudgets[] = {"macs=4G", "macs<100M", "params=40M", "acts<5M", "macs=5%", "macs=2000%", "macs<4G,params<20M", "memory<8MB", "memory=60MB"};
constexpr const char* kStrategies[] = {"dWr", "d", "w"};

void solve_budget(benchmark::State& state, const char* network, const char* budget, const char* strategy) {
  const auto arch = hone::find_arch(network);
  const auto b = hone::parse_budget(budget);
  const auto s = hone::parse_strategy(strategy);
  if (!arch || !b || !s) return state.SkipWithError("not found");
  for (auto _ : state) {
    auto solution = hone::solve(*arch, *s, *b);
    benchmark::DoNotOptimize(solution);
  }
}

void all_strategies(benchmark::State& state) {
  const auto arch = hone::find_arch("pycls/RegNetY-400MF");
  const auto budget = hone::parse_budget("macs=4G");
  for (auto _ : state) benchmark::DoNotOptimize(hone::scale_all(*arch, *budget));
}
BENCHMARK(all_strategies)->Unit(benchmark::kMillisecond);

void closed_form(benchmark::State& state) {
  const auto arch = hone::find_arch("pycls/RegNetY-400MF");
  for (auto _ : state) benchmark::DoNotOptimize(hone::closed_form(*arch));
}
BENCHMARK(closed_form)->Unit(benchmark::kMicrosecond);

}  // namespace

int main(int argc, char** argv) {
  for (const char* network : kNetworks)
    for (const char* budget : kBudgets)
      for (const char* strategy : kStrategies)
        benchmark::RegisterBenchmark((std::string("solve/") + network + "/" + budget + "/" + strategy).c_str(), solve_budget, network, budget, strategy)
            ->Unit(benchmark::kMillisecond);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
