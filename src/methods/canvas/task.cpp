#include "methods/canvas/task.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <set>

#include "data/shuffle.h"
#include "methods/distil/trained.h"

namespace hone::methods {

namespace {

// What chance decides, each with numbers of its own (derive_seed).
enum Purpose : uint64_t { kForOrder, kForChoice };

}  // namespace

CanvasOptions read_canvas_options(Recipe& r) {
  CanvasOptions o;
  o.encoder = r.text("encoder.run", "", "run directory of the encoder: a sketch run with several canvases");
  o.folds = r.texts("encoder.folds", {}, "runs like it with other data.split_seed: the policy learns from the photos that these held back");
  o.selector = read_selector(r, "selector");
  o.reward.rank_weight = r.real("reward.rank", 1, "of 1 / rank");
  o.reward.triplet_weight = r.real("reward.triplet", 1, "of the triplet loss, taken off");
  o.reward.cost_weight = r.real("reward.cost", 0.3, "share of the cost in the reward; the rest is accuracy", 0, 1);
  o.margin = r.real("reward.margin", 0.2, "of the triplet loss", 0, 2);
  o.exact = r.text("policy.gradient", "exact", "exact: all canvases weighted by their probability; sampled: REINFORCE", {"exact", "sampled"}) == "exact";
  o.baseline = r.real("policy.baseline", 0, "sampled: share of the new mean reward in a moving baseline; 0: none", 0, 1);
  o.entropy = r.real("policy.entropy", 0, "weight of the entropy bonus", 0);
  o.held_out = r.text("policy.sketches", "held-out", "what is learned from: photos that the encoder trained on (train), or not (held-out)", {"held-out", "train"}) == "held-out";
  o.batch = r.integer("sample.batch", 16, "sketches a step", 1, 65536);
  return o;
}

Result<std::unique_ptr<CanvasTask>> CanvasTask::make(const CanvasOptions& options, const train::Compute& compute) {
  auto task = std::unique_ptr<CanvasTask>(new CanvasTask);
  task->options_ = options;
  task->compute_ = compute;
  if (options.encoder.empty()) return fail(Code::usage, "a selector needs an encoder", {}, "name its run directory: --set encoder.run=RUN");
  HONE_TRY_ASSIGN(const TrainedEncoder trained, open_trained(options.encoder));
  task->canvases_ = trained.encoder.options().canvases;
  if (task->canvases_.size() < 2) return fail(Code::usage, "the encoder has a single canvas: there is nothing to select", options.encoder, "train it with network.canvases = [32, 64, 128, 256]");
  HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(trained.run.data));
  const Splits splits = split(set, trained.run.data.validation, trained.run.data.split_seed);
  if (splits.validation.empty()) return fail(Code::usage, "the encoder's run held no photos back", options.encoder, "train it with data.validation above 0");

  task->data_.push_back(facts_of(set, trained.run.data, splits));
  task->data_.push_back({"encoder", options.encoder, trained.run.sha256, {}});
  task->notes_ = notes_of(set, trained.run.data, splits);

  // Every photo but those of the test split: a gallery of validation photos alone would be too easy.
  std::vector<uint32_t> gallery = set.gallery(splits.train);
  for (uint32_t p : set.gallery(splits.validation)) gallery.push_back(p);
  HONE_TRY_ASSIGN(const PhotoCache photos, PhotoCache::load(set, gallery, trained.encoder.side(), compute.threads));
  HONE_TRY_ASSIGN(task->held_, remember_canvases(trained.encoder, set, photos, splits.validation, gallery, options.margin, compute.seed));
  task->learn_ = task->held_;
  if (!options.folds.empty()) {
    HONE_TRY_ASSIGN(task->learn_, task->from_folds(set, photos, gallery, splits.validation));
  } else if (!options.held_out) {
    HONE_TRY_ASSIGN(task->learn_, remember_canvases(trained.encoder, set, photos, splits.train, gallery, options.margin, compute.seed));
  }
  HONE_TRY_ASSIGN(task->selector_, Selector::make(options.selector, static_cast<int64_t>(task->canvases_.size()), compute.seed));
  for (CanvasMemory* m : {&task->learn_, &task->held_})
    for (uint32_t i : m->items) m->rows.push_back(task->selector_.rows(set.items[i].sketch));
  task->learn_reward_ = rewards(task->learn_.ranks, task->learn_.triplets, task->learn_.flops, options.reward);
  task->held_reward_ = rewards(task->held_.ranks, task->held_.triplets, task->held_.flops, options.reward);
  return task;
}

// Every fold's encoder looks at the sketches that it never trained on. Photos of `kept` stay out, so that the checkpoint is chosen by
// sketches that the policy has not learnt from.
Result<CanvasMemory> CanvasTask::from_folds(const SketchPhotoSet& set, const PhotoCache& photos, const std::vector<uint32_t>& gallery, const std::vector<uint32_t>& kept) {
  std::set<uint32_t> kept_photos;
  for (uint32_t i : kept) kept_photos.insert(set.items[i].photo);
  CanvasMemory all;
  for (const std::string& fold : options_.folds) {
    HONE_TRY_ASSIGN(const TrainedEncoder trained, open_trained(fold));
    if (trained.encoder.options().canvases != canvases_) return fail(Code::usage, fmt::format("its canvases are not those of {}", options_.encoder), fold, "name runs that differ in data.split_seed alone");
    HONE_TRY_ASSIGN(const SketchPhotoSet own, open_set(trained.run.data));
    if (own.checksum != set.checksum) return fail(Code::usage, fmt::format("it was trained on other data than {}", options_.encoder), fold, "name runs that differ in data.split_seed alone");
    std::vector<uint32_t> items;
    for (uint32_t i : split(set, trained.run.data.validation, trained.run.data.split_seed).validation)
      if (!kept_photos.count(set.items[i].photo)) items.push_back(i);
    data_.push_back({"encoder", fold, trained.run.sha256, {}});
    if (items.empty()) return fail(Code::usage, fmt::format("it held back no photo that {} did not hold back, too", options_.encoder), fold, "train it with another data.split_seed");
    HONE_TRY_ASSIGN(CanvasMemory memory, remember_canvases(trained.encoder, set, photos, items, gallery, options_.margin, compute_.seed));
    append(all, std::move(memory));
  }
  return all;
}

Result<train::Losses> CanvasTask::forward(int64_t step, int64_t micro, int64_t micros) {
  const int64_t count = static_cast<int64_t>(learn_.items.size()), batch = std::min(options_.batch, count);
  if (batch % micros != 0) return fail(Code::usage, fmt::format("a batch of {} sketches cannot be cut into {} parts", batch, micros), {}, "choose sample.batch as a multiple of train.accumulate x ranks");
  const int64_t n = batch / micros, epoch = step / steps_per_epoch(), first = step % steps_per_epoch() * batch + micro * n;
  const Shuffle order(static_cast<uint64_t>(count), derive_seed(compute_.seed, kForOrder, static_cast<uint64_t>(epoch)));
  std::vector<int64_t> which;
  for (int64_t i = first; i < first + n; ++i) which.push_back(static_cast<int64_t>(order(static_cast<uint64_t>(i))));
  std::vector<at::Tensor> rows;
  for (int64_t i : which) rows.push_back(learn_.rows[static_cast<size_t>(i)]);
  const at::Tensor logits = selector_.logits(rows, selector_.params()), reward = learn_reward_.index_select(0, at::tensor(which));

  train::Losses losses;
  at::Tensor expected;  // reward, for the events
  if (options_.exact) {
    losses.total = exact_policy_loss(logits, reward);
    expected = -losses.total.detach();
  } else {
    Rng rng(derive_seed(compute_.seed, kForChoice, static_cast<uint64_t>(step), static_cast<uint64_t>(micro)));
    const std::vector<int64_t> chosen = sample_canvases(logits, rng);
    const double mean = reward.gather(1, at::tensor(chosen).unsqueeze(1)).mean().item<double>();
    losses.total = sampled_policy_loss(logits, chosen, reward, options_.baseline > 0 ? baseline_ : 0);
    if (options_.baseline > 0) {
      baseline_ = has_baseline_ ? (1 - options_.baseline) * baseline_ + options_.baseline * mean : mean;
      has_baseline_ = true;
    }
    expected = at::tensor(mean);
  }
  const at::Tensor entropy = policy_entropy(logits);
  if (options_.entropy > 0) losses.total = losses.total - options_.entropy * entropy;
  losses.parts = {{"reward", expected}, {"entropy", entropy.detach()}};
  return losses;
}

Result<train::Metrics> CanvasTask::validate(const train::Params& params) {
  const torch::autograd::AutoGradMode no_grad(false);
  const at::Tensor chosen = selector_.logits(held_.rows, params).argmax(1);
  const at::Tensor index = chosen.unsqueeze(1);
  train::Metrics out;
  out.emplace_back("reward", held_reward_.gather(1, index).mean().item<double>());
  out.emplace_back("acc1", (held_.ranks.gather(1, index) <= 1).to(at::kDouble).mean().item<double>());
  double flops = 0;
  std::vector<double> share(canvases_.size());
  for (size_t i = 0; i < held_.items.size(); ++i) {
    const int64_t c = chosen[static_cast<int64_t>(i)].item<int64_t>();
    share[static_cast<size_t>(c)] += 1.0 / static_cast<double>(held_.items.size());
    flops += static_cast<double>(held_.flops[static_cast<size_t>(c)] + selector_.flops(held_.rows[i].size(0))) / static_cast<double>(held_.items.size());
  }
  out.emplace_back("gflops", flops * 1e-9);
  for (size_t c = 0; c < canvases_.size(); ++c) out.emplace_back(fmt::format("share@{}", canvases_[c]), share[c]);
  return out;
}

train::State CanvasTask::save() const {
  train::State s;
  s.set("baseline", baseline_);
  s.set("has_baseline", int64_t{has_baseline_});
  return s;
}

Status CanvasTask::load(const train::State& state) {
  HONE_TRY_ASSIGN(baseline_, state.real("baseline"));
  HONE_TRY_ASSIGN(const int64_t has, state.integer("has_baseline"));
  has_baseline_ = has != 0;
  return {};
}

}  // namespace hone::methods
