#include "formats/onnx_proto.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>
#include <protozero/pbf_reader.hpp>

#include "core/checked.h"

static_assert(std::endian::native == std::endian::little, "contents of tensors are little-endian views into the file");

namespace hone::onnx {

namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Ends decoding with a message of ours; caught beside protozero's exceptions in decode().
struct Refused {
  Code code;
  std::string message, hint;
};

[[noreturn]] void refuse(std::string message, Code code = Code::invalid, std::string hint = {}) { throw Refused{code, std::move(message), std::move(hint)}; }

constexpr uint32_t field(uint32_t tag, pbf_wire_type type) { return protozero::tag_and_type(tag, type); }
constexpr auto kVarint = pbf_wire_type::varint;
constexpr auto kBytes = pbf_wire_type::length_delimited;
constexpr auto kFixed32 = pbf_wire_type::fixed32;
constexpr auto kFixed64 = pbf_wire_type::fixed64;

class Decoder {
 public:
  Decoder(Text bytes, std::shared_ptr<const void> owner) : owner_(std::move(owner)), base_(bytes.data()), at_(bytes.data()) {}
  size_t offset() const { return static_cast<size_t>(at_ - base_); }

  ModelProto model(pbf_reader r);
  TensorProto tensor(pbf_reader r);

 private:
  // Moves to the next field and remembers where, for messages.
  bool next(pbf_reader& r) {
    if (const auto rest = r.data(); rest.data()) at_ = rest.data();
    return r.next();
  }
  static Text text(pbf_reader& r) {
    const auto v = r.get_view();
    return {v.data(), v.size()};
  }

  Properties::value_type property(pbf_reader r);
  OpsetImport opset(pbf_reader r);
  GraphProto graph(pbf_reader r);
  NodeProto node(pbf_reader r);
  AttributeProto attribute(pbf_reader r);
  ValueInfo value_info(pbf_reader r);
  void type(pbf_reader r, ValueInfo& out);
  void tensor_type(pbf_reader r, ValueInfo& out);
  void dimension(pbf_reader r, ValueInfo& out);
  FunctionProto function(pbf_reader r);
  void fill(TensorProto& out, struct Contents& contents);

  std::shared_ptr<const void> owner_;
  const char* base_;
  const char* at_;
};

// Where a TensorProto keeps its elements; exactly one of them should be used.
struct Contents {
  std::optional<Text> raw;
  // float_data, double_data: a view where the file holds one packed run, else the bytes one by one.
  Text run;
  int runs = 0;
  std::string scattered;
  std::vector<int64_t> integers;  // int32_data, int64_data, uint64_data
  bool has_integers = false;
  bool segment = false;
};

template <class T>
void packed_fixed(pbf_reader& r, Contents& c) {
  if (r.wire_type() == kBytes) {
    const auto v = r.get_view();
    if (v.size() % sizeof(T)) refuse("a packed list of numbers ends within a number");
    if (c.runs++ == 0 && c.scattered.empty()) {
      c.run = {v.data(), v.size()};
    } else {
      if (!c.run.empty()) c.scattered.insert(0, c.run);
      c.run = {};
      c.scattered.append(v.data(), v.size());
    }
    return;
  }
  T value;
  if constexpr (sizeof(T) == 4) {
    value = r.get_float();
  } else {
    value = r.get_double();
  }
  if (!c.run.empty()) c.scattered.insert(0, c.run);
  c.run = {};
  c.scattered.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void packed_varints(pbf_reader& r, std::vector<int64_t>& out) {
  if (r.wire_type() == kBytes) {
    for (int64_t v : r.get_packed_int64()) out.push_back(v);
  } else {
    out.push_back(r.get_int64());
  }
}

bool is_repeated_integer(const pbf_reader& r) { return r.wire_type() == kVarint || r.wire_type() == kBytes; }

Properties::value_type Decoder::property(pbf_reader r) {
  Properties::value_type out;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.first = text(r); break;
      case field(2, kBytes): out.second = text(r); break;
      default: r.skip();
    }
  return out;
}

OpsetImport Decoder::opset(pbf_reader r) {
  OpsetImport out;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.domain = text(r); break;
      case field(2, kVarint): out.version = r.get_int64(); break;
      default: r.skip();
    }
  if (out.domain == "ai.onnx") out.domain = "";
  return out;
}

// Gives the tensor its bytes, after checking their number against shape and type.
void Decoder::fill(TensorProto& out, Contents& c) {
  Tensor& t = out.tensor;
  const auto count = element_count(t.shape);
  if (!count) refuse(fmt::format("tensor '{}' has a shape of {} whose product does not fit 64 bits", out.name, to_string(t.shape)));
  if (c.segment) refuse(fmt::format("tensor '{}' is stored in segments", out.name), Code::unsupported);
  if (t.dtype == DType::string) {
    if (static_cast<int64_t>(t.strings.size()) != *count) refuse(fmt::format("tensor '{}' holds {} texts, its shape {} needs {}", out.name, t.strings.size(), to_string(t.shape), *count));
    return;
  }
  const auto need = byte_size(t.dtype, *count);
  if (!need) refuse(fmt::format("tensor '{}' of shape {} is larger than any memory", out.name, to_string(t.shape)));
  const auto size = static_cast<size_t>(*need);
  if (out.external) {
    t.bytes.size = size;
    return;
  }
  const auto check_size = [&](size_t have) {
    if (have != size) refuse(fmt::format("tensor '{}' ({}) holds {} bytes, its shape needs {}", out.name, to_string(TensorType(t.dtype, t.shape)), have, size));
  };
  if (c.raw) {
    check_size(c.raw->size());
    t.bytes = {owner_, reinterpret_cast<const std::byte*>(c.raw->data()), size};
  } else if (!c.run.empty()) {
    check_size(c.run.size());
    t.bytes = {owner_, reinterpret_cast<const std::byte*>(c.run.data()), size};
  } else if (!c.scattered.empty()) {
    check_size(c.scattered.size());
    t.bytes = Bytes::copy(c.scattered.data(), size);
  } else if (c.has_integers) {
    // int32_data serves every type of at most 32 bits: one entry an element, packed kinds one entry a byte.
    const size_t width = static_cast<size_t>(bits(t.dtype)) / 8;
    const size_t entry = width == 0 ? 1 : width;
    if (entry > 8) refuse(fmt::format("tensor '{}' of type {} holds integers", out.name, name(t.dtype)));
    std::string bytes;
    bytes.reserve(std::min(size, c.integers.size() * entry));
    for (int64_t v : c.integers) bytes.append(reinterpret_cast<const char*>(&v), entry);
    check_size(bytes.size());
    t.bytes = Bytes::copy(bytes.data(), size);
  } else {
    check_size(0);
  }
}

TensorProto Decoder::tensor(pbf_reader r) {
  TensorProto out;
  Contents c;
  int64_t dtype = 0;
  while (next(r)) {
    const uint32_t tag = r.tag();
    if (tag == 1 && is_repeated_integer(r)) {
      packed_varints(r, out.tensor.shape);
      if (out.tensor.shape.size() > kMaxRank) refuse(fmt::format("a tensor has more than {} dimensions", kMaxRank));
    } else if (tag == 4 && (r.wire_type() == kBytes || r.wire_type() == kFixed32)) {
      packed_fixed<float>(r, c);
    } else if (tag == 10 && (r.wire_type() == kBytes || r.wire_type() == kFixed64)) {
      packed_fixed<double>(r, c);
    } else if ((tag == 5 || tag == 7 || tag == 11) && is_repeated_integer(r)) {
      c.has_integers = true;
      packed_varints(r, c.integers);
    } else {
      switch (r.tag_and_type()) {
        case field(2, kVarint): dtype = r.get_int64(); break;
        case field(3, kBytes): c.segment = true; r.skip(); break;
        case field(6, kBytes): out.tensor.strings.emplace_back(text(r)); break;
        case field(8, kBytes): out.name = text(r); break;
        case field(9, kBytes): c.raw = text(r); break;
        case field(13, kBytes): out.location.push_back(property(r.get_message())); break;
        case field(14, kVarint): out.external = r.get_int64() == 1; break;
        case field(16, kBytes): out.properties.push_back(property(r.get_message())); break;
        default: r.skip();
      }
    }
  }
  for (Dim d : out.tensor.shape)
    if (d < 0) refuse(fmt::format("tensor '{}' has a dimension of {}", out.name, d));
  if (dtype <= 0 || dtype >= kDTypeCount) refuse(fmt::format("tensor '{}' has element type {}, which hone does not know", out.name, dtype), Code::unsupported);
  out.tensor.dtype = static_cast<DType>(dtype);
  if (out.tensor.dtype != DType::string && !out.tensor.strings.empty()) refuse(fmt::format("tensor '{}' is of type {} but holds texts", out.name, name(out.tensor.dtype)));
  fill(out, c);
  return out;
}

AttributeProto Decoder::attribute(pbf_reader r) {
  AttributeProto out;
  std::optional<float> f;
  std::optional<int64_t> i;
  std::optional<Text> s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  bool graph = false, graphs = false, sparse = false, tensors = false, types = false;
  while (next(r)) {
    const uint32_t tag = r.tag();
    if (tag == 7 && r.wire_type() == kBytes) {
      for (float v : r.get_packed_float()) floats.push_back(v);
    } else if (tag == 8 && is_repeated_integer(r)) {
      packed_varints(r, ints);
    } else {
      switch (r.tag_and_type()) {
        case field(1, kBytes): out.name = text(r); break;
        case field(2, kFixed32): f = r.get_float(); break;
        case field(3, kVarint): i = r.get_int64(); break;
        case field(4, kBytes): s = text(r); break;
        case field(5, kBytes): out.tensor = tensor(r.get_message()); break;
        case field(6, kBytes): graph = true; r.skip(); break;
        case field(7, kFixed32): floats.push_back(r.get_float()); break;
        case field(9, kBytes): strings.emplace_back(text(r)); break;
        case field(10, kBytes): tensors = true; r.skip(); break;
        case field(11, kBytes): graphs = true; r.skip(); break;
        case field(14, kBytes): case field(15, kBytes): types = true; r.skip(); break;
        case field(20, kVarint): out.type = static_cast<AttributeType>(r.get_int64()); break;
        case field(21, kBytes): out.reference = text(r); break;
        case field(22, kBytes): case field(23, kBytes): sparse = true; r.skip(); break;
        default: r.skip();
      }
    }
  }
  if (out.name.empty()) refuse("an attribute has no name");
  // The `type` field came with IR version 2; before, the field that is set tells.
  if (out.type == AttributeType::undefined && out.reference.empty())
    out.type = graph ? AttributeType::graph : graphs ? AttributeType::graphs : sparse ? AttributeType::sparse_tensor : tensors ? AttributeType::tensors : types ? AttributeType::type
             : out.tensor ? AttributeType::tensor : f ? AttributeType::real : i ? AttributeType::integer : s ? AttributeType::text : !floats.empty() ? AttributeType::reals
             : !strings.empty() ? AttributeType::texts : AttributeType::integers;
  switch (out.type) {
    case AttributeType::real: out.value = f.value_or(0.f); break;
    case AttributeType::integer: out.value = i.value_or(0); break;
    case AttributeType::text: out.value = std::string(s.value_or(Text())); break;
    case AttributeType::reals: out.value = std::move(floats); break;
    case AttributeType::integers: out.value = std::move(ints); break;
    case AttributeType::texts: out.value = std::move(strings); break;
    case AttributeType::tensor:
      if (!out.tensor && out.reference.empty()) refuse(fmt::format("attribute '{}' is a tensor without contents", out.name));
      break;
    default: break;  // what hone has no value for; the reader refuses it by name
  }
  return out;
}

NodeProto Decoder::node(pbf_reader r) {
  NodeProto out;
  out.offset = static_cast<size_t>(r.data().data() - base_);
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.inputs.push_back(text(r)); break;
      case field(2, kBytes): out.outputs.push_back(text(r)); break;
      case field(3, kBytes): out.name = text(r); break;
      case field(4, kBytes): out.type = text(r); break;
      case field(5, kBytes): out.attributes.push_back(attribute(r.get_message())); break;
      case field(7, kBytes): out.domain = text(r); break;
      case field(8, kBytes): out.overload = text(r); break;
      case field(9, kBytes): out.properties.push_back(property(r.get_message())); break;
      default: r.skip();
    }
  if (out.type.empty()) refuse("a node has no operator");
  if (out.domain == "ai.onnx") out.domain = "";
  return out;
}

void Decoder::dimension(pbf_reader r, ValueInfo& out) {
  Dim value = kUnknown;
  Text name;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kVarint): value = r.get_int64(); break;
      case field(2, kBytes): name = text(r); break;
      default: r.skip();
    }
  // Some writers put -1 or 0 with a name for an open dimension.
  if (value < 0) value = kUnknown;
  out.type.shape.push_back(value);
  if (out.type.shape.size() > kMaxRank) refuse(fmt::format("'{}' has more than {} dimensions", out.name, kMaxRank));
  out.dim_names.emplace_back(value < 0 ? name : Text());
}

void Decoder::tensor_type(pbf_reader r, ValueInfo& out) {
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kVarint): {
        const int64_t t = r.get_int64();
        if (t < 0 || t >= kDTypeCount) refuse(fmt::format("'{}' has element type {}, which hone does not know", out.name, t), Code::unsupported);
        out.type.dtype = static_cast<DType>(t);
        break;
      }
      case field(2, kBytes): {
        out.type.ranked = true;
        out.type.shape.clear();
        out.dim_names.clear();
        pbf_reader dims = r.get_message();
        while (next(dims)) {
          if (dims.tag_and_type() == field(1, kBytes)) dimension(dims.get_message(), out);
          else dims.skip();
        }
        break;
      }
      default: r.skip();
    }
}

void Decoder::type(pbf_reader r, ValueInfo& out) {
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): tensor_type(r.get_message(), out); break;
      case field(4, kBytes): out.other_kind = "sequence"; r.skip(); break;
      case field(5, kBytes): out.other_kind = "map"; r.skip(); break;
      case field(7, kBytes): out.other_kind = "opaque"; r.skip(); break;
      case field(8, kBytes): out.other_kind = "sparse tensor"; r.skip(); break;
      case field(9, kBytes): out.other_kind = "optional"; r.skip(); break;
      default: r.skip();
    }
}

ValueInfo Decoder::value_info(pbf_reader r) {
  ValueInfo out;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.name = text(r); break;
      case field(2, kBytes): type(r.get_message(), out); break;
      default: r.skip();
    }
  return out;
}

FunctionProto Decoder::function(pbf_reader r) {
  FunctionProto out;
  const auto reference = [](Text name) {
    AttributeProto a;
    a.name = name;
    a.reference = name;  // no default: stays a reference until a caller gives it
    return a;
  };
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.name = text(r); break;
      case field(4, kBytes): out.inputs.push_back(text(r)); break;
      case field(5, kBytes): out.outputs.push_back(text(r)); break;
      case field(6, kBytes): out.defaults.push_back(reference(text(r))); break;
      case field(7, kBytes): out.nodes.push_back(node(r.get_message())); break;
      case field(9, kBytes): out.opsets.push_back(opset(r.get_message())); break;
      case field(10, kBytes): out.domain = text(r); break;
      case field(11, kBytes): out.defaults.push_back(attribute(r.get_message())); break;
      case field(13, kBytes): out.overload = text(r); break;
      default: r.skip();
    }
  if (out.domain == "ai.onnx") out.domain = "";
  return out;
}

GraphProto Decoder::graph(pbf_reader r) {
  GraphProto out;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kBytes): out.nodes.push_back(node(r.get_message())); break;
      case field(2, kBytes): out.name = text(r); break;
      case field(5, kBytes): out.initializers.push_back(tensor(r.get_message())); break;
      case field(11, kBytes): out.inputs.push_back(value_info(r.get_message())); break;
      case field(12, kBytes): out.outputs.push_back(value_info(r.get_message())); break;
      case field(13, kBytes): out.values.push_back(value_info(r.get_message())); break;
      case field(15, kBytes): out.sparse = true; r.skip(); break;
      default: r.skip();
    }
  return out;
}

ModelProto Decoder::model(pbf_reader r) {
  ModelProto out;
  while (next(r)) switch (r.tag_and_type()) {
      case field(1, kVarint): out.ir_version = r.get_int64(); break;
      case field(2, kBytes): out.producer = text(r); break;
      case field(3, kBytes): out.producer_version = text(r); break;
      case field(7, kBytes): out.graph = graph(r.get_message()); break;
      case field(8, kBytes): out.opsets.push_back(opset(r.get_message())); break;
      case field(14, kBytes): out.properties.push_back(property(r.get_message())); break;
      case field(20, kBytes): out.training = true; r.skip(); break;
      case field(25, kBytes): out.functions.push_back(function(r.get_message())); break;
      default: r.skip();
    }
  return out;
}

// What else the file may be, by its first bytes.
std::string guess(Text bytes) {
  if (bytes.starts_with("PK\x03\x04")) return "it looks like a zip archive, as PyTorch writes checkpoints; a checkpoint has weights but no network";
  if (bytes.size() > 9 && bytes[8] == '{') return "it looks like safetensors, which has weights but no network: give it with --weights";
  if (bytes.starts_with("\x1f\x8b")) return "it is compressed with gzip: unpack it first";
  if (bytes.starts_with("\x89HDF")) return "it is an HDF5 file (Keras); convert it with tf2onnx";
  if (bytes.size() > 8 && bytes.substr(4, 4) == "TFL3") return "it is a TensorFlow Lite file; convert it with tf2onnx";
  if (bytes.starts_with("version https://git-lfs")) return "it is a Git LFS pointer: the file itself was not fetched (git lfs pull)";
  if (bytes.starts_with("<") || bytes.starts_with("{") || bytes.starts_with("#")) return "it is a text file";
  return "";
}

// protozero's exceptions and ours become one Error that says the byte.
template <class F>
auto decode(Text bytes, std::shared_ptr<const void> owner, const std::string& source, F parse) -> Result<decltype(parse(std::declval<Decoder&>(), pbf_reader()))> {
  // Lengths are 32-bit in protozero as in every protobuf library.
  if (bytes.size() > UINT32_MAX) return fail(Code::unsupported, "is larger than 4 GB, more than a protobuf message can hold", source, "keep its weights in an external file");
  Decoder decoder(bytes, std::move(owner));
  try {
    return parse(decoder, pbf_reader(bytes.data(), bytes.size()));
  } catch (const Refused& r) {
    return fail(r.code, r.message, fmt::format("{}, byte {}", source, decoder.offset()), r.hint);
  } catch (const protozero::end_of_buffer_exception&) {
    return fail(Code::invalid, fmt::format("not an ONNX file, or truncated: a field goes on past the end ({} bytes)", bytes.size()), fmt::format("{}, byte {}", source, decoder.offset()), guess(bytes));
  } catch (const protozero::exception& e) {
    return fail(Code::invalid, fmt::format("not an ONNX file, or damaged: {}", std::string_view(e.what()).substr(0, 60)), fmt::format("{}, byte {}", source, decoder.offset()), guess(bytes));
  }
}

}  // namespace

Result<ModelProto> decode_model(Text bytes, std::shared_ptr<const void> owner, const std::string& source) {
  if (bytes.empty()) return fail(Code::invalid, "the file is empty", source);
  auto model = decode(bytes, std::move(owner), source, [](Decoder& d, pbf_reader r) { return d.model(r); });
  if (model && !model->graph) return fail(Code::invalid, "not an ONNX file: it holds no graph", source, guess(bytes));
  return model;
}

Result<TensorProto> decode_tensor(Text bytes, std::shared_ptr<const void> owner, const std::string& source) {
  return decode(bytes, std::move(owner), source, [](Decoder& d, pbf_reader r) { return d.tensor(r); });
}

}  // namespace hone::onnx
