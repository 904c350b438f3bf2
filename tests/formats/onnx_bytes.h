// ONNX messages written by hand, so that the reader is tested against the format and not against hone's own writer.
#pragma once

#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

namespace hone::test {

// A protobuf message under construction: fields in the order they are put.
class Message {
 public:
  Message& put(uint32_t tag, const std::string& text) { return protozero::pbf_writer(bytes_).add_string(tag, text), *this; }
  Message& put(uint32_t tag, const Message& m) { return put(tag, m.bytes_); }
  Message& put(uint32_t tag, int64_t v) { return protozero::pbf_writer(bytes_).add_int64(tag, v), *this; }
  Message& put(uint32_t tag, float v) { return protozero::pbf_writer(bytes_).add_float(tag, v), *this; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

inline Message entry(const std::string& key, const std::string& value) { return Message().put(1, key).put(2, value); }

template <class T>
std::string raw(const std::vector<T>& values) { return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)}; }

// TensorProto without contents.
inline Message tensor(const std::string& name, int64_t dtype, const std::vector<int64_t>& dims) {
  Message m;
  for (int64_t d : dims) m.put(1, d);
  return m.put(2, dtype).put(8, name);
}
inline Message floats(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) { return tensor(name, 1, dims).put(9, raw(values)); }
inline Message ints(const std::string& name, const std::vector<int64_t>& dims, const std::vector<int64_t>& values) { return tensor(name, 7, dims).put(9, raw(values)); }

// ValueInfoProto of an f32 tensor (or `dtype`); a dimension of -1 is left open under the name "N".
inline Message value_info(const std::string& name, const std::vector<int64_t>& dims, int64_t dtype = 1) {
  Message shape;
  for (int64_t d : dims) shape.put(1, d < 0 ? Message().put(2, std::string("N")) : Message().put(1, d));
  return Message().put(1, name).put(2, Message().put(1, Message().put(1, dtype).put(2, shape)));
}

// AttributeProto of each kind.
inline Message attr(const std::string& name, int64_t v) { return Message().put(1, name).put(3, v).put(20, int64_t{2}); }
inline Message attr(const std::string& name, float v) { return Message().put(1, name).put(2, v).put(20, int64_t{1}); }
inline Message attr(const std::string& name, const std::string& v) { return Message().put(1, name).put(4, v).put(20, int64_t{3}); }
inline Message attr(const std::string& name, const Message& tensor) { return Message().put(1, name).put(5, tensor).put(20, int64_t{4}); }
inline Message attr(const std::string& name, const std::vector<int64_t>& v) {
  Message m;
  m.put(1, name);
  for (int64_t i : v) m.put(8, i);
  return m.put(20, int64_t{7});
}
inline Message attr(const std::string& name, const std::vector<float>& v) {
  Message m;
  m.put(1, name);
  for (float f : v) m.put(7, f);
  return m.put(20, int64_t{6});
}

inline Message node(const std::string& op, const std::vector<std::string>& in, const std::vector<std::string>& out, const std::vector<Message>& attrs = {},
                    const std::string& name = "", const std::string& domain = "") {
  Message m;
  for (const auto& s : in) m.put(1, s);
  for (const auto& s : out) m.put(2, s);
  if (!name.empty()) m.put(3, name);
  m.put(4, op);
  for (const auto& a : attrs) m.put(5, a);
  if (!domain.empty()) m.put(7, domain);
  return m;
}

struct Model {
  int64_t opset = 17;
  std::vector<Message> nodes, initializers, inputs, outputs;
  Message graph_extra, model_extra;  // further fields, appended as they are

  std::string bytes() const {
    Message g;
    for (const auto& n : nodes) g.put(1, n);
    g.put(2, std::string("net"));
    for (const auto& t : initializers) g.put(5, t);
    for (const auto& v : inputs) g.put(11, v);
    for (const auto& v : outputs) g.put(12, v);
    Message with_extra;
    with_extra.put(1, int64_t{8}).put(2, std::string("hand")).put(7, g.bytes() + graph_extra.bytes()).put(8, Message().put(1, std::string()).put(2, opset));
    return with_extra.bytes() + model_extra.bytes();
  }
};

}  // namespace hone::test
