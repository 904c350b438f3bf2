#include "serve/api.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <nlohmann/json.hpp>
#include <semaphore>

#include "run/manifest.h"
#include "serve/web_files.h"

namespace hone {

namespace {

using Json = nlohmann::ordered_json;

// Nothing is fetched from elsewhere, nothing inline is run, nobody frames the page.
constexpr std::string_view kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
// A chart is a picture with a style sheet inside.
constexpr std::string_view kPicturePolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

std::string dump(const Json& j) { return j.dump(-1, ' ', false, Json::error_handler_t::replace); }

HttpResponse json_response(std::string body) {
  HttpResponse r;
  r.body = std::move(body) + "\n";
  r.headers.emplace_back("Cache-Control", "no-store");
  return r;
}

HttpResponse from_error(const Error& e) {
  const int status = e.code == Code::not_found ? 404 : e.code == Code::usage || e.code == Code::invalid ? 422 : 500;
  return error_response({status, e.message + (e.hint.empty() ? "" : " (" + e.hint + ")")});
}

// A number as it stands in a path: digits alone.
std::optional<int64_t> path_number(std::string_view text) {
  int64_t v = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (text.empty() || text[0] == '-' || problem != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

// What stands for the {names} of a pattern; nothing when the path is another one.
std::optional<std::vector<std::string>> match(std::string_view pattern, std::string_view path) {
  std::vector<std::string> values;
  for (;;) {
    const size_t a = pattern.find('/', 1), b = path.find('/', 1);
    const std::string_view want = pattern.substr(0, a), have = path.substr(0, b);
    if (want.size() > 2 && want[1] == '{') {
      if (have.size() < 2) return std::nullopt;
      values.emplace_back(have.substr(1));
    } else if (want != have) {
      return std::nullopt;
    }
    if (a == pattern.npos || b == path.npos) return a == b ? std::optional(values) : std::nullopt;
    pattern.remove_prefix(a), path.remove_prefix(b);
  }
}

// Query paths that are lent to one request at a time.
class Workers {
 public:
  explicit Workers(std::vector<std::unique_ptr<QueryService>> all) : all_(std::move(all)) {
    for (const auto& w : all_) free_.push_back(w.get());
  }
  // nullptr: none became free in time.
  QueryService* take(double seconds) {
    std::unique_lock lock(mutex_);
    if (!wake_.wait_for(lock, std::chrono::duration<double>(seconds), [&] { return !free_.empty(); })) return nullptr;
    QueryService* w = free_.back();
    free_.pop_back();
    return w;
  }
  void give_back(QueryService* w) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(w);
    }
    wake_.notify_one();
  }
  bool empty() const { return all_.empty(); }
  size_t size() const { return all_.size(); }
  const QueryService& any() const { return *all_[0]; }  // for what is const: facts and photos

 private:
  std::vector<std::unique_ptr<QueryService>> all_;
  std::vector<QueryService*> free_;
  std::mutex mutex_;
  std::condition_variable wake_;
};

}  // namespace

struct Api::Impl {
  using Values = std::vector<std::string>;
  struct Entry {
    std::string_view method, path;
    HttpResponse (Impl::*handle)(const HttpRequest&, const Values&);
  };
  static const std::vector<Entry>& table();

  Impl(std::vector<std::unique_ptr<QueryService>> all, std::vector<std::string> folders, const ApiOptions& o)
      : options(o), workers(std::move(all)), runs(std::move(folders)), thumbnails(o.thumbnail_side, o.thumbnail_bytes) {}

  const ApiOptions options;
  Workers workers;
  RunTable runs;
  Thumbnails thumbnails;
  std::counting_semaphore<> drawing{2};  // photos and charts that are made at once

  struct Turn {
    std::counting_semaphore<>& gate;
    const bool ok;
    Turn(std::counting_semaphore<>& g, double seconds) : gate(g), ok(g.try_acquire_for(std::chrono::duration<double>(seconds))) {}
    ~Turn() { if (ok) gate.release(); }
  };
  static HttpResponse busy() { return error_response({503, "all workers are busy"}); }
  static HttpResponse nothing_to_search() { return error_response({404, "this server was started without a run to search with"}); }

  HttpResponse health(const HttpRequest&, const Values&) { return json_response(R"({"status":"ok"})"); }

  HttpResponse info(const HttpRequest&, const Values&) {
    static const Host host = this_host();
    Json search = nullptr;
    if (!workers.empty()) {
      const GalleryFacts& f = workers.any().facts();
      Json canvases = Json::array();
      for (size_t i = 0; i < f.canvases.size(); ++i) canvases.push_back({{"side", f.canvases[i]}, {"macs", i < f.macs.size() ? f.macs[i] : 0}});
      search = {{"run", f.run}, {"network", f.network}, {"full", f.full}, {"engine", f.engine}, {"search", f.search}, {"selector", f.selector},
                {"canvases", std::move(canvases)}, {"photos", f.photos}, {"dim", f.dim}, {"workers", workers.size()}};
    }
    return json_response(dump({{"program", "hone"}, {"version", HONE_VERSION}, {"api", "v1"}, {"search", std::move(search)},
                               {"machine", {{"cpu", host.cpu}, {"cores", host.cores}, {"memory_bytes", host.memory_bytes}, {"system", host.system}}},
                               {"limits", {{"strokes", options.query.strokes}, {"points", options.query.points}, {"top", options.query.top}}}}));
  }

  HttpResponse query(const HttpRequest& request, const Values&) {
    const std::string_view type = request.header("content-type");
    if (type.substr(0, type.find(';')) != "application/json") return error_response({415, "Content-Type must be application/json"});
    if (workers.empty()) return nothing_to_search();
    auto question = parse_question(request.body, options.query);
    if (!question) return error_response(question.error());
    QueryService* worker = workers.take(options.wait_seconds);
    if (!worker) return busy();
    const struct Return {
      Workers& to;
      QueryService* worker;
      ~Return() { to.give_back(worker); }
    } back{workers, worker};
    const auto answer = worker->ask(question->sketch, question->ask);
    if (!answer) return from_error(answer.error());
    std::string full = "null";
    if (question->compare) {
      const auto compared = worker->ask_full(question->sketch, question->ask.top);
      if (!compared) return from_error(compared.error());
      full = answer_json(*compared, *worker);
    }
    return json_response("{\"answer\":" + answer_json(*answer, *worker) + ",\"full\":" + full + "}");
  }

  HttpResponse photo(const HttpRequest& request, const Values& values) {
    if (workers.empty()) return nothing_to_search();
    const QueryService& any = workers.any();
    const auto number = path_number(values[0]);
    if (!number || *number >= any.facts().photos) return error_response({404, "no photo of that number"});
    const std::string etag = fmt::format("\"{}-{}\"", any.facts().gallery, *number);
    HttpResponse r;
    if (request.header("if-none-match") == etag) {
      r.status = 304;
    } else {
      const Turn turn(drawing, options.wait_seconds);
      if (!turn.ok) return busy();
      const auto jpeg = thumbnails.get(*number, [&] { return any.photo(*number); });
      if (!jpeg) return from_error(jpeg.error());
      r.body = **jpeg;
    }
    r.type = "image/jpeg";
    r.headers = {{"ETag", etag}, {"Cache-Control", "private, no-cache"}};
    return r;
  }

  HttpResponse examples(const HttpRequest&, const Values&) {
    if (workers.empty()) return nothing_to_search();
    std::string out;
    for (const Sketch& s : workers.any().examples()) out += (out.empty() ? "" : ",") + sketch_json(s);
    return json_response("{\"examples\":[" + out + "]}");
  }

  HttpResponse run_list(const HttpRequest&, const Values&) {
    const Turn turn(drawing, options.wait_seconds);
    return turn.ok ? json_response(runs.list_json()) : busy();
  }

  HttpResponse run(const HttpRequest&, const Values& values) {
    const auto found = runs.find(values[0]);
    if (!found) return error_response({404, "no such run"});
    const Turn turn(drawing, options.wait_seconds);
    if (!turn.ok) return busy();
    const auto json = runs.run_json(*found);
    return json ? json_response(*json) : from_error(json.error());
  }

  HttpResponse chart(const HttpRequest&, const Values& values) {
    const auto found = runs.find(values[0]);
    const auto number = path_number(values[1]);
    if (!found || !number) return error_response({404, "no such chart"});
    const Turn turn(drawing, options.wait_seconds);
    if (!turn.ok) return busy();
    const auto svg = runs.chart_svg(*found, *number);
    if (!svg) return from_error(svg.error());
    HttpResponse r;
    r.type = "image/svg+xml";
    r.body = *svg;
    r.headers = {{"Cache-Control", "no-store"}, {"Content-Security-Policy", std::string(kPicturePolicy)}};
    return r;
  }

  HttpResponse events(const HttpRequest& request, const Values& values) {
    const auto found = runs.find(values[0]);
    if (!found) return error_response({404, "no such run"});
    const int64_t from = path_number(request.header("last-event-id")).value_or(0);
    HttpResponse r;
    r.type = "text/event-stream";
    r.headers.emplace_back("Cache-Control", "no-store");
    if (request.method == "HEAD") return r;
    r.stream = [this, run = *found, from](EventSink& sink) { runs.follow(run, from, sink); };
    return r;
  }

  static HttpResponse file(const HttpRequest& request, const WebFile& f) {
    HttpResponse r;
    r.type = f.type;
    r.headers = {{"ETag", std::string(f.etag)}, {"Cache-Control", "no-cache"}, {"Content-Security-Policy", std::string(kPagePolicy)}, {"Referrer-Policy", "no-referrer"}};
    if (request.header("if-none-match") == f.etag) r.status = 304;
    else r.body = f.contents;
    return r;
  }
  HttpResponse web_file(const HttpRequest& request, const Values&) {
    for (const WebFile& f : web_files())
      if (f.path == request.path || request.path == "/api/v1" + std::string(f.path)) return file(request, f);
    return error_response({404, "no such page"});
  }

  HttpResponse handle(const HttpRequest& request) {
    const std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string allowed;
    for (const Entry& e : table())
      if (const auto values = match(e.path, request.path)) {
        if (e.method == method) return (this->*e.handle)(request, *values);
        allowed = e.method == "GET" ? "GET, HEAD" : std::string(e.method);
      }
    if (!allowed.empty()) {
      HttpResponse r = error_response({405, "this address takes " + allowed});
      r.headers.emplace_back("Allow", allowed);
      return r;
    }
    return error_response({404, "no such address"});
  }
};

const std::vector<Api::Impl::Entry>& Api::Impl::table() {
  static const std::vector<Entry> entries = {
      {"GET", "/", &Impl::web_file},
      {"GET", "/style.css", &Impl::web_file},
      {"GET", "/app.js", &Impl::web_file},
      {"GET", "/draw.js", &Impl::web_file},
      {"GET", "/runs.js", &Impl::web_file},
      {"GET", "/icon.svg", &Impl::web_file},
      {"GET", "/api/v1/openapi.json", &Impl::web_file},
      {"GET", "/api/v1/health", &Impl::health},
      {"GET", "/api/v1/info", &Impl::info},
      {"POST", "/api/v1/query", &Impl::query},
      {"GET", "/api/v1/photos/{photo}", &Impl::photo},
      {"GET", "/api/v1/examples", &Impl::examples},
      {"GET", "/api/v1/runs", &Impl::run_list},
      {"GET", "/api/v1/runs/{run}", &Impl::run},
      {"GET", "/api/v1/runs/{run}/events", &Impl::events},
      {"GET", "/api/v1/runs/{run}/charts/{chart}", &Impl::chart},
  };
  return entries;
}

Api::Api(std::vector<std::unique_ptr<QueryService>> workers, std::vector<std::string> run_folders, const ApiOptions& options)
    : impl_(std::make_unique<Impl>(std::move(workers), std::move(run_folders), options)) {}
Api::~Api() = default;

HttpResponse Api::handle(const HttpRequest& request) { return impl_->handle(request); }

std::vector<Api::Route> Api::routes() {
  std::vector<Route> out;
  for (const Impl::Entry& e : Impl::table()) out.push_back({e.method, e.path});
  return out;
}

}  // namespace hone
