// A supernet's training step, driven by bench/supernet_speed.py: three members of one level and the level's smallest network,
// adaptive clipping, AdamW and the moving average.
//
//   supernet_speed LEVEL_MMACS BATCH THREADS STEPS OUT.safetensors [SPACE]
//
// OUT gets the weights, the pictures ("images", "targets") and the logits of some members in training mode ("logits.I").
// Standard output first lists those members in a line, and the members of all steps, a line each. Then a line "N" on standard
// input runs the next N steps and prints a line for each: milliseconds; those of them in the members' own forward and backward
// passes; those of clipping, optimiser and average; the sum of the drawn members' losses. A drawn member's program is made anew for every
// pass, as in training, where it hardly ever comes back; the smallest's is kept.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <string>

#include "formats/safetensors.h"
#include "methods/supernet/calibrate.h"
#include "methods/supernet/losses.h"
#include "methods/supernet/sampler.h"
#include "methods/supernet/store.h"
#include "train/average.h"
#include "train/memory.h"
#include "train/optimiser.h"

namespace {

using namespace hone;
using namespace hone::methods;

void need(const Status& status) {
  if (status) return;
  std::cerr << status.error().text() << "\n";
  std::exit(1);
}
template <class T>
T need(Result<T> result) {
  if (result) return std::move(*result);
  std::cerr << result.error().text() << "\n";
  std::exit(1);
}

// Of one thread the processor time, which others on the machine do not add to.
double milliseconds() {
  if (at::get_num_threads() > 1) return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
  timespec t;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

std::string listed(const space::Space& space, const std::vector<space::Member>& members) {
  std::string line = "[";
  for (const space::Member& m : members) {
    std::string text = space::print_member(space, m);
    std::erase(text, '\n');
    line += (line.size() > 1 ? ", " : "") + text;
  }
  return line + "]\n";
}

// Blocks start as their shortcuts alone (a last gain of zero), and statistics are 0 and 1: as after some training instead, so that
// a comparison sees every tensor.
void shake(train::Params& params) {
  at::NoGradGuard no_grad;
  for (const auto& e : params.entries()) {
    if (!at::isFloatingType(e.tensor.scalar_type())) continue;
    if (e.name.ends_with("running_var") || e.name.ends_with("bn.weight")) e.tensor.copy_(at::rand(e.tensor.sizes()) + 0.5);
    else if (e.tensor.dim() == 1) e.tensor.copy_(at::randn(e.tensor.sizes()) * 0.1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return std::cerr << "usage: supernet_speed LEVEL_MMACS BATCH THREADS STEPS OUT.safetensors [SPACE]\n", 2;
  train::keep_freed_memory();
  train::keep_compiled_kernels();
  at::set_num_threads(std::atoi(argv[3]));
  const int64_t batch = std::atoll(argv[2]), steps = std::atoll(argv[4]);
  space::Space space = need(space::open_space(argc > 6 ? argv[6] : "elasticvit"));
  space.levels.at = {static_cast<int64_t>(std::atof(argv[1]) * 1e6)};
  SamplerOptions options;
  options.banks = false;
  options.seed = 3;
  Sampler sampler = need(Sampler::make(space, options));
  std::string plans;
  std::vector<space::Member> compared = {space::smallest(space), space::largest(space)};
  for (int64_t step = 0; step < steps; ++step) {
    std::vector<space::Member> members;
    for (const Drawn& d : Sampler(sampler).plan(step, 0)) members.push_back(d.member);
    if (step == 0) compared.insert(compared.end(), members.begin(), members.begin() + 2);
    plans += listed(space, members);
  }

  Store store = need(Store::make(space, 1, /*programs=*/4));
  train::Params& params = store.params();
  at::manual_seed(1);
  shake(params);
  constexpr int64_t kSide = 224;
  const at::Tensor images = at::randn({batch, 3, kSide, kSide}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor targets = smoothed(at::one_hot(at::randint(space.classes, {batch}), space.classes).to(at::kFloat), 0.1);
  SafeTensors out{params.save(), {}, {}};
  const auto keep = [&](std::string name, const at::Tensor& t) { out.tensors.emplace_back(std::move(name), need(train::from_torch(t.contiguous()))); };
  keep("images", images);
  keep("targets", targets);
  for (size_t i = 0; i < compared.size(); ++i) {
    at::NoGradGuard no_grad;
    const auto program = need(store.program(compared[i]));
    train::RunOptions run;
    run.batch_norm = train::BatchNorm::train;
    run.batch_norm_momentum = 0;
    keep("logits." + std::to_string(i), need(program->program.run({resized(images, compared[i].resolution)}, program->tensors(params), run))[0]);
  }
  need(write_safetensors(out, argv[5], /*force=*/true));
  std::cout << listed(space, compared) << plans << std::flush;

  train::OptimiserOptions adamw;
  adamw.lr = 1e-4;
  adamw.weight_decay = 0.05;
  adamw.decay_all = true;
  train::Optimiser optimiser(adamw, params);
  train::Average average(params, 0.99985, false);
  const train::AdaptiveClip clip{0.1, 1e-3, std::vector<bool>(optimiser.parameters().size(), true)};
  int64_t step = 0;
  for (int64_t count = 0; std::cin >> count;) {
    for (int64_t i = 0; i < count; ++i, ++step) {
      const double start = milliseconds();
      double inside = 0, losses = 0;
      optimiser.zero_grad();
      std::vector<at::Tensor> grads;
      at::Tensor followed;
      const auto plan = sampler.plan(step % steps, 0);
      std::vector<space::Member> members;
      for (const Drawn& d : plan) members.push_back(d.member);
      need(store.prepare(members));
      Sides pictures(images);
      for (const Drawn& d : plan) {
        const auto program = need(store.program(d.member));
        const auto leaves = program->tensors(params, true);
        const double before = milliseconds();
        train::RunOptions run;
        run.training = true;
        run.batch_norm = train::BatchNorm::train;
        const at::Tensor logits = need(program->program.run({pictures.at(d.member.resolution)}, leaves, run))[0];
        const bool follow = d.role == Role::smallest;
        const at::Tensor loss = follow ? alpha_divergence(logits, followed / static_cast<double>(plan.size() - 1), {}) : soft_cross_entropy(logits, targets);
        torch::autograd::backward({loss}, {});
        const at::Tensor softmax = logits.detach().softmax(1);
        followed = followed.defined() ? followed + softmax : softmax;
        if (!follow) losses += loss.item<double>();
        inside += milliseconds() - before;
        add_gradients(*program, params, leaves, grads);
      }
      for (size_t k = 0; k < grads.size(); ++k)
        if (grads[k].defined()) params.entries()[k].tensor.mutable_grad() = grads[k];
      const double passes = milliseconds();
      optimiser.step(1, clip, &average, params);
      const double end = milliseconds();
      std::cout << end - start << " " << inside << " " << end - passes << " " << losses << "\n";
    }
    std::cout << std::flush;
  }
}
