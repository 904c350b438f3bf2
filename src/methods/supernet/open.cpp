#include "methods/supernet/open.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/file.h"
#include "data/shuffle.h"
#include "formats/checkpoint.h"
#include "retrieval/trained.h"
#include "rewrite/weights.h"
#include "run/run_dir.h"
#include "train/loop_options.h"

namespace hone::methods {

namespace {

constexpr int64_t kKeptBytes = int64_t{2} << 30;   // of batches in memory
constexpr size_t kKeptMembers = 256;               // whose statistics are kept
enum Purpose : uint64_t { kSplitOrder = 0x7b01 };

// The classifier says how many classes the run had: its data need not be there.
Result<int64_t> classes_of(const NamedTensors& tensors, const std::string& checkpoint) {
  for (const auto& [name, tensor] : tensors)
    if (name == "head.classifier.bias" && tensor.shape.size() == 1) return tensor.shape[0];
  return fail(Code::invalid, "holds no supernet: it has no head.classifier.bias", checkpoint);
}

}  // namespace

Result<std::unique_ptr<TrainedSupernet>> TrainedSupernet::open(const SupernetRequest& request) {
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(request.run));
  HONE_TRY_ASSIGN(const std::string text, run.recipe());
  HONE_TRY_ASSIGN(Recipe recipe, Recipe::parse(text, run.file("recipe.toml"), request.settings));
  if (const std::string task = recipe.text("task", "", ""); task != "supernet")
    return fail(Code::usage, fmt::format("a supernet run is needed, this run's task is '{}'", task), request.run, "train one with a recipe of recipes/supernet");
  auto out = std::make_unique<TrainedSupernet>();
  out->request_ = request;
  HONE_TRY_ASSIGN(const auto loop, train::read_loop_options(recipe));
  HONE_TRY_ASSIGN(out->options_, read_supernet_options(recipe, loop->compute));
  HONE_TRY(recipe.finish());
  out->options_.space_name = kept_or_located(out->options_.space_name, kKeptSpace, request.run);
  if (out->options_.pictures.kind != "patterns") out->options_.pictures.path = located(out->options_.pictures.path, request.run);
  at::set_num_threads(std::max(1, request.threads));
  out->batches_ = request.calibration_batches < 0 ? out->options_.calibration : request.calibration_batches;
  HONE_TRY_ASSIGN(out->checkpoint_, checkpoint_of(run));
  HONE_TRY_ASSIGN(out->sha256_, file_checksum(out->checkpoint_));
  HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(out->checkpoint_));
  HONE_TRY_ASSIGN(const int64_t classes, classes_of(tensors, out->checkpoint_));
  HONE_TRY_ASSIGN(space::Space space, supernet_space(out->options_, classes));
  HONE_TRY_ASSIGN(Store store, Store::make(std::move(space), 0));
  out->store_ = std::move(store);
  HONE_TRY_ASSIGN(const Graph largest, out->store_->graph(space::largest(out->store_->space())));
  auto loaded = out->store_->params().load(largest, std::move(tensors), /*strict=*/true, /*resize=*/false);
  if (!loaded) {
    Error e = loaded.error();
    e.where = e.where.empty() ? out->checkpoint_ : out->checkpoint_ + ": " + e.where;
    e.hint = "the checkpoint is of another space than " + out->options_.space_name + " now is";
    return fail(std::move(e));
  }
  for (const auto& entry : out->store_->params().entries()) entry.tensor.set_requires_grad(false);
  out->store_->params().to(out->options_.compute.device);
  return out;
}

Status TrainedSupernet::open_data() {
  if (data_open_) return {};
  HONE_TRY(train::set_side(options_.pictures, static_cast<int>(options_.side)));
  auto set = train::open_pictures(options_.pictures);
  if (!set) {
    Error e = set.error();
    e.hint = "the run's pictures are needed to measure BatchNorm statistics: --set data.path=WHERE" + (e.hint.empty() ? "" : "; " + e.hint);
    return fail(std::move(e));
  }
  set_ = std::move(*set);
  if (static_cast<int64_t>(set_.classes.size()) != space().classes)
    return fail(Code::invalid, fmt::format("has {} classes, the supernet {}", set_.classes.size(), space().classes), options_.pictures.path);
  pictures_ = split_pictures(static_cast<int64_t>(set_.train.labels.size()), options_.search_share, 0);
  training_ = train::TrainingBatches(set_.train, options_.pictures, options_.compute.seed, pictures_.train);
  if (training_.steps_per_epoch() < 1) return fail(Code::usage, fmt::format("{} images to train on are less than one batch of {}", pictures_.train.size(), options_.pictures.batch), options_.pictures.path);
  data_open_ = true;
  return {};
}

Result<const train::TrainingBatches*> TrainedSupernet::training() {
  HONE_TRY(open_data());
  return &training_;
}

namespace {

int64_t bytes_of(const train::Batch& b) { return static_cast<int64_t>(b.images.nbytes() + b.labels.nbytes()); }

}  // namespace

Result<train::Batch> TrainedSupernet::calibration_batch(int64_t index) {
  const std::string key = fmt::format("calibration {}", index);
  if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
  HONE_TRY_ASSIGN(train::Batch batch, training_.batch_of(index, 0, 1));
  if (kept_bytes_ + bytes_of(batch) <= kKeptBytes) {
    kept_bytes_ += bytes_of(batch);
    kept_.emplace(key, batch);
  }
  return batch;
}

Result<train::Batch> TrainedSupernet::split_batch(const std::string& split, const std::vector<int64_t>& indices, int64_t index) {
  const std::string key = fmt::format("{} {}", split, index);
  if (const auto found = kept_.find(key); found != kept_.end()) return found->second;
  const auto chunk = static_cast<size_t>(options_.pictures.val_batch), from = static_cast<size_t>(index) * chunk, to = std::min(indices.size(), from + chunk);
  const std::vector<int64_t> some(indices.begin() + static_cast<ptrdiff_t>(from), indices.begin() + static_cast<ptrdiff_t>(to));
  HONE_TRY_ASSIGN(train::Batch batch, train::load_batch(split == "val" ? set_.val : set_.train, some, options_.pictures.evaluate, 0, 0, 0, static_cast<int>(options_.pictures.workers)));
  if (kept_bytes_ + bytes_of(batch) <= kKeptBytes) {
    kept_bytes_ += bytes_of(batch);
    kept_.emplace(key, batch);
  }
  return batch;
}

Result<Calibrated> TrainedSupernet::calibrated(const space::Member& member) {
  HONE_TRY_ASSIGN(const auto program, store_->program(member));
  const auto known = statistics_.find(member);
  if (known != statistics_.end() || batches_ == 0) {
    Calibrated c{program, program->tensors(store_->params())};
    if (known != statistics_.end())
      for (size_t i = 0, k = 0; i < c.tensors.size(); ++i)
        if (program->slices[i].buffer) c.tensors[i] = known->second[k++];
    return c;
  }
  HONE_TRY(open_data());
  const int64_t count = std::min(batches_, training_.steps_per_epoch());
  HONE_TRY_ASSIGN(std::vector<Calibrated> made, calibrate({program}, store_->params(), [&](int64_t b) { return calibration_batch(b); }, count, options_.compute));
  if (statistics_.size() >= kKeptMembers) statistics_.clear();
  std::vector<at::Tensor>& kept = statistics_[member];
  for (size_t i = 0; i < made[0].tensors.size(); ++i)
    if (program->slices[i].buffer) kept.push_back(made[0].tensors[i]);
  return std::move(made[0]);
}

Result<MemberScore> TrainedSupernet::score(const space::Member& member, const std::string& split) {
  if (split != "search" && split != "val") return fail(Code::usage, fmt::format("'{}' is no split of a supernet run", split), request_.run, "search or val");
  const std::string key = split + space::print_member(space(), member);
  if (const auto known = scores_.find(key); known != scores_.end()) return known->second;
  HONE_TRY(store_->program(member));   // a foreign member is said before anything is read
  HONE_TRY(open_data());
  std::vector<int64_t> all = split == "search" ? pictures_.search : std::vector<int64_t>(set_.val.labels.size());
  if (split == "val")
    for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int64_t>(i);
  if (all.empty()) return fail(Code::usage, fmt::format("the run kept no pictures for the {} split", split), request_.run, "train with data.search above 0, or score on val");
  const auto wanted = request_.images > 0 ? std::min<size_t>(static_cast<size_t>(request_.images), all.size()) : all.size();
  const Shuffle order(all.size(), derive_seed(0, kSplitOrder));
  std::vector<int64_t> indices(wanted);
  for (size_t i = 0; i < wanted; ++i) indices[i] = all[order(i)];
  HONE_TRY_ASSIGN(const Calibrated c, calibrated(member));
  const auto count = (static_cast<int64_t>(wanted) + options_.pictures.val_batch - 1) / options_.pictures.val_batch;
  HONE_TRY_ASSIGN(const std::vector<Scored> scored, evaluate({c}, [&](int64_t b) { return split_batch(split, indices, b); }, count, static_cast<int64_t>(wanted), options_.compute));
  return scores_[key] = MemberScore{scored[0].accuracy, scored[0].loss, scored[0].images};
}

Result<Network> TrainedSupernet::network(const space::Member& member) {
  HONE_TRY_ASSIGN(const Calibrated c, calibrated(member));
  HONE_TRY_ASSIGN(Graph graph, store_->graph(member));
  NamedTensors tensors;
  const auto& state = c.program->program.state();
  for (size_t i = 0; i < state.size(); ++i) {
    HONE_TRY_ASSIGN(Tensor tensor, train::from_torch(c.tensors[i].to(at::kCPU).contiguous()));
    tensors.emplace_back(state[i].name, std::move(tensor));
  }
  HONE_TRY_ASSIGN(Bound bound, with_weights(std::move(graph), tensors));
  std::string encoding = space::print_member(space(), member);
  while (!encoding.empty() && encoding.back() == '\n') encoding.pop_back();
  auto& about = bound.graph.metadata;
  about["hone.task"] = "supernet";
  about["hone.run"] = request_.run;
  about["hone.space"] = space().name;
  about["hone.member"] = encoding;
  about["hone.checkpoint.sha256"] = sha256_;
  about["hone.calibration"] = statistics_.contains(member) ? fmt::format("{} batches of {}", std::min(batches_, training_.steps_per_epoch()), options_.pictures.batch) : "none: statistics of all members mixed";
  const auto numbers = [](const std::array<float, 3>& v) { return fmt::format("{:.6g} {:.6g} {:.6g}", v[0], v[1], v[2]); };
  about["hone.input.mean"] = numbers(options_.pictures.evaluate.normalise.mean);
  about["hone.input.std"] = numbers(options_.pictures.evaluate.normalise.std);
  about["hone.input.resize"] = fmt::format("pictures of {0}x{0}, bicubically to {1}x{1}", options_.side, member.resolution);
  return Network{request_.run, std::move(bound.graph), space::to_arch(space(), member, request_.run)};
}

std::string TrainedSupernet::weights() const { return fmt::format("{}, {} calibration batches", weights_id(sha256_), batches_); }

Result<std::vector<space::Member>> TrainedSupernet::bank() const {
  std::vector<space::Member> out;
  const auto trained = sampler();
  if (!trained && trained.error().code == Code::not_found) return out;   // only the weights were kept
  if (!trained) return fail(trained.error());
  for (const Bank& bank : trained->banks()) {
    std::vector<BankEntry> entries(bank.entries.begin(), bank.entries.end());
    std::stable_sort(entries.begin(), entries.end(), [](const BankEntry& a, const BankEntry& b) { return a.quality > b.quality; });
    for (const BankEntry& e : entries) out.push_back(e.member);
  }
  return out;
}

Result<Sampler> TrainedSupernet::sampler() const {
  HONE_TRY_ASSIGN(Sampler sampler, Sampler::make(space(), options_.sampler));
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(request_.run));
  HONE_TRY_ASSIGN(const auto saved, train::read_checkpoint(run));
  if (!saved) return fail(Code::not_found, "the run has no checkpoint of its sampler", request_.run);
  const train::State state = saved->state.part("task");
  const auto text = state.texts.find("sampler");
  if (text == state.texts.end()) return fail(Code::invalid, "the checkpoint holds no sampler's state", request_.run);
  HONE_TRY(sampler.load(text->second));
  return sampler;
}

}  // namespace hone::methods
