// The routes as functions: no socket here.
#include "serve/api.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "client.h"
#include "fake_service.h"
#include "serve/web_files.h"

namespace hone {
namespace {

using Json = nlohmann::json;

HttpRequest request(const std::string& method, const std::string& path, const std::string& body = "", std::map<std::string, std::string> headers = {}) {
  if (!body.empty()) headers.emplace("content-type", "application/json");
  return {method, path, std::move(headers), body};
}

struct ApiTest : testing::Test {
  Api api{test::fake_workers(), {}};
  HttpResponse get(const std::string& path, std::map<std::string, std::string> headers = {}) { return api.handle(request("GET", path, "", std::move(headers))); }
  HttpResponse query(const std::string& body) { return api.handle(request("POST", "/api/v1/query", body)); }
};

std::string header(const HttpResponse& r, const std::string& name) {
  for (const auto& [key, value] : r.headers)
    if (key == name) return value;
  return "";
}

TEST_F(ApiTest, EveryRouteIsInTheDocumentAndEveryPathOfTheDocumentIsARoute) {
  const Json document = Json::parse(get("/api/v1/openapi.json").body);
  EXPECT_EQ(document["openapi"], "3.1.0");
  std::set<std::pair<std::string, std::string>> documented, built;
  for (const auto& [path, methods] : document["paths"].items())
    for (const auto& [method, operation] : methods.items()) {
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      documented.emplace(upper, path);
      EXPECT_TRUE(operation.contains("summary") && operation.contains("responses")) << path;
    }
  for (const Api::Route& r : Api::routes())
    if (r.path.substr(0, 5) == "/api/") built.emplace(r.method, r.path);
  EXPECT_EQ(documented, built);
}

// Every $ref of the document leads somewhere, and the answers have the keys that it requires.
void follow(const Json& document, const Json& node) {
  if (node.is_object() && node.contains("$ref")) {
    const std::string ref = node["$ref"];
    ASSERT_EQ(ref.compare(0, 1, "#"), 0);
    EXPECT_TRUE(document.contains(Json::json_pointer(ref.substr(1)))) << ref;
  }
  if (node.is_structured())
    for (const Json& child : node) follow(document, child);
}
void check(const Json& document, const Json& value, Json schema, const std::string& where) {
  while (schema.contains("$ref")) schema = Json(document[Json::json_pointer(schema["$ref"].get<std::string>().substr(1))]);
  if (schema.contains("oneOf")) {
    for (const Json& one : schema["oneOf"])
      if ((one.value("type", "object") == "null") == value.is_null()) return check(document, value, one, where);
    FAIL() << where;
  }
  for (const Json& all : schema.value("allOf", Json::array())) check(document, value, all, where);
  for (const auto& name : schema.value("required", Json::array())) EXPECT_TRUE(value.contains(name)) << where << ": " << name;
  if (schema.contains("type") && schema["type"].is_string()) {
    const std::string type = schema["type"];
    EXPECT_TRUE(type == "object" ? value.is_object() : type == "array" ? value.is_array() : type == "integer" ? value.is_number_integer() : type == "number" ? value.is_number() : type == "string" ? value.is_string() : type == "boolean" ? value.is_boolean() : value.is_null())
        << where << " is no " << type << ": " << value.dump();
  }
  if (value.is_object())
    for (const auto& [name, child] : value.items())
      if (schema.contains("properties") && schema["properties"].contains(name)) check(document, child, schema["properties"][name], where + "." + name);
  if (value.is_array() && schema.contains("items"))
    for (const Json& child : value) check(document, child, schema["items"], where + "[]");
}

TEST_F(ApiTest, AnswersAreWhatTheDocumentSays) {
  const Json document = Json::parse(get("/api/v1/openapi.json").body);
  follow(document, document);
  for (const char* path : {"/api/v1/health", "/api/v1/info", "/api/v1/examples", "/api/v1/runs"})
    check(document, Json::parse(get(path).body), document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"], path);
  const Json schema = document["paths"]["/api/v1/query"]["post"]["responses"]["200"]["content"]["application/json"]["schema"];
  for (const char* body : {R"({"drawing":[[[1],[2]]]})", R"({"drawing":[[[1],[2]]],"compare":"full"})"}) check(document, Json::parse(query(body).body), schema, "query");
  check(document, Json::parse(get("/nowhere").body), document["components"]["schemas"]["Error"], "error");
}

TEST_F(ApiTest, RanksPhotos) {
  const HttpResponse r = query(R"({"drawing":[[[1,2,3],[4,5,6]]],"top":3})");
  ASSERT_EQ(r.status, 200) << r.body;
  const Json json = Json::parse(r.body);
  EXPECT_TRUE(json["full"].is_null());
  ASSERT_EQ(json["answer"]["photos"].size(), 3u);
  EXPECT_EQ(json["answer"]["photos"][0]["photo"], 3);
  const Json compared = Json::parse(query(R"({"drawing":[[[1],[2]]],"compare":"full"})").body);
  EXPECT_EQ(compared["answer"]["canvas"], 32);
  EXPECT_EQ(compared["full"]["canvas"], 64);
  EXPECT_EQ(Json::parse(query(R"({"drawing":[[[1],[2]]],"canvas":64})").body)["answer"]["canvas"], 64);
}

TEST_F(ApiTest, RefusesBadQuestions) {
  EXPECT_EQ(query("{").status, 400);
  EXPECT_EQ(query(R"({"drawing":[]})").status, 422);
  EXPECT_EQ(query(R"({"drawing":[[[1],[2]]],"canvas":48})").status, 422);
  EXPECT_EQ(api.handle(request("POST", "/api/v1/query", "{}", {{"content-type", "text/plain"}})).status, 415);
  EXPECT_EQ(api.handle(request("POST", "/api/v1/query")).status, 415);
  const HttpResponse wrong = get("/api/v1/query");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(header(wrong, "Allow"), "POST");
  EXPECT_EQ(api.handle(request("DELETE", "/")).status, 405);
  EXPECT_EQ(api.handle(request("OPTIONS", "/api/v1/query")).status, 405);
}

TEST_F(ApiTest, PhotosGoByNumber) {
#if !HONE_IMAGE
  GTEST_SKIP() << "built without JPEG";
#endif
  const int before = test::FakeService::photos_read;
  const HttpResponse r = get("/api/v1/photos/3");
  ASSERT_EQ(r.status, 200);
  EXPECT_EQ(r.type, "image/jpeg");
  const auto image = decode_image(std::as_bytes(std::span(r.body)), "thumbnail");
  ASSERT_TRUE(image);
  EXPECT_EQ(image->width, 192);
  EXPECT_EQ(image->height, 192);
  EXPECT_NEAR(image->pixels[0], 60, 2);
  EXPECT_EQ(get("/api/v1/photos/3").body, r.body);
  EXPECT_EQ(test::FakeService::photos_read, before + 1) << "the second comes from the cache";
  const HttpResponse known = get("/api/v1/photos/3", {{"if-none-match", header(r, "ETag")}});
  EXPECT_EQ(known.status, 304);
  EXPECT_TRUE(known.body.empty());
  for (const char* number : {"10", "-1", "+1", "1x", "x", "", "..", "%2e%2e", "99999999999999999999", "1/2", "0x1", " 1"}) EXPECT_EQ(get("/api/v1/photos/" + std::string(number)).status, 404) << number;
  EXPECT_EQ(get("/api/v1/photos/9").status, 422) << "a damaged photo";
}

TEST_F(ApiTest, NoPathLeadsToTheFileSystem) {
  for (const char* path : {"/../README.md", "/web/index.html", "/index.html", "//", "/./", "/api/v1/runs/..", "/api/v1/runs/../charts/0", "/api/v1/runs/%2e%2e%2f/events", "/api/v1/../v1/health", "/api/v1/health/", "/style.css/", "/etc/passwd", "/style.css%00"})
    EXPECT_EQ(get(path).status, 404) << path;
}

TEST_F(ApiTest, ThePageIsStrict) {
  const HttpResponse page = get("/");
  ASSERT_EQ(page.status, 200);
  EXPECT_EQ(page.type, "text/html; charset=utf-8");
  const std::string policy = header(page, "Content-Security-Policy");
  EXPECT_NE(policy.find("default-src 'none'"), policy.npos);
  EXPECT_EQ(policy.find("unsafe"), policy.npos);
  EXPECT_EQ(get("/", {{"if-none-match", header(page, "ETag")}}).status, 304);
  // Every file is served, every one that the page names is there, and nothing comes from elsewhere.
  std::set<std::string> paths;
  for (const WebFile& f : web_files()) {
    paths.emplace(f.path);
    EXPECT_EQ(get(f.path == "/openapi.json" ? "/api/v1/openapi.json" : std::string(f.path)).body, f.contents) << f.path;
    if (f.path == "/openapi.json") continue;
    for (const char* elsewhere : {"http://", "https://", "//cdn", "@import"}) {
      std::string text(f.contents);
      for (size_t at; (at = text.find("http://www.w3.org/")) != text.npos;) text.erase(at, 18);  // names of SVG, never fetched
      EXPECT_EQ(text.find(elsewhere), text.npos) << f.path << " " << elsewhere;
    }
  }
  for (const char* attribute : {"src=\"", "href=\""})
    for (size_t at = 0; (at = page.body.find(attribute, at)) != page.body.npos;) {
      at += std::string_view(attribute).size();
      const std::string target = page.body.substr(at, page.body.find('"', at) - at);
      EXPECT_TRUE(target[0] == '#' || target == "api/v1/openapi.json" || paths.count("/" + target)) << target;
    }
  EXPECT_EQ(page.body.find("<script>"), page.body.npos);
  EXPECT_EQ(page.body.find(" style="), page.body.npos);
}

TEST(ApiWithoutARun, SaysSo) {
  Api api({}, {});
  EXPECT_TRUE(Json::parse(api.handle(request("GET", "/api/v1/info")).body)["search"].is_null());
  EXPECT_EQ(api.handle(request("POST", "/api/v1/query", R"({"drawing":[[[1],[2]]]})")).status, 404);
  EXPECT_EQ(api.handle(request("GET", "/api/v1/photos/0")).status, 404);
  EXPECT_EQ(api.handle(request("GET", "/api/v1/examples")).status, 404);
}

TEST(ApiBusy, AnswersInBoundedTime) {
  ApiOptions options;
  options.wait_seconds = 0.1;
  test::Gate gate;
  Api api(test::fake_workers(1, [&] { gate.pass(); }), {}, options);
  const auto ask = [&] { return api.handle(request("POST", "/api/v1/query", R"({"drawing":[[[1],[2]]]})")); };
  HttpResponse first;
  std::thread other([&] { first = ask(); });
  gate.await(1);
  const HttpResponse second = ask();  // would wait for ever for the only worker
  EXPECT_EQ(second.status, 503);
  EXPECT_EQ(header(second, "Retry-After"), "1");
  gate.open();
  other.join();
  EXPECT_EQ(first.status, 200);
}

}  // namespace
}  // namespace hone
