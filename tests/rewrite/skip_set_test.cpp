#include "rewrite/skip_set.h"

#include <gtest/gtest.h>

#include "zoo/catalog.h"

namespace hone {
namespace {

Graph network(const char* name) { return *build(*find_arch(name)); }

SkipSet example() {
  const auto c = *skip_candidates(network("vilt/base"));
  SkipSet s;
  s.network = "vilt/base";
  s.identity = candidates_identity(c);
  s.adapters.keep = Keep::houlsby;
  s.adapters = {.keep = Keep::houlsby, .zero_up = true, .hidden = 8, .replace_hidden = 32, .xavier = true, .relu = false, .attention_only = true, .module_norm = true, .groups = 2, .dropout = 0.1};
  s.set = {5, 7};
  s.modules = {c[5].module, c[7].module};
  s.method = "bandit";
  s.scores = {0.1, -1e-17, 0.25};
  s.seed = 7;
  s.history = {{40, {{1, 2}, {5, 7}}, {0.7, 0.5}, {0.49658530379140953, 0.6065306597126334}, {0, 0.125, 1. / 3}}};
  return s;
}

TEST(SkipSet, RoundTrip) {
  const SkipSet s = example();
  const auto back = parse_skip_set_file(print_skip_set(s), "set.json");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, s);
}

// What was written before adapters had these settings is read as it was meant.
TEST(SkipSet, SettingsThatAFileLacksAreTheDefaults) {
  SkipSet s = example();
  std::string text = print_skip_set(s);
  const size_t from = text.find(",\"hidden\""), to = text.find('}', from);
  ASSERT_NE(from, std::string::npos) << text;
  text.erase(from, to - from);
  s.adapters = {.keep = Keep::houlsby, .zero_up = true};
  const auto back = parse_skip_set_file(text, "old.json");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, s);
}

TEST(SkipSet, FitsTheSameBackboneWithAnotherHead) {
  SkipSet s = example();
  EXPECT_EQ(*place_skip_set(s, *skip_candidates(network("vilt/base")), "vilt/base"), (std::vector<int64_t>{5, 7}));
  for (const char* family : {"vilt/base", "meter/base-288"}) {
    const auto with_head = [&](const char* head) { return candidates_identity(*skip_candidates(network((std::string(family) + head).c_str()))); };
    EXPECT_EQ(with_head("-vqa"), with_head("-retrieval"));
    EXPECT_EQ(with_head("-vqa"), with_head("-nlvr2"));  // whose layers run twice
  }
  EXPECT_EQ(candidates_identity(*skip_candidates(network("meter/base-288"))), candidates_identity(*skip_candidates(network("meter/base-384"))));
}

TEST(SkipSet, ErrorsNameTheModule) {
  const SkipSet s = example();
  const auto other = place_skip_set(s, *skip_candidates(network("timm/resnet50")), "timm/resnet50");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Code::usage);
  EXPECT_NE(other.error().message.find("encoder.layer.5"), std::string::npos) << other.error().text();
  SkipSet wrong = s;
  wrong.identity = "another";
  const auto unfit = place_skip_set(wrong, *skip_candidates(network("vilt/base")), "vilt/base");
  ASSERT_FALSE(unfit);
  EXPECT_NE(unfit.error().message.find("does not fit"), std::string::npos);
}

TEST(SkipSet, NothingFromAFileIsTrusted) {
  const std::string good = print_skip_set(example());
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return parse_skip_set_file(text.replace(at, from.size(), to), "set.json");
  };
  EXPECT_FALSE(parse_skip_set_file("", "set.json"));
  EXPECT_FALSE(parse_skip_set_file("[]", "set.json"));
  EXPECT_FALSE(parse_skip_set_file("{}", "set.json"));
  EXPECT_FALSE(changed("\"hone_skip_set\": 1", "\"hone_skip_set\": 2"));
  EXPECT_FALSE(changed("\"houlsby\"", "\"house\""));
  EXPECT_FALSE(changed("\"seed\": 7", "\"seed\": -7"));
  EXPECT_FALSE(changed("\"seed\": 7", "\"seed\": 18446744073709551615"));
  EXPECT_FALSE(changed("\"reduction\":8", "\"reduction\":0"));
  EXPECT_FALSE(changed("\"step\":40", "\"step\":\"x\""));
  for (size_t cut = 1; cut < good.size() - 2; cut += 7) EXPECT_FALSE(parse_skip_set_file(good.substr(0, cut), "set.json"));
}

}  // namespace
}  // namespace hone
