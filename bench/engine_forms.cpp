// What the form of a network wins in the engine (rewrite/engine_form.h), and how the same network as others export it does.
//
//   engine_forms [--seconds S] [--bf16] NET [FILE.onnx]...
//
// Rows: NET as it stands, then one choice after the other, each on top of those before; then the files as they are. All are
// measured in one run, in interleaved rounds, one thread (measure/timing.h); ratios are to the row that holds every choice that
// loses nothing.
#include <fmt/format.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/check.h"
#include "engine/engine.h"
#include "measure/timing.h"
#include "rewrite/engine_form.h"
#include "rewrite/weights.h"
#include "zoo/catalog.h"

namespace hone {
namespace {

struct Row {
  std::string name;
  std::unique_ptr<EngineSession> session;
};

Status prepare(EngineSession& session, const Graph& like) {
  HONE_TRY_ASSIGN(const std::vector<Tensor> inputs, random_inputs(like, 0));
  HONE_TRY(session.run(inputs));
  return {};
}

Result<std::vector<Row>> rows(const std::string& net, const std::vector<std::string>& files, const std::string& precision, size_t& formed) {
  HONE_TRY_ASSIGN(Engine* const engine, open_engine());
  HONE_TRY_ASSIGN(Network network, open_network(net));
  HONE_TRY_ASSIGN(const Graph graph, with_fresh_weights(std::move(network.graph), 0));
  const EngineForm best = engine_form_for(engine->name());
  EngineForm form{false, false, false, false, 0, 0};
  std::vector<Row> out;
  const EngineOptions options{.threads = 1, .precision = precision, .as_is = true};
  Graph last;
  const auto step = [&](std::string name) -> Status {
    HONE_TRY_ASSIGN(Graph made, engine_form(graph, form));
    if (!out.empty() && equal(made, last)) return {};  // nothing to do for this network
    HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> session, engine->load(made, options));
    HONE_TRY(prepare(*session, made));
    out.push_back({std::move(name), std::move(session)});
    last = std::move(made);
    return {};
  };
  HONE_TRY(step("as it stands"));
  form.fold_batch_norms = best.fold_batch_norms;
  HONE_TRY(step("+ batch norms folded"));
  form.fold_norm_scales = best.fold_norm_scales;
  HONE_TRY(step("+ scales of norms folded"));
  form.norms_over_maps = best.norms_over_maps;
  HONE_TRY(step("+ norms over maps"));
  form.heads_from_nhwc = best.heads_from_nhwc;
  HONE_TRY(step("+ heads from NHWC"));
  form.split_rows_above = best.split_rows_above;
  HONE_TRY(step("+ wide rows split"));
  formed = out.size();
  form.int8_rows_above = kWideRow;
  HONE_TRY(step("+ int8 rows (lossy)"));
  for (const std::string& file : files) {
    HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> session, engine->load_file(file, options));
    HONE_TRY(prepare(*session, graph));
    out.push_back({file.substr(file.rfind('/') + 1), std::move(session)});
  }
  return out;
}

Status run(const std::string& net, const std::vector<std::string>& files, const std::string& precision, double seconds) {
  size_t formed = 0;
  HONE_TRY_ASSIGN(const std::vector<Row> all, rows(net, files, precision, formed));
  std::vector<Candidate> candidates;
  for (const Row& row : all) candidates.push_back({row.name, [&row] { return row.session->again(); }});
  TimingOptions options;
  options.seconds = seconds;
  HONE_TRY_ASSIGN(const Measurement m, measure(candidates, options));
  const size_t best = formed - 1;
  fmt::print("{}, one thread, {}, {}\n{:40} {:>8} {:>17} {:>8} {:>17}\n", net, precision, name(m.timings[0].basis), "", "ms", "95 %", "ratio", "95 %");
  for (size_t i = 0; i < all.size(); ++i) {
    const Timing& t = m.timings[i];
    const TimeRatio ratio = time_ratio(m, i, best);
    fmt::print("{:40} {:8.3f} {:8.3f} {:8.3f} {:8.3f} {:8.3f} {:8.3f}  {}\n", t.name, t.median, t.interval.low, t.interval.high, ratio.ratio, ratio.interval.low, ratio.interval.high, i == best ? "" : name(ratio.verdict));
  }
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  double seconds = 20;
  std::string precision = "f32";
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (!std::strcmp(argv[i], "--seconds") && i + 1 < argc) seconds = std::atof(argv[++i]);
    else if (!std::strcmp(argv[i], "--bf16")) precision = "bf16";
    else names.emplace_back(argv[i]);
  }
  if (names.empty() || !(seconds > 0)) {
    fmt::print(stderr, "usage: engine_forms [--seconds S] [--bf16] NET [FILE.onnx]...\n");
    return 2;
  }
  const auto done = hone::run(names[0], {names.begin() + 1, names.end()}, precision, seconds);
  if (!done) fmt::print(stderr, "engine_forms: {}\n", done.error().text());
  return done ? 0 : 1;
}
