#include "methods/supernet/task.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

#include "data/shuffle.h"

namespace hone::methods {

namespace {

// What chance decides, each with numbers of its own (derive_seed).
enum Purpose : uint64_t { kSearchSplit = 0x7a01, kWatch, kScoring, kValidation };

constexpr int64_t kScoringChunk = 128;   // pictures at once

std::string described(const Sampler& sampler, const Drawn& d) {
  const char* role = d.role == Role::largest ? "the largest member" : d.role == Role::smallest ? "the smallest member" : "the member";
  std::string encoding = space::print_member(sampler.space(), d.member);
  while (!encoding.empty() && encoding.back() == '\n') encoding.pop_back();
  return fmt::format("{} {} of {:.1f} MMACs", role, encoding, static_cast<double>(sampler.cost(d.member)) / 1e6);
}

// Members over the cost range: the smallest, and one of every further level, evenly chosen; without levels the largest.
std::vector<space::Member> watched_members(const Sampler& sampler, int64_t points) {
  const space::Space& s = sampler.space();
  std::vector<space::Member> out = {space::smallest(s)};
  const auto levels = static_cast<int64_t>(sampler.levels().size());
  for (int64_t i = 1; i < points; ++i) {
    if (levels == 0) {
      out.push_back(space::largest(s));
      break;
    }
    const int64_t level = points == 2 ? levels - 1 : (i - 1) * (levels - 1) / (points - 2);
    Rng rng(derive_seed(0, kWatch, static_cast<uint64_t>(level)));
    const space::Member m = sampler.explore(static_cast<size_t>(level), rng);
    if (std::find(out.begin(), out.end(), m) == out.end()) out.push_back(m);
  }
  return out;
}

}  // namespace

PictureSplit split_pictures(int64_t count, double search_share, uint64_t seed) {
  PictureSplit split;
  const Shuffle order(static_cast<uint64_t>(count), derive_seed(seed, kSearchSplit));
  const auto held = static_cast<int64_t>(std::llround(search_share * static_cast<double>(count)));
  for (int64_t i = 0; i < count; ++i) (i < held ? split.search : split.train).push_back(static_cast<int64_t>(order(static_cast<uint64_t>(i))));
  for (auto* part : {&split.search, &split.train}) std::sort(part->begin(), part->end());
  return split;
}

struct SupernetTask::Pass {
  at::Tensor loss;      // detached
  at::Tensor softmax;   // detached, fp32
};

Result<std::unique_ptr<train::Task>> SupernetTask::make(const SupernetOptions& options) {
  auto task = std::make_unique<SupernetTask>();
  task->options_ = options;
  HONE_TRY(task->open());
  return std::unique_ptr<train::Task>(std::move(task));
}

Status SupernetTask::open() {
  SupernetOptions& o = options_;
  HONE_TRY(train::set_side(o.pictures, static_cast<int>(o.side)));
  HONE_TRY_ASSIGN(set_, train::open_pictures(o.pictures));
  split_ = split_pictures(static_cast<int64_t>(set_.train.labels.size()), o.search_share, 0);
  if (static_cast<int64_t>(split_.train.size()) < o.pictures.batch)
    return fail(Code::usage, fmt::format("{} images to train on are less than one batch of {}", split_.train.size(), o.pictures.batch), o.pictures.path, "--set data.batch=N");
  HONE_TRY_ASSIGN(space::Space space, supernet_space(o, static_cast<int64_t>(set_.classes.size())));
  HONE_TRY_ASSIGN(Sampler sampler, Sampler::make(space, o.sampler));
  sampler_ = std::move(sampler);
  HONE_TRY_ASSIGN(Store store, Store::make(space, o.compute.seed));
  store_ = std::move(store);
  store_->params().to(o.compute.device);
  if (!o.teachers.empty()) {
    HONE_TRY_ASSIGN(Teachers teachers, Teachers::open(o.teachers, o.teacher_weights, space.classes, o.compute));
    teachers_ = std::move(teachers);
  }
  watch_ = watched_members(*sampler_, o.watch_points);
  notes_ = set_.notes;
  batches_ = train::TrainingBatches(set_.train, o.pictures, o.compute.seed, split_.train);
  return {};
}

Result<at::Tensor> SupernetTask::targets_of(at::Tensor& images, const at::Tensor& labels, int64_t step, int64_t micro) {
  const int64_t classes = sampler_->space().classes;
  at::Tensor targets;
  if (options_.pictures.mixup > 0 || options_.pictures.cutmix > 0) {
    images = images.clone(at::MemoryFormat::Preserve);   // quality is measured on the pictures as they were
    targets = train::mix(images, labels, classes, options_.pictures, options_.compute, step, micro);
  } else {
    targets = at::one_hot(labels, classes).to(at::kFloat);
  }
  if (teachers_) return teachers_->targets(images, options_.sharpening);
  return smoothed(targets, options_.label_smoothing);
}

Result<SupernetTask::Pass> SupernetTask::train_member(const Drawn& drawn, Sides& images, const at::Tensor& targets, bool follow, int64_t micros, std::vector<at::Tensor>& grads) {
  HONE_TRY_ASSIGN(const auto program, store_->program(drawn.member));
  const std::vector<at::Tensor> leaves = program->tensors(store_->params(), /*leaves=*/true);
  train::RunOptions run;
  run.training = true;
  run.batch_norm = train::BatchNorm::train;
  run.batch_norm_momentum = options_.bn_momentum;
  run.generator = train::step_generator(options_.compute, planned_, 0);
  run.compute = options_.compute.type;
  HONE_TRY_ASSIGN(const auto out, program->program.run({images.at(drawn.member.resolution)}, leaves, run));
  const at::Tensor logits = out[0].to(at::kFloat);
  const at::Tensor loss = follow ? alpha_divergence(logits, targets, options_.divergence) : soft_cross_entropy(logits, targets);
  torch::autograd::backward({micros > 1 ? loss / static_cast<double>(micros) : loss}, {});
  add_gradients(*program, store_->params(), leaves, grads);
  return Pass{loss.detach(), logits.detach().softmax(1)};
}

Result<train::Losses> SupernetTask::forward(int64_t step, int64_t micro, int64_t micros) {
  const SupernetOptions& o = options_;
  if (o.pictures.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o.pictures.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
  if (planned_ != step) {
    plan_ = sampler_->plan(step, epoch_of(step), (step + 1) % steps_per_epoch() == 0);
    planned_ = step;
    quality_.assign(plan_.size(), 0);
    largest_grads_.clear();
  }
  HONE_TRY_ASSIGN(const train::Batch batch, batches_.next(step, micro, micros));
  const at::Tensor plain = batch.images.to(o.compute.device), labels = batch.labels.to(o.compute.device);
  at::Tensor images = plain;
  HONE_TRY_ASSIGN(const at::Tensor targets, targets_of(images, labels, step, micro));
  const bool mixed = o.pictures.mixup > 0 || o.pictures.cutmix > 0;
  const bool project = o.project_from >= 0 && epoch_of(step) >= static_cast<double>(o.project_from);

  // Gradients go to where the parameters keep theirs.
  auto& entries = store_->params().entries();
  std::vector<at::Tensor> grads(entries.size());
  for (size_t i = 0; i < entries.size(); ++i)
    if (entries[i].trainable) grads[i] = entries[i].tensor.grad();
  at::Tensor total, followed, drawn_loss, smallest_loss, drawn_right;
  int64_t drawn_count = 0;
  Sides pictures(images);
  std::vector<space::Member> members;
  for (const Drawn& d : plan_) members.push_back(d.member);
  HONE_TRY(store_->prepare(members));
  for (size_t i = 0; i < plan_.size(); ++i) {
    const Drawn& d = plan_[i];
    // Levels: draws learn from the targets, the smallest from the draws. Sandwich: all others learn from the largest.
    const bool follow = o.sampler.levels ? d.role == Role::smallest : d.role != Role::largest;
    const at::Tensor goal = !follow ? targets : o.sampler.levels ? followed / static_cast<double>(drawn_count) : followed;
    HONE_TRY_ASSIGN(const Pass pass, train_member(d, pictures, goal, follow, micros, project && d.role == Role::largest ? largest_grads_ : grads));
    total = total.defined() ? total + pass.loss : pass.loss;
    if (d.role == Role::smallest) smallest_loss = pass.loss;
    if (o.sampler.levels ? d.role == Role::drawn : d.role == Role::largest) followed = followed.defined() ? followed + pass.softmax : pass.softmax;
    if (d.role == Role::drawn) {
      ++drawn_count;
      const at::Tensor right = pass.softmax.argmax(1).eq(labels).to(at::kFloat).mean();
      drawn_right = drawn_right.defined() ? drawn_right + right : right;
      drawn_loss = drawn_loss.defined() ? drawn_loss + pass.loss : pass.loss;
    }
    if (scores_on_step(d)) {
      double q = 0;
      if (mixed) {
        HONE_TRY_ASSIGN(q, quality(d.member, train::Batch{plain, labels}));
      } else {   // the pass has seen these very pictures
        q = pass.softmax.gather(1, labels.unsqueeze(1)).clamp_min(1e-30).log().mean().item<double>();
      }
      quality_[i] += q / static_cast<double>(micros);
    }
    if (blame_.empty() && !std::isfinite(pass.loss.item<double>())) blame_ = described(*sampler_, d);
  }
  for (size_t i = 0; i < entries.size(); ++i)
    if (grads[i].defined()) entries[i].tensor.mutable_grad() = grads[i];
  if (std::isfinite(total.item<double>())) blame_.clear();
  const double n = static_cast<double>(std::max<int64_t>(1, drawn_count));
  const auto level = o.sampler.levels ? static_cast<double>(sampler_->levels()[plan_[0].level]) / 1e6 : 0.0;
  return train::Losses{total, {{"drawn", drawn_loss / n}, {"smallest", smallest_loss}, {"top1", drawn_right / n}, {"level", at::scalar_tensor(level)}}};
}

// The small members' gradient s meets the largest one's m, tensor by tensor: m + s + c s with c = clamp(-<s, m> / |s|^2, 0, 2),
// which takes out of s what works against m (NASViT's code, misc/constrain_opt.py).
Status SupernetTask::gradients_done(int64_t, train::Ranks& ranks) {
  if (largest_grads_.empty()) return {};
  at::NoGradGuard no_grad;
  auto& entries = store_->params().entries();
  double clip = 1;
  if (options_.small_clip > 0) {
    double square = 0;
    for (const auto& e : entries)
      if (e.trainable && e.tensor.grad().defined()) square += e.tensor.grad().square().sum().item<double>();
    clip = std::min(1.0, options_.small_clip / (std::sqrt(square) + 1e-6));
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    at::Tensor largest = largest_grads_[i];
    if (!largest.defined()) continue;
    HONE_TRY(ranks.sum(largest));
    const at::Tensor small = entries[i].tensor.grad();
    if (!small.defined()) {
      entries[i].tensor.mutable_grad() = largest;
      continue;
    }
    if (clip < 1) small.mul_(clip);
    const double dot = (small * largest).sum().item<double>(), square = small.square().sum().item<double>();
    const double c = std::clamp(-dot / (square + 1e-6), 0.0, 2.0);
    small.mul_(1 + c).add_(largest);
  }
  largest_grads_.clear();
  return {};
}

bool SupernetTask::scores_on_step(const Drawn& d) const {
  if (!options_.sampler.levels || !options_.sampler.banks || options_.score == SupernetOptions::Score::fixed) return false;
  return d.explored || (d.role == Role::smallest && options_.score == SupernetOptions::Score::relative);
}

Result<double> SupernetTask::quality(const space::Member& member, const train::Batch& batch) {
  at::NoGradGuard no_grad;
  HONE_TRY_ASSIGN(const auto program, store_->program(member));
  train::RunOptions run;
  run.batch_norm = train::BatchNorm::train;
  run.batch_norm_momentum = 0;   // running statistics stay as they are
  run.compute = options_.compute.type;
  std::vector<at::Tensor> tensors = program->tensors(store_->params());
  for (size_t i = 0; i < tensors.size(); ++i)
    if (program->slices[i].buffer && !at::isFloatingType(tensors[i].scalar_type())) tensors[i] = tensors[i].clone();   // counters of batches
  double sum = 0;
  for (int64_t from = 0; from < batch.images.size(0); from += kScoringChunk) {
    const int64_t n = std::min(kScoringChunk, batch.images.size(0) - from);
    HONE_TRY_ASSIGN(const auto out, program->program.run({resized(batch.images.narrow(0, from, n), member.resolution)}, tensors, run));
    sum -= at::cross_entropy_loss(out[0].to(at::kFloat), batch.labels.narrow(0, from, n), {}, at::Reduction::Sum).item<double>();
  }
  return sum / static_cast<double>(batch.images.size(0));
}

Result<train::Batch> SupernetTask::scoring_batch(int64_t step) {
  const at::Device device = options_.compute.device;
  if (options_.score != SupernetOptions::Score::fixed) {
    HONE_TRY_ASSIGN(const train::Batch batch, batches_.batch_of(step, 0, 1));
    return train::Batch{batch.images.to(device), batch.labels.to(device)};
  }
  if (!fixed_) {
    const auto count = static_cast<int64_t>(split_.train.size());
    const Shuffle order(static_cast<uint64_t>(count), derive_seed(options_.compute.seed, kScoring));
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < std::min(options_.score_images, count); ++i) indices.push_back(split_.train[order(static_cast<uint64_t>(i))]);
    HONE_TRY_ASSIGN(const train::Batch batch, train::load_batch(set_.train, indices, options_.pictures.evaluate, 0, 0, 0, static_cast<int>(options_.pictures.workers)));
    fixed_ = train::Batch{batch.images.to(device), batch.labels.to(device)};
  }
  return *fixed_;
}

// Every entry of every bank on the same pictures; ranks share the work.
Status SupernetTask::rescore(int64_t step, train::Ranks& ranks) {
  std::vector<Bank>& banks = sampler_->banks();
  const bool relative = options_.score == SupernetOptions::Score::relative;
  std::vector<space::Member> members;   // a level's smallest, where it counts, then the entries of its bank
  for (size_t level = 0; level < banks.size(); ++level) {
    if (relative) members.push_back(sampler_->smallest_of(level));
    for (const BankEntry& e : banks[level].entries) members.push_back(e.member);
  }
  if (members.empty()) return {};
  HONE_TRY_ASSIGN(const train::Batch batch, scoring_batch(step));
  at::Tensor values = at::zeros({static_cast<int64_t>(members.size())}, at::kDouble);
  double* value = values.mutable_data_ptr<double>();
  for (size_t i = static_cast<size_t>(ranks.rank()); i < members.size(); i += static_cast<size_t>(ranks.world())) {
    HONE_TRY_ASSIGN(value[i], quality(members[i], batch));
  }
  if (ranks.world() > 1) HONE_TRY(ranks.sum(values));
  value = values.mutable_data_ptr<double>();
  for (Bank& bank : banks) {
    const double base = relative ? *value++ : 0;
    for (BankEntry& e : bank.entries) e.quality = *value++ - base;
  }
  return {};
}

Status SupernetTask::after_step(int64_t step, train::Ranks& ranks) {
  const SupernetOptions& o = options_;
  if (!o.sampler.levels || !o.sampler.banks) return {};
  at::Tensor values = at::zeros({static_cast<int64_t>(plan_.size())}, at::kDouble);
  int64_t turn = 0;
  for (size_t i = 0; i < plan_.size(); ++i) {
    double q = quality_[i];
    if (o.score == SupernetOptions::Score::fixed && plan_[i].explored) {
      q = 0;
      if (turn++ % ranks.world() == ranks.rank()) {
        HONE_TRY_ASSIGN(const train::Batch batch, scoring_batch(step));
        HONE_TRY_ASSIGN(q, quality(plan_[i].member, batch));
      }
    }
    values[static_cast<int64_t>(i)] = q;
  }
  if (ranks.world() > 1) HONE_TRY(ranks.sum(values));
  const double base = o.score == SupernetOptions::Score::relative ? values[static_cast<int64_t>(plan_.size()) - 1].item<double>() : 0;   // the smallest comes last
  for (size_t i = 0; i < plan_.size(); ++i)
    if (plan_[i].explored) sampler_->report(plan_[i], values[static_cast<int64_t>(i)].item<double>() - base);
  const int64_t next = (step + 1) % steps_per_epoch();
  for (const double part : o.refresh)
    if (next == static_cast<int64_t>(part * static_cast<double>(steps_per_epoch()))) return rescore(step + 1, ranks);
  return {};
}

std::vector<Event> SupernetTask::news(int64_t step) {
  constexpr int64_t kEpochParts = 20;
  const int64_t rhythm = std::max<int64_t>(1, steps_per_epoch() / kEpochParts);
  if (!options_.sampler.levels || !options_.sampler.banks || (step + 1) % rhythm != 0) return {};
  std::vector<Event> out;
  for (size_t level = 0; level < sampler_->banks().size(); ++level) {
    const std::vector<BankEntry>& entries = sampler_->banks()[level].entries;
    if (entries.empty()) continue;
    double best = -INFINITY, worst = INFINITY, mean = 0, cost = 0;
    const auto n = static_cast<double>(entries.size());
    for (const BankEntry& e : entries) {
      best = std::max(best, e.quality);
      worst = std::min(worst, e.quality);
      mean += e.quality / n;
      cost += static_cast<double>(sampler_->cost(e.member)) / 1e6 / n;
    }
    out.push_back({0, "bank", {{"level", static_cast<double>(sampler_->levels()[level]) / 1e6}, {"entries", static_cast<int64_t>(entries.size())}, {"best", best}, {"mean", mean}, {"worst", worst}, {"mmacs", cost}}});
  }
  return out;
}

Result<train::Metrics> SupernetTask::validate(const train::Params& params) {
  const SupernetOptions& o = options_;
  std::vector<std::shared_ptr<const MemberProgram>> programs;
  for (const space::Member& m : watch_) {
    HONE_TRY_ASSIGN(auto program, store_->program(m));
    programs.push_back(std::move(program));
  }
  const int64_t batches = std::min(o.calibration, steps_per_epoch());
  HONE_TRY_ASSIGN(const auto members, calibrate(programs, params, [&](int64_t b) { return batches_.batch_of(b, 0, 1); }, batches, o.compute));
  const auto size = static_cast<int64_t>(set_.val.labels.size()), wanted = o.watch_images > 0 ? std::min(o.watch_images, size) : size;
  const Shuffle order(static_cast<uint64_t>(size), derive_seed(0, kValidation));
  const int64_t chunk = o.pictures.val_batch;
  const Batches validation = [&](int64_t b) {
    std::vector<int64_t> indices;
    for (int64_t i = b * chunk; i < std::min(wanted, (b + 1) * chunk); ++i) indices.push_back(static_cast<int64_t>(order(static_cast<uint64_t>(i))));
    return train::load_batch(set_.val, indices, o.pictures.evaluate, 0, 0, 0, static_cast<int>(o.pictures.workers));
  };
  HONE_TRY_ASSIGN(const std::vector<Scored> scores, evaluate(members, validation, (wanted + chunk - 1) / chunk, wanted, o.compute));
  train::Metrics metrics = {{"top1", 0}, {"loss", 0}};
  for (size_t i = 0; i < scores.size(); ++i) {
    metrics[0].second += scores[i].accuracy / static_cast<double>(scores.size());
    metrics[1].second += scores[i].loss / static_cast<double>(scores.size());
    metrics.emplace_back(fmt::format("top1_{:.4g}M", static_cast<double>(sampler_->cost(watch_[i])) / 1e6), scores[i].accuracy);
  }
  return metrics;
}

train::State SupernetTask::save() const {
  train::State state;
  state.texts["sampler"] = sampler_->save();
  return state;
}

Status SupernetTask::load(const train::State& state) {
  const auto saved = state.texts.find("sampler");
  if (saved == state.texts.end()) return fail(Code::invalid, "the checkpoint holds no sampler's state", "task");
  planned_ = -1;
  blame_.clear();
  return sampler_->load(saved->second);
}

}  // namespace hone::methods
