#include "cost/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "core/checked.h"

namespace hone {

namespace {

// So many elements, each made of so many multiply-adds.
struct Term {
  Shape elements;
  const char* what;
  Shape each;
};

const Shape& shape_of(const Graph& graph, const std::vector<ValueId>& ids, size_t i) {
  static const Shape none;
  return i < ids.size() && ids[i] != kNoValue ? graph.value(ids[i]).type.shape : none;
}

std::vector<Term> terms_of(const Graph& graph, const Node& node) {
  const Shape &x = shape_of(graph, node.inputs, 0), &w = shape_of(graph, node.inputs, 1), &y = shape_of(graph, node.outputs, 0);
  if (x.empty() || w.empty() || y.empty()) return {};
  if (node.type == "Conv") return {{y, "outputs", Shape(w.begin() + 1, w.end())}};
  if (node.type == "ConvTranspose") return {{x, "inputs", Shape(w.begin() + 1, w.end())}};
  if (node.type == "MatMul" || node.type == "hone::Linear") return {{y, "outputs", {x.back()}}};
  if (node.type == "Gemm") return {{y, "outputs", {node.attrs.integer("transA", 0) ? x.front() : x.back()}}};
  if (node.type == "Attention" && x.size() == 4 && w.size() == 4)
    return {{{x[0], x[1], x[2], w[2]}, "logits", {x[3]}}, {y, "outputs", {w[2]}}};
  return {};
}

// The sum of the terms; not ok when one is unknown or too large.
Int value_of(const std::vector<Term>& terms) {
  Int sum = 0;
  for (const Term& t : terms) {
    const auto n = element_count(t.elements), each = element_count(t.each);
    if (!n || !each) return Int(INT64_MAX) + 1;
    sum += Int(*n) * *each;
  }
  return sum;
}

}  // namespace

std::vector<Explanation> explain(const Graph& graph, const Profile& profile) {
  std::map<std::pair<std::string, std::string>, Explanation> kinds;
  for (NodeId n = 0; n < graph.nodes.size() && n < profile.nodes.size(); ++n) {
    const Int macs = profile.nodes[n].counts.macs();
    if (!macs.ok() || macs.value() == 0) continue;
    const Node& node = graph.nodes[n];
    const std::vector<Term> terms = terms_of(graph, node);
    std::string formula;
    if (!terms.empty() && value_of(terms) == macs)
      for (const Term& t : terms) formula += fmt::format("{}{} {} x {}", formula.empty() ? "" : " + ", to_string(t.elements), t.what, to_string(t.each));
    else
      formula = fmt::format("the operator's own rule: {}", macs.value());  // one kind for each count
    Explanation& e = kinds[{node.type, formula}];
    e.op = node.type;
    e.formula = formula;
    e.nodes += 1;
    e.macs_each = macs.value();
    e.macs = (Int(e.macs) + macs).value();  // the profile's totals have fitted
  }
  std::vector<Explanation> out;
  for (auto& [key, e] : kinds) out.push_back(std::move(e));
  std::stable_sort(out.begin(), out.end(), [](const Explanation& a, const Explanation& b) { return a.macs > b.macs; });
  return out;
}

}  // namespace hone
