#include "serve/query_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "fake_service.h"

namespace hone {
namespace {

int status_of(const std::string& body, const QueryLimits& limits = {}) {
  const auto parsed = parse_question(body, limits);
  return parsed ? 200 : parsed.error().status;
}

TEST(QueryJson, ReadsAQuestion) {
  const auto q = parse_question(R"({"drawing": [[[1, 2.5], [3, 4]], [[-5], [6e1]]], "frame": 100, "top": 3, "canvas": 64, "compare": "full"})", {});
  ASSERT_TRUE(q);
  ASSERT_EQ(q->sketch.strokes.size(), 2u);
  EXPECT_EQ(q->sketch.strokes[0], (Stroke{{1, 3}, {2.5, 4}}));
  EXPECT_EQ(q->sketch.strokes[1], (Stroke{{-5, 60}}));
  EXPECT_EQ(q->sketch.frame, 100);
  EXPECT_EQ(q->ask.top, 3);
  EXPECT_EQ(q->ask.canvas, 64);
  EXPECT_TRUE(q->compare);
  const auto plain = parse_question(R"({"drawing": [[[1], [2]]]})", {});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->sketch.frame, 256);
  EXPECT_EQ(plain->ask.canvas, 0);
  EXPECT_FALSE(plain->compare);
}

TEST(QueryJson, RefusesWhatIsNoQuestion) {
  for (const char* body : {"", "{", "[]", "null", "7", "\"drawing\"", "{}", R"({"drawing":7})", R"({"drawing":[7]})", R"({"drawing":[[]]})", R"({"drawing":[[[1]]]})",
                           R"({"drawing":[[[1],7]]})", R"({"drawing":[[[1,2],[3]]]})", R"({"drawing":[[[],[]]]})", R"({"drawing":[[["1"],[2]]]})", R"({"drawing":[[[null],[2]]]})",
                           R"({"drawing":[[[1],[NaN]]]})", R"({"drawing":[[[1],[1e999]]]})", R"({"drawing":[[[1],[2]]],"top":1.5})", R"({"drawing":[[[1],[2]]],"top":"3"})",
                           R"({"drawing":[[[1],[2]]],"frame":"a"})", R"({"drawing":[[[1],[2]]],"strokes":[]})", R"({"drawing":[[[1],[2]]]} x)", "{\"drawing\":[[[1],[2]]],\"\xff\":1}"})
    EXPECT_EQ(status_of(body), 400) << body;
  for (const char* body : {R"({"drawing":[]})", R"({"drawing":[[[1e6],[2]]]})", R"({"drawing":[[[1],[-300]]]})", R"({"drawing":[[[1],[2]]],"top":0})", R"({"drawing":[[[1],[2]]],"top":101})",
                           R"({"drawing":[[[1],[2]]],"top":18446744073709551615})", R"({"drawing":[[[1],[2]]],"canvas":-1})", R"({"drawing":[[[1],[2]]],"compare":"half"})", R"({"drawing":[[[1],[2]]],"frame":0})",
                           R"({"drawing":[[[1],[2]]],"frame":1e9})"})
    EXPECT_EQ(status_of(body), 422) << body;
}

TEST(QueryJson, CountsStrokesAndPoints) {
  QueryLimits limits;
  limits.strokes = 2, limits.points = 4;
  EXPECT_EQ(status_of(R"({"drawing":[[[1,2],[1,2]],[[1,2],[1,2]]]})", limits), 200);
  EXPECT_EQ(status_of(R"({"drawing":[[[1,2],[1,2]],[[1,2,3],[1,2,3]]]})", limits), 422);
  EXPECT_EQ(status_of(R"({"drawing":[[[1],[1]],[[1],[1]],[[1],[1]]]})", limits), 422);
  // A frame that comes last counts for the points before it.
  EXPECT_EQ(status_of(R"({"drawing":[[[5000],[1]]],"frame":10000})", limits), 200);
}

TEST(QueryJson, DeepNestingIsAnError) { EXPECT_EQ(status_of(std::string(100000, '[')), 400); }

TEST(QueryJson, AnswerNamesItsPhotosAndCost) {
  test::FakeService service;
  const auto q = parse_question(R"({"drawing":[[[1,2,3],[1,2,3]]],"top":2})", {});
  const auto answer = service.ask(q->sketch, q->ask);
  const auto json = nlohmann::json::parse(answer_json(*answer, service));
  EXPECT_EQ(json["canvas"], 32);
  EXPECT_EQ(json["macs"], 1050);
  EXPECT_EQ(json["ms"], 2.0);
  ASSERT_EQ(json["steps"].size(), 4u);
  EXPECT_EQ(json["steps"][0]["name"], "selector");
  ASSERT_EQ(json["photos"].size(), 2u);
  EXPECT_EQ(json["photos"][0]["photo"], 3);
  EXPECT_EQ(json["photos"][0]["id"], "photo-3");
  EXPECT_EQ(json["photos"][0]["category"], "odd");
}

TEST(QueryJson, AnExampleIsAQuestion) {
  const Sketch sketch = test::FakeService().examples()[0];
  const auto q = parse_question(sketch_json(sketch), {});
  ASSERT_TRUE(q);
  EXPECT_EQ(q->sketch.strokes, sketch.strokes);
}

}  // namespace
}  // namespace hone
