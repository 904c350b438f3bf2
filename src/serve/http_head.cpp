#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "serve/http.h"

namespace hone {

namespace {

tl::unexpected<HttpError> refuse(int status, std::string message) { return tl::unexpected<HttpError>(HttpError{status, std::move(message)}); }

// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
  static constexpr std::string_view kOthers = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || kOthers.find(c) != std::string_view::npos;
  });
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Up to the next CRLF, which is taken off too; a lone CR or LF is no line end.
tl::expected<std::string_view, HttpError> next_line(std::string_view& text) {
  const size_t end = text.find("\r\n");
  if (end == text.npos) return refuse(400, "a line of the request's head does not end in CRLF");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  if (std::any_of(line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) < 32 && c != '\t') || c == 127; }))
    return refuse(400, "a control character in the request's head");
  return line;
}

tl::expected<HttpHead, HttpError> parse_request_line(std::string_view line, const HttpLimits& limits) {
  HttpHead head;
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == line.npos || first == last || line.find(' ', first + 1) != last) return refuse(400, "the request line is not METHOD TARGET VERSION");
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (!is_token(method) || method.size() > 16) return refuse(400, "no HTTP method");
  if (target.size() > limits.target_bytes) return refuse(414, "the target is too long");
  if (target.empty() || target[0] != '/') return refuse(400, "the target does not begin with /");
  if (std::any_of(target.begin(), target.end(), [](char c) { return c < 33 || c > 126; })) return refuse(400, "the target has characters that must be escaped");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return refuse(400, "the version is neither HTTP/1.1 nor HTTP/1.0");
  head.request.method = method;
  head.request.path = target.substr(0, target.find('?'));  // no route takes parameters there
  head.close = version == "HTTP/1.0";
  return head;
}

}  // namespace

HttpResponse error_response(const HttpError& error) {
  const nlohmann::ordered_json body = {{"error", {{"status", error.status}, {"message", error.message}}}};
  HttpResponse r;
  r.status = error.status;
  r.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (error.status == 503) r.headers.emplace_back("Retry-After", "1");
  return r;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200: return "OK";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 411: return "Length Required";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 503: return "Service Unavailable";
  }
  return "Unknown";
}

tl::expected<HttpHead, HttpError> parse_head(std::string_view text, const HttpLimits& limits) {
  if (text.size() > limits.head_bytes) return refuse(431, "the request's head is too large");
  auto line = next_line(text);
  if (!line) return tl::unexpected(line.error());
  auto head = parse_request_line(*line, limits);
  if (!head) return head;
  auto& headers = head->request.headers;
  for (size_t count = 0;; ++count) {
    line = next_line(text);
    if (!line) return tl::unexpected(line.error());
    if (line->empty()) break;
    if (count == limits.headers) return refuse(431, "too many headers");
    const size_t colon = line->find(':');
    if (colon == line->npos || !is_token(line->substr(0, colon))) return refuse(400, "a header line is not NAME: VALUE");
    const std::string_view value = trimmed(line->substr(colon + 1));
    const auto [at, fresh] = headers.emplace(lower(line->substr(0, colon)), value);
    if (!fresh && at->second != value) {
      // Lists may be given in parts; what decides where a request ends or whom it is for may not.
      if (at->first == "content-length" || at->first == "host" || at->first == "content-type") return refuse(400, "two different headers " + at->first);
      at->second += ", ";
      at->second += value;
    }
  }
  if (!text.empty()) return refuse(400, "bytes behind the request's head");

  const std::string connection = lower(head->request.header("connection"));
  if (connection.find("close") != connection.npos) head->close = true;
  else if (connection.find("keep-alive") != connection.npos) head->close = false;
  if (headers.count("transfer-encoding")) return refuse(411, "transfer codings are not taken: send Content-Length");
  if (const std::string_view expect = head->request.header("expect"); !expect.empty()) {
    if (lower(expect) != "100-continue") return refuse(417, "no such expectation");
    head->expects_continue = true;
  }
  const std::string& method = head->request.method;
  const std::string_view length = head->request.header("content-length");
  if (length.empty()) {
    if (headers.count("content-length")) return refuse(400, "Content-Length is no number");
    if (method == "POST" || method == "PUT" || method == "PATCH") return refuse(411, "Content-Length is missing");
    return head;
  }
  uint64_t bytes = 0;
  const auto [end, problem] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (end != length.data() + length.size() || problem == std::errc::invalid_argument) return refuse(400, "Content-Length is no number");
  if (problem == std::errc::result_out_of_range || bytes > limits.body_bytes)
    return refuse(413, "the body is larger than " + std::to_string(limits.body_bytes) + " bytes");
  if (bytes > 0 && (method == "GET" || method == "HEAD")) return refuse(400, "a body with " + method);
  head->content_length = static_cast<size_t>(bytes);
  return head;
}

}  // namespace hone
