#include "zoo/elasticvit_checkpoint.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <unordered_map>

#include "core/shape.h"

namespace hone::space {

namespace {

struct Rename {
  std::string_view ours, theirs;
};
constexpr Rename kMobile[] = {{"expand.conv.", "pw_conv."}, {"expand.bn.", "pw_bn."},   {"depthwise.conv.", "dw_conv."}, {"depthwise.bn.", "dw_bn."},       {"se.reduce.", "se_conv1."},
                              {"se.expand.", "se_conv2."},  {"project.conv.", "pwl_conv."}, {"project.bn.", "pwl_bn."},      {"shortcut.conv.", "shortcut_conv."}};
constexpr Rename kAttention[] = {{"norm.", "norm1."}, {"q.", "qkv."}, {"k.", "qkv."}, {"v.", "qkv."}, {"v_local.", "dw_v_conv."}, {"relative_position_bias", "attention_bias"}, {"proj.", "proj."}};
constexpr Rename kFeedForward[] = {{"norm.", "norm1."}, {"fc1.", "fc1."}, {"fc2.", "fc2."}};
constexpr Rename kEnds[] = {{"first_conv.conv.", "first_conv."}, {"first_conv.bn.", "first_conv_bn."}, {"head.expand.", "pre_head_0."}, {"head.bn.", "pre_head_norm_0."}, {"head.hidden.", "pre_head_1."}, {"head.classifier.", "classifer."}};

template <size_t N>
std::optional<std::string> renamed(const Rename (&table)[N], std::string_view name) {
  for (const Rename& r : table)
    if (name.starts_with(r.ours)) return fmt::format("{}{}", r.theirs, name.substr(r.ours.size()));
  return std::nullopt;
}

// Takes "PREFIX12." off the front.
std::optional<int64_t> number_behind(std::string_view prefix, std::string_view& name) {
  if (!name.starts_with(prefix)) return std::nullopt;
  int64_t value = 0;
  const char* from = name.data() + prefix.size();
  const auto [end, error] = std::from_chars(from, name.data() + name.size(), value);
  if (error != std::errc() || end == name.data() + name.size() || *end != '.') return std::nullopt;
  name.remove_prefix(static_cast<size_t>(end - name.data()) + 1);
  return value;
}

// Their name of a tensor. Stage 0 is their stem; a transformer stage's layers alternate attention and MLP.
std::optional<std::string> name_of_authors(std::string_view name) {
  const auto stage = number_behind("stages.", name);
  if (!stage) return renamed(kEnds, name);
  const std::string module = *stage == 0 ? "conv_stem" : fmt::format("feature_exactor.{}", *stage - 1);
  const auto joined = [&](int64_t layer, std::string_view inner, const std::optional<std::string>& rest) -> std::optional<std::string> {
    if (!rest) return std::nullopt;
    return fmt::format("{}.layers.{}.{}{}", module, layer, inner, *rest);
  };
  constexpr std::string_view kDownsample = "downsample.", kAttn = "attn.", kFfn = "ffn.";
  if (name.starts_with(kDownsample)) return joined(0, "reduction.", renamed(kMobile, name.substr(kDownsample.size())));
  const auto block = number_behind("blocks.", name);
  if (!block) return std::nullopt;
  if (name.starts_with(kAttn)) return joined(2 * *block, "", renamed(kAttention, name.substr(kAttn.size())));
  if (name.starts_with(kFfn)) return joined(2 * *block + 1, "", renamed(kFeedForward, name.substr(kFfn.size())));
  return joined(*block, "0.", renamed(kMobile, name));
}

struct View {
  const float* data = nullptr;
  Shape shape, strides;   // in elements
};

std::optional<View> view_of(const Tensor& t) {
  if (t.dtype != DType::f32 || !t.bytes.data) return std::nullopt;
  View v{reinterpret_cast<const float*>(t.bytes.data), t.shape, Shape(t.shape.size(), 1)};
  for (size_t d = v.shape.size(); d-- > 1;) v.strides[d - 1] = v.strides[d] * v.shape[d];
  return v;
}

// Elements of `from` at `first` and on, in row-major order; dimension 0 by `rows` where there are any. Everything lies within.
Tensor copied(const View& from, const Shape& shape, const Shape& first, const std::vector<int64_t>& rows = {}) {
  std::vector<float> out;
  const auto walk = [&](const auto& self, size_t d, const float* at) -> void {
    if (d == shape.size()) return out.push_back(*at);
    for (int64_t i = 0; i < shape[d]; ++i) self(self, d + 1, at + from.strides[d] * (d == 0 && !rows.empty() ? rows[static_cast<size_t>(i)] : first[d] + i));
  };
  walk(walk, 0, from.data);
  return Tensor{DType::f32, shape, Bytes::copy(out.data(), out.size() * sizeof(float)), {}};
}

// Of the whole table, the rows that are `which` ('q', 'k' or 'v') of a member, head after head.
std::vector<int64_t> rows_of_heads(char which, int64_t width, int64_t heads, int64_t values, int64_t widest) {
  const int64_t dim = width / heads, value = values / heads, part = 2 * dim + value;
  std::vector<int64_t> rows;
  for (int64_t head = 0; head < heads; ++head) {
    const int64_t begin = head * part + (which == 'q' ? 0 : which == 'k' ? dim : 2 * dim);
    for (int64_t i = begin; i < begin + (which == 'v' ? value : dim); ++i)   // i counts the rows that the member has put together
      rows.push_back(i < width ? i : i < 2 * width ? widest + i - width : 2 * widest + i - 2 * width);
  }
  return rows;
}

tl::unexpected<Error> does_not_fit(const std::string& name, const std::string& theirs, const Shape& shape, const Shape& held) {
  return fail(Code::invalid, fmt::format("holds {} where the member's {} needs {}", to_string(held), name, to_string(shape)), theirs, "the checkpoint is of a smaller space, or of other networks");
}

}  // namespace

Result<NamedTensors> from_authors(const Graph& member, const NamedTensors& checkpoint) {
  std::unordered_map<std::string_view, const Tensor*> held;
  for (const auto& [name, tensor] : checkpoint) {
    std::string_view key = name;
    if (key.starts_with("module.")) key.remove_prefix(7);
    held.emplace(key, &tensor);
  }
  std::unordered_map<std::string_view, const Shape*> shapes;
  for (const ValueId v : member.state()) shapes.emplace(member.value(v).name, &member.value(v).type.shape);
  NamedTensors out;
  for (const ValueId v : member.state()) {
    const std::string& name = member.value(v).name;
    const Shape& shape = member.value(v).type.shape;
    const auto theirs = name_of_authors(name);
    if (!theirs) return fail(Code::usage, "is no tensor of a network of ElasticViT", name, "the authors' checkpoint holds members of the space elasticvit");
    const auto found = held.find(*theirs);
    if (found == held.end()) return fail(Code::invalid, fmt::format("is not in the checkpoint, and the member's {} comes from it", name), *theirs, "the checkpoint of ElasticViT's supernet is needed");
    if (shape.empty()) {   // a counter of batches
      out.emplace_back(name, *found->second);
      continue;
    }
    auto view = view_of(*found->second);
    if (!view) return fail(Code::unsupported, fmt::format("is {} without contents or of another type than f32", to_string(TensorType(found->second->dtype, found->second->shape))), *theirs);
    const size_t part = name.find(".attn.");
    const std::string_view attention = part == std::string::npos ? std::string_view() : std::string_view(name).substr(part + 6);
    if (attention == "relative_position_bias") {   // (rows x columns, heads) -> (heads, rows, columns)
      int64_t span = 1;
      while (span * span < view->shape[0]) ++span;
      if (view->shape.size() != 2 || span * span != view->shape[0]) return does_not_fit(name, *theirs, shape, view->shape);
      view->shape = {view->shape[1], span, span};
      view->strides = {1, span * view->shape[0], view->shape[0]};
    }
    while (view->shape.size() < shape.size()) {   // a dense layer is a 1x1 convolution here
      view->shape.push_back(1);
      view->strides.push_back(1);
    }
    if (view->shape.size() != shape.size()) return does_not_fit(name, *theirs, shape, view->shape);
    if (attention == "q.weight" || attention == "k.weight" || attention == "v.weight") {
      const std::string block = name.substr(0, part + 6);
      const int64_t width = shape[1], widest = view->shape[1], heads = shapes.at(block + "relative_position_bias")->at(0), values = shapes.at(block + "v.weight")->at(0);
      const auto rows = rows_of_heads(attention[0], width, heads, values, widest);
      if (widest < width || view->shape[0] < 2 * widest + values) return does_not_fit(name, *theirs, shape, view->shape);
      out.emplace_back(name, copied(*view, shape, Shape(shape.size(), 0), rows));
      continue;
    }
    Shape first(shape.size(), 0);
    for (size_t d = 0; d < shape.size(); ++d) {
      if (view->shape[d] < shape[d]) return does_not_fit(name, *theirs, shape, view->shape);
      const bool centred = attention == "relative_position_bias" ? d >= 1 : shape.size() == 4 && d >= 2;
      if (centred) first[d] = (view->shape[d] - shape[d]) / 2;
    }
    out.emplace_back(name, copied(*view, shape, first));
  }
  return out;
}

}  // namespace hone::space
