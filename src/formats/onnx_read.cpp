#include "formats/onnx_read.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <unordered_set>

#include "core/checked.h"
#include "core/file.h"
#include "formats/onnx_lift.h"
#include "formats/onnx_marks.h"
#include "formats/onnx_modules.h"
#include "formats/onnx_parameters.h"
#include "formats/onnx_proto.h"
#include "ir/verify.h"

namespace hone {

namespace onnx {
namespace {

// Inlining must not let a small file grow without bound (functions that call functions twice, and so on).
constexpr size_t kMaxDepth = 16, kMaxAttributes = 256;
constexpr size_t inlined_limit(size_t file_size) { return 4096 + file_size / 4; }
// Nor may long names of calls, which stand before every name inside.
constexpr size_t inlined_text_limit(size_t file_size) { return (size_t{1} << 20) + 16 * file_size; }

std::string full_type(const NodeProto& n) { return n.domain.empty() ? std::string(n.type) : fmt::format("{}::{}", n.domain, n.type); }

// Files that a model keeps its weights in, each mapped once.
class ExternalFiles {
 public:
  explicit ExternalFiles(std::optional<std::string> folder) : folder_(std::move(folder)) {}

  // Fills in the bytes of `t`, whose size is already what its shape needs. Bytes stay null where the file is absent.
  Status open(TensorProto& t, const std::string& source) {
    std::string location;
    int64_t offset = 0, length = static_cast<int64_t>(t.tensor.bytes.size);
    const std::string where = fmt::format("{}, tensor '{}'", source, t.name);
    for (const auto& [key, value] : t.location) {
      if (key == "location") location = value;
      if (key == "offset" && !number(value, offset)) return fail(Code::invalid, fmt::format("its external offset is '{}', not a number from 0", value), where);
      if (key == "length" && !number(value, length)) return fail(Code::invalid, fmt::format("its external length is '{}', not a number from 0", value), where);
    }
    if (auto s = check_relative(location); !s) return fail(s.error().code, s.error().message + ": '" + location + "'", where, s.error().hint);
    if (length != static_cast<int64_t>(t.tensor.bytes.size))
      return fail(Code::invalid, fmt::format("it is {} bytes long in '{}', its shape needs {}", length, location, t.tensor.bytes.size), where);
    if (!folder_) return {};
    auto it = files_.find(location);
    if (it == files_.end()) {
      auto file = MappedFile::open_beneath(*folder_, location);
      if (!file && file.error().code != Code::not_found) return fail(file.error());
      it = files_.emplace(location, file ? *file : nullptr).first;
    }
    if (!it->second) return {};
    const auto bytes = it->second->bytes();
    const auto end = checked_add(offset, length);
    if (!end || static_cast<uint64_t>(*end) > bytes.size())
      return fail(Code::invalid, fmt::format("bytes {} to {} lie outside '{}', which has {}", offset, end ? std::to_string(*end) : "beyond 64 bits", location, bytes.size()), where,
                  "the external file is truncated or belongs to another model");
    t.tensor.bytes = {it->second, bytes.data() + offset, static_cast<size_t>(length)};
    return {};
  }

 private:
  static bool number(Text text, int64_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && out >= 0;
  }
  std::optional<std::string> folder_;
  std::unordered_map<std::string, std::shared_ptr<const MappedFile>> files_;
};

// Where names are looked up: the graph itself, or a function that is being inlined.
struct Scope {
  std::unordered_map<Text, ValueId> values;
  std::unordered_map<Text, const AttributeProto*> attributes;  // what the caller gave, or the function's default
  std::string prefix;                                           // of values inside a function
  uint32_t module = 0;
  int64_t opset = 0;
  size_t depth = 0;
};

class Importer {
 public:
  Importer(ModelProto& model, const std::string& source, std::optional<std::string> folder, size_t file_size)
      : model_(model), source_(source), files_(std::move(folder)), inlined_limit_(inlined_limit(file_size)), inlined_text_limit_(inlined_text_limit(file_size)) {}

  Result<Graph> run() {
    HONE_TRY(check_versions());
    GraphProto& g = *model_.graph;
    graph_.name = g.name;
    if (g.sparse) return fail(Code::unsupported, "holds sparse initialisers", source_);
    if (model_.training) return fail(Code::unsupported, "holds training information (TrainingInfoProto)", source_, "export the model for inference");
    describe();
    for (const FunctionProto& f : model_.functions) functions_.emplace(std::tuple(f.domain, f.name, f.overload), &f);
    for (const ValueInfo& v : g.values) infos_.emplace(v.name, &v);
    for (const ValueInfo& v : g.outputs) infos_.emplace(v.name, &v);

    Scope scope;
    scope.opset = opset_;
    std::unordered_set<Text> stored;
    for (const TensorProto& t : g.initializers) stored.insert(t.name);
    for (const ValueInfo& v : g.inputs) HONE_TRY(add_input(v, stored, scope));
    for (TensorProto& t : g.initializers) HONE_TRY(add_initializer(t, scope));
    for (NodeProto& n : g.nodes) HONE_TRY(add_node(n, scope));
    for (const ValueInfo& v : g.outputs) {
      const auto it = scope.values.find(v.name);
      if (it == scope.values.end()) return fail(Code::invalid, fmt::format("output '{}' is never produced", v.name), source_);
      graph_.outputs.push_back(it->second);
    }
    classify_initializers(graph_, unmarked_);
    if (auto s = verify(graph_); !s) {
      Error e = s.error();
      e.where = e.where == graph_.name ? source_ : source_ + ", " + e.where;
      return fail(std::move(e));
    }
    return std::move(graph_);
  }

 private:
  Status check_versions() {
    if (model_.ir_version > kMaxIrVersion)
      return fail(Code::unsupported, fmt::format("is of ONNX IR version {}; this hone reads up to {}", model_.ir_version, kMaxIrVersion), source_, "export it with an older opset");
    for (const OpsetImport& o : model_.opsets)
      if (o.domain.empty()) opset_ = o.version;
    // A model made of other domains' operators alone need not say; those have no rules and stay as nodes.
    const auto& nodes = model_.graph->nodes;
    if (opset_ == 0 && !model_.opsets.empty() && std::ranges::none_of(nodes, [](const NodeProto& n) { return n.domain.empty(); })) opset_ = kMaxOpset;
    return check_opset(opset_);
  }

  Status check_opset(int64_t opset) const {
    if (opset == 0) return fail(Code::invalid, "does not say which version of ONNX's operator set it uses (opset_import)", source_);
    if (opset < kMinOpset)
      return fail(Code::unsupported, fmt::format("uses opset {}; this hone reads {} to {}", opset, kMinOpset, kMaxOpset), source_, "convert it with onnx.version_converter, or export it again");
    if (opset > kMaxOpset) return fail(Code::unsupported, fmt::format("uses opset {}; this hone reads {} to {}", opset, kMinOpset, kMaxOpset), source_, "export it with an older opset");
    return {};
  }

  // Provenance. A file that hone wrote carries the metadata of the graph it was written from, and nothing is added.
  void describe() {
    for (const auto& [key, value] : model_.properties) graph_.metadata[std::string(key)] = value;
    if (model_.producer == kProducer) return;
    if (!model_.producer.empty()) graph_.metadata["producer"] = model_.producer_version.empty() ? std::string(model_.producer) : fmt::format("{} {}", model_.producer, model_.producer_version);
    graph_.metadata["opset"] = std::to_string(opset_);
  }

  tl::unexpected<Error> bad(std::string message, Text name, Code code = Code::invalid) const {
    return fail(code, std::move(message), fmt::format("{}, value '{}'", source_, name));
  }

  Status add_input(const ValueInfo& info, const std::unordered_set<Text>& stored, Scope& scope) {
    if (stored.contains(info.name)) return {};  // before IR version 4 initialisers were inputs too
    if (info.name.empty()) return bad("an input has no name", "");
    if (!info.other_kind.empty()) return bad(fmt::format("is of type {}, not tensor", info.other_kind), info.name, Code::unsupported);
    if (info.type.dtype == DType::undefined) return bad("an input without an element type", info.name);
    Value v;
    v.name = info.name;
    v.kind = ValueKind::input;
    v.type = info.type;
    bool any = false;
    for (const std::string& d : info.dim_names) any = any || !d.empty();
    if (any) v.dim_names = info.dim_names;
    HONE_TRY_ASSIGN(const ValueId id, define(std::move(v), info.name, scope));
    graph_.inputs.push_back(id);
    return {};
  }

  Status add_initializer(TensorProto& t, Scope& scope) {
    if (t.name.empty()) return bad("an initialiser has no name", "");
    HONE_TRY_ASSIGN(Value v, stored_value(t));
    v.name = t.name;
    const bool marked = read_marks(t.properties, v);
    HONE_TRY_ASSIGN(const ValueId id, define(std::move(v), t.name, scope));
    if (!marked) unmarked_.push_back(id);
    return {};
  }

  Result<Value> stored_value(TensorProto& t) {
    if (t.external) HONE_TRY(files_.open(t, source_));
    Value v;
    v.kind = ValueKind::constant;
    v.type = TensorType(t.tensor.dtype, t.tensor.shape);
    v.data = std::make_shared<Tensor>(std::move(t.tensor));  // perhaps without bytes: sizes are enough to count
    return v;
  }

  Result<ValueId> define(Value v, Text name, Scope& scope) {
    if (scope.values.contains(name)) return bad("is defined twice", name);
    if (scope.depth > 0) v.name = graph_.unique_name(v.name);
    else if (graph_.find(v.name) != kNoValue) v.name = graph_.unique_name(v.name);  // the name of a lifted helper
    const ValueId id = graph_.add_value(std::move(v));
    scope.values.emplace(name, id);
    return id;
  }

  std::string where(const NodeProto& n) const {
    const Text label = !n.name.empty() ? n.name : n.outputs.empty() ? Text() : n.outputs[0];
    return fmt::format("{}, {} '{}' at byte {}", source_, full_type(n), label, n.offset);
  }

  // Attributes that the IR has, references of a function resolved.
  Result<Attrs> attributes(NodeProto& n, const Scope& scope) {
    if (n.attributes.size() > kMaxAttributes) return fail(Code::invalid, fmt::format("has {} attributes", n.attributes.size()), where(n));
    Attrs out;
    for (AttributeProto& given : n.attributes) {
      AttributeProto* a = &given;
      if (!given.reference.empty()) {
        const auto it = scope.attributes.find(given.reference);
        if (it == scope.attributes.end() || !it->second->reference.empty()) continue;  // the caller left it out
        a = const_cast<AttributeProto*>(it->second);
      }
      const std::string name(given.name);
      if (out.has(name)) return fail(Code::invalid, fmt::format("attribute '{}' is given twice", name), where(n));
      switch (a->type) {
        case AttributeType::real: case AttributeType::integer: case AttributeType::text: case AttributeType::reals: case AttributeType::integers: case AttributeType::texts:
          out.set(name, a->value);
          break;
        case AttributeType::tensor: {
          if (!a->tensor) return fail(Code::invalid, fmt::format("attribute '{}' is a tensor without contents", name), where(n));
          if (a->tensor->external) HONE_TRY(files_.open(*a->tensor, source_));
          if (!a->tensor->tensor.has_data() && n.type != "Constant") return fail(Code::not_found, fmt::format("the contents of attribute '{}' lie in an external file that is absent", name), where(n));
          out.set(name, std::make_shared<const Tensor>(a->tensor->tensor));
          break;
        }
        case AttributeType::graph: case AttributeType::graphs:
          return fail(Code::unsupported, fmt::format("holds a subgraph ('{}'); hone reads networks without control flow", name), where(n), "export with fixed shapes, or simplify the model first");
        case AttributeType::sparse_tensor: case AttributeType::sparse_tensors:
          return fail(Code::unsupported, fmt::format("attribute '{}' is a sparse tensor", name), where(n));
        case AttributeType::tensors:
          return fail(Code::unsupported, fmt::format("attribute '{}' is a list of tensors", name), where(n));
        default:
          return fail(Code::unsupported, fmt::format("attribute '{}' is of type {}, which is not a value", name, static_cast<int32_t>(a->type)), where(n));
      }
    }
    return out;
  }

  Result<std::vector<ValueId>> inputs(const NodeProto& n, const Scope& scope) const {
    std::vector<ValueId> out;
    for (Text name : n.inputs) {
      if (name.empty()) {
        out.push_back(kNoValue);
        continue;
      }
      const auto it = scope.values.find(name);
      if (it == scope.values.end()) return fail(Code::invalid, fmt::format("reads '{}', which no input, initialiser or earlier node defines", name), where(n));
      out.push_back(it->second);
    }
    return out;
  }

  Status add_node(NodeProto& n, Scope& scope) {
    static constexpr std::string_view kRefused[] = {"SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence",
                                                    "ConcatFromSequence", "Optional", "OptionalGetElement", "OptionalHasElement"};
    for (std::string_view refused : kRefused)
      if (n.domain.empty() && n.type == refused) return fail(Code::unsupported, "works on sequences or optionals; hone's values are tensors", where(n));
    if (!functions_.empty())
      if (const auto f = functions_.find(std::tuple(n.domain, n.type, n.overload)); f != functions_.end()) return inline_function(n, *f->second, scope);

    if (scope.depth > 0 && (inlined_text_ += scope.prefix.size() * (1 + n.outputs.size())) > inlined_text_limit_)
      return fail(Code::unsupported, "names inside functions grow far larger than the file", where(n));

    HONE_TRY_ASSIGN(Attrs attrs, attributes(n, scope));
    if (n.domain.empty() && n.type == "Constant") return add_constant(n, attrs, scope);
    if (n.outputs.empty()) return fail(Code::invalid, "has no outputs", where(n));

    Lifting l(graph_, progress_);
    l.opset = scope.opset;
    l.node.type = full_type(n);
    l.node.name = scope.depth == 0 ? std::string(n.name) : n.name.empty() ? std::string() : fmt::format("{}/{}", scope.prefix, n.name);
    l.node.attrs = std::move(attrs);
    HONE_TRY_ASSIGN(l.node.inputs, inputs(n, scope));
    l.node.module = module_of(n, scope);
    for (Text name : n.outputs) {
      if (name.empty()) {
        l.node.outputs.push_back(kNoValue);
        continue;
      }
      HONE_TRY_ASSIGN(Value v, produced(name, n, scope));
      HONE_TRY_ASSIGN(const ValueId id, define(std::move(v), name, scope));
      l.node.outputs.push_back(id);
    }
    // Only ONNX's own operators change with its operator set.
    if (n.domain.empty()) {
      if (auto s = lift(l); !s) {
        Error e = s.error();
        e.where = where(n);
        return fail(std::move(e));
      }
    }
    l.node.def = find_op(l.node.type);
    graph_.add_node(std::move(l.node));
    return {};
  }

  Result<Value> produced(Text name, const NodeProto& n, const Scope& scope) {
    Value v;
    v.name = scope.depth == 0 ? std::string(name) : fmt::format("{}/{}", scope.prefix, name);
    if (scope.depth > 0) return v;
    if (const auto it = infos_.find(name); it != infos_.end()) {
      if (!it->second->other_kind.empty()) return fail(Code::unsupported, fmt::format("'{}' is of type {}, not tensor", name, it->second->other_kind), where(n));
      v.type = it->second->type;
    }
    return v;
  }

  Status add_constant(NodeProto& n, const Attrs& attrs, Scope& scope) {
    if (n.outputs.size() != 1 || n.outputs[0].empty()) return fail(Code::invalid, "a constant needs one output", where(n));
    TensorPtr data;
    for (const auto& [key, value] : attrs) {
      if (data) return fail(Code::invalid, "a constant needs exactly one value", where(n));
      Tensor t;
      if (auto* v = std::get_if<TensorPtr>(&value)) data = *v;
      else if (auto* i = std::get_if<int64_t>(&value)) t = Tensor::scalar(*i);
      else if (auto* f = std::get_if<float>(&value)) t = Tensor::scalar(*f);
      else if (auto* is = std::get_if<std::vector<int64_t>>(&value)) t = Tensor::ints(*is);
      else if (auto* fs = std::get_if<std::vector<float>>(&value)) t = Tensor::floats(*fs);
      else {
        t.dtype = DType::string;
        if (auto* s = std::get_if<std::string>(&value)) t.strings = {*s};
        if (auto* ss = std::get_if<std::vector<std::string>>(&value)) t.shape = {static_cast<int64_t>(ss->size())}, t.strings = *ss;
      }
      if (!data) data = std::make_shared<const Tensor>(std::move(t));
    }
    if (!data) return fail(Code::invalid, "a constant without a value", where(n));
    Value v;
    v.name = scope.depth == 0 ? std::string(n.outputs[0]) : fmt::format("{}/{}", scope.prefix, n.outputs[0]);
    v.kind = ValueKind::constant;
    v.type = TensorType(data->dtype, data->shape);
    v.data = std::move(data);
    auto id = define(std::move(v), n.outputs[0], scope);
    if (!id) return fail(id.error());
    return {};
  }

  // Copies the body of a function in place of a node that calls it.
  Status inline_function(NodeProto& call, const FunctionProto& f, Scope& outer) {
    if (outer.depth >= kMaxDepth) return fail(Code::unsupported, fmt::format("functions call each other more than {} deep", kMaxDepth), where(call));
    if ((inlined_ += f.nodes.size() + f.inputs.size() + f.outputs.size() + f.defaults.size() + 1) > inlined_limit_) return fail(Code::unsupported, "functions call functions until the network is far larger than the file", where(call));
    if (call.inputs.size() > f.inputs.size() || call.outputs.size() > f.outputs.size()) return fail(Code::invalid, fmt::format("calls function '{}' with more inputs or outputs than it has", f.name), where(call));
    Scope inner;
    inner.depth = outer.depth + 1;
    inner.module = module_of(call, outer);
    const Text label = !call.name.empty() ? call.name : call.outputs.empty() ? f.name : call.outputs[0];
    inner.prefix = outer.prefix.empty() ? std::string(label) : fmt::format("{}/{}", outer.prefix, label);
    inner.opset = opset_;
    for (const OpsetImport& o : f.opsets)
      if (o.domain.empty()) inner.opset = o.version;
    HONE_TRY(check_opset(inner.opset));
    HONE_TRY_ASSIGN(const std::vector<ValueId> given, inputs(call, outer));
    for (size_t i = 0; i < given.size(); ++i)
      if (given[i] != kNoValue) inner.values.emplace(f.inputs[i], given[i]);
    for (const AttributeProto& a : f.defaults) inner.attributes[a.name] = &a;
    for (const AttributeProto& a : call.attributes) {
      const AttributeProto* value = &a;
      if (!a.reference.empty()) {  // the caller is itself a function and hands its own attribute on
        const auto it = outer.attributes.find(a.reference);
        if (it == outer.attributes.end()) continue;
        value = it->second;
      }
      inner.attributes[a.name] = value;
    }
    const std::unordered_set<Text> formal(f.inputs.begin(), f.inputs.end());
    for (const NodeProto& body : f.nodes) {
      NodeProto n = body;
      // An optional input that this call leaves out is "" inside, too.
      for (Text& name : n.inputs)
        if (!inner.values.contains(name) && formal.contains(name)) name = "";
      HONE_TRY(add_node(n, inner));
    }
    for (size_t i = 0; i < call.outputs.size(); ++i) {
      if (call.outputs[i].empty()) continue;
      const auto it = inner.values.find(f.outputs[i]);
      if (it == inner.values.end()) return fail(Code::invalid, fmt::format("function '{}' never produces its output '{}'", f.name, f.outputs[i]), where(call));
      if (!outer.values.emplace(call.outputs[i], it->second).second) return bad("is defined twice", call.outputs[i]);
    }
    return {};
  }

  uint32_t module_of(const NodeProto& n, const Scope& scope) {
    std::string path;
    bool found = false;
    for (const auto& [key, value] : n.properties) {
      if (key == kModuleKey) path = value, found = true;
      else if (key == "pkg.torch.onnx.name_scopes" && !found) path = module_of_name_scopes(value), found = true;
    }
    if (!found) path = guess_module(n.name, n.inputs);
    if (path.empty()) return scope.module;
    const auto [it, fresh] = modules_.emplace(path, static_cast<uint32_t>(graph_.modules.size()));
    if (fresh) graph_.modules.push_back(std::move(path));
    return it->second;
  }

  ModelProto& model_;
  const std::string& source_;
  ExternalFiles files_;
  Graph graph_;
  int64_t opset_ = 0;
  std::map<std::tuple<Text, Text, Text>, const FunctionProto*> functions_;
  std::unordered_map<Text, const ValueInfo*> infos_;
  std::unordered_map<std::string, uint32_t> modules_{{"", 0}};
  std::vector<ValueId> unmarked_;  // initialisers of which the file does not say what they are
  Lifting::Progress progress_;
  size_t inlined_ = 0, inlined_limit_, inlined_text_ = 0, inlined_text_limit_;
};

Result<Graph> import(Text bytes, std::shared_ptr<const void> owner, const std::string& source, std::optional<std::string> folder) {
  HONE_TRY_ASSIGN(ModelProto model, decode_model(bytes, std::move(owner), source));
  return Importer(model, source, std::move(folder), bytes.size()).run();
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace
}  // namespace onnx

Result<Graph> read_onnx(const std::string& path) {
  HONE_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  return onnx::import(file->text(), file, path, onnx::folder_of(path));
}

Result<Graph> read_onnx_bytes(std::string_view bytes, std::shared_ptr<const void> owner, const std::string& source) {
  return onnx::import(bytes, std::move(owner), source, std::nullopt);
}

Result<Tensor> read_onnx_tensor(const std::string& path) {
  HONE_TRY_ASSIGN(const std::shared_ptr<const MappedFile> file, MappedFile::open(path));
  HONE_TRY_ASSIGN(onnx::TensorProto t, onnx::decode_tensor(file->text(), file, path));
  if (t.external) return fail(Code::unsupported, "keeps its contents in another file", path);
  return std::move(t.tensor);
}

}  // namespace hone
