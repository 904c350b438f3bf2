// OpenVINO as an engine: graphs go in as ONNX messages, in memory below 2 GB and through a file above.
#include "engine/engine.h"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <openvino/core/version.hpp>
#include <openvino/runtime/core.hpp>
#include <openvino/runtime/properties.hpp>

#include "engine/openvino/session.h"
#include "formats/onnx_write.h"
#include "rewrite/engine_form.h"

namespace hone {

namespace {

namespace fs = std::filesystem;

constexpr size_t kInMemory = (size_t{1} << 31) - (size_t{64} << 20);

size_t weight_bytes(const Graph& graph) {
  size_t n = 0;
  for (const Value& v : graph.values)
    if (v.data) n += v.data->bytes.size;
  return n;
}

NodeNames node_names(const Graph& graph) {
  NodeNames out;
  for (const Node& node : graph.nodes) {
    if (node.name.empty()) continue;
    for (const ValueId v : node.outputs)
      if (v != kNoValue) out.emplace(graph.value(v).name, node.name);
  }
  for (const Node& node : graph.nodes)
    if (!node.name.empty()) out[node.name] = node.name;
  return out;
}

// "No conversion rule found for operations: Det-20, Erg-20" names operators; the graph's nodes of that kind say where.
Error with_nodes(Error error, const Graph& graph) {
  static constexpr std::string_view kList = "No conversion rule found for operations: ";
  const size_t list = error.message.find(kList);
  if (list == std::string::npos) return error;
  error.code = Code::unsupported;
  const size_t begin = list + kList.size();
  const std::string named = error.message.substr(begin, error.message.find('\n', begin) - begin), first = named.substr(0, named.find_first_of(",-"));
  error.message = "OpenVINO has no operator " + named;
  for (const Node& node : graph.nodes)
    if (node.type == first) {
      error.where = fmt::format("{} '{}'", node.type, node.name.empty() ? graph.value(node.outputs[0]).name : node.name);
      break;
    }
  return error;
}

// A folder that is gone with this object.
class Scratch {
 public:
  Scratch() {
    std::string path = (fs::temp_directory_path() / "hone-engine-XXXXXX").string();
    if (::mkdtemp(path.data())) path_ = path;
  }
  ~Scratch() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class OpenVino : public Engine {
 public:
  std::string name() const override { return "openvino"; }
  std::string version() const override { return ov::get_openvino_version().buildNumber; }

  Result<std::unique_ptr<EngineSession>> load(const Graph& given, const EngineOptions& options) override {
    for (const ValueId v : given.inputs)
      if (const Value& value = given.value(v); !value.type.ranked || std::ranges::any_of(value.type.shape, [](Dim d) { return d < 0; }))
        return fail(Code::usage, fmt::format("the input is {}: an engine needs its shape", to_string(value.type)), value.name, "give it with --input NAME=1x3x224x224");
    HONE_TRY_ASSIGN(const Graph graph, options.as_is ? given : engine_form(given, engine_form_for("openvino")));
    const int64_t before = resident_bytes();
    try {
      if (weight_bytes(graph) > kInMemory) return load_big(graph, node_names(given), options, before);
      HONE_TRY_ASSIGN(const std::string message, onnx_message(graph, kEngineOpset));
      return compile(core().read_model(message, ov::Tensor()), node_names(given), options, before);
    } catch (...) {
      return fail(with_nodes(caught(graph.name), graph));
    }
  }

  Result<std::unique_ptr<EngineSession>> load_file(const std::string& path, const EngineOptions& options) override {
    std::error_code ec;
    if (!fs::is_regular_file(path, ec)) return fail(Code::not_found, "is no file", path);
    const int64_t before = resident_bytes();
    try {
      return compile(core().read_model(path), {}, options, before);
    } catch (...) {
      return fail(caught(path));
    }
  }

 private:
  // Plug-ins and thread pools of OpenVINO live as long as the process: taking them down at exit is not safe for a library
  // that was opened late.
  static ov::Core& core() {
    static ov::Core* const instance = new ov::Core();
    return *instance;
  }

  Result<std::unique_ptr<EngineSession>> load_big(const Graph& graph, NodeNames names, const EngineOptions& options, int64_t before) {
    const Scratch scratch;
    if (scratch.path().empty()) return fail(Code::io, "cannot make a folder for the weights, which are too many for one message", fs::temp_directory_path());
    const std::string path = scratch.path() + "/model.onnx";
    HONE_TRY(write_onnx(graph, path, {.opset = kEngineOpset, .external_data = true}));
    return compile(core().read_model(path), std::move(names), options, before);
  }

  Result<std::unique_ptr<EngineSession>> compile(const std::shared_ptr<ov::Model>& model, NodeNames names, const EngineOptions& options, int64_t before) {
    const std::vector<std::string> devices = core().get_available_devices();
    if (std::ranges::find(devices, options.device) == devices.end())
      return fail(Code::usage, fmt::format("OpenVINO has no device '{}' here", options.device), "device", fmt::format("it has: {}", fmt::join(devices, ", ")));
    if (options.threads < 0) return fail(Code::usage, fmt::format("{} threads cannot be", options.threads), "threads");
    if (options.precision != "f32" && options.precision != "bf16") return fail(Code::usage, fmt::format("there is no precision '{}'", options.precision), "precision", "the precisions: f32, bf16");
    const auto able = core().get_property(options.device, ov::device::capabilities);
    if (options.precision == "bf16" && std::ranges::find(able, ov::device::capability::BF16) == able.end())
      return fail(Code::unsupported, fmt::format("{} does not multiply in bf16", options.device), "precision");
    for (const auto& input : model->inputs())
      if (input.get_partial_shape().is_dynamic())
        return fail(Code::usage, fmt::format("the input is {}: an engine needs its shape", input.get_partial_shape().to_string()), input.get_names().empty() ? "" : input.get_any_name());
    ov::AnyMap properties = {ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY), ov::num_streams(1),
                             ov::hint::inference_precision(options.precision == "bf16" ? ov::element::bf16 : ov::element::f32),
                             ov::enable_profiling(options.counters), ov::hint::enable_cpu_pinning(options.pin)};
    if (options.threads > 0) properties.insert(ov::inference_num_threads(options.threads));
    return make_session(core().compile_model(model, options.device, properties), std::move(names), options.counters, before);
  }
};

}  // namespace

}  // namespace hone

extern "C" __attribute__((visibility("default"))) hone::Engine* hone_engine() {
#ifdef __GLIBC__
  // Glibc raises its limit for mapped memory with every large block that is freed, so what a network gets depends on what was
  // loaded before it, and its weights land between holes of the heap: ElasticViT-S1 ran 15 % slower there, by 5 % differently from
  // place to place (docs/engine.md). Setting the limit to its first value keeps it there. (Nothing large is allocated while a network runs.)
  ::mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
  static hone::OpenVino* const engine = new hone::OpenVino();
  return engine;
}
