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
#include "train/pictures.h"
#include "zoo/catalog.h"

namespace hone::train {

namespace {

struct Options {
  Compute compute;
  std::string network, weights;
  int64_t resolution = 0;
  std::vector<std::string> freeze;

  PictureOptions pictures;
  double label_smoothing = 0;
  double bn_momentum = 0.1;
  bool bn_freeze = false;
  int64_t bn_recalibrate = 0;
};

Options read_options(Recipe& r, const Compute& compute) {
  Options o;
  o.compute = compute;
  o.network = r.text("network.name", "timm/resnet18", "a network as in hone profile: name, .onnx, arch.toml or .hone; or RUN:ARCH, a member of a supernet with its weights");
  o.resolution = r.integer("network.resolution", 0, "side of its input; 0: the network's own", 0, 4096);
  o.weights = r.text("network.weights", "", "a checkpoint to start from (.safetensors or .pth); empty: fresh weights");
  o.freeze = r.texts("network.freeze", {}, "patterns of parameters that are not trained");
  o.pictures = read_pictures(r);
  o.label_smoothing = r.real("loss.label_smoothing", 0, "share of the target spread over all classes", 0, 1);
  read_mixing(r, o.pictures);
  o.bn_momentum = r.real("batch_norm.momentum", 0.1, "share of a batch in the running statistics", 0, 1);
  o.bn_freeze = r.flag("batch_norm.freeze", false, "normalise by the running statistics in training too, and leave them");
  o.bn_recalibrate = r.integer("batch_norm.recalibrate", 0, "batches that the statistics are measured anew with before validation; 0: off", 0);
  return o;
}

class Classify : public Task {
 public:
  static Result<std::unique_ptr<Task>> make(Options o, FindStart find_start, const RunDir& run) {
    if (find_start) {
      HONE_TRY_ASSIGN(const std::optional<Start> start, find_start(o.network, o.resolution, run));
      if (start) {
        o.network = start->network;
        o.resolution = 0;   // the file's
        if (o.weights.empty()) o.weights = start->weights;
      }
    }
    auto task = std::make_unique<Classify>(o);
    HONE_TRY_ASSIGN(task->set_, open_pictures(o.pictures));
    if (task->train_size() < o.pictures.batch) return fail(Code::usage, fmt::format("{} images are less than one batch of {}", task->train_size(), o.pictures.batch), o.pictures.path, "--set data.batch=N");
    HONE_TRY(task->open_network());
    return std::unique_ptr<Task>(std::move(task));
  }

  explicit Classify(const Options& o) : o_(o) {}

  Params& params() override { return params_; }
  int64_t steps_per_epoch() const override { return train_size() / o_.pictures.batch; }
  int64_t samples_per_step() const override { return o_.pictures.batch; }
  std::string watched() const override { return "top1"; }
  std::vector<DataFacts> data() const override { return {set_.facts}; }
  std::vector<std::string> notes() const override { return notes_; }

  Result<Losses> forward(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.pictures.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.pictures.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
    HONE_TRY_ASSIGN(Batch batch, batches_.next(step, micro, micros));
    const at::Device device = o_.compute.device;
    at::Tensor images = batch.images.to(device), labels = batch.labels.to(device), targets = labels;
    at::Generator generator = step_generator(o_.compute, step, micro);
    if (o_.pictures.mixup > 0 || o_.pictures.cutmix > 0) targets = mix(images, labels, static_cast<int64_t>(set_.classes.size()), o_.pictures, o_.compute, step, micro);
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
    for (int64_t from = 0; from < size; from += o_.pictures.val_batch) {
      const int64_t n = std::min(o_.pictures.val_batch, size - from);
      std::vector<int64_t> indices(static_cast<size_t>(o_.pictures.val_batch));  // the last batch is filled up: one program serves all
      for (int64_t i = 0; i < o_.pictures.val_batch; ++i) indices[static_cast<size_t>(i)] = std::min(from + i, size - 1);
      HONE_TRY_ASSIGN(const Batch batch, load_batch(val, indices, o_.pictures.evaluate, 0, 0, 0, static_cast<int>(o_.pictures.workers)));
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
      HONE_TRY_ASSIGN(const Batch batch, batches_.batch_of(b, 0, 1));
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
    HONE_TRY(set_side(o_.pictures, side));
    batches_ = TrainingBatches(set_.train, o_.pictures, o_.compute.seed);
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

  Options o_;
  LabelledSet set_;
  Graph graph_;
  Params params_;
  std::map<int64_t, Program> programs_;
  std::map<int64_t, Graph> typed_;
  std::vector<std::string> notes_;
  TrainingBatches batches_;   // last: it reads the set ahead
};

}  // namespace

Result<MakeTask> read_classify(Recipe& recipe, const Compute& compute, FindStart find_start) {
  const Options options = read_options(recipe, compute);
  return MakeTask([options, find_start](RunDir& run) { return Classify::make(options, find_start, run); });
}

}  // namespace hone::train
