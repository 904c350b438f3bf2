#include "methods/supernet/teachers.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "formats/checkpoint.h"
#include "ir/infer.h"
#include "methods/supernet/calibrate.h"
#include "retrieval/trained.h"

namespace hone::methods {

Result<Teachers> Teachers::open(const std::vector<std::string>& networks, const std::vector<std::string>& weights, int64_t classes, const train::Compute& compute) {
  Teachers out;
  out.compute_ = compute;
  for (size_t i = 0; i < networks.size(); ++i) {
    HONE_TRY_ASSIGN(Network network, open_net(networks[i]));
    if (network.arch && network.arch->head.classes != classes && i < weights.size() && !weights[i].empty()) {
      network.arch->head.classes = classes;
      HONE_TRY_ASSIGN(network.graph, build(*network.arch));
    }
    HONE_TRY_ASSIGN(const Inferred typed, infer(network.graph));
    const Graph& g = typed.graph;
    if (g.inputs.size() != 1 || g.outputs.size() != 1) return fail(Code::unsupported, "a teacher has one input and one output", networks[i]);
    const Shape &in = g.value(g.inputs[0]).type.shape, &to = g.value(g.outputs[0]).type.shape;
    if (in.size() != 4 || in[1] != 3 || in[2] != in[3]) return fail(Code::unsupported, fmt::format("takes {}, expected square RGB images", to_string(in)), networks[i]);
    if (to.size() != 2 || to[1] != classes) return fail(Code::invalid, fmt::format("gives {}, the data have {} classes", to_string(to), classes), networks[i]);
    Teacher t{networks[i], network.graph, in[2], {}, {}};
    const bool own = i >= weights.size() || weights[i].empty();
    bool filled = true;
    for (const ValueId v : g.state()) filled = filled && g.value(v).data && g.value(v).data->has_data();
    if (own && !filled) return fail(Code::usage, "has no weights: an untrained teacher has nothing to teach", networks[i], "name its checkpoint in teacher.weights");
    HONE_TRY_ASSIGN(t.params, train::Params::of(g, 0));
    if (!own) {
      HONE_TRY_ASSIGN(NamedTensors tensors, hone::read_checkpoint(weights[i]));
      HONE_TRY(t.params.load(g, std::move(tensors), /*strict=*/true, /*resize=*/true));
    }
    t.params = t.params.clone();
    t.params.to(compute.device);
    out.all_.push_back(std::move(t));
  }
  return out;
}

Result<at::Tensor> Teachers::targets(const at::Tensor& images, double sharpening) {
  at::NoGradGuard no_grad;
  at::Tensor sum;
  for (Teacher& t : all_) {
    const int64_t batch = images.size(0);
    if (!t.programs.contains(batch)) {
      Bindings bindings;
      bindings.batch = batch;
      HONE_TRY_ASSIGN(const Inferred typed, infer(t.graph, bindings));
      HONE_TRY_ASSIGN(train::Program program, train::Program::compile(typed.graph));
      t.programs.emplace(batch, std::move(program));
    }
    const train::Program& program = t.programs.at(batch);
    HONE_TRY_ASSIGN(const auto state, t.params.bind(program));
    train::RunOptions run;
    run.compute = compute_.type;
    HONE_TRY_ASSIGN(const auto out, program.run({resized(images, t.side)}, state, run));
    const at::Tensor p = (out[0].to(at::kFloat) * sharpening).softmax(1);
    sum = sum.defined() ? sum + p : p;
  }
  return sum / static_cast<double>(all_.size());
}

}  // namespace hone::methods
