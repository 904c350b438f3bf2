#include "methods/skip/recall.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <map>
#include <optional>

#include "cost/profile.h"
#include "ir/infer.h"
#include "rewrite/split.h"
#include "train/program.h"

namespace hone::methods {

namespace {

// A graph compiled for the batches that it meets.
class Batched {
 public:
  Batched(Graph graph, const train::Params& params, const PairOptions& options) : graph_(std::move(graph)), params_(params) { run_.compute = options.compute; }

  Result<std::vector<at::Tensor>> operator()(const std::vector<at::Tensor>& inputs) {
    const int64_t batch = inputs[0].size(0);
    auto at = programs_.find(batch);
    if (at == programs_.end()) {
      HONE_TRY_ASSIGN(const Inferred typed, infer(graph_, {.batch = batch}));
      HONE_TRY_ASSIGN(train::Program program, train::Program::compile(typed.graph));
      at = programs_.emplace(batch, std::move(program)).first;
    }
    HONE_TRY_ASSIGN(const auto state, params_.bind(at->second));
    return at->second.run(inputs, state, run_);
  }

 private:
  Graph graph_;
  const train::Params& params_;
  train::RunOptions run_;
  std::map<int64_t, train::Program> programs_;
};

using Loader = std::function<Result<std::vector<at::Tensor>>(int64_t first, int64_t count)>;

// Inputs of rows [first, first + count), encoded where there is an encoder.
Result<std::vector<at::Tensor>> encoded(const Loader& load, Batched* encoder, int64_t first, int64_t count, at::Device device) {
  HONE_TRY_ASSIGN(std::vector<at::Tensor> inputs, load(first, count));
  for (at::Tensor& t : inputs) t = t.to(device);
  if (!encoder) return inputs;
  return (*encoder)(inputs);
}

}  // namespace

Result<PairScores> score_pairs(const Graph& graph, const train::Params& params, const PairSet& set, const PairOptions& o) {
  at::NoGradGuard no_grad;
  const auto captions = static_cast<int64_t>(set.picture_of.size());
  Graph first_output = graph;
  first_output.outputs.resize(1);
  first_output = prune(first_output);
  PairScores out;
  out.scores = at::empty({set.pictures, captions});
  Graph joint = first_output;
  std::optional<Batched> text_encoder, picture_encoder;
  if (o.cached) {
    HONE_TRY_ASSIGN(SplitNetwork split, split_by_inputs(first_output, {set.text_inputs, set.picture_inputs}));
    for (const Graph& part : split.parts) {
      HONE_TRY_ASSIGN(const Profile costs, profile(part));
      out.encoded_macs += costs.totals.macs;
    }
    text_encoder.emplace(std::move(split.parts[0]), params, o);
    picture_encoder.emplace(std::move(split.parts[1]), params, o);
    joint = std::move(split.joint);
  }
  HONE_TRY_ASSIGN(const Profile costs, profile(joint));
  out.pair_macs = costs.totals.macs;
  std::vector<std::string> joint_inputs;
  for (ValueId v : joint.inputs) joint_inputs.push_back(joint.value(v).name);
  Batched run(std::move(joint), params, o);

  std::vector<std::vector<at::Tensor>> texts;  // every caption, in batches as they were encoded
  for (int64_t i = 0; i < captions; i += o.batch) {
    HONE_TRY_ASSIGN(auto rows, encoded(set.load_texts, text_encoder ? &*text_encoder : nullptr, i, std::min(o.batch, captions - i), o.device));
    texts.push_back(std::move(rows));
  }
  int64_t done = 0;
  for (int64_t first = 0; first < set.pictures; first += o.batch) {
    const int64_t pictures = std::min(o.batch, set.pictures - first);
    HONE_TRY_ASSIGN(const auto block, encoded(set.load_pictures, picture_encoder ? &*picture_encoder : nullptr, first, pictures, o.device));
    for (int64_t p = 0; p < pictures; ++p)
      for (size_t b = 0; b < texts.size(); ++b) {
        const int64_t n = texts[b][0].size(0);
        std::vector<at::Tensor> inputs = texts[b];
        for (const at::Tensor& t : block) {
          at::DimVector shape(t.sizes());
          shape[0] = n;
          inputs.push_back(t.narrow(0, p, 1).expand(shape).contiguous());
        }
        if (!o.cached) {  // the network's own order
          std::map<std::string, at::Tensor> named;
          size_t i = 0;
          for (const auto* list : {&set.text_inputs, &set.picture_inputs})
            for (const std::string& name : *list) named[name] = inputs[i++];
          inputs.clear();
          for (const std::string& name : joint_inputs) inputs.push_back(named[name]);
        }
        HONE_TRY_ASSIGN(const auto scores, run(inputs));
        out.scores[first + p].narrow(0, static_cast<int64_t>(b) * o.batch, n).copy_(scores[0].view({-1}).to(at::kFloat));
        if (o.progress) o.progress(done += n);
      }
  }
  return out;
}

}  // namespace hone::methods
