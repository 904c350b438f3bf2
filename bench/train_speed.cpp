// One network's training step, driven by bench/train_speed.py: a line "N" on standard input runs N steps (forward, loss,
// backward, SGD with momentum) and prints their times in milliseconds.
//
//   train_speed NET BATCH RESOLUTION THREADS [unfused]
//
// NET is a zoo name, or "resnet18_cifar": ResNet-18 with a 3x3 stem of stride 1, no max pool and 10 classes.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "train/memory.h"
#include "train/optimiser.h"
#include "train/params.h"
#include "train/program.h"
#include "zoo/catalog.h"

namespace {

template <class T>
T need(hone::Result<T> result) {
  if (result) return std::move(*result);
  std::cerr << result.error().where << ": " << result.error().message << "\n";
  std::exit(1);
}

hone::Graph network(const std::string& name, int64_t resolution) {
  const bool cifar = name == "resnet18_cifar";
  hone::Arch arch = need(hone::find_arch(cifar ? "timm/resnet18" : name));
  arch.resolution = resolution;
  if (cifar) {
    arch.stem = {.kind = "conv3x3_s1", .width = 64};
    arch.head.classes = 10;
  }
  return need(hone::build(arch));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return std::cerr << "usage: train_speed NET BATCH RESOLUTION THREADS [unfused]\n", 2;
  hone::train::keep_freed_memory();
  at::set_num_threads(std::atoi(argv[4]));
  const int64_t batch = std::atoll(argv[2]), resolution = std::atoll(argv[3]);
  const hone::Graph graph = network(argv[1], resolution);
  hone::train::CompileOptions compile;
  compile.fuse = argc < 6;
  const auto program = need(hone::train::Program::compile(graph, compile));
  auto params = need(hone::train::Params::of(graph, 1));
  const auto state = need(params.bind(program));
  hone::train::OptimiserOptions sgd;
  sgd.kind = hone::train::OptimiserOptions::Kind::sgd;
  sgd.lr = 0.01;
  hone::train::Optimiser optimiser(sgd, params);
  at::manual_seed(1);
  const at::Tensor x = at::randn({batch, 3, resolution, resolution}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor labels = at::randint(0, 10, {batch}, at::kLong);
  hone::train::RunOptions run;
  run.training = true;
  run.batch_norm = hone::train::BatchNorm::train;
  run.generator = at::detail::getDefaultCPUGenerator();
  int64_t parameters = 0;
  for (const auto& entry : params.entries()) parameters += entry.trainable ? entry.tensor.numel() : 0;
  std::cout << parameters << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    for (int i = std::atoi(line.c_str()); i > 0; --i) {
      const auto start = std::chrono::steady_clock::now();
      const at::Tensor y = need(program.run({x}, state, run))[0];
      const at::Tensor loss = at::cross_entropy_loss(y, labels);
      torch::autograd::backward({loss}, {});
      optimiser.step(1.0);
      optimiser.zero_grad();
      std::cout << std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count() << (i > 1 ? " " : "");
    }
    std::cout << std::endl;
  }
}
