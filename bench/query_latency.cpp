// From strokes to the ten nearest of many photos, on one core: a trained run's own path, and the VGG-16 pipeline of the
// paper in the same engine with exact search.
//   query_latency RUN STORE [PHOTOS [ROUNDS]]
// RUN is a selector's or a sketch run. STORE is made when it is not there: vectors of the run's photos, filled up to PHOTOS
// (100,000) with vectors between them, and the graph. Sketches are the run's own test sketches, ROUNDS (5) times, in turn with
// every way of searching, so that what else the machine does meets them alike. bench/query_latency.py is PyTorch's side.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "core/rng.h"
#include "data/image_ops.h"
#include "engine/engine.h"
#include "retrieval/indexing.h"
#include "retrieval/photo_encoder.h"
#include "retrieval/query.h"
#include "retrieval/trained.h"
#include "rewrite/embed.h"
#include "rewrite/weights.h"

namespace {

using namespace hone;
using Clock = std::chrono::steady_clock;

template <class T>
T need(Result<T> r) {
  if (r) return std::move(*r);
  std::fprintf(stderr, "query_latency: %s\n", r.error().text().c_str());
  std::exit(1);
}

double since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

double at_share(std::vector<double> v, double share) {
  std::sort(v.begin(), v.end());
  return v[static_cast<size_t>(share * static_cast<double>(v.size() - 1))];
}

void row(const char* name, const std::vector<double>& ms) { std::printf("%-34s p50 %8.3f ms   p95 %8.3f ms   %zu queries\n", name, at_share(ms, 0.5), at_share(ms, 0.95), ms.size()); }

void add_unit(const std::vector<float>& v, std::vector<float>& out) {
  double length = 0;
  for (float x : v) length += static_cast<double>(x) * x;
  for (float x : v) out.push_back(static_cast<float>(x / std::sqrt(length)));
}

std::vector<float> noise(size_t dim, double length, Rng& rng) {
  std::vector<float> out(dim);
  for (float& x : out) x = static_cast<float>(normal(rng) * length / std::sqrt(static_cast<double>(dim)));
  return out;
}

// Between four photos, a little off: vectors lie where photos do, instead of everywhere.
std::vector<float> between(const EmbeddingStore& photos, int64_t real, Rng& rng) {
  std::vector<float> out = noise(static_cast<size_t>(photos.dim()), 0.05, rng);
  for (int i = 0; i < 4; ++i) {
    const auto weight = static_cast<float>(-std::log(1 - rng.uniform()));
    const auto row = photos.row(static_cast<int64_t>(rng.below(static_cast<uint64_t>(real))));
    for (size_t d = 0; d < out.size(); ++d) out[d] += weight / 4 * row[d];
  }
  return out;
}

void fill(const std::string& run, const std::string& store, int64_t photos) {
  need(index_photos({run, "data:all", store}));
  const auto real = need(EmbeddingStore::open(store));
  StoreWriter writer = need(StoreWriter::open(store, real->facts()));
  Rng rng(1);
  while (writer.count() < photos) {
    std::vector<std::string> ids;
    std::vector<float> values;
    for (int64_t i = writer.count(); i < std::min(photos, writer.count() + 4096); ++i) {
      ids.push_back("between-" + std::to_string(i));
      add_unit(between(*real, real->count(), rng), values);
    }
    if (auto done = writer.append(ids, values); !done) need(Result<int>(fail(done.error())));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: query_latency RUN STORE [PHOTOS [ROUNDS]]\n"), 2;
  const std::string run = argv[1], store = argv[2];
  const int64_t photos = argc > 3 ? std::atoll(argv[3]) : 100000;
  const int rounds = argc > 4 ? std::atoi(argv[4]) : 5;
  if (!std::filesystem::exists(store)) fill(run, store, photos);
  if (!std::filesystem::exists(graph_path(store))) {
    const GraphFacts g = need(build_graph(store));
    std::printf("graph: recall@10 %.3f over %lld queries, built in %.0f s\n", g.recall_at_10, static_cast<long long>(g.queries), g.build_seconds);
  }
  const auto index = need(SearchIndex::open(store));
  const auto path = need(QueryPath::open(run, index));
  if (auto ok = path->warm_up(); !ok) need(Result<int>(fail(ok.error())));
  const std::string encoder = need(task_of(run)) == "canvas" ? need(open_selector_run(run)).encoder : run;
  const SketchPhotoSet set = need(open_set(need(open_sketch_run(encoder)).data));
  std::printf("%lld photos, vectors of %lld; graph recall@10 %.3f; %zu test sketches, one thread\n", static_cast<long long>(index->store().count()), static_cast<long long>(index->store().dim()),
              index->graph()->recall_at_10, set.test.size());

  // The paper's pipeline: VGG-16 at the full canvas, 512 numbers, exact search. Latency does not depend on the weights.
  constexpr int64_t kSide = 256;
  Engine* const engine = need(open_engine());
  const Graph vgg = need(with_fresh_weights(need(embedding_network(need(open_network("sketch/vgg16")).graph, Pool::max)), 0));
  const auto full = need(engine->load(vgg, {}));
  std::vector<std::string> ids;
  std::vector<float> values;
  Rng rng(2);
  for (int64_t i = 0; i < index->store().count(); ++i) {
    ids.push_back(std::to_string(i));
    add_unit(noise(512, 1, rng), values);
  }
  std::vector<std::shared_ptr<const EmbeddingStore>> parts;
  StoreFacts facts;
  facts.dim = 512;
  const size_t half = ids.size() / 2;  // a block holds 65,535 rows at most
  parts.push_back(need(EmbeddingStore::of(facts, std::span(ids).first(half), std::span(values).first(512 * half))));
  parts.push_back(need(EmbeddingStore::of(facts, std::span(ids).subspan(half), std::span(values).subspan(512 * half))));

  const SearchMode modes[] = {SearchMode::graph, SearchMode::int8, SearchMode::exact};
  std::vector<double> total[3], steps[3][4], paper, paper_network;
  std::vector<int64_t> shares(path->canvases().size());
  const InputStyle style = need(open_sketch_run(encoder)).options.style;
  for (int round = -1; round < rounds; ++round)  // the first round warms up
    for (size_t q = 0; q < set.test.size(); ++q) {
      const Sketch& sketch = set.items[set.test[q]].sketch;
      for (size_t m = 0; m < 3; ++m) {
        const auto start = Clock::now();
        const Answer answer = need(path->ask(sketch, {10, 0, modes[m]}));
        const double ms = since(start);
        if (round < 0) continue;
        total[m].push_back(ms);
        for (size_t s = 0; s < answer.steps.size(); ++s) steps[m][s + 4 - answer.steps.size()].push_back(answer.steps[s].milliseconds);
        if (m == 0) ++shares[static_cast<size_t>(std::find(path->canvases().begin(), path->canvases().end(), answer.canvas) - path->canvases().begin())];
      }
      if (round < 0 || q % 16 != 0) continue;
      const auto start = Clock::now();
      draw(sketch, kSide, false, style, static_cast<float*>(need(full->input_buffer(0))), Layout::nchw);
      if (auto ok = full->again(); !ok) need(Result<int>(fail(ok.error())));
      paper_network.push_back(since(start));
      const std::span<const float> vector(static_cast<const float*>(need(full->output_buffer(0))), 512);
      for (const auto& part : parts) need(SearchIndex::of(part)->nearest(vector, 10, SearchMode::exact));
      paper.push_back(since(start));
    }
  for (size_t m = 0; m < 3; ++m) {
    row(("whole query, " + std::string(name(modes[m])) + " search").c_str(), total[m]);
    static constexpr const char* kSteps[] = {"  selector", "  picture", "  network", "  search"};
    for (size_t s = 0; s < 4; ++s)
      if (!steps[m][s].empty() && (m == 0 || s == 3)) row(kSteps[s], steps[m][s]);
  }
  row("VGG-16 at 256, exact search", paper);
  row("  picture and network", paper_network);
  std::printf("canvases:");
  for (size_t c = 0; c < shares.size(); ++c) std::printf(" %lld: %.0f %%", static_cast<long long>(path->canvases()[c]), 100.0 * static_cast<double>(shares[c]) / static_cast<double>(total[0].size()));
  std::printf("\nVGG-16 pipeline takes %.0f times as long as the query by graph, %.0f times as by int8, %.0f times as by exact search (medians)\n", at_share(paper, 0.5) / at_share(total[0], 0.5),
              at_share(paper, 0.5) / at_share(total[1], 0.5), at_share(paper, 0.5) / at_share(total[2], 0.5));
}
