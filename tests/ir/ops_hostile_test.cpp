// Shape rules may refuse any input, but must look before they index: no rank, attribute or contents may make them read
// past an end, overflow, or set a dimension below kUnknown. Sanitizer builds run this too.
#include <gtest/gtest.h>

#include <algorithm>

#include "ir/infer.h"
#include "ir/op.h"
#include "ir/sample_case.h"

namespace hone {
namespace {

TEST(OperatorsHostile, AllAttributesAtOnce) {
  const std::vector<Shape> shapes{{}, {0}, {1}, {3}, {INT64_MAX}, {2, 0}, {2, 3}, {1, 2, 3}, {kUnknown, 2}, {1, 3, 5, 5}, {1, INT64_MAX, INT64_MAX, 4}, {1, 2, 3, 4, 5}};
  const std::vector<int64_t> values{0, -1, 1, 2, 7, INT64_MIN + 1, INT64_MAX};
  size_t runs = 0;
  for (const OpDef& def : all_ops())
    for (const Sample& base : def.samples())
      for (const Shape& shape : shapes)
        for (size_t which = 0; which <= base.inputs.size(); ++which) {
          Sample s = base;
          if (which < s.inputs.size()) {
            if (s.inputs[which].dtype == DType::undefined) continue;
            s.inputs[which].shape = shape;
          }
          for (const int64_t v : values) {
            for (const AttrSpec& a : def.attrs) {
              if (a.kind == AttrKind::integer && a.name != "to") s.attrs.set(std::string(a.name), v);
              if (a.kind == AttrKind::integers) s.attrs.set(std::string(a.name), std::vector<int64_t>(static_cast<size_t>(runs % 5), v));
            }
            for (auto& k : s.contents)
              if (k && !k->is_float()) std::ranges::fill(k->ints, v);
            Case c = build(def, s);
            auto inferred = infer(std::move(c.graph), c.bindings, true);
            if (inferred && is_static(s.inputs.empty() ? Shape{} : s.inputs[0].shape)) {
              bool counted = true;
              for (const Value& value : inferred->graph.values) counted = counted && value.type.ranked && is_static(value.type.shape);
              if (counted) count_node(inferred->graph, 0, from_parameters(inferred->graph));
            }
            ++runs;
          }
        }
  EXPECT_GT(runs, 10000u);
}

class EveryOperator : public testing::TestWithParam<const OpDef*> {};

// One thing wrong at a time, so that earlier checks do not hide later ones.
TEST_P(EveryOperator, SurvivesOneThingWrong) {
  const OpDef& def = *GetParam();
  const std::vector<Shape> shapes{{}, {0}, {3}, {kUnknown}, {2, 3}, {1, 0, 5}, {2, 3, 4}, {kUnknown, 4, kUnknown}, {INT64_MAX, 2, 3}, {1, 2, 3, 4}, {0, INT64_MAX, INT64_MAX, 1}, {1, 1, 1, 1, 1}};
  const std::vector<int64_t> numbers{0, 1, -1, 2, 3, INT64_MAX, INT64_MIN, -7};
  const auto attempt = [&](const Sample& s) {
    Case c = build(def, s);
    auto inferred = infer(std::move(c.graph), c.bindings, true);
    if (!inferred) return;
    for (const Value& v : inferred->graph.values)
      for (Dim d : v.type.shape) EXPECT_GE(d, kUnknown) << s.label;
  };
  for (const Sample& original : def.samples()) {
    for (size_t i = 0; i < original.inputs.size(); ++i) {
      if (original.inputs[i].dtype == DType::undefined) continue;
      const bool contents = i < original.contents.size() && original.contents[i];
      Sample s = original;
      if (contents) s.contents[i].reset();
      for (const Shape& shape : shapes) {
        s.inputs[i].shape = shape;
        attempt(s);
      }
      s.inputs[i] = TensorType(s.inputs[i].dtype);
      attempt(s);
      if (!contents || original.contents[i]->is_float()) continue;
      for (int64_t n : numbers)
        for (size_t length : {0, 1, 2, 5}) {
          s = original;
          s.inputs[i] = TensorType(DType::i64, {static_cast<Dim>(length)});
          s.contents[i] = Known{DType::i64, s.inputs[i].shape, std::vector<int64_t>(length, n), {}};
          attempt(s);
        }
    }
    for (const AttrSpec& spec : def.attrs) {
      const std::string name(spec.name);
      Sample s = original;
      for (int64_t n : numbers) {
        if (spec.kind == AttrKind::integer) {
          s.attrs.set(name, n);
          attempt(s);
        }
        for (size_t length : {0, 1, 2, 4, 9}) {
          if (spec.kind != AttrKind::integers) break;
          s.attrs.set(name, std::vector<int64_t>(length, n));
          attempt(s);
        }
      }
      for (const char* text : {"", "SAME_UPPER", "VALID", "nonsense", "ij,jk->ik", "...i->", "->", "i,j", "ii->i", "i...j,j...->i"}) {
        if (spec.kind != AttrKind::text) break;
        s.attrs.set(name, std::string(text));
        attempt(s);
      }
    }
    for (size_t outputs = 0; outputs < original.outputs.size() + 3; ++outputs) {
      Sample s = original;
      s.outputs.resize(outputs, TensorType(DType::f32));
      attempt(s);
    }
  }
}

std::vector<const OpDef*> operators() {
  std::vector<const OpDef*> all;
  for (const OpDef& def : all_ops()) all.push_back(&def);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Table, EveryOperator, testing::ValuesIn(operators()), [](const auto& info) {
  std::string name(info.param->name);
  std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
  return name;
});

}  // namespace
}  // namespace hone
