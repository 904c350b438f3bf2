#include "methods/skip/source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "data/shuffle.h"
#include "methods/distil/losses.h"

namespace hone::methods {

namespace {

class ImageSource final : public ExampleSource {
 public:
  ImageSource(train::PictureOptions options, int64_t resolution, train::LabelledSet set, std::vector<int64_t> learnt, std::vector<int64_t> held, uint64_t seed)
      : o_(std::move(options)), resolution_(resolution), seed_(seed), set_(std::move(set)), learnt_(std::move(learnt)), held_(std::move(held)) {}

  Status shape(Arch& arch) const override {
    arch.head.classes = static_cast<int64_t>(set_.classes.size());
    return {};
  }
  Bindings bindings(int64_t batch) const override { return picture_bindings(batch, resolution_); }
  Status fit(const Graph& g) override {
    const auto classes = static_cast<int64_t>(set_.classes.size());
    HONE_TRY_ASSIGN(const int64_t side, picture_side(g));
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != classes) return fail(Code::invalid, fmt::format("gives {}, the data have {} classes", to_string(out), classes), g.name);
    HONE_TRY(train::set_side(o_, static_cast<int>(side)));
    batches_ = std::make_unique<train::TrainingBatches>(set_.train, o_, seed_, learnt_);
    return {};
  }
  int64_t steps_per_epoch() const override { return static_cast<int64_t>(learnt_.size()) / o_.batch; }
  int64_t batch() const override { return o_.batch; }
  int64_t val_batch() const override { return o_.val_batch; }
  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override { return of(batches_->next(step, micro, micros)); }
  Result<int64_t> size(const std::string& split) override {
    if (split == "held") return static_cast<int64_t>(held_.size());
    HONE_TRY_ASSIGN(const train::LabelledImages* images, images_of(split));
    return static_cast<int64_t>(images->labels.size());
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    std::vector<int64_t> indices(static_cast<size_t>(count));
    const bool held = split == "held";
    HONE_TRY_ASSIGN(const train::LabelledImages* images, held ? Result<const train::LabelledImages*>(&set_.train) : images_of(split));
    const auto n = static_cast<int64_t>(held ? held_.size() : images->labels.size());
    for (int64_t i = 0; i < count; ++i) indices[static_cast<size_t>(i)] = held ? held_[static_cast<size_t>((first + i) % n)] : std::min(first + i, n - 1);
    return of(load_batch(*images, indices, o_.evaluate, 0, 0, 0, static_cast<int>(o_.workers)));
  }
  Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const train::LabelledImages* images, images_of(split));
    int64_t right = 0;
    for (size_t i = 0; i < chosen.size(); ++i) right += images->labels[i] == chosen[i];
    return train::Metrics{{"accuracy", static_cast<double>(right) / static_cast<double>(chosen.size())}};
  }
  DataFacts facts() const override { return set_.facts; }
  std::vector<std::string> notes() const override { return set_.notes; }

 private:
  // The validation split, or another one of the folder, opened when it is asked for.
  Result<const train::LabelledImages*> images_of(const std::string& split) {
    if (split == "validation" || split == o_.val_split) return &set_.val;
    auto found = others_.find(split);
    if (found == others_.end()) {
      train::PictureOptions o = o_;
      o.val_split = split;
      HONE_TRY_ASSIGN(train::LabelledSet set, train::open_pictures(o));
      found = others_.emplace(split, std::move(set)).first;
    }
    return &found->second.val;
  }
  static Result<Examples> of(Result<train::Batch> batch) {
    if (!batch) return fail(std::move(batch).error());
    return Examples{{batch->images}, batch->labels};
  }
  train::PictureOptions o_;
  int64_t resolution_;
  uint64_t seed_;
  train::LabelledSet set_;
  std::map<std::string, train::LabelledSet> others_;
  std::vector<int64_t> learnt_, held_;   // indices into the training split
  std::unique_ptr<train::TrainingBatches> batches_;   // last: it loads ahead from the members above
};

}  // namespace

Result<std::unique_ptr<ExampleSource>> image_source(train::PictureOptions options, int64_t resolution, double held, uint64_t seed) {
  HONE_TRY_ASSIGN(train::LabelledSet set, train::open_pictures(options));
  // The same examples are kept for every seed, so that they stay unseen in the training after a search.
  const auto all = static_cast<int64_t>(set.train.labels.size()), kept = std::max<int64_t>(1, std::llround(held * static_cast<double>(all)));
  if (all - kept < options.batch)
    return fail(Code::usage, fmt::format("{} of {} images are kept for rewards, the rest is less than one batch of {}", kept, all, options.batch), options.path, "--set data.batch=N");
  const Shuffle order(static_cast<uint64_t>(all), 0x686f6c64);
  std::vector<int64_t> places(static_cast<size_t>(all));
  for (int64_t i = 0; i < all; ++i) places[static_cast<size_t>(i)] = static_cast<int64_t>(order(static_cast<uint64_t>(i)));
  const std::vector<int64_t> away(places.begin(), places.begin() + kept), learnt(places.begin() + kept, places.end());
  return std::unique_ptr<ExampleSource>(std::make_unique<ImageSource>(std::move(options), resolution, std::move(set), learnt, away, seed));
}

Bindings picture_bindings(int64_t batch, int64_t side) {
  Bindings b;
  b.batch = batch;
  if (side > 0) b.inputs[""] = {batch, 3, side, side};
  return b;
}

Result<int64_t> picture_side(const Graph& g) {
  if (g.inputs.size() != 1) return fail(Code::unsupported, fmt::format("has {} inputs, a network of pictures alone has one", g.inputs.size()), g.name);
  const Shape& in = g.value(g.inputs[0]).type.shape;
  if (in.size() != 4 || in[1] != 3 || in[2] != in[3]) return fail(Code::unsupported, fmt::format("takes {}, expected square RGB images", to_string(in)), g.name);
  return in[2];
}

at::Tensor logits_of(const at::Tensor& output, const Examples& e) {
  if (!e.same.defined()) return e.choices > 1 ? output.view({-1, e.choices}) : output;
  const int64_t n = output.size(0) / 2;
  return similarities(output.narrow(0, 0, n), output.narrow(0, n, n), e.same, e.temperature);
}

at::Tensor loss_of(const at::Tensor& logits, const at::Tensor& targets, double label_smoothing) {
  if (targets.scalar_type() == at::kLong) return at::cross_entropy_loss(logits, targets, {}, at::Reduction::Mean, -100, label_smoothing);
  return at::binary_cross_entropy_with_logits(logits, targets) * static_cast<double>(targets.size(1));
}

at::Tensor scores_of(const at::Tensor& logits, const at::Tensor& targets) {
  const at::Tensor best = logits.argmax(1);
  if (targets.scalar_type() == at::kLong) return best.eq(targets).to(at::kFloat);
  return targets.gather(1, best.unsqueeze(1)).squeeze(1);
}

}  // namespace hone::methods
