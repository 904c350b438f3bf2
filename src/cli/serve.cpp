// hone serve: the page to draw on, and the runs of a folder.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>

#include "cli/commands.h"
#include "core/plugin.h"
#include "serve/plugin_api.h"

namespace hone::cli {

namespace {

struct Options {
  ServeRequest request;
  std::optional<std::string> run, index, full, full_index, host;
  std::optional<int64_t> port, workers, threads;
  bool json = false;
};

Result<Outcome> run(Options& o) {
  ServeRequest& r = o.request;
  r.run = o.run.value_or(""), r.index = o.index.value_or(""), r.full_run = o.full.value_or(""), r.full_index = o.full_index.value_or("");
  r.host = o.host.value_or(r.host);
  const int64_t port = o.port.value_or(r.port), cores = std::max(1u, std::thread::hardware_concurrency());
  const int64_t workers = o.workers.value_or(std::min<int64_t>(cores, 4)), threads = o.threads.value_or(1);
  if (port < 0 || port > 65535) return fail(Code::usage, "is no port: 0 to 65535, 0 for any that is free", "--port");
  if (workers < 1 || workers > 256) return fail(Code::usage, "is not from 1 to 256", "--workers");
  if (threads < 1 || threads > 1024) return fail(Code::usage, "is not from 1 to 1024", "--threads");
  if (r.run.empty() && r.folders.empty()) return fail(Code::usage, "needs a run to search with, or --runs DIR to watch runs", "", "hone serve --help");
  if (r.run.empty() && !(r.index + r.full_run).empty()) return fail(Code::usage, "an index is searched with a run", "", "as in: hone serve runs/selector --index photos.index");
  if (r.full_run.empty() && !r.full_index.empty()) return fail(Code::usage, "is the index of --full", "--full-index");
  for (const std::string& folder : r.folders) {
    std::error_code failed;
    if (!std::filesystem::is_directory(folder, failed)) return fail(Code::not_found, "no such folder", folder);
  }
  r.port = static_cast<int>(port), r.workers = static_cast<int>(workers), r.threads = static_cast<int>(threads);
  // Programs read the address while the server runs: the one command that prints a result before it ends.
  r.ready = [&o](const std::string& url) {
    const std::string line = o.json ? fmt::format("{{\"command\":\"serve\",\"url\":\"{}\",\"process\":{}}}\n", url, ::getpid()) : fmt::format("hone serves {}\n", url);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
  };
  HONE_TRY_ASSIGN(const ServeReply reply, ask_plugin<ServeRun>("hone_serve", "hone_serve_run", r));
  Outcome out;
  out.diagnostics = fmt::format("stopped after {} request{}\n", reply.requests, reply.requests == 1 ? "" : "s");
  return out;
}

}  // namespace

Command serve_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "serve";
  c.summary = "A page to draw on, and runs to watch, in a browser";
  c.about = "Prints its address and serves until Ctrl+C; requests in flight are finished. Only this machine reaches it unless --host says otherwise. The JSON API is described at /api/v1/openapi.json.";
  c.arguments = {{"RUN", &o->run, "a trained sketch run, or a selector's, to search with", false}};
  c.options.push_back({"--index", "INDEX", &o->index, "photos to search, as hone index wrote them; without it the test photos of the run's data"});
  c.options.push_back({"--runs", "DIR", &o->request.folders, "list, draw and follow the runs beneath this folder"});
  c.options.push_back({"--full", "RUN", &o->full, "the full-size network that answers are compared with; without it RUN at its largest canvas"});
  c.options.push_back({"--full-index", "INDEX", &o->full_index, "the same photos as --full sees them"});
  c.options.push_back({"--host", "ADDRESS", &o->host, "address to listen on, 127.0.0.1 unless told"});
  c.options.push_back({"--port", "N", &o->port, "port, 8080 unless told; 0: any that is free"});
  c.options.push_back({"--workers", "N", &o->workers, "questions answered at once, one a core and at most 4 unless told"});
  c.options.push_back({"--threads", "N", &o->threads, "of one question, 1 unless told"});
  c.options.push_back({"--json", "", &o->json, "print the address as JSON"});
  c.examples = {{"hone serve runs/selector --index photos.index", "draw, and photos rank as you do"}, {"hone serve --runs runs --port 0", "watch runs train"}};
  c.run = [o](const TextStyle&) { return run(*o); };
  return c;
}

}  // namespace hone::cli
