#include "train/torch_engine.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "train/lower.h"
#include "train/program.h"

namespace hone::train {

namespace {

// libtorch throws; the interface promises values.
template <class Work>
auto guarded(const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const c10::Error& e) {
    return fail(Code::failed, e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return fail(Code::failed, "out of memory", {}, "take a smaller batch");
  } catch (const std::exception& e) {
    return fail(Code::failed, e.what());
  }
}

class TorchSession : public EngineSession {
 public:
  TorchSession(const Graph& graph, Program program, std::vector<at::Tensor> state, const EngineOptions& options) : program_(std::move(program)), state_(std::move(state)) {
    for (const ValueId v : graph.inputs) inputs_.push_back({graph.value(v).name, graph.value(v).type});
    for (const ValueId v : graph.outputs) outputs_.push_back({graph.value(v).name, graph.value(v).type});
    if (options.precision == "bf16") run_.compute = at::kBFloat16;
    for (const at::Tensor& t : state_) bytes_ += static_cast<int64_t>(t.nbytes());
  }

  const std::vector<EnginePort>& inputs() const override { return inputs_; }
  const std::vector<EnginePort>& outputs() const override { return outputs_; }
  int64_t memory_bytes() const override { return bytes_; }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    return guarded([&]() -> Result<std::vector<Tensor>> {
      if (inputs.size() != inputs_.size()) return fail(Code::usage, fmt::format("the network has {} inputs, {} are given", inputs_.size(), inputs.size()));
      given_.clear();
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (const TensorType given(inputs[i].dtype, inputs[i].shape); given != inputs_[i].type) return fail(Code::usage, fmt::format("the input is {}, expected {}", to_string(given), to_string(inputs_[i].type)), inputs_[i].name);
        HONE_TRY_ASSIGN(at::Tensor t, to_torch(inputs[i]));
        given_.push_back(std::move(t));
      }
      HONE_TRY(again());
      std::vector<Tensor> out;
      for (const at::Tensor& t : made_) {
        HONE_TRY_ASSIGN(Tensor tensor, from_torch(t));
        out.push_back(std::move(tensor));
      }
      return out;
    });
  }

  Status again() override {
    if (given_.empty() && !inputs_.empty()) return fail(Code::usage, "there is nothing to repeat: run() or input_buffer() comes first");
    return guarded([&]() -> Status {
      const at::NoGradGuard quiet;
      HONE_TRY_ASSIGN(made_, program_.run(given_, state_, run_));
      for (at::Tensor& t : made_) t = t.contiguous();
      return {};
    });
  }

  Result<void*> input_buffer(size_t index) override {
    if (index >= inputs_.size()) return fail(Code::usage, fmt::format("there is no input {}: the network has {}", index, inputs_.size()));
    return guarded([&]() -> Result<void*> {
      if (given_.empty())
        for (const EnginePort& p : inputs_) given_.push_back(at::zeros(p.type.shape, scalar_type(p.type.dtype).value_or(at::kFloat)));
      return given_[index].mutable_data_ptr();
    });
  }

  Result<const void*> output_buffer(size_t index) override {
    if (index >= made_.size()) return fail(Code::usage, fmt::format("there is no output {} yet", index));
    return made_[index].const_data_ptr();
  }

  Result<std::vector<NodeTime>> counters() override { return fail(Code::unsupported, "libtorch has no times per node here", "counters", "the engine openvino has"); }

 private:
  Program program_;
  std::vector<at::Tensor> state_, given_, made_;
  std::vector<EnginePort> inputs_, outputs_;
  RunOptions run_;
  int64_t bytes_ = 0;
};

class TorchEngine : public Engine {
 public:
  std::string name() const override { return "torch"; }
  std::string version() const override { return TORCH_VERSION; }

  Result<std::unique_ptr<EngineSession>> load(const Graph& graph, const EngineOptions& options) override {
    if (options.device != "CPU") return fail(Code::usage, fmt::format("libtorch runs on the CPU here, not on '{}'", options.device), "device");
    if (options.counters) return fail(Code::unsupported, "libtorch has no times per node here", "counters", "the engine openvino has");
    if (options.precision != "f32" && options.precision != "bf16") return fail(Code::usage, fmt::format("there is no precision '{}'", options.precision), "precision", "the precisions: f32, bf16");
    return guarded([&]() -> Result<std::unique_ptr<EngineSession>> {
      if (options.threads > 0) at::set_num_threads(options.threads);
      HONE_TRY_ASSIGN(Program program, Program::compile(graph, {.channels_last = !options.as_is, .fuse = !options.as_is}));
      std::vector<at::Tensor> state;
      for (const Program::Slot& slot : program.state()) {
        const Value& v = graph.value(graph.find(slot.name));
        if (!v.data) return fail(Code::invalid, "has no contents", slot.name);
        HONE_TRY_ASSIGN(at::Tensor t, to_torch(*v.data));
        state.push_back(std::move(t));
      }
      return std::make_unique<TorchSession>(graph, std::move(program), std::move(state), options);
    });
  }

  Result<std::unique_ptr<EngineSession>> load_file(const std::string&, const EngineOptions&) override {
    return fail(Code::unsupported, "libtorch reads no ONNX files: load the graph that read_onnx gives");
  }
};

}  // namespace

Engine& torch_engine() {
  static TorchEngine* const engine = new TorchEngine();
  return *engine;
}

}  // namespace hone::train
