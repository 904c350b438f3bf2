// A request as it comes over the wire, head and body: read as the server reads it, then answered by the routes over a small
// gallery. tests/serve replays the stored corpus through the same function.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "../tests/serve/fake_service.h"
#include "serve/api.h"

namespace hone::fuzz {

inline void promise(bool ok, const char* what) {
  if (ok) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

inline void request(std::string_view bytes) {
  static const HttpLimits limits;
  static const QueryLimits query;
  static Api api(test::fake_workers(1), {});
  const size_t end = bytes.find("\r\n\r\n");
  if (end != bytes.npos) {
    auto head = parse_head(bytes.substr(0, end + 4), limits);
    if (!head) {
      promise(head.error().status >= 400 && head.error().status < 500 && !head.error().message.empty(), "a malformed head is a 4xx with a message");
    } else {
      promise(head->content_length <= limits.body_bytes && head->request.path.size() <= limits.target_bytes && !head->request.path.empty(), "a head keeps to its limits");
      head->request.body = bytes.substr(end + 4, head->content_length);
      const HttpResponse r = api.handle(head->request);
#if HONE_IMAGE
      constexpr bool pictures = true;
#else
      constexpr bool pictures = false;  // a build without JPEG cannot answer with one
#endif
      const bool no_picture = !pictures && head->request.path.compare(0, 15, "/api/v1/photos/") == 0;
      promise(r.status == 200 || r.status == 304 || (r.status >= 400 && r.status < 500) || no_picture, "a route answers with success or a 4xx");
      promise(reason_phrase(r.status) != "Unknown", "every status has its phrase");
      if (r.type == "application/json" && !r.stream) promise(nlohmann::json::accept(r.body) || r.status == 304, "JSON is JSON");
    }
  }
  // And the body by itself, whatever stands before it.
  const auto question = parse_question(end == bytes.npos ? bytes : bytes.substr(end + 4), query);
  if (!question) {
    promise(question.error().status == 400 || question.error().status == 422, "a bad body is 400 or 422");
    promise(nlohmann::json::accept(error_response(question.error()).body), "an error is JSON");
    return;
  }
  const Sketch& s = question->sketch;
  promise(!s.strokes.empty() && s.strokes.size() <= query.strokes && s.points() <= query.points, "a question keeps to its limits");
  for (const Stroke& stroke : s.strokes)
    for (const Point& p : stroke) promise(!stroke.empty() && std::isfinite(p.x) && std::isfinite(p.y) && std::abs(p.x) <= 2 * s.frame && std::abs(p.y) <= 2 * s.frame, "points are finite and near the frame");
  promise(question->ask.top >= 1 && question->ask.top <= query.top, "top is within its limits");
}

}  // namespace hone::fuzz
