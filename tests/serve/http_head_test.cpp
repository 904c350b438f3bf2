#include <gtest/gtest.h>

#include "serve/http.h"

namespace hone {
namespace {

int status_of(const std::string& head, const HttpLimits& limits = {}) {
  const auto parsed = parse_head(head, limits);
  return parsed ? 200 : parsed.error().status;
}

TEST(HttpHead, ReadsARequest) {
  const auto head = parse_head("POST /api/v1/query?x=1 HTTP/1.1\r\nHost: localhost:80\r\nCONTENT-type:  application/json \r\nContent-Length: 12\r\nX-A: 1\r\nx-a: 2\r\n\r\n", {});
  ASSERT_TRUE(head);
  EXPECT_EQ(head->request.method, "POST");
  EXPECT_EQ(head->request.path, "/api/v1/query");
  EXPECT_EQ(head->request.header("content-type"), "application/json");
  EXPECT_EQ(head->request.header("x-a"), "1, 2");
  EXPECT_EQ(head->content_length, 12u);
  EXPECT_FALSE(head->close);
}

TEST(HttpHead, KnowsWhenToClose) {
  EXPECT_TRUE(parse_head("GET / HTTP/1.0\r\n\r\n", {})->close);
  EXPECT_FALSE(parse_head("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {})->close);
  EXPECT_TRUE(parse_head("GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", {})->close);
  EXPECT_TRUE(parse_head("GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", {})->close);
}

TEST(HttpHead, RefusesWhatIsMalformed) {
  for (const char* head : {
           "\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n", "G(T / HTTP/1.1\r\n\r\n", "GET / HTTP/2\r\n\r\n",
           "GET http://a/ HTTP/1.1\r\n\r\n", "GET * HTTP/1.1\r\n\r\n", "GET /\x7f HTTP/1.1\r\n\r\n", "GET /\xc3\xa9 HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n: empty\r\n\r\n", "GET / HTTP/1.1\r\nA b: c\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
           "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "GET / HTTP/1.1\r\nA: \x01\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: 1x\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
           "GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n\r\nmore"})
    EXPECT_EQ(status_of(head), 400) << head;
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\n\r\n"), 411);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 411);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"), 411);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nExpect: much\r\nContent-Length: 5\r\n\r\n"), 417);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n"), 413);
  // The same length twice says nothing new.
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n"), 200);
}

TEST(HttpHead, KeepsToItsLimits) {
  HttpLimits limits;
  limits.target_bytes = 8, limits.headers = 2, limits.body_bytes = 10, limits.head_bytes = 200;
  EXPECT_EQ(status_of("GET /1234567 HTTP/1.1\r\n\r\n", limits), 200);
  EXPECT_EQ(status_of("GET /12345678 HTTP/1.1\r\n\r\n", limits), 414);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\n\r\n", limits), 200);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits), 431);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\n", limits), 200);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits), 413);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nA: " + std::string(200, 'a') + "\r\n\r\n", limits), 431);
}

}  // namespace
}  // namespace hone
