// hone index: the photos of a folder as vectors, to be searched by sketches.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/commands.h"
#include "retrieval/indexing.h"
#include "run/progress.h"

namespace hone::cli {

namespace {

struct Options {
  IndexRequest request;
  std::optional<std::string> out, photos, data;
  std::optional<int64_t> batch, threads, links, width;
  bool graph = false, repair = false;
  Output output;
};

Result<Outcome> run(Options& o, const TextStyle& style) {
  IndexRequest& r = o.request;
  if (!o.out) return fail(Code::usage, "say where to write: -o INDEX", {}, "as in: hone index runs/student photos -o photos.index");
  if (o.photos.has_value() == o.data.has_value()) return fail(Code::usage, "say which photos: a folder, or --data SPLIT", {}, "as in: hone index runs/student photos -o photos.index");
  if ((o.links || o.width) && !o.graph) return fail(Code::usage, "--links and --width describe a graph", {}, "ask for one with --graph");
  if (o.repair && o.output.force) return fail(Code::usage, "--repair keeps what --force replaces", {}, "take one of them");
  r.store = *o.out;
  r.photos = o.photos ? *o.photos : "data:" + *o.data;
  r.batch = o.batch.value_or(r.batch);
  r.threads = static_cast<int>(std::clamp<int64_t>(o.threads.value_or(static_cast<int64_t>(std::max(1u, std::thread::hardware_concurrency()))), 1, 1024));
  r.again = o.output.force;

  Report report;
  report.command = "index";
  std::error_code ec;
  if (o.repair && std::filesystem::exists(r.store, ec)) {
    HONE_TRY_ASSIGN(const StoreDamage damage, repair_store(r.store));
    if (!damage.what.empty()) report.parts.push_back(Note{Note::Level::warning, fmt::format("{}: {} bytes were cut off, {} vectors were kept", damage.what, damage.file_bytes - damage.bytes, damage.rows)});
  }
  HONE_TRY_ASSIGN(const Indexed done, index_photos(r));
  report.title = r.store;
  report.subtitle = fmt::format("{} photos, vectors of {}", done.rows, done.facts.dim);
  report.parts.insert(report.parts.begin(), Facts{"", "",
                                                  {{"index", "", r.store, Unit::none, "", kJson},
                                                   {"run", "encoder", done.facts.run},
                                                   {"network", "network", done.facts.network},
                                                   {"checkpoint", "checkpoint", done.facts.checkpoint, Unit::none, "", kJson},
                                                   {"photos", "photos", done.facts.photos},
                                                   {"side", "at", done.facts.side, Unit::none, "pixels"},
                                                   {"dim", "", done.facts.dim, Unit::none, "", kJson},
                                                   {"rows", "vectors", done.rows},
                                                   {"added", "added", done.added},
                                                   {"kept", "there already", done.kept},
                                                   {"seconds", "seconds", std::round(done.seconds * 100) / 100}}});
  if (o.graph) {
    GraphOptions g;
    g.links = o.links.value_or(g.links);
    g.search_width = o.width.value_or(g.search_width);
    g.threads = r.threads;
    std::unique_ptr<Progress> progress = std::make_unique<Progress>("graph", done.rows, "photos");
    HONE_TRY_ASSIGN(const GraphFacts facts, build_graph(r.store, g, [&](int64_t rows) { progress->step(rows); }));
    progress.reset();
    report.parts.push_back(Facts{"graph", "Graph for approximate search",
                                 {{"links", "links", facts.options.links}, {"width", "search width", facts.options.search_width}, {"recall_at_10", "recall@10", facts.recall_at_10, Unit::share, fmt::format("against exact search, {} queries", facts.queries)},
                                  {"seconds", "seconds", std::round(facts.build_seconds * 100) / 100}}});
  } else if (done.added > 0 && std::filesystem::exists(graph_path(r.store), ec)) {
    report.parts.push_back(Note{Note::Level::warning, "the graph beside it is of the rows before: build it anew with --graph"});
  }
  Table notes{"notes", "", {{"kind", "kind"}, {"count", "count"}, {"examples", "examples"}}, {}, false, kJson};
  for (const DataNote& n : done.notes) {
    notes.rows.push_back({n.kind, n.count, n.examples});
    report.parts.push_back(Note{Note::Level::warning, describe(n)});
  }
  report.parts.push_back(std::move(notes));
  return present(report, o.output, style);
}

}  // namespace

Command index_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "index";
  c.summary = "Photos as vectors, for sketches to search";
  c.about = "Embeds every .jpg and .png of a folder, zip or tar with a trained run, and appends the vectors to INDEX; those that it holds already are skipped, so that a stopped command goes on and new photos are added. --graph builds INDEX.graph beside it for search in a fraction of a millisecond.";
  c.arguments = {{"RUN", &o->request.run, "a trained sketch run, or a selector's"}, {"DIR", &o->photos, "a folder of photos, or a zip or tar of them", false}};
  c.options = {{"-o,--output", "INDEX", &o->out, "the file to write or to go on with"},
               {"--data", "SPLIT", &o->data, "instead of DIR: the photos of the run's own data", {"train", "validation", "test", "all"}},
               {"--graph", "", &o->graph, "also build a graph for approximate search, and measure its recall"},
               {"--links", "N", &o->links, "neighbours of a photo in the graph, 16 unless told"},
               {"--width", "N", &o->width, "candidates of a search in the graph, 64 unless told: more find more and take longer"},
               {"--batch", "N", &o->batch, "photos at once through the network, 16 unless told"},
               {"--threads", "N", &o->threads, "one a core unless told"},
               {"--repair", "", &o->repair, "cut off what is damaged and go on"}};
  add_output(c, o->output, false, false);
  c.options.push_back({"--force", "", &o->output.force, "replace an index that is there"});
  c.examples = {{"hone index runs/student photos -o photos.index", "a folder of photos"}, {"hone index runs/selector --data test -o test.index --graph", "the test photos that the run never saw"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
