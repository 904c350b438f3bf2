// The entry of libhone_serve.so: serve/plugin_api.h.
#include "serve/plugin_api.h"

#include <exception>

#include "serve/engine_service.h"
#include "serve/serve.h"

namespace hone {

namespace {

Result<ServeReply> run(const ServeRequest& request) {
  const SignalsBlocked signals;
  std::vector<std::unique_ptr<QueryService>> workers;
  if (!request.run.empty()) {
    EngineServiceOptions o;
    o.run = request.run, o.index = request.index, o.full_run = request.full_run, o.full_index = request.full_index;
    o.workers = request.workers, o.threads = request.threads;
    HONE_TRY_ASSIGN(workers, open_engine_services(o));
  }
  ServeOptions options;
  options.host = request.host, options.port = request.port, options.run_folders = request.folders;
  HONE_TRY_ASSIGN(const HttpServer::Counts counts, serve(options, std::move(workers), signals, request.ready));
  return ServeReply{counts.requests, counts.refused};
}

}  // namespace

}  // namespace hone

extern "C" __attribute__((visibility("default"))) void hone_serve_run(const hone::ServeRequest& request, hone::Result<hone::ServeReply>& reply) {
  try {
    reply = hone::run(request);
  } catch (const std::exception& e) {
    reply = hone::fail(hone::Code::failed, e.what());
  }
}
