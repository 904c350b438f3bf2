#include "retrieval/selector_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cost/profile.h"
#include "ir/infer.h"

namespace hone {

namespace {

constexpr int64_t kLongest = 128, kColumns = 5;  // points of the largest part, numbers a point

Result<int64_t> macs_of(const SelectorRun& run, int64_t points) {
  HONE_TRY_ASSIGN(const Graph graph, run.at(points));
  HONE_TRY_ASSIGN(const Profile p, profile(graph));
  return p.totals.macs;
}

}  // namespace

Result<Graph> with_state(Graph g) {
  const auto gru = std::find_if(g.nodes.begin(), g.nodes.end(), [](const Node& n) { return n.type == "GRU"; });
  if (gru == g.nodes.end() || gru->inputs.size() != 4 || gru->outputs.size() != 2) return fail(Code::invalid, "the selector has no GRU of four inputs and two outputs", g.name);
  const TensorType& type = g.value(gru->outputs[1]).type;  // 1 x 1 x hidden
  Value state;
  state.name = g.unique_name("state");
  state.kind = ValueKind::input;
  state.type = type;
  const ValueId id = g.add_value(std::move(state));
  gru->inputs.push_back(kNoValue);  // all sequences have their full length
  gru->inputs.push_back(id);
  g.inputs.push_back(id);
  g.outputs.push_back(gru->outputs[1]);
  HONE_TRY_ASSIGN(Inferred inferred, infer(std::move(g)));
  return std::move(inferred.graph);
}

Result<SelectorSession> SelectorSession::open(SelectorRun run, Engine& engine, const EngineOptions& options) {
  SelectorSession s;
  HONE_TRY_ASSIGN(const int64_t one, macs_of(run, 1));
  HONE_TRY_ASSIGN(const int64_t two, macs_of(run, 2));
  s.macs_point_ = two - one;  // linear in the points
  s.macs_fixed_ = one - s.macs_point_;
  s.run_ = std::move(run);
  s.engine_ = &engine;
  s.options_ = options;
  return s;
}

Result<EngineSession*> SelectorSession::session(int64_t points) {
  if (const auto found = sessions_.find(points); found != sessions_.end()) return found->second.get();
  HONE_TRY_ASSIGN(Graph graph, run_.at(points));
  HONE_TRY_ASSIGN(graph, with_state(std::move(graph)));
  HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> made, engine_->load(graph, options_));
  return sessions_.emplace(points, std::move(made)).first->second.get();
}

Status SelectorSession::compile_all() {
  int64_t largest = 1;
  while (2 * largest <= std::min(kLongest, run_.options.max_points)) largest *= 2;
  // One part of each length; the first run of a session is slower.
  HONE_TRY_ASSIGN(const std::vector<float> ignored, logits(std::vector<float>(static_cast<size_t>((2 * largest - 1) * kColumns))));
  (void)ignored;
  return {};
}

Result<std::vector<float>> SelectorSession::logits(std::span<const float> rows) {
  if (rows.empty() || rows.size() % kColumns != 0) return fail(Code::invalid, fmt::format("{} numbers are no rows of five", rows.size()));
  const size_t hidden = static_cast<size_t>(run_.options.hidden);
  std::vector<float> state(hidden, 0.0f), out;
  for (int64_t left = static_cast<int64_t>(rows.size()) / kColumns, part = kLongest; left > 0; left -= part) {
    while (part > left) part /= 2;
    HONE_TRY_ASSIGN(EngineSession* const session, this->session(part));
    const size_t numbers = static_cast<size_t>(part * kColumns);
    HONE_TRY_ASSIGN(void* const points, session->input_buffer(0));
    HONE_TRY_ASSIGN(void* const before, session->input_buffer(1));
    std::memcpy(points, rows.data(), 4 * numbers);
    std::memcpy(before, state.data(), 4 * hidden);
    HONE_TRY(session->again());
    HONE_TRY_ASSIGN(const void* const logits, session->output_buffer(0));
    HONE_TRY_ASSIGN(const void* const after, session->output_buffer(1));
    std::memcpy(state.data(), after, 4 * hidden);
    const auto* const values = static_cast<const float*>(logits);
    out.assign(values, values + run_.canvases.size());
    rows = rows.subspan(numbers);
  }
  return out;
}

}  // namespace hone
