#include "train/distributed.h"

#include <ATen/core/grad_mode.h>
#include <c10/util/Logging.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <thread>

#if __has_include(<gloo/config.h>)
#define HONE_GLOO 1
#define USE_C10D_GLOO 1
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace hone::train {

namespace {

const char* variable(const char* name) {
  const char* value = std::getenv(name);
  return value && *value ? value : nullptr;
}

Result<int> whole(const char* name, int fallback, int max) {
  const char* text = variable(name);
  if (!text) return fallback;
  int value = 0;
  const char* end = text + std::strlen(text);
  if (const auto r = std::from_chars(text, end, value); r.ec != std::errc() || r.ptr != end || value < 0 || value > max)
    return fail(Code::usage, fmt::format("is '{}', expected a whole number up to {}", text, max), fmt::format("environment variable {}", name));
  return value;
}

constexpr int kMaxRanks = 1 << 20;

}  // namespace

Result<Place> place_from_environment() {
  Place place;
  const bool torchrun = variable("RANK") && variable("WORLD_SIZE");
  // Slurm sets its variables in every job; several tasks are what asks for ranks.
  const bool slurm = !torchrun && variable("SLURM_PROCID") && variable("SLURM_NTASKS") && variable("MASTER_ADDR");
  if (!torchrun && !slurm) return place;
  HONE_TRY_ASSIGN(place.rank, whole(torchrun ? "RANK" : "SLURM_PROCID", 0, kMaxRanks));
  HONE_TRY_ASSIGN(place.world, whole(torchrun ? "WORLD_SIZE" : "SLURM_NTASKS", 1, kMaxRanks));
  HONE_TRY_ASSIGN(place.local_rank, whole(torchrun ? "LOCAL_RANK" : "SLURM_LOCALID", 0, kMaxRanks));
  HONE_TRY_ASSIGN(place.local_world, whole("LOCAL_WORLD_SIZE", 1, kMaxRanks));
  place.local_world = std::max(1, place.local_world);
  HONE_TRY_ASSIGN(place.port, whole("MASTER_PORT", 29500, 65535));
  place.address = variable("MASTER_ADDR") ? variable("MASTER_ADDR") : "127.0.0.1";
  if (place.world < 1 || place.rank >= place.world)
    return fail(Code::usage, fmt::format("rank {} of {} ranks does not exist", place.rank, place.world), torchrun ? "environment variables RANK, WORLD_SIZE" : "environment variables SLURM_PROCID, SLURM_NTASKS");
  return place;
}

#ifdef HONE_GLOO

struct Ranks::Backend {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
  std::chrono::milliseconds timeout;
};

namespace {

// The other end of a broken connection is a rank that died, or one that saw another die.
tl::unexpected<Error> lost(int rank, int world, const std::exception& e) {
  std::string what = e.what();  // "[pair.cc:537] Read error ...: Connection reset by peer. Advice ..."
  if (const size_t place = what.find("] "); what.starts_with('[') && place != std::string::npos) what.erase(0, place + 2);
  what = what.substr(0, std::min(what.find('\n'), what.find(". ")));
  return fail(Code::failed, fmt::format("rank {} of {} lost contact with the others: {}", rank, world, what), {}, "run the same command again to go on from the last checkpoint; any number of ranks will do");
}

}  // namespace

namespace {

// Until every rank has left its name in the store.
Status meet(c10d::Store& store, const Place& place, double timeout, const Ranks::Say& say, double patience) {
  const auto name = [](int rank) { return fmt::format("here/{}", rank); };
  store.set(name(place.rank), std::string("yes"));
  const auto began = std::chrono::steady_clock::now();
  double next = patience;
  std::vector<int> missing;
  for (int rank = 0; rank < place.world; ++rank) missing.push_back(rank);
  while (true) {
    std::erase_if(missing, [&](int rank) { return store.check({name(rank)}); });
    if (missing.empty()) return {};
    const double waited = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const std::string who = fmt::format("{} {} of {}", missing.size() == 1 ? "rank" : "ranks", fmt::join(missing, ", "), place.world);
    if (waited > timeout)
      return fail(Code::failed, fmt::format("rank {} of {} waited {:.0f} s at {}:{} for {}", place.rank, place.world, timeout, place.address, place.port, who), {}, "start every rank with the same address, port and number of ranks; train.timeout is how long they wait");
    if (waited > next) {
      if (say) say(fmt::format("rank {} of {} waits at {}:{} for {}, {:.0f} s more", place.rank, place.world, place.address, place.port, who, timeout - waited));
      next *= 3;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(waited < 1 ? 10 : 200));
  }
}

}  // namespace

Result<Ranks> Ranks::join(const Place& place, double timeout_seconds, const Say& say, double patience_seconds) {
  Ranks ranks;
  ranks.rank_ = place.rank;
  ranks.world_ = place.world;
  if (place.world == 1) return ranks;
  // c10d writes every failed attempt and its stack to standard error; what matters of them is in the errors returned here.
  if (!variable("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = 3;  // FATAL
  try {
    auto backend = std::make_unique<Backend>();
    backend->timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 1000));
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(place.port);
    // torchrun's agent serves the store itself.
    const char* agent = variable("TORCHELASTIC_USE_AGENT_STORE");
    options.isServer = place.rank == 0 && !(agent && std::string_view(agent) == "True");
    options.numWorkers = static_cast<size_t>(place.world);
    options.waitWorkers = false;
    options.timeout = backend->timeout;
    const char* restart = variable("TORCHELASTIC_RESTART_COUNT");
    auto store = c10::make_intrusive<c10d::TCPStore>(place.address, options);
    backend->store = c10::make_intrusive<c10d::PrefixStore>(fmt::format("hone/{}", restart ? restart : "0"), store);
    HONE_TRY(meet(*backend->store, place, timeout_seconds, say, patience_seconds));
    auto gloo = c10d::ProcessGroupGloo::Options::create(backend->timeout);
    const bool local = place.address == "127.0.0.1" || place.address == "localhost";
    gloo->devices.push_back(local ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1") : c10d::ProcessGroupGloo::createDefaultDevice());
    backend->group = c10::make_intrusive<c10d::ProcessGroupGloo>(backend->store, place.rank, place.world, gloo);
    ranks.backend_ = std::move(backend);
  } catch (const std::exception& e) {
    std::string what = e.what();
    return fail(Code::failed, fmt::format("rank {} of {} cannot meet the others at {}:{}: {}", place.rank, place.world, place.address, place.port, what.substr(0, what.find('\n'))));
  }
  return ranks;
}

namespace {

// Gloo works on CPU memory: a GPU's tensor goes through a copy.
template <class Collective>
Status through_cpu(at::Tensor& values, const Collective& collective) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> here = {values.device().is_cpu() && values.is_contiguous() ? values : values.to(at::kCPU).contiguous()};
  collective(here);
  if (!here[0].is_same(values)) values.copy_(here[0]);
  return {};
}

}  // namespace

Status Ranks::sum(at::Tensor& values) {
  if (!backend_) return {};
  try {
    return through_cpu(values, [&](std::vector<at::Tensor>& t) { backend_->group->allreduce(t)->wait(); });
  } catch (const std::exception& e) {
    return lost(rank_, world_, e);
  }
}

Status Ranks::broadcast(at::Tensor& values) {
  if (!backend_) return {};
  try {
    return through_cpu(values, [&](std::vector<at::Tensor>& t) { backend_->group->broadcast(t)->wait(); });
  } catch (const std::exception& e) {
    return lost(rank_, world_, e);
  }
}

Status Ranks::barrier() {
  at::Tensor one = at::zeros({1});
  return sum(one);
}

// Buckets of consecutive parameters, last parameter first, each with one flat buffer. A bucket is sent when its last
// gradient arrives, and never before the one ahead of it: all ranks send in the same order.
struct GradientSum::State {
  struct Bucket {
    std::vector<size_t> members;
    std::vector<int64_t> offsets;
    at::Tensor flat, sent;
    size_t waiting = 0;
    c10::intrusive_ptr<c10d::Work> work;
  };
  Ranks::Backend* backend;
  Ranks* ranks;
  std::vector<at::Tensor> parameters;
  std::vector<size_t> bucket_of;
  std::vector<Bucket> buckets;
  size_t next = 0;      // bucket that is sent next
  bool armed = false;

  void arrived(size_t parameter) {
    if (!armed) return;
    Bucket& bucket = buckets[bucket_of[parameter]];
    if (--bucket.waiting == 0)
      while (next < buckets.size() && buckets[next].waiting == 0) send(buckets[next++]);
  }

  void send(Bucket& bucket) {
    at::NoGradGuard no_grad;
    for (size_t i = 0; i < bucket.members.size(); ++i) {
      const at::Tensor& p = parameters[bucket.members[i]];
      at::Tensor part = bucket.flat.narrow(0, bucket.offsets[i], p.numel());
      if (p.grad().defined()) part.copy_(p.grad().reshape({-1}));
      else part.zero_();
    }
    bucket.sent = bucket.flat.device().is_cpu() ? bucket.flat : bucket.flat.to(at::kCPU);
    std::vector<at::Tensor> tensors = {bucket.sent};
    bucket.work = backend->group->allreduce(tensors);
  }
};

namespace {

struct Hook : torch::autograd::PostAccumulateGradHook {
  Hook(std::function<void()> f) : call(std::move(f)) {}
  void operator()(const at::Tensor&) override { call(); }
  std::function<void()> call;
};

}  // namespace

GradientSum::GradientSum(Ranks& ranks, const std::vector<at::Tensor>& parameters, int64_t bucket_bytes) : state_(std::make_shared<State>()) {
  State& s = *state_;
  s.backend = ranks.backend_.get();
  s.ranks = &ranks;
  s.parameters = parameters;
  s.bucket_of.resize(parameters.size());
  int64_t filled = 0;
  for (size_t i = parameters.size(); i-- > 0;) {
    const at::Tensor& p = parameters[i];
    const int64_t bytes = static_cast<int64_t>(p.nbytes());
    // A flat buffer has one type and one device.
    const bool fits = !s.buckets.empty() && filled + bytes <= bucket_bytes && parameters[s.buckets.back().members[0]].scalar_type() == p.scalar_type() &&
                      parameters[s.buckets.back().members[0]].device() == p.device();
    if (!fits) {
      s.buckets.emplace_back();
      filled = 0;
    }
    State::Bucket& bucket = s.buckets.back();
    bucket.offsets.push_back(bucket.members.empty() ? 0 : bucket.offsets.back() + parameters[bucket.members.back()].numel());
    bucket.members.push_back(i);
    filled += bytes;
    s.bucket_of[i] = s.buckets.size() - 1;
  }
  for (State::Bucket& bucket : s.buckets) {
    const at::Tensor& last = parameters[bucket.members.back()];
    bucket.flat = at::empty({bucket.offsets.back() + last.numel()}, last.options().requires_grad(false));
  }
  for (size_t i = 0; i < parameters.size(); ++i)
    torch::autograd::impl::set_post_acc_grad_hooks(parameters[i], std::make_unique<Hook>([state = state_.get(), i] { state->arrived(i); }));
}

GradientSum::~GradientSum() {
  for (const at::Tensor& p : state_->parameters) torch::autograd::impl::set_post_acc_grad_hooks(p, nullptr);
}

void GradientSum::prepare() {
  State& s = *state_;
  s.next = 0;
  s.armed = true;
  for (State::Bucket& bucket : s.buckets) {
    bucket.waiting = bucket.members.size();
    bucket.work.reset();
  }
}

Status GradientSum::finish() {
  State& s = *state_;
  s.armed = false;
  try {
    // Parameters that this backward did not reach: their buckets are sent now.
    while (s.next < s.buckets.size()) s.send(s.buckets[s.next++]);
    at::NoGradGuard no_grad;
    at::Tensor has = at::empty({static_cast<int64_t>(s.parameters.size())}, at::kFloat);
    for (size_t i = 0; i < s.parameters.size(); ++i) has.mutable_data_ptr<float>()[i] = s.parameters[i].grad().defined() ? 1 : 0;
    for (State::Bucket& bucket : s.buckets) bucket.work->wait();
    HONE_TRY(s.ranks->sum(has));
    for (State::Bucket& bucket : s.buckets)
      for (size_t i = 0; i < bucket.members.size(); ++i) {
        const size_t index = bucket.members[i];
        const at::Tensor& p = s.parameters[index];
        if (has.const_data_ptr<float>()[index] == 0) continue;
        if (!p.grad().defined()) p.mutable_grad() = at::empty_like(p.detach(), at::MemoryFormat::Preserve);
        p.grad().copy_(bucket.sent.narrow(0, bucket.offsets[i], p.numel()).view(p.sizes()));
      }
    return {};
  } catch (const std::exception& e) {
    return lost(s.ranks->rank(), s.ranks->world(), e);
  }
}

#else  // built without Gloo's headers: one rank

struct Ranks::Backend {};
struct GradientSum::State {};

Result<Ranks> Ranks::join(const Place& place, double, const Say&, double) {
  if (place.world > 1) return fail(Code::unsupported, "this build of hone trains on one rank only", {}, "install libgloo-dev and build again");
  return Ranks();
}
Status Ranks::sum(at::Tensor&) { return {}; }
Status Ranks::broadcast(at::Tensor&) { return {}; }
Status Ranks::barrier() { return {}; }
GradientSum::GradientSum(Ranks&, const std::vector<at::Tensor>&, int64_t) {}
GradientSum::~GradientSum() = default;
void GradientSum::prepare() {}
Status GradientSum::finish() { return {}; }

#endif

Ranks::Ranks() = default;
Ranks::Ranks(Ranks&&) noexcept = default;
Ranks& Ranks::operator=(Ranks&&) noexcept = default;
Ranks::~Ranks() = default;

}  // namespace hone::train
