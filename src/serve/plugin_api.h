// What libhone_serve.so offers the command line: a library of its own, so that no other command pays for HTTP.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/error.h"

namespace hone {

struct ServeRequest {
  std::string run, index;                 // run "": nothing to search with; index "": the run's own test photos
  std::string full_run, full_index;       // what answers are compared with; "": the same run's largest canvas
  std::vector<std::string> folders;       // of runs
  std::string host = "127.0.0.1";
  int port = 8080;                        // 0: any free one
  int workers = 1;                        // questions answered at once
  int threads = 1;                        // of one question
  std::function<void(const std::string& url)> ready;  // connections are accepted from now on
};
struct ServeReply {
  int64_t requests = 0, refused = 0;
};

// hone_serve_run: serves until SIGINT or SIGTERM.
using ServeRun = void(const ServeRequest& request, Result<ServeReply>& reply);

}  // namespace hone
