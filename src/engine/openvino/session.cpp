#include "engine/openvino/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <openvino/core/except.hpp>
#include <openvino/core/model.hpp>
#include <openvino/runtime/profiling_info.hpp>

namespace hone {

int64_t resident_bytes() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (!file) return 0;
  long long total = 0, resident = 0;
  const int read = std::fscanf(file, "%lld %lld", &total, &resident);
  std::fclose(file);
  return read == 2 ? static_cast<int64_t>(resident) * ::sysconf(_SC_PAGESIZE) : 0;
}

DType dtype_of(const ov::element::Type& type) {
  switch (static_cast<ov::element::Type_t>(type)) {
    case ov::element::Type_t::boolean: return DType::boolean;
    case ov::element::Type_t::bf16: return DType::bf16;
    case ov::element::Type_t::f16: return DType::f16;
    case ov::element::Type_t::f32: return DType::f32;
    case ov::element::Type_t::f64: return DType::f64;
    case ov::element::Type_t::i4: return DType::i4;
    case ov::element::Type_t::i8: return DType::i8;
    case ov::element::Type_t::i16: return DType::i16;
    case ov::element::Type_t::i32: return DType::i32;
    case ov::element::Type_t::i64: return DType::i64;
    case ov::element::Type_t::u4: return DType::u4;
    case ov::element::Type_t::u8: return DType::u8;
    case ov::element::Type_t::u16: return DType::u16;
    case ov::element::Type_t::u32: return DType::u32;
    case ov::element::Type_t::u64: return DType::u64;
    default: return DType::undefined;
  }
}

// OpenVINO's messages begin with the check that failed and where in its sources; what is wrong comes last.
Error caught(const std::string& where) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return {Code::failed, "out of memory", where, "take a smaller batch"};
  } catch (const std::exception& e) {
    std::string message = e.what();
    while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.pop_back();
    return {Code::failed, "OpenVINO: " + message, where, {}};
  } catch (...) {
    return {Code::failed, "OpenVINO has failed without a reason", where, {}};
  }
}

namespace {

EnginePort port(const ov::Output<const ov::Node>& p) {
  EnginePort out;
  out.name = p.get_names().empty() ? p.get_node()->get_friendly_name() : p.get_any_name();
  out.type.dtype = dtype_of(p.get_element_type());
  const ov::PartialShape& shape = p.get_partial_shape();
  if (shape.rank().is_dynamic()) return out;
  out.type.ranked = true;
  for (const ov::Dimension& d : shape) out.type.shape.push_back(d.is_static() ? static_cast<Dim>(d.get_length()) : kUnknown);
  return out;
}

class Session : public EngineSession {
 public:
  Session(ov::CompiledModel model, NodeNames names, bool counters, int64_t rss_before)
      : model_(std::move(model)), names_(std::move(names)), request_(model_.create_infer_request()), counting_(counters), rss_before_(rss_before) {
    for (const auto& p : model_.inputs()) inputs_.push_back(port(p));
    for (const auto& p : model_.outputs()) outputs_.push_back(port(p));
    memory_ = resident_bytes() - rss_before_;
  }

  const std::vector<EnginePort>& inputs() const override { return inputs_; }
  const std::vector<EnginePort>& outputs() const override { return outputs_; }
  int64_t memory_bytes() const override { return std::max<int64_t>(memory_, 0); }

  Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) override {
    if (inputs.size() != inputs_.size()) return fail(Code::usage, fmt::format("the network has {} inputs, {} are given", inputs_.size(), inputs.size()));
    for (size_t i = 0; i < inputs.size(); ++i)
      if (const TensorType given(inputs[i].dtype, inputs[i].shape); given != inputs_[i].type || !inputs[i].has_data())
        return fail(Code::usage, fmt::format("the input is {}, expected {}", inputs[i].has_data() ? to_string(given) : "without contents", to_string(inputs_[i].type)), inputs_[i].name);
    try {
      for (size_t i = 0; i < inputs.size(); ++i) {
        ov::Tensor t = request_.get_input_tensor(i);
        if (t.get_byte_size() != inputs[i].bytes.size) return fail(Code::invalid, fmt::format("holds {} bytes, expected {}", inputs[i].bytes.size, t.get_byte_size()), inputs_[i].name);
        if (t.get_byte_size() > 0) std::memcpy(t.data(), inputs[i].bytes.data, t.get_byte_size());
      }
      ready_ = true;
      HONE_TRY(again());
      std::vector<Tensor> out;
      for (size_t i = 0; i < outputs_.size(); ++i) {
        const ov::Tensor t = request_.get_output_tensor(i);
        Tensor made;
        made.dtype = dtype_of(t.get_element_type());
        made.shape.assign(t.get_shape().begin(), t.get_shape().end());
        made.bytes = Bytes::copy(t.get_byte_size() > 0 ? t.data() : nullptr, t.get_byte_size());
        out.push_back(std::move(made));
      }
      return out;
    } catch (...) {
      return fail(caught("run"));
    }
  }

  Status again() override {
    if (!ready_) return fail(Code::usage, "there is nothing to repeat: run() or input_buffer() comes first");
    try {
      request_.infer();
      if (runs_ == 0) memory_ = std::max(memory_, resident_bytes() - rss_before_);
      ++runs_;
      return {};
    } catch (...) {
      return fail(caught("run"));
    }
  }

  Result<void*> input_buffer(size_t index) override {
    if (index >= inputs_.size()) return fail(Code::usage, fmt::format("there is no input {}: the network has {}", index, inputs_.size()));
    try {
      ready_ = true;
      return request_.get_input_tensor(index).data();
    } catch (...) {
      return fail(caught(inputs_[index].name));
    }
  }

  Result<const void*> output_buffer(size_t index) override {
    if (index >= outputs_.size()) return fail(Code::usage, fmt::format("there is no output {}: the network has {}", index, outputs_.size()));
    try {
      return request_.get_output_tensor(index).data();
    } catch (...) {
      return fail(caught(outputs_[index].name));
    }
  }

  Result<std::vector<NodeTime>> counters() override {
    std::vector<NodeTime> out;
    if (!counting_) return out;
    if (runs_ == counted_runs_) return fail(Code::usage, runs_ == 0 ? "nothing has run yet" : "nothing has run since the last counters");
    try {
      // Which layers of the file a node of the engine stands for: only the graph that it runs says.
      if (from_.empty()) read_origins();
      for (const ov::ProfilingInfo& p : request_.get_profiling_info()) {
        // Below half a microsecond OpenVINO says that a node has not run.
        const bool too_short = p.status == ov::ProfilingInfo::Status::NOT_RUN && from_.contains(p.node_name) &&
                               p.node_type != "Constant" && p.node_type != "Parameter" && p.node_type != "Result";
        if (p.status != ov::ProfilingInfo::Status::EXECUTED && !too_short) continue;
        NodeTime t;
        t.name = p.node_name;
        t.kind = p.node_type;
        t.primitive = p.exec_type;
        // OpenVINO gives the mean of all runs; what lies before the last call is taken out.
        double& before = counted_[p.node_name];
        const double total = static_cast<double>(p.real_time.count()) / 1e3 * static_cast<double>(runs_);
        t.milliseconds = std::max(0.0, (total - before) / static_cast<double>(runs_ - counted_runs_));
        before = total;
        if (const auto found = from_.find(p.node_name); found != from_.end()) t.from = found->second;
        out.push_back(std::move(t));
      }
      counted_runs_ = runs_;
      return out;
    } catch (...) {
      return fail(caught("counters"));
    }
  }

 private:
  void read_origins() {
    const std::shared_ptr<const ov::Model> running = model_.get_runtime_model();
    for (const auto& node : running->get_ordered_ops()) {
      const auto& info = node->get_rt_info();
      const auto found = info.find("originalLayersNames");
      if (found == info.end()) continue;
      std::vector<std::string>& origins = from_[node->get_friendly_name()];
      const std::string text = found->second.as<std::string>();  // comma-separated
      for (size_t at = 0; at <= text.size();) {
        const size_t comma = std::min(text.find(',', at), text.size());
        if (const std::string* node = node_of(text.substr(at, comma - at)); node && std::ranges::find(origins, *node) == origins.end()) origins.push_back(*node);
        at = comma + 1;
      }
    }
  }

  // What OpenVINO makes of one node is called after it: "conv1/Conv/WithoutBiases".
  const std::string* node_of(std::string name) const {
    for (;;) {
      if (const auto known = names_.find(name); known != names_.end()) return &known->second;
      const size_t slash = name.rfind('/');
      if (slash == std::string::npos) return nullptr;
      name.resize(slash);
    }
  }

  ov::CompiledModel model_;
  NodeNames names_;
  ov::InferRequest request_;
  std::vector<EnginePort> inputs_, outputs_;
  std::map<std::string, std::vector<std::string>> from_;
  std::map<std::string, double> counted_;  // milliseconds of a node in all runs up to the last call of counters()
  bool counting_ = false, ready_ = false;
  int64_t runs_ = 0, counted_runs_ = 0, rss_before_ = 0, memory_ = 0;
};

}  // namespace

std::unique_ptr<EngineSession> make_session(ov::CompiledModel model, NodeNames names, bool counters, int64_t rss_before) {
  return std::make_unique<Session>(std::move(model), std::move(names), counters, rss_before);
}

}  // namespace hone
