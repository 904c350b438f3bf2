#include "methods/supernet/store.h"
#include <chrono>
#include "train/memory.h"
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>
#include <ATen/Parallel.h>
using namespace hone; using namespace hone::methods;
double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
int main(int argc, char** argv) {
  at::set_num_threads(1); train::keep_freed_memory(); train::keep_compiled_kernels();
  auto space = *space::open_space(argc > 1 ? argv[1] : "small-vit");
  int64_t batch = argc > 2 ? atoi(argv[2]) : 64;
  double t0 = now();
  auto store = *Store::make(space, 1);
  fmt::print("store {:.1f} ms, {} tensors\n", 1e3 * (now() - t0), store.params().entries().size());
  Rng rng(1);
  for (int i = 0; i < 8; ++i) {
    auto m = space::sample(space, rng);
    t0 = now();
    auto graph = *store.graph(m);
    double t1 = now();
    auto p = train::Program::compile(graph);
    double t2 = now();
    auto prog = *store.program(m);
    double t3 = now();
    at::Tensor x = at::randn({batch, 3, m.resolution, m.resolution});
    std::vector<at::Tensor> grads;
    fmt::print("graph {:.2f} compile {:.2f} program {:.2f} ms;", 1e3 * (t1 - t0), 1e3 * (t2 - t1), 1e3 * (t3 - t2));
    for (int k = 0; k < 10; ++k) {
      train::RunOptions run; run.batch_norm = train::BatchNorm::train;
      double a = now();
      auto leaves = prog->tensors(store.params(), true);
      double b = now();
      auto y = (*prog->program.run({x}, leaves, run))[0];
      auto loss = y.square().mean();
      double c = now();
      torch::autograd::backward({loss}, {});
      double d = now();
      add_gradients(*prog, store.params(), leaves, grads);
      double e = now();
      fmt::print("  bind {:.2f} fwd {:.1f} bwd {:.1f} add {:.2f}", 1e3 * (b - a), 1e3 * (c - b), 1e3 * (d - c), 1e3 * (e - d));
    }
    fmt::print(" {} MMACs\n", 0);
  }
}
