// Lowering: what one node does to libtorch tensors. A lowering runs once, at compile: it parses attributes, reads constant
// operands, and returns the Step that every run calls. train/lower_<family>.cpp mirrors ir/ops/<family>.cpp;
// train/lower_table.cpp lists the families.
#pragma once

#include <ATen/ATen.h>

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"
#include "train/program.h"

namespace hone::train {

// Where a step reads its operands and stores its results, by position. Operands that are left out are undefined tensors.
class Frame {
 public:
  struct Binding {                        // of one step, fixed at compile
    std::vector<uint32_t> inputs, outputs;  // slots; slot 0 holds no value
    std::vector<bool> last;               // by input: nobody reads the operand after this step
  };

  Frame(std::vector<at::Tensor> slots, const RunOptions& run) : options(run), slots_(std::move(slots)) {}

  const RunOptions& options;

  bool has(size_t i) const { return i < at_->inputs.size() && at_->inputs[i] != 0; }
  const at::Tensor& operator[](size_t i) const { return slots_[i < at_->inputs.size() ? at_->inputs[i] : 0]; }
  void set(size_t o, at::Tensor value) {
    if (o < at_->outputs.size() && at_->outputs[o] != 0) slots_[at_->outputs[o]] = std::move(value);
  }
  bool wants(size_t o) const { return o < at_->outputs.size() && at_->outputs[o] != 0; }

  // True when operand i may be overwritten: no autograd, no later reader, no other tensor on its memory.
  bool own(size_t i) const {
    if (!at_->last[i] || at::GradMode::is_enabled()) return false;
    const at::Tensor& t = (*this)[i];
    return t.use_count() == 1 && t.storage().use_count() == 1 && t.is_non_overlapping_and_dense();
  }

  // Operand i as a factor of a product: in bf16 when the run computes products so.
  at::Tensor factor(size_t i) const {
    const at::Tensor& t = (*this)[i];
    return options.compute != at::kFloat && t.defined() && t.scalar_type() == at::kFloat ? t.to(options.compute) : t;
  }
  // Operand i where sums need its full range (norms, softmax, losses): what bf16 products left goes back to fp32.
  at::Tensor precise(size_t i) const {
    const at::Tensor& t = (*this)[i];
    return options.compute != at::kFloat && t.defined() && t.scalar_type() == options.compute ? t.to(at::kFloat) : t;
  }

 private:
  friend class Program;
  const Binding* at_ = nullptr;
  std::vector<at::Tensor> slots_;
};

using Step = std::function<void(Frame&)>;

// What a lowering sees of its node.
class Lowering {
 public:
  // `constants` by ValueId; undefined where a value is not a constant.
  Lowering(const Graph& graph, NodeId node, const CompileOptions& options, const std::vector<at::Tensor>& constants)
      : graph_(graph), node_(graph.nodes[node]), options_(options), constants_(constants) {}

  const Graph& graph() const { return graph_; }
  const Node& node() const { return node_; }
  const Attrs& attrs() const { return node_.attrs; }
  const CompileOptions& options() const { return options_; }
  size_t num_inputs() const { return node_.inputs.size(); }
  size_t num_outputs() const { return node_.outputs.size(); }
  bool has_input(size_t i) const { return i < num_inputs() && node_.inputs[i] != kNoValue; }
  bool has_output(size_t i) const { return i < num_outputs() && node_.outputs[i] != kNoValue; }
  // The value of input i; requires has_input.
  const Value& input(size_t i) const { return graph_.value(node_.inputs[i]); }
  // Contents of input i when it is a constant, else an undefined tensor.
  at::Tensor constant(size_t i) const { return has_input(i) ? constants_[node_.inputs[i]] : at::Tensor(); }
  // Gives the step one more operand, a value of the graph that the node does not name; returns its position in the Frame.
  size_t also_reads(ValueId v) const {
    extra_.push_back(v);
    return num_inputs() + extra_.size() - 1;
  }
  const std::vector<ValueId>& extra() const { return extra_; }
  // Code::unsupported, "Op 'node': reason".
  tl::unexpected<Error> unsupported(std::string reason) const;
  // Element type that the integer attribute `name` asks for.
  Result<at::ScalarType> dtype(std::string_view name, DType fallback) const;

 private:
  const Graph& graph_;
  const Node& node_;
  const CompileOptions& options_;
  const std::vector<at::Tensor>& constants_;
  mutable std::vector<ValueId> extra_;
};

using Lower = Result<Step> (*)(const Lowering&);

struct LoweringDef {
  std::string_view op;
  Lower lower = nullptr;
  std::string_view why_not;  // the reason, where there is no lowering
};

const LoweringDef* find_lowering(std::string_view op);  // nullptr: nothing is said about it
std::span<const LoweringDef> all_lowerings();           // sorted by operator

// --- helpers that families share (train/lower.cpp) --------------------------------------------------------------------

using Ints = at::DimVector;

// Integers of an operand: read at compile when it is a constant, at every run otherwise. Empty when left out.
class IntsOperand {
 public:
  IntsOperand(const Lowering& c, size_t i);
  Ints operator()(const Frame& f) const { return fixed_ ? *fixed_ : read(f[index_]); }
  const std::optional<Ints>& fixed() const { return fixed_; }
  static Ints read(const at::Tensor& t);

 private:
  size_t index_;
  std::optional<Ints> fixed_;
};

// The number in a constant of one element, if input i is one.
std::optional<double> constant_number(const Lowering& c, size_t i);
// Types of less than 8 bits live in wider ones, an element each: i4 and i2 in i8, u4 and u2 in u8, f4e2m1 in f32.
std::optional<at::ScalarType> scalar_type(DType t);
// Smallest and largest number of a type of at most 16 bits that is quantised to; infinite for the others.
std::pair<double, double> limits(DType t);
// x as ONNX's Cast converts it; train/lower_cast.cpp.
at::Tensor cast(const at::Tensor& x, DType to, bool saturate, std::string_view round_mode = "up");
std::optional<DType> dtype_of(at::ScalarType t);
// `axis` counted from the front.
inline int64_t wrap(int64_t axis, int64_t rank) { return axis < 0 ? axis + rank : axis; }
// A vector as it broadcasts along dimension 1 of a tensor of `rank` dimensions.
at::Tensor along_channels(const at::Tensor& v, int64_t rank);
// libtorch has few kernels for unsigned types above 8 bits: such tensors are computed with as 64-bit integers (u64 by its
// bits, so that sums and products wrap as they should).
bool wide_unsigned(const at::Tensor& t);
at::Tensor widened(const at::Tensor& t);

// A step that stores f(operand 0).
template <auto f>
Result<Step> lower_unary(const Lowering&) {
  return Step([](Frame& frame) { frame.set(0, f(frame[0])); });
}

// Families, in lower_table.cpp's order.
std::vector<LoweringDef> conv_lowerings();
std::vector<LoweringDef> product_lowerings();
std::vector<LoweringDef> attention_lowerings();
std::vector<LoweringDef> norm_lowerings();
std::vector<LoweringDef> pool_lowerings();
std::vector<LoweringDef> activation_lowerings();
std::vector<LoweringDef> elementwise_lowerings();
std::vector<LoweringDef> shape_lowerings();
std::vector<LoweringDef> index_lowerings();
std::vector<LoweringDef> reduce_lowerings();
std::vector<LoweringDef> resize_lowerings();
std::vector<LoweringDef> recurrent_lowerings();
std::vector<LoweringDef> quantize_lowerings();
std::vector<LoweringDef> generate_lowerings();
std::vector<LoweringDef> signal_lowerings();

}  // namespace hone::train
