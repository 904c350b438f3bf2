// Every operator's lowering. A new family adds one line here; a new operator only its entry in a family's list.
#include <algorithm>

#include "train/lower.h"

namespace hone::train {

namespace {

std::vector<LoweringDef> make_table() {
  std::vector<LoweringDef> all;
  for (auto family : {conv_lowerings, product_lowerings, attention_lowerings, norm_lowerings, pool_lowerings, activation_lowerings, elementwise_lowerings, shape_lowerings,
                      index_lowerings, reduce_lowerings, resize_lowerings, recurrent_lowerings, quantize_lowerings, generate_lowerings, signal_lowerings})
    for (const LoweringDef& def : family()) all.push_back(def);
  std::ranges::sort(all, {}, &LoweringDef::op);
  return all;
}

const std::vector<LoweringDef>& table() {
  static const std::vector<LoweringDef> all = make_table();
  return all;
}

}  // namespace

std::span<const LoweringDef> all_lowerings() { return table(); }

const LoweringDef* find_lowering(std::string_view op) {
  const auto it = std::ranges::lower_bound(table(), op, {}, &LoweringDef::op);
  return it != table().end() && it->op == op ? &*it : nullptr;
}

}  // namespace hone::train
