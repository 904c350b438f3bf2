#include "methods/distil/task.h"

#include <fmt/format.h>
#include <torch/csrc/autograd/grad_mode.h>

#include <algorithm>
#include <filesystem>

#include "core/rng.h"
#include "data/shuffle.h"
#include "formats/safetensors.h"
#include "methods/distil/losses.h"
#include "methods/distil/trained.h"
#include "retrieval/embeddings.h"

namespace hone::methods {

namespace {

constexpr std::string_view kProjection = "distil.projection";
constexpr std::string_view kTeacherFile = "teacher.safetensors";

// What chance decides, each with numbers of its own whatever else is drawn (derive_seed).
enum Purpose : uint64_t { kForProjection, kForOrder, kForSketch, kForNegatives };

}  // namespace

SketchTask::~SketchTask() {
  if (next_.valid()) next_.wait();  // it reads this object
}

Result<std::unique_ptr<SketchTask>> SketchTask::make(const SketchOptions& options, const train::Compute& compute, const std::string& run) {
  auto task = std::unique_ptr<SketchTask>(new SketchTask);
  task->options_ = options;
  task->compute_ = compute;
  const uint64_t seed = compute.seed;
  if (options.knowledge != Knowledge::none && options.teacher.empty())
    return fail(Code::usage, "distil.knowledge needs a teacher", {}, "name its run directory: --set teacher.run=RUN");
  HONE_TRY_ASSIGN(task->set_, open_set(options.data));
  task->splits_ = split(task->set_, options.data.validation, options.data.split_seed);
  task->photos_ = task->set_.gallery(task->splits_.train);
  for (size_t i = 0; i < task->photos_.size(); ++i) task->photo_position_[task->photos_[i]] = static_cast<int64_t>(i);
  if (task->photos_.size() < 2 || static_cast<int64_t>(task->splits_.train.size()) < options.batch)
    return fail(Code::invalid, fmt::format("{} sketches of {} photos are left to train on; a batch takes {} sketches, and a triplet two photos", task->splits_.train.size(), task->photos_.size(), options.batch), options.data.path,
                "take a smaller sample.batch or a smaller data.validation");
  if (options.data.validation > 0 && task->splits_.validation.empty()) return fail(Code::invalid, "no photo is held back for validation", options.data.path, "raise data.validation");
  HONE_TRY_ASSIGN(task->encoder_, Encoder::make(options.network, seed));
  std::vector<uint32_t> needed = task->photos_;
  for (uint32_t p : task->set_.gallery(task->splits_.validation)) needed.push_back(p);
  HONE_TRY_ASSIGN(task->cache_, PhotoCache::load(task->set_, needed, task->encoder_.side(), compute.threads));
  if (options.knowledge != Knowledge::none && options.views == TeacherViews::same) {
    HONE_TRY_ASSIGN(TrainedEncoder teacher, open_trained(options.teacher));
    HONE_TRY_ASSIGN(PhotoCache photos, PhotoCache::load(task->set_, task->photos_, teacher.encoder.side(), compute.threads));
    teacher.encoder.params().to(compute.device);
    task->watching_ = WatchingTeacher{std::move(teacher.encoder), std::move(photos)};
  } else if (options.knowledge != Knowledge::none) {
    HONE_TRY(task->remember_teacher(run));
  }
  if (options.knowledge == Knowledge::vectors) {
    // Uniform in +-1/sqrt(inputs), as a linear layer starts.
    Rng rng(derive_seed(seed, kForProjection));
    at::Tensor w = at::empty({task->watching_ ? task->watching_->encoder.dim() : task->teacher_->photos[0].size(1), task->encoder_.dim()});
    const double bound = 1 / std::sqrt(static_cast<double>(w.size(1)));
    for (int64_t i = 0; i < w.numel(); ++i) w.data_ptr<float>()[i] = static_cast<float>(bound * (2 * rng.uniform() - 1));
    HONE_TRY(task->encoder_.params().add(std::string(kProjection), w, false));
  }
  task->encoder_.params().to(compute.device);
  return task;
}

std::vector<DataFacts> SketchTask::data() const { return {facts_of(set_, options_.data, splits_)}; }
std::vector<std::string> SketchTask::notes() const { return notes_of(set_, options_.data, splits_); }

int64_t SketchTask::steps_per_epoch() const { return static_cast<int64_t>(splits_.train.size()) / options_.batch; }

// The teacher looks at every sketch and photo twice, as they are and mirrored, at its own full size.
Status SketchTask::remember_teacher(const std::string& run) {
  TeacherMemory memory;
  const std::string path = run.empty() ? "" : (std::filesystem::path(run) / kTeacherFile).string();
  const auto name = [](const char* what, int mirror) { return fmt::format("{}{}", what, mirror ? ".mirrored" : ""); };
  if (!path.empty() && std::filesystem::exists(path)) {
    HONE_TRY_ASSIGN(const SafeTensors file, read_safetensors(path));
    std::map<std::string, at::Tensor> found;
    for (const auto& [n, t] : file.tensors) {
      HONE_TRY_ASSIGN(at::Tensor tensor, train::to_torch(t));
      found[n] = tensor.clone();
    }
    bool whole = file.metadata.count("teacher") && file.metadata.at("teacher") == options_.teacher;
    for (int m = 0; m < 2; ++m) {
      memory.sketches[m] = found[name("sketches", m)];
      memory.photos[m] = found[name("photos", m)];
      whole = whole && memory.sketches[m].defined() && memory.photos[m].defined() && memory.sketches[m].size(0) == static_cast<int64_t>(splits_.train.size()) &&
              memory.photos[m].size(0) == static_cast<int64_t>(photos_.size());
    }
    if (whole) {
      teacher_ = std::move(memory);
      return {};
    }
  }
  HONE_TRY_ASSIGN(const TrainedEncoder teacher, open_trained(options_.teacher));
  HONE_TRY_ASSIGN(const PhotoCache photos, PhotoCache::load(set_, photos_, teacher.encoder.side(), 2));
  SafeTensors file;
  file.metadata["teacher"] = options_.teacher;
  for (int m = 0; m < 2; ++m) {
    HONE_TRY_ASSIGN(const Embeddings s, embed_sketches(teacher.encoder, teacher.encoder.params(), set_, splits_.train, teacher.encoder.side(), m == 1));
    HONE_TRY_ASSIGN(const Embeddings p, embed_photos(teacher.encoder, teacher.encoder.params(), photos, photos_, m == 1));
    memory.sketches[m] = at::tensor(s.values).view({s.count, s.dim});
    memory.photos[m] = at::tensor(p.values).view({p.count, p.dim});
    for (const auto& [what, tensor] : {std::pair{"sketches", memory.sketches[m]}, std::pair{"photos", memory.photos[m]}}) {
      HONE_TRY_ASSIGN(Tensor t, train::from_torch(tensor));
      file.tensors.emplace_back(name(what, m), std::move(t));
    }
  }
  if (!path.empty()) HONE_TRY(write_safetensors(file, path, true));
  teacher_ = std::move(memory);
  return {};
}

Result<SketchTask::Batch> SketchTask::draw_batch(const Key& key) const {
  const auto [step, micro, micros] = key;
  const int64_t count = static_cast<int64_t>(splits_.train.size()), whole = options_.batch, per_epoch = count / whole;
  if (whole % micros != 0 || whole / micros < 2)
    return fail(Code::usage, fmt::format("a batch of {} sketches cannot be cut into {} parts of two or more", whole, micros), {}, "choose sample.batch as a multiple of train.accumulate x ranks");
  const int64_t n = whole / micros, epoch = step / per_epoch, first = step % per_epoch * whole + micro * n;
  const Shuffle order(static_cast<uint64_t>(count), derive_seed(compute_.seed, kForOrder, static_cast<uint64_t>(epoch)));

  const bool own_negatives = options_.negatives == Negatives::random;
  const int64_t side = encoder_.side();
  Batch b;
  b.mirror.resize(static_cast<size_t>(n));
  std::vector<Sketch> sketches(static_cast<size_t>(n));
  std::vector<PhotoCache::View> views(static_cast<size_t>(own_negatives ? 2 * n : n));
  for (int64_t i = 0; i < n; ++i) {
    const int64_t position = static_cast<int64_t>(order(static_cast<uint64_t>(first + i)));
    const SketchPhotoSet::Item& item = set_.items[splits_.train[static_cast<size_t>(position)]];
    Rng rng(derive_seed(compute_.seed, kForSketch, static_cast<uint64_t>(step), static_cast<uint64_t>(micro * n + i)));
    const int64_t own = photo_position_.at(item.photo);
    int64_t other = static_cast<int64_t>(rng.below(photos_.size() - 1));
    if (other >= own) ++other;  // never the photo itself
    b.item.push_back(position);
    b.photo.push_back(item.photo);
    b.positive.push_back(own);
    b.negative.push_back(other);
    const bool mirror = rng.uniform() < 0.5 && options_.mirror;
    b.mirror[static_cast<size_t>(i)] = mirror;
    const auto view = [&] {
      PhotoCache::View v{mirror};
      v.crop = 1 - rng.uniform() * (1 - options_.photo_crop);
      v.x = rng.uniform();
      v.y = rng.uniform();
      return v;
    };
    views[static_cast<size_t>(i)] = view();
    if (own_negatives) views[static_cast<size_t>(n + i)] = view();
    sketches[static_cast<size_t>(i)] = changed(item.sketch, options_.changes, rng);
  }
  const int64_t pictures = static_cast<int64_t>(views.size());
  const auto fill_photos = [&](const PhotoCache& cache, const InputStyle& style, float* p) {
    for (int64_t i = 0; i < pictures; ++i) {
      const size_t row = static_cast<size_t>(i % n);
      const int64_t which = i < n ? b.positive[row] : b.negative[row];
      cache.fill(photos_[static_cast<size_t>(which)], views[static_cast<size_t>(i)], style, p + i * cache.side() * cache.side() * 3);
    }
  };
  const auto draw_sketches = [&](int64_t canvas, const InputStyle& style, float* p) {
    for (int64_t i = 0; i < n; ++i) draw(sketches[static_cast<size_t>(i)], canvas, b.mirror[static_cast<size_t>(i)], style, p + i * canvas * canvas * 3);
  };
  at::Tensor photos = at::empty({pictures, side, side, 3});
  fill_photos(cache_, options_.network.style, photos.data_ptr<float>());
  b.photos = photos.permute({0, 3, 1, 2});
  for (int64_t c : options_.network.canvases) {
    at::Tensor drawn = at::empty({n, c, c, 3});
    draw_sketches(c, options_.network.style, drawn.data_ptr<float>());
    b.sketches.push_back(drawn.permute({0, 3, 1, 2}));
  }
  if (watching_) {
    const int64_t own = watching_->encoder.side();
    const InputStyle& style = watching_->encoder.options().style;
    at::Tensor both = at::empty({pictures + n, own, own, 3});
    fill_photos(watching_->cache, style, both.data_ptr<float>());
    draw_sketches(own, style, both.data_ptr<float>() + pictures * own * own * 3);
    b.teacher_pictures = both.permute({0, 3, 1, 2});
  }
  return b;
}

Result<SketchTask::Taught> SketchTask::teach(const Batch& b) const {
  const int64_t n = static_cast<int64_t>(b.item.size());
  const bool own_negatives = options_.negatives == Negatives::random;
  if (watching_) {
    const torch::autograd::AutoGradMode no_grad(false);
    const Encoder& e = watching_->encoder;
    HONE_TRY_ASSIGN(const at::Tensor all, e.embed(b.teacher_pictures.to(compute_.device), e.side(), e.params(), {.compute = compute_.type}));
    return Taught{all.narrow(0, all.size(0) - n, n), all.narrow(0, 0, n), own_negatives ? all.narrow(0, n, n) : at::Tensor()};
  }
  const auto rows = [&](const at::Tensor (&memory)[2], const std::vector<int64_t>& which) {
    std::vector<at::Tensor> out;
    for (size_t i = 0; i < which.size(); ++i) out.push_back(memory[b.mirror[i] ? 1 : 0][which[i]]);
    return at::stack(out).to(compute_.device);
  };
  return Taught{rows(teacher_->sketches, b.item), rows(teacher_->photos, b.positive), own_negatives ? rows(teacher_->photos, b.negative) : at::Tensor()};
}

// Loss of what the teacher knows, for rows of sketches, positives and (where rows have their own) negatives.
at::Tensor SketchTask::knowledge(const at::Tensor& s, const at::Tensor& p, const at::Tensor& n, const Taught& taught, const Batch& b) const {
  const at::Tensor& ts = taught.sketches;
  const at::Tensor& tp = taught.photos;
  switch (options_.knowledge) {
    case Knowledge::none: break;
    case Knowledge::vectors: {
      const at::Tensor w = encoder_.params().find(std::string(kProjection))->tensor;
      return options_.vector_weight * (vector_regression(s, ts, w) + vector_regression(p, tp, w));
    }
    case Knowledge::rkd: {
      const at::Tensor student = at::cat({s, p}), teacher = at::cat({ts, tp});
      return options_.distance_weight * rkd_distance(student, teacher, options_.huber_delta) + options_.angle_weight * rkd_angle(student, teacher, options_.huber_delta);
    }
    case Knowledge::similarities: return similarity_loss(s, p, ts, tp, options_.knowledge_temperature);
    case Knowledge::relations: {
      if (all_pairs()) {
        // All pairs of the batch: every sketch to every photo, every photo to every other.
        at::Tensor sp = cross_distance(s, p), tsp = cross_distance(ts, tp), pp = cross_distance(p, p), tpp = cross_distance(tp, tp);
        if (options_.normalise_by_mean) sp = sp / sp.mean(), tsp = tsp / tsp.mean(), pp = pp / pp.mean(), tpp = tpp / tpp.mean();
        return 2 * huber(sp, tsp, options_.huber_delta) + huber(pp, tpp, options_.huber_delta);
      }
      const at::Tensor tn = taught.negatives.defined() ? taught.negatives : tp.index_select(0, at::tensor(b.negative).to(compute_.device));
      return relational_loss(relations(s, p, n), relations(ts, tp, tn), options_.huber_delta, options_.normalise_by_mean);
    }
  }
  return at::zeros({}, at::TensorOptions(compute_.device));
}

Result<train::Losses> SketchTask::forward(int64_t step, int64_t micro, int64_t micros) {
  const Key key{step, micro, micros};
  if (next_.valid() && next_key_ != key) next_.wait();
  Result<Batch> drawn = next_.valid() && next_key_ == key ? next_.get() : draw_batch(key);
  if (!drawn) return fail(std::move(drawn).error());
  Batch b = std::move(*drawn);
  if (micros == 1) {
    next_key_ = {step + 1, 0, 1};
    next_ = std::async(std::launch::async, [this, next = next_key_] { return draw_batch(next); });
  }

  train::RunOptions how;
  how.training = true;
  how.batch_norm = options_.freeze_norms ? train::BatchNorm::eval : train::BatchNorm::train;
  how.compute = compute_.type;
  how.generator = train::step_generator(compute_, step, micro);
  const int64_t n = static_cast<int64_t>(b.item.size());
  // Photos and the sketches of their size go through together: BatchNorm sees the mixture that its running statistics describe.
  HONE_TRY_ASSIGN(const at::Tensor full, encoder_.embed(at::cat({b.photos, b.sketches.back()}).to(compute_.device), encoder_.side(), encoder_.params(), how));
  const at::Tensor photos = full.narrow(0, 0, b.photos.size(0)), p = photos.narrow(0, 0, n);
  at::Tensor same = at::empty({n, n}, at::kBool);  // photos of one object are no negatives of each other
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) same.data_ptr<bool>()[i * n + j] = b.photo[static_cast<size_t>(i)] == b.photo[static_cast<size_t>(j)];
  same = same.to(compute_.device);

  Taught from_teacher;
  if (taught()) {
    HONE_TRY_ASSIGN(from_teacher, teach(b));
  }
  const at::TensorOptions device = at::TensorOptions(compute_.device);
  at::Tensor triplets = at::zeros({}, device), learned = at::zeros({}, device);
  const auto& canvases = options_.network.canvases;
  for (size_t c = 0; c < canvases.size(); ++c) {
    at::Tensor s = full.narrow(0, b.photos.size(0), n);
    if (c + 1 < canvases.size()) {
      HONE_TRY_ASSIGN(s, encoder_.embed(b.sketches[c].to(compute_.device), canvases[c], encoder_.params(), how));
    }
    at::Tensor negative;
    if (options_.negatives == Negatives::random) {
      negative = photos.narrow(0, n, n);
    } else if (!all_pairs()) {
      for (int64_t i = 0; i < n; ++i) b.negative[static_cast<size_t>(i)] = i;
      if (options_.negatives == Negatives::batch_hard) {
        const at::Tensor far = cross_distance(s.detach(), p.detach()).masked_fill(same, 1e9);
        const at::Tensor nearest = far.argmin(1).cpu();
        for (int64_t i = 0; i < n; ++i) b.negative[static_cast<size_t>(i)] = nearest[i].item<int64_t>();
      } else {
        Rng rng(derive_seed(compute_.seed, kForNegatives, static_cast<uint64_t>(step), static_cast<uint64_t>(micro)));  // the same negatives at every canvas
        for (int64_t i = 0; i < n; ++i)
          for (int64_t tries = 0; tries < 8 * n && b.photo[static_cast<size_t>(b.negative[static_cast<size_t>(i)])] == b.photo[static_cast<size_t>(i)]; ++tries)
            b.negative[static_cast<size_t>(i)] = static_cast<int64_t>(rng.below(static_cast<uint64_t>(n)));
      }
      negative = p.index_select(0, at::tensor(b.negative).to(compute_.device));
    }
    if (options_.negatives == Negatives::softmax) {
      triplets = triplets + at::cross_entropy_loss(similarities(s, p, same, options_.temperature), at::arange(n, device.dtype(at::kLong)));
    } else if (options_.negatives == Negatives::batch_all) {
      const at::Tensor d = cross_distance(s, p);
      const at::Tensor hinge = (d.diagonal().unsqueeze(1) - d + options_.margin).clamp_min(0).masked_fill(same, 0);
      triplets = triplets + hinge.sum() / (hinge.detach() > 0).sum().clamp_min(1);
    } else {
      triplets = triplets + triplet_loss(pair_distance(s, p), pair_distance(s, negative), options_.margin);
    }
    if (taught()) learned = learned + knowledge(s, p, negative, from_teacher, b);
  }
  const double share = 1.0 / static_cast<double>(canvases.size());
  train::Losses losses;
  triplets = triplets * share;
  losses.total = triplets;
  losses.parts = {{options_.negatives == Negatives::softmax ? "softmax" : "triplet", triplets.detach()}};
  if (taught()) {
    learned = learned * share;
    losses.total = options_.lambda * triplets + (1 - options_.lambda) * learned;
    losses.parts.emplace_back("knowledge", learned.detach());
  }
  return losses;
}

Result<train::Metrics> SketchTask::validate(const train::Params& params) {
  const std::vector<uint32_t> gallery = set_.gallery(splits_.validation);
  std::map<uint32_t, uint32_t> position;
  for (size_t i = 0; i < gallery.size(); ++i) position[gallery[i]] = static_cast<uint32_t>(i);
  std::vector<uint32_t> truth;
  for (uint32_t i : splits_.validation) truth.push_back(position.at(set_.items[i].photo));
  HONE_TRY_ASSIGN(const Embeddings photos, embed_photos(encoder_, params, cache_, gallery));
  train::Metrics out;
  double mrr = 0;
  const auto& canvases = options_.network.canvases;
  for (int64_t c : canvases) {
    HONE_TRY_ASSIGN(const Embeddings queries, embed_sketches(encoder_, params, set_, splits_.validation, c));
    HONE_TRY_ASSIGN(const std::vector<int64_t> r, ranks(queries, photos, truth));
    mrr += mean_reciprocal_rank(r) / static_cast<double>(canvases.size());
    const std::string suffix = c == canvases.back() ? "" : fmt::format("@{}", c);
    out.emplace_back("acc1" + suffix, acc_at(r, 1));
    if (c == canvases.back()) {
      out.emplace_back("acc5", acc_at(r, 5));
      out.emplace_back("acc10", acc_at(r, 10));
    }
  }
  out.emplace_back("mrr", mrr);  // over all canvases: what the student is for, and smoother than Acc@1 on few queries
  return out;
}

}  // namespace hone::methods
