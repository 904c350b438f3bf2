// The routes of the server: requests to responses. docs/serve.md lists them for people, web/openapi.json for programs; a
// test holds that document against the table here.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http.h"
#include "serve/query_json.h"
#include "serve/run_table.h"
#include "serve/service.h"
#include "serve/thumbnails.h"

namespace hone {

struct ApiOptions {
  QueryLimits query;
  int thumbnail_side = 192;
  size_t thumbnail_bytes = size_t{32} << 20;
  double wait_seconds = 5;      // for a free worker; then 503
};

class Api {
 public:
  // `workers` may be empty: then there is nothing to search, and the routes of queries say so.
  Api(std::vector<std::unique_ptr<QueryService>> workers, std::vector<std::string> run_folders, const ApiOptions& options = {});
  ~Api();

  // Thread-safe.
  HttpResponse handle(const HttpRequest& request);

  struct Route {
    std::string_view method, path;  // "/api/v1/photos/{number}"
  };
  static std::vector<Route> routes();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hone
