#include "retrieval/query.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>

#include "cost/profile.h"
#include "retrieval/selector_session.h"
#include "retrieval/trained.h"

namespace hone {

namespace {

using Clock = std::chrono::steady_clock;

class Path final : public QueryPath {
 public:
  static Result<std::unique_ptr<QueryPath>> make(const std::string& run, std::shared_ptr<const SearchIndex> index, const QueryOptions& o) {
    auto path = std::make_unique<Path>();
    HONE_TRY_ASSIGN(path->engine_, open_engine(o.engine));
    path->options_.threads = o.threads;
    path->options_.precision = o.precision;
    HONE_TRY_ASSIGN(const std::string task, task_of(run));
    std::string encoder = run;
    if (task == "canvas") {
      HONE_TRY_ASSIGN(SelectorRun selector, open_selector_run(run));
      encoder = selector.encoder;
      HONE_TRY_ASSIGN(path->selector_, SelectorSession::open(std::move(selector), *path->engine_, path->options_));
    }
    HONE_TRY_ASSIGN(path->run_, open_sketch_run(encoder));
    const StoreFacts& facts = index->store().facts();
    if (facts.checkpoint != path->run_.sha256)
      return fail(Code::usage, fmt::format("the index was made with another checkpoint than that of {}", encoder), index->store().path(), fmt::format("make it anew: hone index {} ...", run));
    for (int64_t canvas : path->run_.options.canvases) {
      HONE_TRY_ASSIGN(const Graph graph, at_canvas(path->run_.options, path->run_.graph, canvas));
      HONE_TRY_ASSIGN(const Profile p, profile(graph));
      path->macs_[canvas] = p.totals.macs;
      path->dim_ = graph.value(graph.outputs[0]).type.shape.back();
    }
    if (path->dim_ != facts.dim) return fail(Code::usage, fmt::format("the index holds vectors of {} dimensions, {} gives {}", facts.dim, encoder, path->dim_), index->store().path());
    path->index_ = std::move(index);
    path->threads_ = std::max(1, o.threads);
    return std::unique_ptr<QueryPath>(std::move(path));
  }

  const std::vector<int64_t>& canvases() const override { return run_.options.canvases; }
  bool has_selector() const override { return selector_.has_value(); }
  int64_t macs(int64_t canvas) const override {
    const auto found = macs_.find(canvas);
    return found == macs_.end() ? 0 : found->second;
  }
  const SearchIndex& index() const override { return *index_; }

  Status warm_up() override {
    if (selector_) HONE_TRY(selector_->compile_all());
    for (int64_t canvas : canvases()) {
      HONE_TRY_ASSIGN(EngineSession* const session, this->session(canvas));
      HONE_TRY_ASSIGN(void* const input, session->input_buffer(0));
      std::fill_n(static_cast<float*>(input), 3 * canvas * canvas, 0.0f);
      HONE_TRY(session->again());  // the first run of a session is slower
    }
    return {};
  }

  Result<Answer> ask(const Sketch& sketch, const Ask& ask) override {
    if (sketch.points() == 0) return fail(Code::invalid, "the sketch has no points", sketch.id);
    if (ask.top < 1) return fail(Code::usage, "at least one photo has to be asked for");
    Answer out;
    out.canvas = ask.canvas;
    auto last = Clock::now();
    const auto step = [&](const char* name, int64_t macs) {
      const auto now = Clock::now();
      out.steps.push_back({name, macs, std::chrono::duration<double, std::milli>(now - last).count()});
      last = Clock::now();
    };
    if (ask.canvas == 0 && selector_) {
      const SelectorOptions& how = selector_->run().options;
      const std::vector<float> rows = selector_rows(sketch, how.simplify, how.max_points);
      HONE_TRY_ASSIGN(const std::vector<float> logits, selector_->logits(rows));
      out.points = static_cast<int64_t>(rows.size()) / 5;
      const auto most = std::max_element(logits.begin(), logits.end());
      out.canvas = selector_->run().canvases[static_cast<size_t>(most - logits.begin())];
      double sum = 0;
      for (float l : logits) out.chances.push_back(std::exp(static_cast<double>(l) - *most)), sum += out.chances.back();
      for (double& c : out.chances) c /= sum;
      step("selector", selector_->macs(out.points));
    } else if (ask.canvas == 0) {
      out.canvas = run_.side();
    }
    // A canvas that was asked for is looked up before it is compiled.
    if (!macs_.count(out.canvas)) return fail(Code::usage, fmt::format("the run has no canvas of {}", out.canvas), run_.path, fmt::format("its canvases: {}", fmt::join(canvases(), ", ")));
    HONE_TRY_ASSIGN(EngineSession* const session, this->session(out.canvas));
    last = Clock::now();  // compiling is no part of an answer
    HONE_TRY_ASSIGN(void* const input, session->input_buffer(0));
    draw(sketch, out.canvas, false, run_.options.style, static_cast<float*>(input), Layout::nchw);
    step("picture", 0);
    HONE_TRY(session->again());
    HONE_TRY_ASSIGN(const void* const output, session->output_buffer(0));
    const auto* const vector = static_cast<const float*>(output);
    out.vector.assign(vector, vector + dim_);
    step("network", macs_.at(out.canvas));
    HONE_TRY_ASSIGN(const SearchResult found, index_->nearest(out.vector, static_cast<size_t>(ask.top), ask.mode, threads_));
    for (const Neighbour& n : found.found) out.found.push_back({n.item, std::string(index_->store().id(n.item)), n.distance});
    step("search", found.measured * dim_);
    return out;
  }

 private:
  Result<EngineSession*> session(int64_t canvas) {
    if (const auto found = sessions_.find(canvas); found != sessions_.end()) return found->second.get();
    HONE_TRY_ASSIGN(const Graph graph, run_.at(canvas));
    HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> made, engine_->load(graph, options_));
    return sessions_.emplace(canvas, std::move(made)).first->second.get();
  }

  Engine* engine_ = nullptr;
  EngineOptions options_;
  SketchRun run_;
  std::optional<SelectorSession> selector_;
  std::shared_ptr<const SearchIndex> index_;
  std::map<int64_t, std::unique_ptr<EngineSession>> sessions_;
  std::map<int64_t, int64_t> macs_;
  int64_t dim_ = 0;
  int threads_ = 1;
};

}  // namespace

int64_t Answer::macs() const {
  int64_t sum = 0;
  for (const QueryStep& s : steps) sum += s.macs;
  return sum;
}

double Answer::milliseconds() const {
  double sum = 0;
  for (const QueryStep& s : steps) sum += s.milliseconds;
  return sum;
}

Result<std::unique_ptr<QueryPath>> QueryPath::open(const std::string& run, std::shared_ptr<const SearchIndex> index, const QueryOptions& options) { return Path::make(run, std::move(index), options); }

}  // namespace hone
