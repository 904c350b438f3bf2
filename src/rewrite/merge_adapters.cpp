#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "rewrite/adapters.h"
#include "rewrite/editor.h"

namespace hone {

namespace {

// rows x columns, row by row.
struct Matrix {
  int64_t rows = 0, columns = 0;
  std::vector<double> at;
};

Matrix product(const Matrix& a, const Matrix& b) {
  Matrix out{a.rows, b.columns, std::vector<double>(static_cast<size_t>(a.rows * b.columns))};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t k = 0; k < a.columns; ++k) {
      const double f = a.at[static_cast<size_t>(i * a.columns + k)];
      for (int64_t j = 0; j < b.columns; ++j) out.at[static_cast<size_t>(i * b.columns + j)] += f * b.at[static_cast<size_t>(k * b.columns + j)];
    }
  return out;
}

Matrix plus(Matrix a, const Matrix& b) {
  for (size_t i = 0; i < a.at.size(); ++i) a.at[i] += b.at[i];
  return a;
}

Matrix turned(const Matrix& a) {
  Matrix out{a.columns, a.rows, std::vector<double>(a.at.size())};
  for (int64_t i = 0; i < a.rows; ++i)
    for (int64_t j = 0; j < a.columns; ++j) out.at[static_cast<size_t>(j * a.rows + i)] = a.at[static_cast<size_t>(i * a.columns + j)];
  return out;
}

Result<Matrix> contents(const Value& value) {
  std::optional<std::vector<double>> at;
  if (value.data) at = to_doubles(*value.data);
  const Shape& s = value.type.shape;
  if (!at || s.empty() || s.size() > 2 || static_cast<int64_t>(at->size()) != *element_count(s)) return fail(Code::invalid, "has no contents to merge", value.name);
  return s.size() == 1 ? Matrix{s[0], 1, std::move(*at)} : Matrix{s[0], s[1], std::move(*at)};
}

void set_contents(Value& value, const Matrix& m) {
  const std::vector<float> narrow(m.at.begin(), m.at.end());
  value.data = std::make_shared<const Tensor>(Tensor{DType::f32, value.type.shape, Bytes::copy(narrow.data(), narrow.size() * sizeof(float)), {}});
}

struct TwoDense {  // second(first(x)); dropout between them, which inference has none of
  ValueId x = kNoValue;
  const Node* first = nullptr;
  std::vector<const Node*> second;  // several: each makes a part of the channels of a part of the bottleneck
  int64_t before = 0;               // columns of zeros in front
  size_t operands() const { return std::max(first->inputs.size(), second[0]->inputs.size()); }
};

class Merger {
 public:
  explicit Merger(const Graph& g) : g_(g) {}

  Result<Merged> run() {
    std::map<ValueId, ValueId> gone;  // sum that is merged -> what takes its place
    const auto now = [&](ValueId v) {
      for (auto it = gone.find(v); it != gone.end(); it = gone.find(v)) v = it->second;
      return v;
    };
    int64_t count = 0;
    std::set<NodeId> dropped;
    const Graph before = g_;
    for (NodeId n = 0; n < g_.nodes.size(); ++n) {
      const Node& node = g_.nodes[n];
      if (node.type == "hone::Linear") {  // that reads a linear adapter
        const Node* sum = made_by(node.inputs[0], "Add");
        const auto two = sum ? two_dense(sum->inputs[1]) : std::nullopt;
        if (!two || two->before || two->x != sum->inputs[0]) continue;
        if (merged_.insert({node.inputs[1], two->first->inputs[1]}).second) {
          HONE_TRY(fold_into_input(node, *two));
          ++count;
        }
        if (const auto bias = bias_.find(node.inputs[1]); bias != bias_.end() && node.inputs.size() == 2) g_.nodes[n].inputs.push_back(bias->second);
        g_.nodes[n].inputs[0] = two->x;
        continue;
      }
      if (node.type != "Add") continue;
      const auto two = two_dense(node.inputs[1]);
      const Node* base = made_by(now(node.inputs[0]), "hone::Linear");
      if (!two || !base || base->inputs[0] != two->x || two->operands() > 2) continue;
      if (merged_.insert({base->inputs[1], two->first->inputs[1]}).second) {
        HONE_TRY(add_to_weight(base->inputs[1], *two));
        ++count;
      }
      gone[node.outputs[0]] = now(node.inputs[0]);
      dropped.insert(n);
    }
    Editor out(g_);
    for (const auto& [sum, by] : gone) out.replace(sum, by);
    for (NodeId n = 0; n < g_.nodes.size(); ++n)
      if (!dropped.count(n)) out.copy(g_.nodes[n]);
    HONE_TRY_ASSIGN(Graph merged, out.finish(before));
    return Merged{std::move(merged), count};
  }

 private:
  const Node* made_by(ValueId v, std::string_view type) const {
    const NodeId n = v == kNoValue ? kNoNode : g_.values[v].producer;
    return n != kNoNode && g_.nodes[n].type == type ? &g_.nodes[n] : nullptr;
  }

  ValueId undropped(ValueId v) const {
    const Node* n = made_by(v, "Dropout");
    return n ? n->inputs[0] : v;
  }

  // The dense layers that read parts `v` is cut into, if they are those and stand in their order.
  bool parts_of(const Node& concat, ValueId& v, std::vector<const Node*>& dense) const {
    int64_t begin = 0;
    for (ValueId input : concat.inputs) {
      const Node* d = made_by(input, "hone::Linear");
      const Node* slice = d ? made_by(d->inputs[0], "Slice") : nullptr;
      const auto from = slice && slice->inputs.size() > 1 && g_.values[slice->inputs[1]].data ? to_ints(*g_.values[slice->inputs[1]].data) : std::nullopt;
      if (!from || from->size() != 1 || (*from)[0] != begin || (v != kNoValue && slice->inputs[0] != v)) return false;
      v = slice->inputs[0];
      begin += g_.values[d->inputs[1]].type.shape.back();
      dense.push_back(d);
    }
    return !dense.empty();
  }

  std::optional<TwoDense> two_dense(ValueId v) const {
    TwoDense out;
    if (const Node* pad = made_by(v, "Pad")) {
      const Value& pads = g_.values[pad->inputs[1]];
      const auto widths = pads.data ? to_ints(*pads.data) : std::nullopt;
      if (!widths || widths->size() != 2) return std::nullopt;
      out.before = (*widths)[0];
      v = pad->inputs[0];
    }
    ValueId between = kNoValue;
    if (const Node* concat = made_by(v, "Concat")) {
      if (!parts_of(*concat, between, out.second)) return std::nullopt;
    } else if (const Node* second = made_by(v, "hone::Linear")) {
      out.second = {second};
      between = second->inputs[0];
    }
    out.first = between == kNoValue ? nullptr : made_by(undropped(between), "hone::Linear");
    if (!out.first || !is_adapter(g_.values[out.first->inputs[1]].name)) return std::nullopt;
    for (const Node* n : out.second)
      if (!is_adapter(g_.values[n->inputs[1]].name) || n->inputs.size() != out.second[0]->inputs.size()) return std::nullopt;
    out.x = undropped(out.first->inputs[0]);
    return out;
  }

  // Weight (operand 1) or bias (2) of the second dense layer; parts stand on the diagonal.
  Result<Matrix> second(const TwoDense& two, size_t operand) const {
    Matrix all;
    for (const Node* n : two.second) {
      HONE_TRY_ASSIGN(const Matrix part, contents(g_.values[n->inputs[operand]]));
      Matrix wider{all.rows + part.rows, operand == 1 ? all.columns + part.columns : 1, {}};
      wider.at.resize(static_cast<size_t>(wider.rows * wider.columns));
      const auto place = [&](const Matrix& m, int64_t row, int64_t column) {
        for (int64_t i = 0; i < m.rows; ++i) std::copy_n(m.at.begin() + i * m.columns, m.columns, wider.at.begin() + (row + i) * wider.columns + column);
      };
      place(all, 0, 0);
      place(part, all.rows, operand == 1 ? all.columns : 0);
      all = std::move(wider);
    }
    return all;
  }

  // The parameter behind a dense layer's weight: itself, or what is transposed.
  ValueId behind(ValueId w, bool& transposed) const {
    const Node* turn = made_by(w, "Transpose");
    transposed = turn != nullptr;
    return turn ? turn->inputs[0] : w;
  }

  // W += B A, in the rows that the branch reaches.
  Status add_to_weight(ValueId weight, const TwoDense& two) {
    bool transposed = false;
    Value& value = g_.values[behind(weight, transposed)];
    HONE_TRY_ASSIGN(Matrix w, contents(value));
    HONE_TRY_ASSIGN(const Matrix a, contents(g_.values[two.first->inputs[1]]));
    HONE_TRY_ASSIGN(const Matrix b, second(two, 1));
    const Matrix delta = product(b, a);
    if (transposed) w = turned(w);
    if (two.before + delta.rows > w.rows || delta.columns != w.columns) return fail(Code::invalid, "the low-rank branch does not fit its weight", value.name);
    for (size_t i = 0; i < delta.at.size(); ++i) w.at[static_cast<size_t>(two.before * w.columns) + i] += delta.at[i];
    set_contents(value, transposed ? turned(w) : w);
    return {};
  }

  // W (x + U (D x + d) + u) + b = (W + W U D) x + (b + W (U d + u)).
  Status fold_into_input(const Node& dense, const TwoDense& two) {
    bool transposed = false;
    Value& value = g_.values[behind(dense.inputs[1], transposed)];
    HONE_TRY_ASSIGN(Matrix w, contents(value));
    if (transposed) w = turned(w);
    HONE_TRY_ASSIGN(const Matrix down, contents(g_.values[two.first->inputs[1]]));
    HONE_TRY_ASSIGN(const Matrix up, second(two, 1));
    Matrix shift{up.rows, 1, std::vector<double>(static_cast<size_t>(up.rows))};
    if (two.first->inputs.size() > 2) {
      HONE_TRY_ASSIGN(const Matrix d, contents(g_.values[two.first->inputs[2]]));
      shift = product(up, d);
    }
    if (two.second[0]->inputs.size() > 2) {
      HONE_TRY_ASSIGN(const Matrix u, second(two, 2));
      shift = plus(std::move(shift), u);
    }
    if (w.columns != up.rows || up.columns != down.rows || down.columns != w.columns) return fail(Code::invalid, "the adapter does not fit its weight", value.name);
    const Matrix bias = product(w, shift);
    w = plus(w, product(product(w, up), down));
    set_contents(value, transposed ? turned(w) : w);
    if (dense.inputs.size() > 2) {
      Value& old = g_.values[dense.inputs[2]];
      HONE_TRY_ASSIGN(Matrix b, contents(old));
      set_contents(old, plus(std::move(b), bias));
      return {};
    }
    Value fresh;
    fresh.name = g_.unique_name(value.name + ".bias");
    fresh.kind = ValueKind::parameter;
    fresh.type = TensorType(DType::f32, {bias.rows});
    set_contents(fresh, bias);
    bias_[dense.inputs[1]] = g_.add_value(std::move(fresh));
    return {};
  }

  Graph g_;
  std::map<ValueId, ValueId> bias_;                // of weights that had none
  std::set<std::pair<ValueId, ValueId>> merged_;  // weight and adapter: a module that runs twice is merged once
};

}  // namespace

Result<Merged> merge_adapters(const Graph& graph) { return Merger(graph).run(); }

}  // namespace hone
