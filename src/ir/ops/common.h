// Helpers that several operator families share. A family file defines `std::vector<OpDef> <family>_ops()`;
// table.cpp lists the families.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace hone::ops {

// The type of input i with a known rank, or an error that says what was expected.
Result<Shape> ranked(const InferContext& c, size_t i, size_t min_rank = 0);
// Normalises an axis into [0, rank); an error outside [-rank, rank).
Result<int64_t> axis_in(const InferContext& c, int64_t axis, size_t rank);
// Contents of input i as integers, when they are known in full.
std::optional<std::vector<int64_t>> known_ints(const InferContext& c, size_t i);
// Axes given by input i, normalised; nothing when they are not known. All axes when the input is left out.
Result<std::optional<std::vector<int64_t>>> known_axes(const InferContext& c, size_t i, size_t rank);

// Known contents of a tensor of `shape` whose element at a coordinate is `from`'s at f(coordinate), as a flat index.
template <class F>
Known rearranged(const Known& from, const Shape& shape, F f) {
  Known out{from.dtype, shape, {}, {}};
  const int64_t n = element_count(shape).value_or(0);
  std::vector<int64_t> at(shape.size(), 0);
  for (int64_t i = 0; i < n; ++i) {
    const auto source = static_cast<size_t>(f(at));
    if (from.is_float()) out.floats.push_back(from.floats.at(source));
    else out.ints.push_back(from.ints.at(source));
    for (size_t d = shape.size(); d-- > 0 && ++at[d] == shape[d];) at[d] = 0;
  }
  return out;
}
// Distance in elements between neighbours along each dimension (row-major).
std::vector<int64_t> strides_of(const Shape& shape);

// Axes that the attribute `axes` names, normalised; none when it is left out.
Result<std::vector<int64_t>> attribute_axes(const InferContext& c, size_t rank);

// Shape rules that many operators share.
Status infer_same(InferContext& c);       // output 0 has the type of input 0
Status infer_broadcast(InferContext& c);  // all inputs broadcast together; type of input 0
Status infer_unknown_rank(InferContext& c, DType dtype);

// Cost rules that many operators share.
Counts cost_activation(const CostContext& c);

// Numbers of the sliding window of convolutions and pools, read from the attributes and checked.
struct Window {
  std::vector<int64_t> kernel, stride, dilation, pad_begin, pad_end;
};
// `kernel_default` holds the spatial sizes of a weight when kernel_shape is left out.
Result<Window> window(const InferContext& c, const Shape& input, const std::vector<int64_t>& kernel_default);
// Output size along one axis; kUnknown for an unknown input. The kernel must fit the padded input.
Result<Dim> window_output(const InferContext& c, const Window& w, size_t axis, Dim size, bool ceil_mode);

// Short forms for the samples.
inline TensorType f32(Shape s) { return {DType::f32, std::move(s)}; }
inline TensorType i64(Shape s) { return {DType::i64, std::move(s)}; }
inline TensorType none() { return {}; }
Known ints(std::vector<int64_t> v);    // rank 1
Known whole(int64_t v);                // rank 0
Known reals(std::vector<double> v);    // rank 1, f32

// Families, in table.cpp's order.
std::vector<OpDef> conv_ops();
std::vector<OpDef> product_ops();
std::vector<OpDef> attention_ops();
std::vector<OpDef> norm_ops();
std::vector<OpDef> pool_ops();
std::vector<OpDef> activation_ops();
std::vector<OpDef> elementwise_ops();
std::vector<OpDef> shape_ops();
std::vector<OpDef> index_ops();
std::vector<OpDef> reduce_ops();
std::vector<OpDef> resize_ops();
std::vector<OpDef> recurrent_ops();
std::vector<OpDef> quantize_ops();
std::vector<OpDef> generate_ops();
std::vector<OpDef> signal_ops();

}  // namespace hone::ops
