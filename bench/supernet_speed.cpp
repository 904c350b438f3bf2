// A supernet's training step, driven by bench/supernet_speed.py: three members of one level and the level's smallest network,
// adaptive clipping, AdamW and the moving average. First it prints the members of all steps, one step a line; then a line "N"
// on standard input runs the next N steps and prints a line for each: milliseconds, those of them inside the members' own
// forward and backward passes, and those of clipping, optimiser and average.
//
//   supernet_speed LEVEL_MMACS BATCH THREADS STEPS [SPACE]
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "methods/supernet/calibrate.h"
#include "methods/supernet/losses.h"
#include "methods/supernet/sampler.h"
#include "methods/supernet/store.h"
#include "train/average.h"
#include "train/clip.h"
#include "train/memory.h"
#include "train/optimiser.h"

namespace {

using namespace hone;
using namespace hone::methods;

template <class T>
T need(Result<T> result) {
  if (result) return std::move(*result);
  std::cerr << result.error().text() << "\n";
  std::exit(1);
}

double milliseconds() { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::cerr << "usage: supernet_speed LEVEL_MMACS BATCH THREADS STEPS [SPACE]\n", 2;
  train::keep_freed_memory();
  train::keep_compiled_kernels();
  at::set_num_threads(std::atoi(argv[3]));
  const int64_t batch = std::atoll(argv[2]), steps = std::atoll(argv[4]);
  space::Space space = need(space::open_space(argc > 5 ? argv[5] : "elasticvit"));
  space.levels.at = {static_cast<int64_t>(std::atof(argv[1]) * 1e6)};
  SamplerOptions options;
  options.banks = false;
  options.seed = 3;
  Sampler sampler = need(Sampler::make(space, options));
  for (int64_t step = 0; step < steps; ++step) {
    std::string line = "[";
    for (const Drawn& d : Sampler(sampler).plan(step, 0)) {
      std::string text = space::print_member(space, d.member);
      std::erase(text, '\n');
      line += (line.size() > 1 ? ", " : "") + text;
    }
    std::cout << line << "]\n";
  }
  std::cout << std::flush;

  Store store = need(Store::make(space, 1));
  train::Params& params = store.params();
  train::OptimiserOptions adamw;
  adamw.lr = 1e-4;
  adamw.weight_decay = 0.05;
  train::Optimiser optimiser(adamw, params);
  train::Average average(params, 0.99985, false);
  at::manual_seed(1);
  constexpr int64_t kSide = 224;
  const at::Tensor images = at::randn({batch, 3, kSide, kSide}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor targets = smoothed(at::one_hot(at::randint(space.classes, {batch}), space.classes).to(at::kFloat), 0.1);
  int64_t step = 0;
  for (int64_t count = 0; std::cin >> count;) {
    for (int64_t i = 0; i < count; ++i, ++step) {
      const double start = milliseconds();
      double inside = 0;
      optimiser.zero_grad();
      std::vector<at::Tensor> grads;
      at::Tensor followed;
      const auto plan = sampler.plan(step % steps, 0);
      for (const Drawn& d : plan) {
        const auto program = need(store.program(d.member));
        const auto leaves = program->tensors(params, true);
        const double before = milliseconds();
        train::RunOptions run;
        run.training = true;
        run.batch_norm = train::BatchNorm::train;
        const at::Tensor logits = need(program->program.run({resized(images, d.member.resolution)}, leaves, run))[0];
        const bool follow = d.role == Role::smallest;
        const at::Tensor loss = follow ? alpha_divergence(logits, followed / static_cast<double>(plan.size() - 1), {}) : soft_cross_entropy(logits, targets);
        torch::autograd::backward({loss}, {});
        const at::Tensor softmax = logits.detach().softmax(1);
        followed = followed.defined() ? followed + softmax : softmax;
        inside += milliseconds() - before;
        add_gradients(*program, params, leaves, grads);
      }
      for (size_t k = 0; k < grads.size(); ++k)
        if (grads[k].defined()) params.entries()[k].tensor.mutable_grad() = grads[k];
      const double passes = milliseconds();
      train::clip_adaptive(optimiser.parameters(), 0.1, 1e-3);
      optimiser.step(1);
      average.update(params);
      const double end = milliseconds();
      std::cout << end - start << " " << inside << " " << end - passes << "\n";
    }
    std::cout << std::flush;
  }
}
