// hone retrieve: what trained runs are for.
#include "retrieval/retrieve.h"

#include <memory>

#include "cli/commands.h"

namespace hone::cli {

Command retrieve_command() {
  struct Options {
    RetrieveRequest request;
    std::optional<std::string> index, gallery, search, precision;
    std::optional<int64_t> canvas, top, limit, threads;
    Output output;
  };
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "retrieve";
  c.summary = "Photos that sketches show, nearest first, with what each answer cost";
  c.about = "Strokes, selector, picture, network and search run on the inference engine, on one thread unless told. An index (hone index) is searched as it is; without one the gallery is embedded first.";
  c.arguments = {{"RUN", &o->request.run, "a trained sketch run, or a selector's"}, {"SKETCH", &o->request.sketches, "files of strokes; none: test sketches of the run's data", false}};
  c.options.push_back({"--index", "INDEX", &o->index, "vectors to search, made by hone index"});
  c.options.push_back({"--gallery", "DIR", &o->gallery, "folder of photos; without it those of the index, else the test photos of the run's data"});
  c.options.push_back({"--search", "MODE", &o->search, "exact, int8 (exact, too), graph (approximate), or best: the graph where there is one", {"best", "exact", "int8", "graph"}});
  c.options.push_back({"--canvas", "SIDE", &o->canvas, "draw every sketch at this side instead of the selector's choice"});
  c.options.push_back({"--top", "K", &o->top, "photos a sketch, 10 unless told"});
  c.options.push_back({"--limit", "N", &o->limit, "sketches at most, 12 unless told"});
  c.options.push_back({"--threads", "N", &o->threads, "of network and search, 1 unless told"});
  c.options.push_back({"--precision", "TYPE", &o->precision, "of the networks: f32 (default) or bf16", {"f32", "bf16"}});
  add_output(c, o->output, true, true);
  c.examples = {{"hone retrieve runs/selector --html found.html", "test sketches and their photos as a picture"}, {"hone retrieve runs/selector drawing.svg --index photos.index", "a drawing of your own"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    RetrieveRequest& r = o->request;
    r.index = o->index.value_or("");
    r.gallery = o->gallery.value_or("");
    for (SearchMode mode : {SearchMode::best, SearchMode::exact, SearchMode::int8, SearchMode::graph})
      if (o->search.value_or("best") == name(mode)) r.mode = mode;
    if (o->canvas && *o->canvas < 1) return fail(Code::usage, "is at least 1", "--canvas");
    if (o->threads && (*o->threads < 1 || *o->threads > 1024)) return fail(Code::usage, "is from 1 to 1024", "--threads");
    r.canvas = o->canvas.value_or(0);
    r.top = o->top.value_or(r.top);
    r.limit = o->limit.value_or(r.limit);
    r.options.threads = static_cast<int>(o->threads.value_or(1));
    r.options.precision = o->precision.value_or("f32");
    HONE_TRY_ASSIGN(const Report report, retrieve(r));
    return present(report, o->output, style);
  };
  return c;
}

}  // namespace hone::cli
