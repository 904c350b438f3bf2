#include "train/classify.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>

#include "data/shuffle.h"
#include "formats/checkpoint.h"
#include "ir/infer.h"
#include "train/classify_data.h"
#include "zoo/catalog.h"

namespace hone::train {

namespace {

struct Options {
  Compute compute;
  std::string network, weights;
  int64_t resolution = 0;
  std::vector<std::string> freeze;

  std::string kind, path, train_split, val_split;
  int64_t classes = 10, train_size = 0, val_size = 0, side = 32;   // of drawn patterns
  int64_t batch = 32, val_batch = 64, workers = 2;
  Transform augment, evaluate;   // sizes are set when the network is known

  double label_smoothing = 0, mixup = 0, cutmix = 0;
  double bn_momentum = 0.1;
  bool bn_freeze = false;
  int64_t bn_recalibrate = 0;
};

Options read_options(Recipe& r, const Compute& compute) {
  Options o;
  o.compute = compute;
  o.network = r.text("network.name", "timm/resnet18", "a network as in hone profile: name, .onnx, arch.toml or .hone");
  o.resolution = r.integer("network.resolution", 0, "side of its input; 0: the network's own", 0, 4096);
  o.weights = r.text("network.weights", "", "a checkpoint to start from (.safetensors or .pth); empty: fresh weights");
  o.freeze = r.texts("network.freeze", {}, "patterns of parameters that are not trained");
  o.kind = r.text("data.kind", "folder", "folder: class folders in a directory, zip or tar; patterns: drawn gratings", {"folder", "patterns"});
  if (o.kind == "folder") {
    o.path = r.text("data.path", "", "the directory or archive");
    o.train_split = r.text("data.train", "train", "its split to train on");
    o.val_split = r.text("data.val", "val", "its split to validate on");
  } else {
    o.classes = r.integer("data.classes", 10, "kinds of gratings", 2, 1000);
    o.train_size = r.integer("data.train_size", 2000, "pictures to train on", 1, 1 << 24);
    o.val_size = r.integer("data.val_size", 500, "pictures to validate on", 1, 1 << 24);
    o.side = r.integer("data.side", 32, "their side in pixels", 8, 1024);
  }
  o.batch = r.integer("data.batch", 32, "images of an optimiser step, over all micro-batches and ranks", 1, 1 << 20);
  o.val_batch = r.integer("data.val_batch", 64, "images at once in validation", 1, 1 << 16);
  o.workers = r.integer("data.workers", 2, "threads that decode; their number changes no result", 1, 256);
  Normalise normalise;
  const auto triple = [&](const char* key, std::array<float, 3>& value, const char* about) {
    const auto decimal = [](float v) { return std::round(static_cast<double>(v) * 1e6) / 1e6; };  // 0.485, not the float beside it
    const std::vector<double> given = r.reals(key, {decimal(value[0]), decimal(value[1]), decimal(value[2])}, about);
    for (size_t i = 0; i < std::min<size_t>(3, given.size()); ++i) value[i] = static_cast<float>(given[i]);
  };
  triple("data.mean", normalise.mean, "red, green, blue; subtracted from values in [0, 1]");
  triple("data.std", normalise.std, "then divided by");
  Transform& t = o.augment;
  const std::string crop = r.text("augment.crop", o.kind == "folder" ? "random_resized" : "padded", "how a picture becomes the network's size", {"random_resized", "padded", "centre", "stretch"});
  t.crop = crop == "padded" ? Crop::padded : crop == "centre" ? Crop::centre : crop == "stretch" ? Crop::stretch : Crop::random_resized;
  t.min_area = r.real("augment.min_area", 0.08, "random_resized: smallest share of the picture", 0.001, 1);
  t.padding = static_cast<int>(r.integer("augment.padding", 4, "padded: pixels at either side", 0, 1024));
  t.flip = r.real("augment.flip", 0.5, "probability of exchanging left and right", 0, 1);
  t.brightness = r.real("augment.brightness", 0, "colour jitter: factor in 1 +- value", 0, 1);
  t.contrast = r.real("augment.contrast", 0, "likewise", 0, 1);
  t.saturation = r.real("augment.saturation", 0, "likewise", 0, 1);
  t.hue = r.real("augment.hue", 0, "turn in +- value", 0, 0.5);
  t.rand_augment.operations = static_cast<int>(r.integer("augment.rand_augment", 0, "operations of RandAugment; 0: off", 0, 16));
  t.rand_augment.magnitude = r.real("augment.magnitude", 9, "of RandAugment, 0 to 30", 0, 30);
  t.erase = r.real("augment.erase", 0, "probability of an erased rectangle", 0, 1);
  t.normalise = o.evaluate.normalise = normalise;
  o.label_smoothing = r.real("loss.label_smoothing", 0, "share of the target spread over all classes", 0, 1);
  o.mixup = r.real("loss.mixup", 0, "alpha of mixup; 0: off", 0);
  o.cutmix = r.real("loss.cutmix", 0, "alpha of cutmix; 0: off; with mixup, each step draws one of them", 0);
  o.bn_momentum = r.real("batch_norm.momentum", 0.1, "share of a batch in the running statistics", 0, 1);
  o.bn_freeze = r.flag("batch_norm.freeze", false, "normalise by the running statistics in training too, and leave them");
  o.bn_recalibrate = r.integer("batch_norm.recalibrate", 0, "batches that the statistics are measured anew with before validation; 0: off", 0);
  return o;
}

class Classify : public Task {
 public:
  static Result<std::unique_ptr<Task>> make(const Options& o) {
    auto task = std::make_unique<Classify>(o);
    if (o.kind == "folder") {
      if (o.path.empty()) return fail(Code::usage, "data.path is empty: no images to train on", "recipe", "--set data.path=DIRECTORY, or --set data.kind=patterns");
      HONE_TRY_ASSIGN(task->set_, labelled_folder(o.path, o.train_split, o.val_split));
    } else {
      task->set_ = drawn_patterns(o.classes, o.train_size, o.val_size, static_cast<int>(o.side));
    }
    if (task->train_size() < o.batch) return fail(Code::usage, fmt::format("{} images are less than one batch of {}", task->train_size(), o.batch), o.path, "--set data.batch=N");
    HONE_TRY(task->open_network());
    return std::unique_ptr<Task>(std::move(task));
  }

  explicit Classify(const Options& o) : o_(o) {}

  Params& params() override { return params_; }
  int64_t steps_per_epoch() const override { return train_size() / o_.batch; }
  int64_t samples_per_step() const override { return o_.batch; }
  std::string watched() const override { return "top1"; }
  std::vector<DataFacts> data() const override { return {set_.facts}; }
  std::vector<std::string> notes() const override { return notes_; }

  Result<Losses> forward(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
    HONE_TRY_ASSIGN(Batch batch, next_batch(step, micro, micros));
    const at::Device device = o_.compute.device;
    at::Tensor images = batch.images.to(device), labels = batch.labels.to(device), targets = labels;
    at::Generator generator = step_generator(o_.compute, step, micro);
    if (o_.mixup > 0 || o_.cutmix > 0) targets = mix(images, labels, step, micro);
    RunOptions run;
    run.training = true;
    run.batch_norm = o_.bn_freeze ? BatchNorm::eval : BatchNorm::train;
    run.batch_norm_momentum = o_.bn_momentum;
    run.generator = generator;
    run.compute = o_.compute.type;
    HONE_TRY_ASSIGN(const at::Tensor logits, run_network(params_, images, run));
    at::Tensor loss = at::cross_entropy_loss(logits.to(at::kFloat), targets, {}, at::Reduction::Mean, -100, o_.label_smoothing);
    return Losses{loss, {{"top1", logits.detach().argmax(1).eq(labels).to(at::kFloat).mean()}}};
  }

  Result<Metrics> validate(const Params& params) override {
    at::NoGradGuard no_grad;
    const LabelledImages& val = set_.val;
    const auto size = static_cast<int64_t>(val.labels.size());
    double loss = 0, top1 = 0, top5 = 0;
    RunOptions run;
    run.compute = o_.compute.type;
    for (int64_t from = 0; from < size; from += o_.val_batch) {
      const int64_t n = std::min(o_.val_batch, size - from);
      std::vector<int64_t> indices(static_cast<size_t>(o_.val_batch));  // the last batch is filled up: one program serves all
      for (int64_t i = 0; i < o_.val_batch; ++i) indices[static_cast<size_t>(i)] = std::min(from + i, size - 1);
      HONE_TRY_ASSIGN(const Batch batch, load_batch(val, indices, o_.evaluate, 0, 0, 0, static_cast<int>(o_.workers)));
      HONE_TRY_ASSIGN(at::Tensor logits, run_network(params, batch.images.to(o_.compute.device), run));
      logits = logits.to(at::kFloat).narrow(0, 0, n);
      const at::Tensor labels = batch.labels.to(o_.compute.device).narrow(0, 0, n);
      loss += at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
      const at::Tensor best = std::get<1>(logits.topk(std::min<int64_t>(5, logits.size(1)), 1)).eq(labels.unsqueeze(1));
      top1 += best.select(1, 0).sum().item<double>();
      top5 += best.any(1).sum().item<double>();
    }
    const auto n = static_cast<double>(size);
    return Metrics{{"top1", top1 / n}, {"top5", top5 / n}, {"loss", loss / n}};
  }

  // The mean of the statistics of some training batches, with the parameters that are validated.
  Status prepare(Params& averaged) override {
    if (o_.bn_recalibrate == 0) return {};
    at::NoGradGuard no_grad;
    const int64_t batches = std::min(o_.bn_recalibrate, steps_per_epoch());
    for (int64_t b = 0; b < batches; ++b) {
      HONE_TRY_ASSIGN(const Batch batch, batch_of(b, 0, 1));
      RunOptions run;
      run.batch_norm = BatchNorm::train;
      run.batch_norm_momentum = 1.0 / static_cast<double>(b + 1);
      run.compute = o_.compute.type;
      HONE_TRY(run_network(averaged, batch.images.to(o_.compute.device), run));
    }
    return {};
  }

 private:
  int64_t train_size() const { return static_cast<int64_t>(set_.train.labels.size()); }

  Status open_network() {
    const auto classes = static_cast<int64_t>(set_.classes.size());
    const std::string name = o_.resolution > 0 ? fmt::format("{}@{}", o_.network, o_.resolution) : o_.network;
    HONE_TRY_ASSIGN(Network network, hone::open_network(name));
    if (network.arch) {
      network.arch->head.classes = classes;
      HONE_TRY_ASSIGN(network.graph, build(*network.arch));
    }
    graph_ = std::move(network.graph);
    if (graph_.inputs.size() != 1) return fail(Code::unsupported, fmt::format("has {} inputs, a classifier of images has one", graph_.inputs.size()), name);
    HONE_TRY(program_for(1));
    const Graph& typed = typed_.at(1);
    const Shape &in = typed.value(typed.inputs[0]).type.shape, &out = typed.value(typed.outputs[0]).type.shape;
    if (in.size() != 4 || in[1] != 3 || in[2] != in[3]) return fail(Code::unsupported, fmt::format("takes {}, expected square RGB images", to_string(in)), name);
    if (out.size() != 2 || out[1] != classes) return fail(Code::invalid, fmt::format("gives {}, the data have {} classes", to_string(out), classes), name);
    const int side = static_cast<int>(in[2]);
    for (Transform* t : {&o_.augment, &o_.evaluate}) t->width = t->height = side;
    // Drawn patterns have the size that was asked for: nothing is cut off.
    if (o_.kind == "patterns") o_.evaluate.crop = Crop::stretch;
    o_.evaluate.resize = side * 8 / 7;
    for (const Transform* t : {&o_.augment, &o_.evaluate}) HONE_TRY(check(*t));
    HONE_TRY_ASSIGN(params_, Params::of(typed, o_.compute.seed));
    if (!o_.weights.empty()) {
      HONE_TRY_ASSIGN(NamedTensors tensors, hone::read_checkpoint(o_.weights));
      HONE_TRY_ASSIGN(const auto report, params_.load(typed, std::move(tensors), /*strict=*/false, /*resize=*/true));
      if (report.loaded.empty()) return fail(Code::invalid, "nothing of the checkpoint fits the network: " + report.text(), o_.weights);
      notes_.push_back(o_.weights + ": " + report.text());
    }
    for (const std::string& pattern : o_.freeze)
      if (params_.set_trainable(pattern, false) == 0) return fail(Code::usage, fmt::format("no parameter matches '{}'", pattern), "network.freeze", "hone zoo NET --tensors lists the names");
    params_.to(o_.compute.device);
    for (const std::string& note : set_.notes) notes_.push_back(note);
    return {};
  }

  // Programs are compiled for a batch size: reshapes of a zoo network state theirs.
  Result<const Program*> program_for(int64_t batch) {
    const auto found = programs_.find(batch);
    if (found != programs_.end()) return &found->second;
    Bindings bindings;
    bindings.batch = batch;
    if (const int64_t res = o_.resolution; res > 0) bindings.inputs[""] = {batch, 3, res, res};
    HONE_TRY_ASSIGN(Inferred inferred, infer(graph_, bindings));
    HONE_TRY_ASSIGN(Program program, Program::compile(inferred.graph));
    typed_.emplace(batch, std::move(inferred.graph));
    return &programs_.emplace(batch, std::move(program)).first->second;
  }

  Result<at::Tensor> run_network(const Params& params, const at::Tensor& images, const RunOptions& run) {
    HONE_TRY_ASSIGN(const Program* program, program_for(images.size(0)));
    HONE_TRY_ASSIGN(const auto state, params.bind(*program));
    HONE_TRY_ASSIGN(const auto out, program->run({images}, state, run));
    return out[0];
  }

  Result<Batch> batch_of(int64_t step, int64_t micro, int64_t micros) const {
    const int64_t epoch = step / steps_per_epoch(), size = o_.batch / micros, first = micro * size;
    const Shuffle order(static_cast<uint64_t>(train_size()), derive_seed(o_.compute.seed, static_cast<uint64_t>(epoch)));
    std::vector<int64_t> indices(static_cast<size_t>(size));
    for (int64_t i = 0; i < size; ++i) indices[static_cast<size_t>(i)] = static_cast<int64_t>(order(static_cast<uint64_t>((step % steps_per_epoch()) * o_.batch + first + i)));
    return load_batch(set_.train, indices, o_.augment, o_.compute.seed, step, first, static_cast<int>(o_.workers));
  }

  // Loads while the network computes: after each batch, the one that the next call will ask for. A wrong guess (other
  // ranks' strides at first, or a roll-back) costs one load.
  Result<Batch> next_batch(int64_t step, int64_t micro, int64_t micros) {
    const Wish now{step, micro, micros};
    Result<Batch> batch = ahead_.valid() ? ahead_.get() : batch_of(step, micro, micros);
    if (ahead_wish_ != now) batch = batch_of(step, micro, micros);
    if (last_.step == step && micro > last_.micro) stride_ = micro - last_.micro;
    if (last_.step != step) first_ = micro;
    last_ = now;
    ahead_wish_ = micro + stride_ < micros ? Wish{step, micro + stride_, micros} : Wish{step + 1, first_, micros};
    ahead_ = std::async(std::launch::async, [this, w = ahead_wish_] { return batch_of(w.step, w.micro, w.micros); });
    return batch;
  }

  // mixup (Zhang et al. 2018) or cutmix (Yun et al. 2019) with the micro-batch in reverse order; targets become shares.
  at::Tensor mix(at::Tensor& images, const at::Tensor& labels, int64_t step, int64_t micro) const {
    at::NoGradGuard no_grad;
    Compute here = o_.compute;
    here.device = at::kCPU;
    at::Generator generator = step_generator(here, step, micro + (int64_t{1} << 40));
    const auto number = [&] { return at::rand({1}, generator).item<double>(); };
    const bool cut = o_.cutmix > 0 && (o_.mixup <= 0 || number() < 0.5);
    const at::Tensor alpha = at::full({2}, cut ? o_.cutmix : o_.mixup, at::kDouble);
    const at::Tensor gammas = at::_standard_gamma(alpha, generator);  // Beta(a, a) from two Gamma(a)
    double share = gammas[0].item<double>() / std::max(1e-30, gammas.sum().item<double>());
    const at::Tensor other = images.flip(0);
    if (cut) {
      const int64_t h = images.size(2), w = images.size(3);
      const double side = std::sqrt(1 - share), cy = number() * static_cast<double>(h), cx = number() * static_cast<double>(w);
      const auto edge = [](double at, int64_t size) { return std::clamp<int64_t>(std::llround(at), 0, size); };
      const int64_t y0 = edge(cy - side * static_cast<double>(h) / 2, h), y1 = edge(cy + side * static_cast<double>(h) / 2, h), x0 = edge(cx - side * static_cast<double>(w) / 2, w),
                    x1 = edge(cx + side * static_cast<double>(w) / 2, w);
      images.slice(2, y0, y1).slice(3, x0, x1).copy_(other.slice(2, y0, y1).slice(3, x0, x1));
      share = 1 - static_cast<double>((y1 - y0) * (x1 - x0)) / static_cast<double>(h * w);
    } else {
      images = images * share + other * (1 - share);
    }
    const at::Tensor hot = at::one_hot(labels, static_cast<int64_t>(set_.classes.size())).to(at::kFloat);
    return hot * share + hot.flip(0) * (1 - share);
  }

  struct Wish {
    int64_t step = -1, micro = 0, micros = 1;
    bool operator==(const Wish&) const = default;
  };

  Options o_;
  LabelledSet set_;
  Graph graph_;
  Params params_;
  int64_t stride_ = 1, first_ = 0;
  std::map<int64_t, Program> programs_;
  std::map<int64_t, Graph> typed_;
  std::vector<std::string> notes_;
  Wish last_, ahead_wish_;
  std::future<Result<Batch>> ahead_;   // last: it uses the members above, and is waited for first
};

}  // namespace

Result<MakeTask> read_classify(Recipe& recipe, const Compute& compute) {
  const Options options = read_options(recipe, compute);
  return MakeTask([options](RunDir&) { return Classify::make(options); });
}

}  // namespace hone::train
