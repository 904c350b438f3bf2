// Builds a Graph operator by operator, with types inferred at each step. The zoo and the tests use it.
//
// Names: `name` arguments are module paths relative to the current scope; parameters are `<path>.weight`, `<path>.bias`
// as PyTorch names them. Errors are sticky: after the first one every call is a no-op and finish() returns it.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/infer.h"

namespace hone {

struct ConvSpec {
  int64_t out = 0;
  std::array<int64_t, 2> kernel{1, 1};
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> dilation{1, 1};
  std::array<int64_t, 4> pad{0, 0, 0, 0};  // top, left, bottom, right (ONNX order)
  bool same = false;                       // TensorFlow SAME: computed from the input size, extra pixel at bottom/right
  int64_t groups = 1;
  bool bias = false;
  Init init{Init::Kind::kaiming_normal, 0};
};
// k x k, stride s, padding (k - 1) / 2.
ConvSpec conv_spec(int64_t out, int64_t k, int64_t stride = 1, int64_t groups = 1, bool bias = false);

class Builder {
 public:
  explicit Builder(std::string graph_name);

  ValueId input(const std::string& name, DType dtype, Shape shape);
  ValueId parameter(const std::string& name, Shape shape, Init init = {}, DType dtype = DType::f32);
  ValueId buffer(const std::string& name, Shape shape, Init init = {}, DType dtype = DType::f32);
  ValueId constant(Tensor tensor, const std::string& name = "const");
  void output(ValueId v);                        // renames nothing; call in order

  // Any operator. `name` is the module path of the node ("" keeps the scope's); several outputs by `outputs`.
  ValueId op(std::string_view type, std::vector<ValueId> inputs, Attrs attrs = {}, std::string_view name = "");
  std::vector<ValueId> op_n(std::string_view type, std::vector<ValueId> inputs, size_t outputs, Attrs attrs = {}, std::string_view name = "");

  // Layers with parameters under PyTorch's names.
  ValueId conv(ValueId x, std::string_view name, const ConvSpec& spec);
  ValueId batch_norm(ValueId x, std::string_view name, float eps = 1e-5f, Init weight = {Init::Kind::ones}, float momentum = 0.1f);
  ValueId layer_norm(ValueId x, std::string_view name, float eps = 1e-5f);   // over the last dimension
  ValueId group_norm(ValueId x, std::string_view name, int64_t groups, float eps = 1e-5f);
  ValueId linear(ValueId x, std::string_view name, int64_t out, bool bias = true, Init init = {Init::Kind::truncated_normal, 0.02f});

  // Without parameters.
  ValueId relu(ValueId x);
  ValueId relu6(ValueId x);
  ValueId silu(ValueId x);           // hone::Swish is ONNX "Swish"
  ValueId gelu(ValueId x, bool tanh = false);
  ValueId sigmoid(ValueId x);
  ValueId hard_sigmoid(ValueId x);   // relu6(x + 3) / 6
  ValueId hard_swish(ValueId x);
  ValueId tanh(ValueId x);
  ValueId softmax(ValueId x, int64_t axis = -1);
  ValueId add(ValueId a, ValueId b);
  ValueId mul(ValueId a, ValueId b);
  ValueId matmul(ValueId a, ValueId b);
  ValueId concat(std::vector<ValueId> xs, int64_t axis);
  ValueId reshape(ValueId x, Shape shape);       // -1 infers one dimension, 0 copies it
  ValueId transpose(ValueId x, std::vector<int64_t> perm);
  ValueId slice(ValueId x, int64_t axis, int64_t begin, int64_t end, int64_t step = 1);
  std::vector<ValueId> split(ValueId x, int64_t axis, std::vector<int64_t> sizes);
  ValueId flatten(ValueId x, int64_t axis = 1);
  ValueId max_pool(ValueId x, int64_t k, int64_t stride, std::array<int64_t, 4> pad, bool ceil_mode = false);
  ValueId avg_pool(ValueId x, int64_t k, int64_t stride, std::array<int64_t, 4> pad, bool count_include_pad = true, bool ceil_mode = false);
  ValueId global_avg_pool(ValueId x);            // adaptive average pool to 1x1, keeps N x C x 1 x 1
  ValueId mean(ValueId x, std::vector<int64_t> axes, bool keep = false);
  ValueId scalar(float value);                   // f32 constant of rank 0
  // Scaled dot-product attention on (B, heads, tokens, dim) tensors; mask is added to the logits.
  ValueId attention(ValueId q, ValueId k, ValueId v, float scale, ValueId mask = kNoValue);

  const Shape& shape(ValueId v) const;           // {} after an error
  int64_t channels(ValueId v) const;             // dimension 1 of NCHW
  bool failed() const { return error_.has_value(); }
  void fail(std::string message);

  // Module scope: parameter names and node paths get this prefix until the Scope ends.
  class Scope {
   public:
    Scope(Builder& b, std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
   private:
    Builder& b_;
    size_t length_;
  };
  std::string path(std::string_view name) const;  // scope + "." + name

  Graph& graph() { return graph_; }
  Result<Graph> finish();

 private:
  Graph graph_;
  std::vector<std::optional<Known>> known_;
  std::string scope_;
  std::optional<Error> error_;
};

}  // namespace hone
