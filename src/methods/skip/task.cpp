#include "methods/skip/task.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "cost/profile.h"
#include "data/shuffle.h"
#include "methods/distil/encoder.h"
#include "methods/questions/start.h"
#include "methods/skip/classifier_token.h"
#include "retrieval/embeddings.h"
#include "train/pattern.h"
#include "zoo/catalog.h"

namespace hone::methods {

namespace {

// Names of the parameters of the dense layers or convolutions nearest to the outputs: the classifier.
std::vector<std::string> head_parameters(const Graph& g) {
  std::vector<std::string> out;
  std::vector<ValueId> todo(g.outputs.begin(), g.outputs.end());
  std::set<ValueId> seen;
  while (!todo.empty()) {
    const ValueId v = todo.back();
    todo.pop_back();
    if (v == kNoValue || !seen.insert(v).second || g.values[v].producer == kNoNode) continue;
    const Node& n = g.nodes[g.values[v].producer];
    bool has = false;
    for (ValueId i : n.inputs)
      if (i != kNoValue && g.values[i].kind == ValueKind::parameter) {
        out.push_back(g.values[i].name);
        has = true;
      }
    if (!has) todo.insert(todo.end(), n.inputs.begin(), n.inputs.end());
  }
  return out;
}

// A head that ranks captions starts as the "match" row of image-text matching (ViLT, METER) where the weights have no such head.
void start_ranking(NamedTensors& tensors) {
  const auto find = [&](std::string_view name) { return std::ranges::find(tensors, name, [](const auto& t) { return std::string_view(t.first); }); };
  for (const char* part : {"weight", "bias"}) {
    const auto from = find(fmt::format("itm_score.fc.{}", part));
    if (from == tensors.end() || find(fmt::format("rank_output.{}", part)) != tensors.end() || from->second.shape.empty() || from->second.shape[0] != 2) continue;
    auto rows = train::to_torch(from->second);
    if (!rows) continue;
    if (auto match = train::from_torch(rows->narrow(0, 1, 1).clone())) tensors.emplace_back(fmt::format("rank_output.{}", part), std::move(*match));
  }
}

}  // namespace

Result<std::unique_ptr<SkipTask>> SkipTask::make(const SkipOptions& options, const train::Compute& compute, const RunDir* run) {
  auto task = std::unique_ptr<SkipTask>(new SkipTask());
  task->o_ = options;
  HONE_TRY(use_weights_of_runs(task->o_.weights, task->o_.questions.tokenizer));
  task->compute_ = compute;
  task->run_ = run;
  if (!options.sketches.data.path.empty()) {
    HONE_TRY_ASSIGN(task->source_, sketch_source(options.sketches, options.resolution, options.held, compute.seed));
  } else if (options.questions.path.empty()) {
    HONE_TRY_ASSIGN(task->source_, image_source(options.pictures, options.resolution, options.held, compute.seed));
  } else {
    HONE_TRY_ASSIGN(task->source_, question_source(task->o_.questions, options.held, compute.seed));
  }
  HONE_TRY(task->open());
  if (run)
    for (const auto& [name, contents] : task->source_->files()) HONE_TRY(run->write(name, contents));
  return task;
}

Status SkipTask::open() {
  name_ = o_.resolution > 0 ? fmt::format("{}@{}", o_.network, o_.resolution) : o_.network;
  HONE_TRY_ASSIGN(Network network, open_network(name_));
  if (o_.classifier_token && !(network.arch && network.arch->family == "meter")) return fail(Code::usage, "is a token of METER's", "network.classifier_token", "network.name is a meter/... then");
  if (network.arch) {
    HONE_TRY(source_->shape(*network.arch));
    if (o_.classifier_token) network.arch->options["classifier_token"] = true;
    HONE_TRY_ASSIGN(network.graph, build(*network.arch));
  }
  set_dense_start(network.graph, o_.init);
  HONE_TRY_ASSIGN(network.graph, source_->adapt(std::move(network.graph)));
  HONE_TRY_ASSIGN(subnets_, Subnets::make(std::move(network.graph), o_.variant, o_.adapters, [this](int64_t batch) { return source_->bindings(batch); }));
  const auto n = static_cast<int64_t>(subnets_.candidates().size());
  HONE_TRY(source_->fit(subnets_.base()));
  if (o_.matching_weight > 0) {
    const Graph& g = subnets_.base();
    if (g.outputs.size() < 2 || g.value(g.outputs[1]).type.shape != Shape{1, 2}) return fail(Code::usage, "has no second output N x 2 for image-text matching", o_.network, "retrieval networks with one are called -retrieval in the small sizes; or loss.matching = 0");
  }
  if (o_.bandit.skip > n && (o_.search || o_.set == "random")) return fail(Code::usage, fmt::format("{} of {} modules cannot be skipped", o_.bandit.skip, n), "skip.count", fmt::format("hone skip list {}", o_.network));

  HONE_TRY_ASSIGN(train::Params backbone, train::Params::of(subnets_.base(), compute_.seed));
  std::vector<std::string> given;
  if (!o_.weights.empty()) {
    HONE_TRY_ASSIGN(Start start, start_from(o_.weights, subnets_.base(), backbone, [&](const std::string& file, NamedTensors& tensors) -> Status {
      HONE_TRY(source_->agree(file, tensors));
      start_ranking(tensors);
      return {};
    }));
    notes_ = std::move(start.notes);
    given = std::move(start.loaded);
  }
  if (std::ranges::find(given, "token4classifier") == given.end()) HONE_TRY(start_classifier_token(backbone, source_->begin_token()));
  if (o_.search) {
    HONE_TRY(start_bandit(n));
    HONE_TRY_ASSIGN(params_, subnets_.search_store(backbone, compute_.seed));
  } else {
    HONE_TRY_ASSIGN(set_, given_set());
    HONE_TRY_ASSIGN(params_, subnets_.store(backbone, set_, compute_.seed));
  }
  HONE_TRY(set_trainable(given));
  params_.to(compute_.device);
  for (const std::string& note : source_->notes()) notes_.push_back(note);
  return {};
}

Status SkipTask::start_bandit(int64_t candidates) {
  BanditOptions b = o_.bandit;
  const int64_t epoch = source_->steps_per_epoch(), total = o_.total_steps ? o_.total_steps(epoch) : INT64_MAX;
  b.warmup = std::llround(o_.warmup * static_cast<double>(epoch));
  b.ramp = std::llround(o_.ramp * static_cast<double>(epoch));
  if (o_.method == "bandit" && b.warmup >= total)
    return fail(Code::usage, fmt::format("{} epochs are {} steps, and the search has {}: no sets would be compared", o_.warmup, b.warmup, total), "skip.warmup", "raise train.epochs or train.steps, or lower the warm-up");
  bandit_.emplace(candidates, b);
  return {};
}

Result<SkipNumbers> SkipTask::given_set() {
  const auto n = static_cast<int64_t>(subnets_.candidates().size());
  set_method_ = o_.set == "random" ? "random" : "given";
  if (o_.set.empty()) return SkipNumbers{};
  if (o_.set == "random") return random_choice(n, o_.bandit.skip, derive_seed(compute_.seed, 0x72616e64)).set;
  if (!names_skip_set(o_.set)) {
    HONE_TRY_ASSIGN(SkipNumbers set, parse_skip_set(o_.set));
    std::sort(set.begin(), set.end());
    return set;
  }
  HONE_TRY_ASSIGN(const SkipSet file, read_skip_set(o_.set));
  set_method_ = file.method;
  return place_skip_set(file, subnets_.candidates(), o_.network);
}

Status SkipTask::set_trainable(const std::vector<std::string>& given) {
  params_.set_trainable("*", false);
  std::vector<std::string> patterns = o_.trainable, never;
  if (patterns.empty()) {
    patterns = {"*adapter*", "*.lora*", "prompt.*", "*.prompt"};
    const std::string& net = subnets_.base().name;
    if (net.starts_with("vilt/") || net.starts_with("meter/")) {  // the rule of the official code
      for (const char* p : {"*classifier*", "*pooler*", "*token_type_embeddings*", "*rank_output*"}) patterns.push_back(p);
      if (net.starts_with("meter/")) never = {"*text_transformer*", "*vit_model*"};
    } else {
      for (std::string& head : head_parameters(subnets_.base())) patterns.push_back(std::move(head));
    }
  } else {
    for (const std::string& p : patterns)
      if (std::none_of(params_.entries().begin(), params_.entries().end(), [&](const auto& e) { return train::matches(p, e.name); }))
        return fail(Code::usage, fmt::format("no parameter matches '{}'", p), "skip.trainable", "hone zoo NET --tensors lists the names");
  }
  for (const std::string& p : patterns) params_.set_trainable(p, true);
  for (const std::string& p : never) params_.set_trainable(p, false);
  int64_t trained = 0, all = 0;
  for (const auto& e : params_.entries()) {
    if (e.buffer) continue;
    all += e.tensor.numel();
    trained += e.trainable ? e.tensor.numel() : 0;
  }
  if (trained == 0) return fail(Code::usage, "nothing is trained", "skip.trainable");
  notes_.push_back(fmt::format("{} of {} parameters are trained", trained, all));
  // What is frozen should be pre-trained: neither drawn here nor left at its start.
  const std::set<std::string> loaded(given.begin(), given.end());
  std::vector<std::string> drawn;
  const Graph& base = subnets_.base();
  for (ValueId v : base.state()) {
    const auto* entry = params_.find(base.value(v).name);
    if (entry && !entry->buffer && !entry->trainable && !base.value(v).data && !loaded.contains(entry->name)) drawn.push_back(entry->name);
  }
  if (!drawn.empty())
    notes_.push_back(fmt::format("{} frozen tensors come from no weights and stay as they were drawn ({}{}): give network.weights, or train them by skip.trainable", drawn.size(), drawn[0], drawn.size() > 1 ? ", ..." : ""));
  return {};
}

at::Tensor SkipTask::whole_loss(const std::vector<at::Tensor>& outputs, const Examples& e, double label_smoothing) const {
  at::Tensor loss = loss_of(logits_of(outputs[0], e), e.targets.to(compute_.device), label_smoothing);
  if (o_.matching_weight > 0 && e.choices > 1) {  // of each picture its own caption, and the first of the others: half of the pairs are true
    const at::Tensor pairs = outputs[1].view({-1, e.choices, 2}).slice(1, 0, 2).reshape({-1, 2});
    const at::Tensor match = at::tensor({int64_t{1}, int64_t{0}}).repeat({pairs.size(0) / 2}).to(compute_.device);
    loss = loss + o_.matching_weight * at::cross_entropy_loss(pairs, match);
  }
  return loss;
}

Result<double> SkipTask::held_loss(const train::Params& params, const SkipNumbers& set, int64_t first_batch, int64_t batches) {
  at::NoGradGuard no_grad;
  train::RunOptions run;  // evaluation: no dropout, running statistics
  run.compute = compute_.type;
  double sum = 0;
  for (int64_t i = 0; i < batches; ++i) {
    HONE_TRY_ASSIGN(Examples e, source_->of("held", (first_batch + i) * o_.reward_batch, o_.reward_batch));
    for (at::Tensor& t : e.inputs) t = t.to(compute_.device);
    HONE_TRY_ASSIGN(const auto outputs, subnets_.run(params, set, e.inputs, run));
    sum += whole_loss(outputs, e, 0).item<double>();
  }
  return sum / static_cast<double>(batches);
}

Status SkipTask::begin(int64_t step, int64_t micros) {
  if (step == begun_) return {};
  begun_ = step;
  policy_ = bandit_;
  if (!bandit_->step(step, micros) || o_.method != "bandit") return {};
  SkipEvent event{.step = step, .sets = bandit_->draw_event(step)};
  for (const SkipNumbers& set : event.sets) {
    HONE_TRY_ASSIGN(const double loss, held_loss(params_, set, events_ * o_.reward_batches, o_.reward_batches));
    event.losses.push_back(loss);
  }
  ++events_;
  event.rewards = bandit_->update(event.sets, event.losses);
  event.scores = bandit_->scores();
  if (!event.rewards.empty()) history_.push_back(std::move(event));
  return {};
}

Result<train::Losses> SkipTask::forward(int64_t step, int64_t micro, int64_t micros) {
  HONE_TRY_ASSIGN(Examples e, source_->next(step, micro, micros));
  for (at::Tensor& t : e.inputs) t = t.to(compute_.device);
  const at::Tensor targets = e.targets.to(compute_.device);
  SkipNumbers set = set_;
  if (o_.search) {
    HONE_TRY(begin(step, micros));
    set = policy_->sample(step, micro);
  }
  train::RunOptions run;
  run.training = true;
  run.batch_norm = o_.bn_freeze ? train::BatchNorm::eval : train::BatchNorm::train;
  run.batch_norm_momentum = o_.bn_momentum;
  run.generator = train::step_generator(compute_, step, micro);
  run.compute = compute_.type;
  HONE_TRY_ASSIGN(const auto outputs, subnets_.run(params_, set, e.inputs, run));
  const at::Tensor logits = logits_of(outputs[0], e);
  return train::Losses{whole_loss(outputs, e, o_.label_smoothing), {{"score", scores_of(logits.detach(), targets).mean()}}};
}

Result<SkipAnswers> SkipTask::answer(const train::Params& params, const SkipNumbers& set, const std::string& split) {
  at::NoGradGuard no_grad;
  HONE_TRY_ASSIGN(const auto gallery, source_->gallery(split));
  if (gallery) return retrieve(params, set, *gallery);
  HONE_TRY_ASSIGN(const int64_t size, source_->size(split));
  const int64_t batch = source_->val_batch();
  SkipAnswers out;
  out.examples = size;
  train::RunOptions run;
  run.compute = compute_.type;
  for (int64_t from = 0; from < size; from += batch) {
    const int64_t n = std::min(batch, size - from);
    HONE_TRY_ASSIGN(Examples e, source_->of(split, from, batch));
    for (at::Tensor& t : e.inputs) t = t.to(compute_.device);
    HONE_TRY_ASSIGN(const auto outputs, subnets_.run(params, set, e.inputs, run));
    const at::Tensor logits = logits_of(outputs[0], e).narrow(0, 0, n);
    const at::Tensor targets = e.targets.to(compute_.device).narrow(0, 0, n);
    out.loss += loss_of(logits, targets, 0).item<double>() * static_cast<double>(n) / static_cast<double>(size);
    out.score += scores_of(logits, targets).sum().item<double>() / static_cast<double>(size);
    const at::Tensor best = logits.argmax(1).to(at::kCPU).contiguous();
    out.chosen.insert(out.chosen.end(), best.const_data_ptr<int64_t>(), best.const_data_ptr<int64_t>() + n);
  }
  return out;
}

// Sketches find their photos among all of the split.
Result<SkipAnswers> SkipTask::retrieve(const train::Params& params, const SkipNumbers& set, const Gallery& gallery) {
  train::RunOptions run;
  run.compute = compute_.type;
  const auto embed = [&](const auto& load, int64_t count) -> Result<Embeddings> {
    std::vector<at::Tensor> rows;
    for (int64_t from = 0; from < count; from += source_->val_batch()) {
      HONE_TRY_ASSIGN(const auto outputs, subnets_.run(params, set, {load(from, std::min(source_->val_batch(), count - from)).to(compute_.device)}, run));
      rows.push_back(outputs[0]);
    }
    return to_embeddings(at::cat(rows));
  };
  const auto sketches = static_cast<int64_t>(gallery.truth.size());
  HONE_TRY_ASSIGN(const Embeddings queries, embed(gallery.load_sketches, sketches));
  HONE_TRY_ASSIGN(const Embeddings photos, embed(gallery.load_photos, gallery.photos));
  HONE_TRY_ASSIGN(const std::vector<int64_t> r, ranks(queries, photos, gallery.truth));
  SkipAnswers out;
  out.examples = sketches;
  out.score = acc_at(r, 1);
  out.measures = {{"acc1", out.score}, {"acc5", acc_at(r, 5)}, {"acc10", acc_at(r, 10)}, {"mrr", mean_reciprocal_rank(r)}};
  return out;
}

Result<train::Metrics> SkipTask::validate(const train::Params& params) {
  HONE_TRY_ASSIGN(const SkipSet chosen_set, chosen(params));
  if (run_) HONE_TRY(run_->write(kSkipSetFile, print_skip_set(chosen_set)));
  HONE_TRY_ASSIGN(const SkipAnswers answers, answer(params, chosen_set.set, "validation"));
  HONE_TRY_ASSIGN(const Graph g, subnets_.graph(chosen_set.set, 1));
  HONE_TRY_ASSIGN(const Profile costs, profile(g));
  train::Metrics out{{"score", answers.score}, {"loss", answers.loss}, {"macs", static_cast<double>(costs.totals.macs)}};
  if (!answers.measures.empty()) out[1] = answers.measures.back();  // ranks have no loss
  if (o_.search) out.emplace_back("events", static_cast<double>(history_.size()));
  return out;
}

// Root mean square of the weights of each candidate.
std::vector<double> SkipTask::weight_sizes(const train::Params& params) const {
  const Graph& g = subnets_.base();
  std::vector<double> out;
  for (const SkipCandidate& c : subnets_.candidates()) {
    std::set<std::string> names;
    for (NodeId n : c.passes[0].nodes)
      for (ValueId v : g.nodes[n].inputs)
        if (v != kNoValue && g.values[v].kind == ValueKind::parameter && g.values[v].type.shape.size() > 1) names.insert(g.values[v].name);
    double square = 0, count = 0;
    for (const std::string& name : names)
      if (const auto* e = params.find(name)) {
        square += e->tensor.detach().to(at::kDouble).square().sum().item<double>();
        count += static_cast<double>(e->tensor.numel());
      }
    out.push_back(count > 0 ? std::sqrt(square / count) : 0);
  }
  return out;
}

Result<SkipSet> SkipTask::chosen(const train::Params& params) {
  const auto& candidates = subnets_.candidates();
  const auto n = static_cast<int64_t>(candidates.size());
  SkipSet out;
  out.network = name_;
  out.identity = candidates_identity(candidates);
  out.variant = o_.variant;
  out.adapters = o_.adapters;
  out.seed = compute_.seed;
  if (!o_.search) {
    out.method = set_method_;
    out.set = set_;
  } else if (o_.method == "bandit") {
    out.method = o_.method;
    out.set = bandit_->chosen();
    out.scores = bandit_->scores();
    out.history = history_;
  } else {
    const LossOf loss = [&](const SkipNumbers& set) { return held_loss(params, set, 0, o_.choose_batches); };
    const int64_t k = bandit_->options().skip;
    auto choice = o_.method == "drop-one" ? drop_one_choice(n, k, loss)
                  : o_.method == "greedy" ? greedy_choice(n, k, loss)
                  : o_.method == "magnitude" ? Result<Choice>(smallest_choice(weight_sizes(params), k))
                                             : exhaustive_choice(n, k, loss);
    if (!choice) return fail(std::move(choice).error());
    out.method = o_.method;
    out.set = std::move(choice->set);
    out.scores = std::move(choice->scores);
  }
  for (int64_t i : out.set) out.modules.push_back(candidates[static_cast<size_t>(i)].module);
  return out;
}

// The scores and their history as the skip set that holds them; texts keep doubles exactly.
train::State SkipTask::save() const {
  train::State state;
  if (!o_.search) return state;
  SkipSet s;
  s.scores = bandit_->scores();
  s.history = history_;
  state.texts["bandit"] = print_skip_set(s);
  state.set("since_event", bandit_->since_event());
  state.set("events", events_);
  return state;
}

Status SkipTask::load(const train::State& state) {
  if (!o_.search) return {};
  const auto text = state.texts.find("bandit");
  if (text == state.texts.end()) return fail(Code::invalid, "the checkpoint has no scores of the search");
  HONE_TRY_ASSIGN(SkipSet s, parse_skip_set_file(text->second, "checkpoint"));
  HONE_TRY_ASSIGN(const int64_t since, state.integer("since_event"));
  HONE_TRY_ASSIGN(events_, state.integer("events"));
  if (s.scores.size() != subnets_.candidates().size()) return fail(Code::invalid, "the checkpoint's scores are those of another network");
  bandit_->restore(std::move(s.scores), since);
  history_ = std::move(s.history);
  begun_ = -1;
  return {};
}

}  // namespace hone::methods
