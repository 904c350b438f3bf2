// The messages of onnx.proto that hone reads, decoded into plain structs. Names and contents are views into the file's
// bytes; nothing is copied but short lists of numbers. What the messages mean is onnx_read.cpp's affair.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/attr.h"

namespace hone::onnx {

// Oldest and newest version of the default operator set that is read and written.
inline constexpr int64_t kMinOpset = 7, kMaxOpset = 28;
inline constexpr int64_t kMaxIrVersion = 14;
inline constexpr size_t kMaxRank = 64;  // far above any network; keeps a hostile shape from growing in memory

using Text = std::string_view;
using Properties = std::vector<std::pair<Text, Text>>;

// AttributeProto.AttributeType
enum class AttributeType : int32_t { undefined = 0, real = 1, integer = 2, text = 3, tensor = 4, graph = 5, reals = 6, integers = 7, texts = 8, tensors = 9, graphs = 10,
                                     sparse_tensor = 11, sparse_tensors = 12, type = 13, types = 14 };

struct TensorProto {
  Text name;
  Tensor tensor;          // contents of an external tensor are not opened: bytes.data null
  bool external = false;
  Properties location;    // external_data: location, offset, length
  Properties properties;  // metadata_props
};

struct AttributeProto {
  Text name;
  Text reference;         // inside a function: the name of the caller's attribute
  AttributeType type = AttributeType::undefined;
  Attr value;             // of the kinds that the IR has
  std::optional<TensorProto> tensor;
};

struct NodeProto {
  Text name, type, domain, overload;
  std::vector<Text> inputs, outputs;  // "" : left out
  std::vector<AttributeProto> attributes;
  Properties properties;
  size_t offset = 0;      // in the file, for messages
};

struct ValueInfo {
  Text name;
  TensorType type;
  std::vector<std::string> dim_names;  // "" where a dimension is bound or has no name
  Text other_kind;                     // "sequence", "map", ...: not a tensor
};

struct OpsetImport {
  Text domain;
  int64_t version = 0;
};

struct FunctionProto {
  Text name, domain, overload;
  std::vector<Text> inputs, outputs;
  std::vector<AttributeProto> defaults;
  std::vector<NodeProto> nodes;
  std::vector<OpsetImport> opsets;
};

struct GraphProto {
  Text name;
  std::vector<NodeProto> nodes;
  std::vector<TensorProto> initializers;
  std::vector<ValueInfo> inputs, outputs, values;
  bool sparse = false;    // has sparse initialisers
};

struct ModelProto {
  int64_t ir_version = 0;
  Text producer, producer_version;
  std::vector<OpsetImport> opsets;
  std::optional<GraphProto> graph;
  std::vector<FunctionProto> functions;
  Properties properties;
  bool training = false;
};

// Decodes a whole file, of which `owner` keeps the bytes alive. Errors name `source` and the byte.
Result<ModelProto> decode_model(Text bytes, std::shared_ptr<const void> owner, const std::string& source);
// A TensorProto that stands alone in a file (test data: input_0.pb).
Result<TensorProto> decode_tensor(Text bytes, std::shared_ptr<const void> owner, const std::string& source);

}  // namespace hone::onnx
