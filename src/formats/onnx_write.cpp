#include "formats/onnx_write.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/file.h"
#include "formats/onnx_lower.h"
#include "formats/onnx_marks.h"
#include "formats/onnx_modules.h"
#include "formats/onnx_proto.h"
#include "formats/proto_message.h"

namespace hone {

namespace onnx {
namespace {

// A message must stay below 2 GB; some room for what surrounds the weights.
constexpr size_t kMaxMessage = (size_t{1} << 31) - (size_t{1} << 20);
// Smaller tensors stay in the model, larger ones start at a page of the external file so that they can be mapped.
constexpr size_t kExternalFrom = 4096, kAlignment = 4096;

// The IR version that came with an opset (onnx's VERSION_TABLE). Not below 4, which lets initialisers be no inputs.
int64_t ir_version(int64_t opset) {
  struct Row {
    int64_t opset, ir;
  };
  static constexpr Row kRows[] = {{9, 4}, {10, 5}, {11, 6}, {14, 7}, {18, 8}, {20, 9}, {22, 10}, {23, 11}, {24, 12}, {27, 13}};
  for (const Row& r : kRows)
    if (opset <= r.opset) return r.ir;
  return kMaxIrVersion;
}

ProtoMessage entry(std::string_view key, std::string_view value) {
  ProtoMessage m;
  m.text(1, key);
  m.text(2, value);
  return m;
}

// Where a tensor lies in the file beside the model.
struct Place {
  std::string_view file;
  size_t offset = 0;
};

ProtoMessage tensor_message(const Tensor& t, std::string_view name, const std::optional<Place>& place) {
  ProtoMessage m;
  for (Dim d : t.shape) m.integer(1, d);
  m.integer(2, static_cast<int64_t>(t.dtype));
  for (const std::string& s : t.strings) m.text(6, s);
  if (!name.empty()) m.text(8, name);
  if (place) {
    m.message(13, entry("location", place->file));
    m.message(13, entry("offset", std::to_string(place->offset)));
    m.message(13, entry("length", std::to_string(t.bytes.size)));
    m.integer(14, 1);
  } else if (t.dtype != DType::string) {
    m.view(9, t.bytes);
  }
  return m;
}

ProtoMessage value_info(const Value& v) {
  ProtoMessage tensor;
  tensor.integer(1, static_cast<int64_t>(v.type.dtype));
  if (v.type.ranked) {
    ProtoMessage shape;
    for (size_t i = 0; i < v.type.shape.size(); ++i) {
      ProtoMessage dim;
      if (v.type.shape[i] >= 0) dim.integer(1, v.type.shape[i]);
      else if (i < v.dim_names.size() && !v.dim_names[i].empty()) dim.text(2, v.dim_names[i]);
      shape.message(1, std::move(dim));
    }
    tensor.message(2, std::move(shape));
  }
  ProtoMessage type, info;
  type.message(1, std::move(tensor));
  info.text(1, v.name);
  info.message(2, std::move(type));
  return info;
}

ProtoMessage attribute_message(std::string_view name, const Attr& value) {
  ProtoMessage m;
  m.text(1, name);
  AttributeType type = AttributeType::undefined;
  if (const auto* f = std::get_if<float>(&value)) m.real(2, *f), type = AttributeType::real;
  if (const auto* i = std::get_if<int64_t>(&value)) m.integer(3, *i), type = AttributeType::integer;
  if (const auto* s = std::get_if<std::string>(&value)) m.text(4, *s), type = AttributeType::text;
  if (const auto* t = std::get_if<TensorPtr>(&value)) m.message(5, tensor_message(**t, "", std::nullopt)), type = AttributeType::tensor;
  if (const auto* list = std::get_if<std::vector<float>>(&value)) {
    for (float f : *list) m.real(7, f);
    type = AttributeType::reals;
  }
  if (const auto* list = std::get_if<std::vector<int64_t>>(&value)) {
    for (int64_t i : *list) m.integer(8, i);
    type = AttributeType::integers;
  }
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& s : *list) m.text(9, s);
    type = AttributeType::texts;
  }
  m.integer(20, static_cast<int64_t>(type));
  return m;
}

class Writer {
 public:
  Writer(const Graph& graph, int64_t opset) : graph_(graph), opset_(opset), used_(graph.values.size(), false) {}

  // The model; large weights go to `external_file`, when it has a name.
  Result<ProtoMessage> model(std::string_view external_file);
  // Contents of the external file, in order: offset and bytes.
  const std::vector<std::pair<size_t, Bytes>>& external() const { return external_; }
  size_t weight_bytes() const;
  void mark_used();

 private:
  Result<ProtoMessage> graph_message(std::string_view external_file);
  Result<ProtoMessage> initializer(const Value& v, std::string_view external_file);
  Status check_contents(const Value& v) const;
  ProtoMessage node_message(const Node& n);

  const Graph& graph_;
  int64_t opset_;
  std::vector<bool> used_;
  std::vector<std::string> domains_;
  std::vector<std::pair<size_t, Bytes>> external_;
  size_t external_size_ = 0;
};

void Writer::mark_used() {
  const auto mark = [&](const std::vector<ValueId>& ids) {
    for (ValueId v : ids)
      if (v != kNoValue) used_[v] = true;
  };
  for (const Node& n : graph_.nodes) mark(n.inputs), mark(n.outputs);
  mark(graph_.inputs);
  mark(graph_.outputs);
}

size_t Writer::weight_bytes() const {
  size_t n = 0;
  for (ValueId v = 0; v < graph_.values.size(); ++v)
    if (used_[v] && graph_.values[v].data) n += graph_.values[v].data->bytes.size;
  return n;
}

Status Writer::check_contents(const Value& v) const {
  if (v.data && v.data->has_data()) return {};
  return fail(Code::invalid, fmt::format("the {} '{}' has no contents", name(v.kind), v.name), graph_.name, "bind a checkpoint, or fill it with fresh weights");
}

Result<ProtoMessage> Writer::initializer(const Value& v, std::string_view external_file) {
  HONE_TRY(check_contents(v));
  std::optional<Place> place;
  if (!external_file.empty() && v.data->bytes.size >= kExternalFrom) {
    external_size_ = (external_size_ + kAlignment - 1) / kAlignment * kAlignment;
    place = Place{external_file, external_size_};
    external_.emplace_back(external_size_, v.data->bytes);
    external_size_ += v.data->bytes.size;
  }
  ProtoMessage m = tensor_message(*v.data, v.name, place);
  if (v.kind != ValueKind::constant)
    for (const auto& [key, value] : marks_of(v)) m.message(16, entry(key, value));
  return m;
}

ProtoMessage Writer::node_message(const Node& n) {
  ProtoMessage m;
  const auto name_of = [&](ValueId v) { return v == kNoValue ? std::string_view() : std::string_view(graph_.values[v].name); };
  for (ValueId v : n.inputs) m.text(1, name_of(v));
  for (ValueId v : n.outputs) m.text(2, name_of(v));
  if (!n.name.empty()) m.text(3, n.name);
  const size_t colons = n.type.find("::");
  m.text(4, colons == std::string::npos ? n.type : n.type.substr(colons + 2));
  for (const auto& [key, value] : n.attrs) m.message(5, attribute_message(key, value));
  if (colons != std::string::npos) {
    const std::string domain = n.type.substr(0, colons);
    m.text(7, domain);
    if (std::ranges::find(domains_, domain) == domains_.end()) domains_.push_back(domain);
  }
  // The module is written where a reader would not guess it from the names.
  std::vector<std::string_view> inputs;
  for (ValueId v : n.inputs) inputs.push_back(name_of(v));
  if (const std::string& path = graph_.modules[n.module]; guess_module(n.name, inputs) != path) m.message(9, entry(kModuleKey, path));
  return m;
}

Result<ProtoMessage> Writer::graph_message(std::string_view external_file) {
  ProtoMessage g;
  // Constants are nodes, so that initialisers are what a checkpoint holds. Before opset 9 only floats could be nodes.
  const auto is_node = [&](const Value& v) { return v.kind == ValueKind::constant && (opset_ >= 9 || is_float(v.type.dtype)); };
  for (ValueId v = 0; v < graph_.values.size(); ++v) {
    const Value& value = graph_.values[v];
    if (!used_[v] || !is_node(value)) continue;
    HONE_TRY(check_contents(value));
    ProtoMessage node;
    node.text(2, value.name);
    node.text(4, "Constant");
    node.message(5, attribute_message("value", value.data));
    g.message(1, std::move(node));
  }
  for (const Node& n : graph_.nodes) g.message(1, node_message(n));
  g.text(2, graph_.name.empty() ? "graph" : graph_.name);
  for (ValueId v = 0; v < graph_.values.size(); ++v) {
    const Value& value = graph_.values[v];
    if (!used_[v] || value.kind == ValueKind::input || value.kind == ValueKind::node || is_node(value)) continue;
    HONE_TRY_ASSIGN(ProtoMessage m, initializer(value, external_file));
    g.message(5, std::move(m));
  }
  std::vector<bool> stated(graph_.values.size(), false);
  for (ValueId v : graph_.inputs) g.message(11, value_info(graph_.values[v]));
  for (ValueId v : graph_.outputs) {
    if (graph_.values[v].type.dtype == DType::undefined) return fail(Code::invalid, fmt::format("the type of output '{}' is not known", graph_.values[v].name), graph_.name, "infer() the graph first");
    g.message(12, value_info(graph_.values[v]));
    stated[v] = true;
  }
  // In the order of nodes, not of values: the same network gives the same file, however it was put together.
  for (const Node& n : graph_.nodes)
    for (ValueId v : n.outputs)
      if (v != kNoValue && used_[v] && !stated[v] && graph_.values[v].type.dtype != DType::undefined) g.message(13, value_info(graph_.values[v]));
  return g;
}

Result<ProtoMessage> Writer::model(std::string_view external_file) {
  HONE_TRY_ASSIGN(ProtoMessage g, graph_message(external_file));
  ProtoMessage m;
  m.integer(1, ir_version(opset_));
  m.text(2, kProducer);
  m.text(3, HONE_VERSION);
  m.message(7, std::move(g));
  const auto import = [&](std::string_view domain, int64_t version) {
    ProtoMessage o;
    o.text(1, domain);
    o.integer(2, version);
    m.message(8, std::move(o));
  };
  import("", opset_);
  for (const std::string& domain : domains_) import(domain, 1);
  for (const auto& [key, value] : graph_.metadata) m.message(14, entry(key, value));
  return m;
}

Status check_opset(int64_t opset) {
  if (opset >= kMinOpset && opset <= kMaxOpset) return {};
  return fail(Code::usage, fmt::format("opset {} was asked for; hone writes {} to {}", opset, kMinOpset, kMaxOpset));
}

Status write_external(const Writer& writer, const std::string& path, bool force) {
  HONE_TRY_ASSIGN(AtomicFile file, AtomicFile::create(path, force));
  size_t at = 0;
  for (const auto& [offset, bytes] : writer.external()) {
    HONE_TRY(file.write(std::string(offset - at, '\0')));
    HONE_TRY(file.write({reinterpret_cast<const char*>(bytes.data), bytes.size}));
    at = offset + bytes.size;
  }
  return file.commit();
}

}  // namespace
}  // namespace onnx

Status write_onnx(const Graph& graph, const std::string& path, const OnnxOptions& options) {
  HONE_TRY(onnx::check_opset(options.opset));
  HONE_TRY(check_writable(path, options.force));
  HONE_TRY_ASSIGN(const Graph lowered, onnx::lower(graph, options.opset));
  onnx::Writer writer(lowered, options.opset);
  writer.mark_used();
  const bool external = options.external_data || writer.weight_bytes() > onnx::kMaxMessage;
  const std::string file = external ? path.substr(path.rfind('/') + 1) + ".data" : std::string();
  if (external) HONE_TRY(check_writable(path + ".data", options.force));
  HONE_TRY_ASSIGN(const ProtoMessage model, writer.model(file));
  if (model.size() > onnx::kMaxMessage) return fail(Code::unsupported, "the model is larger than 2 GB even without its weights", path);
  // The weights first: a model never names a file that is not there.
  if (external) HONE_TRY(onnx::write_external(writer, path + ".data", options.force));
  HONE_TRY_ASSIGN(AtomicFile out, AtomicFile::create(path, options.force));
  HONE_TRY(model.write([&](std::string_view part) { return out.write(part); }));
  return out.commit();
}

Result<std::string> onnx_message(const Graph& graph, int64_t opset) {
  HONE_TRY(onnx::check_opset(opset));
  HONE_TRY_ASSIGN(const Graph lowered, onnx::lower(graph, opset));
  onnx::Writer writer(lowered, opset);
  writer.mark_used();
  HONE_TRY_ASSIGN(const ProtoMessage model, writer.model(""));
  if (model.size() > onnx::kMaxMessage) return fail(Code::unsupported, "the model is larger than 2 GB", graph.name, "write it to a file with its weights in another one");
  std::string out;
  out.reserve(model.size());
  HONE_TRY(model.write([&](std::string_view part) -> Status {
    out += part;
    return {};
  }));
  return out;
}

}  // namespace hone
