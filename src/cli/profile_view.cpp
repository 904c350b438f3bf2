#include "cli/profile_view.h"

#include <fmt/format.h>

#include "core/units.h"
#include "run/format.h"

namespace hone::cli {

namespace {

double share(int64_t part, int64_t whole) { return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0; }

// "conv 99.9 %, linear 0.1 %": the kinds of products that there are.
std::string kinds(const Totals& t) {
  std::string out;
  for (auto [name, macs] : {std::pair{"conv", t.macs_conv}, {"linear", t.macs_linear}, {"matmul", t.macs_matmul}})
    if (macs > 0) out += fmt::format("{}{} {}", out.empty() ? "" : ", ", name, format_cell(share(macs, t.macs), Unit::share));
  return out;
}

}  // namespace

Facts headline_facts(const Totals& t, const std::string& key) {
  return {key, "",
          {{"macs", "MACs", t.macs, Unit::count, kinds(t)},
           {"flops", "FLOPs", t.flops, Unit::count, "2 x MACs"},
           {"params", "parameters", t.params, Unit::count, format_bytes(t.weight_bytes) + " of weights"},
           {"acts", "activations", t.acts, Unit::count, "outputs of conv, linear, matmul"},
           {"peak_activation_bytes", "peak memory", t.peak_activation_bytes, Unit::bytes, "activations alive at once"}},
          true};
}

Facts other_facts(const Totals& t, const std::string& key) {
  constexpr uint8_t forms = kJson | kHtml;
  Facts facts{key, "All counts", {}, false, forms};
  const auto add = [&](const char* name, const char* label, int64_t value, Unit unit = Unit::count) { facts.facts.push_back({name, label, value, unit, "", forms}); };
  add("buffers", "buffers", t.buffers);
  add("macs_conv", "MACs of convolutions", t.macs_conv);
  add("macs_linear", "MACs of linear layers", t.macs_linear);
  add("macs_matmul", "MACs between activations", t.macs_matmul);
  add("conv_bias_adds", "bias adds of convolutions", t.conv_bias_adds);
  add("linear_bias_adds", "bias adds of linear layers", t.linear_bias_adds);
  add("acts_conv", "outputs of convolutions", t.acts_conv);
  add("acts_linear", "outputs of linear layers", t.acts_linear);
  add("acts_matmul", "outputs of matrix products", t.acts_matmul);
  add("maxpool_out", "outputs of max pools", t.maxpool_out);
  add("bn_elements", "batch norm elements", t.bn_elements);
  add("ln_elements", "layer norm elements", t.ln_elements);
  add("softmax_elements", "softmax elements", t.softmax_elements);
  add("activation_elements", "activation function elements", t.activation_elements);
  add("weight_bytes", "bytes of weights", t.weight_bytes, Unit::bytes);
  return facts;
}

std::string_view label(GroupBy by) {
  switch (by) {
    case GroupBy::op: return "operator";
    case GroupBy::module: return "module";
    case GroupBy::stage: return "stage";
    default: return "node";
  }
}

GroupBy group_by(const std::string& name) {
  return name == "module" ? GroupBy::module : name == "stage" ? GroupBy::stage : name == "node" ? GroupBy::node : GroupBy::op;
}

Table rows_table(const std::vector<Row>& rows, GroupBy by, const Totals& totals, const std::string& key) {
  // The operator says something only where a row is one node or a module of one kind.
  const uint8_t op_forms = by == GroupBy::module || by == GroupBy::node ? kAll : kJson | kCsv;
  const uint8_t nodes_forms = by == GroupBy::node ? kJson | kCsv : kAll;
  Table table{key, "By " + std::string(label(by)),
              {{"name", std::string(label(by))},
               {"op", "operator", Unit::none, false, op_forms},
               {"nodes", "nodes", Unit::none, false, nodes_forms},
               {"macs", "MACs", Unit::count},
               {"macs_share", "share", Unit::share, true},
               {"params", "parameters", Unit::count},
               {"acts", "activations", Unit::count},
               {"stage", "stage", Unit::none, false, 0}}};
  for (const Row& r : rows)
    table.rows.push_back({r.name.empty() ? std::string("(top)") : r.name, r.op, r.nodes, r.macs, share(r.macs, totals.macs), r.params, r.acts,
                          by == GroupBy::module ? stage_of(r.name) : ""});
  return table;
}

void add_unknown(Report& report, const Profile& profile) {
  Table table{"unknown", "Unknown operators", {{"op", "operator"}, {"nodes", "nodes"}}, {}, false, kJson | kHtml};
  int64_t nodes = 0;
  std::string names;
  for (const UnknownOp& u : profile.unknown) {
    table.rows.push_back({u.op, u.nodes});
    nodes += u.nodes;
    names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", u.op, u.nodes);
  }
  if (nodes > 0)
    report.parts.push_back(Note{Note::Level::warning, fmt::format("{} of {} nodes ({}) have an operator that hone cannot count: {}", nodes, profile.nodes.size(),
                                                                  format_cell(share(nodes, static_cast<int64_t>(profile.nodes.size())), Unit::share), names)});
  report.parts.push_back(std::move(table));
}

std::string input_text(const Profile& profile) {
  std::string out;
  for (const auto& [name, type] : profile.inputs)
    out += fmt::format("{}{} {} {}", out.empty() ? "" : ", ", name, type.ranked ? to_string(type.shape) : "?", hone::name(type.dtype));
  return out;
}

}  // namespace hone::cli
