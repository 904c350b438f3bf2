// Every operator hone knows. A new family adds one line here; a new operator only its entry in a family's list.
#include <algorithm>

#include "ir/ops/common.h"

namespace hone {

namespace {

std::vector<OpDef> make_table() {
  using namespace ops;
  std::vector<OpDef> all;
  for (auto family : {conv_ops, product_ops, attention_ops, norm_ops, pool_ops, activation_ops, elementwise_ops, shape_ops, index_ops, reduce_ops,
                      resize_ops, recurrent_ops, quantize_ops, generate_ops, signal_ops})
    for (OpDef& def : family()) all.push_back(std::move(def));
  std::ranges::sort(all, {}, &OpDef::name);
  return all;
}

const std::vector<OpDef>& table() {
  static const std::vector<OpDef> all = make_table();
  return all;
}

}  // namespace

std::span<const OpDef> all_ops() { return table(); }

const OpDef* find_op(std::string_view type) {
  const auto it = std::ranges::lower_bound(table(), type, {}, &OpDef::name);
  return it != table().end() && it->name == type ? &*it : nullptr;
}

}  // namespace hone
