#include "zoo/arch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "support.h"
#include "zoo/catalog.h"
#include "zoo/families.h"

namespace hone {
namespace {

std::string error_of(const std::string& toml) {
  auto arch = parse_arch(toml, "net.toml");
  return arch ? "no error" : arch.error().text();
}

Arch small() {
  Arch a;
  a.name = "small";
  a.family = "resnet";
  a.resolution = 32;
  a.stem = {.kind = "conv3x3", .width = 16};
  a.stages = {{.block = "bottleneck", .depth = 1, .width = 16, .group_width = 8}};
  return a;
}
std::string build_error(const Arch& a) {
  auto g = build(a);
  return g ? "no error" : g.error().text();
}

TEST(ArchText, EveryPublishedArchReadsBackEqual) {
  ASSERT_FALSE(catalog().empty());
  for (const Arch& a : catalog()) {
    auto back = parse_arch(print_arch(a), a.name);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, a) << print_arch(a);
  }
}

// Any Arch at all, sensible or not: the text form loses nothing.
rc::Gen<std::string> text() {
  return rc::gen::map(rc::gen::container<std::vector<int>>(rc::gen::inRange(1, 0x7f + 3)), [](const std::vector<int>& codes) {
    std::string s;
    for (int c : codes) s += c > 0x7f ? "\u00e9" : std::string(1, static_cast<char>(c));
    return s;
  });
}
rc::Gen<double> real() {
  return rc::gen::map(rc::gen::pair(rc::gen::arbitrary<int64_t>(), rc::gen::inRange(-30, 30)),
                      [](const std::pair<int64_t, int>& p) { return static_cast<double>(p.first) * std::pow(10.0, p.second); });
}
rc::Gen<Options> options() {
  return rc::gen::container<Options>(
      text(), rc::gen::oneOf(rc::gen::cast<Option>(rc::gen::arbitrary<bool>()), rc::gen::cast<Option>(rc::gen::arbitrary<int64_t>()),
                             rc::gen::cast<Option>(real()), rc::gen::cast<Option>(text()),
                             rc::gen::cast<Option>(rc::gen::container<std::vector<int64_t>>(rc::gen::arbitrary<int64_t>()))));
}
rc::Gen<Stage> stage() {
  return rc::gen::build<Stage>(rc::gen::set(&Stage::block, text()), rc::gen::set(&Stage::depth), rc::gen::set(&Stage::width),
                               rc::gen::set(&Stage::stride), rc::gen::set(&Stage::kernel), rc::gen::set(&Stage::expand, real()),
                               rc::gen::set(&Stage::group_width), rc::gen::set(&Stage::se, real()), rc::gen::set(&Stage::heads),
                               rc::gen::set(&Stage::activation, text()), rc::gen::set(&Stage::options, options()));
}

TEST(ArchText, PropertyPrintedArchesReadBackEqual) {
  EXPECT_TRUE(rc::check([] {
    Arch a;
    a.name = *text();
    a.family = *text();
    a.names = *text();
    a.resolution = *rc::gen::arbitrary<int64_t>();
    a.test_resolution = *rc::gen::arbitrary<int64_t>();
    a.channels = *rc::gen::arbitrary<int64_t>();
    a.activation = *text();
    a.padding = *text();
    a.bn_eps = *real();
    a.bn_momentum = *real();
    a.stem = {*text(), *rc::gen::arbitrary<int64_t>(), *options()};
    a.stages = *rc::gen::container<std::vector<Stage>>(stage());
    a.head = {*text(), *rc::gen::arbitrary<int64_t>(), *rc::gen::arbitrary<int64_t>(), *real(), *options()};
    a.options = *options();
    const std::string toml = print_arch(a);
    auto back = parse_arch(toml, "arch.toml");
    RC_ASSERT(back.has_value());
    RC_ASSERT(equal(*back, a));
    RC_ASSERT(print_arch(*back) == toml);
  }));
}

TEST(ArchText, ShortNetworksAreShort) {
  EXPECT_EQ(print_arch(small()),
            "name = \"small\"\n"
            "family = \"resnet\"\n"
            "resolution = 32\n"
            "stem = { kind = \"conv3x3\", width = 16 }\n"
            "stages = [\n"
            "  { block = \"bottleneck\", width = 16, group_width = 8 },\n"
            "]\n");
}

// The example of docs/arch.md, and that the page names every key.
TEST(ArchText, Documentation) {
  const auto page = test::read_file(HONE_SOURCE_DIR "/docs/arch.md");
  ASSERT_TRUE(page);
  std::string example;
  for (const std::string& line : test::split(print_arch(*find_arch("pycls/RegNetY-400MF")), '\n')) example += line.empty() ? "" : "    " + line + "\n";
  EXPECT_NE(page->find(example), std::string::npos) << example;
  for (const char* table : {"", "[stem]\n", "[[stages]]\n", "[head]\n"}) {
    std::string keys = parse_arch(std::string(table) + "none = 1\n", "x").error().hint;
    for (const std::string& key : test::split(keys.substr(keys.find("keys: ") + 6), ','))
      EXPECT_NE(page->find("`" + key.substr(key.find_first_not_of(' ')) + "`"), std::string::npos) << key;
  }
}

TEST(ArchText, ErrorsNameKeyLineAndColumn) {
  EXPECT_EQ(error_of("name = \"a\"\nfamly = \"resnet\"\n"),
            "net.toml:2:9: unknown key 'famly' (did you mean 'family'? keys: name, family, names, resolution, test_resolution, channels, activation, padding, "
            "bn_eps, bn_momentum, stem, stages, head, options)");
  EXPECT_EQ(error_of("[[stages]]\nblock = \"basic\"\n[[stages]]\nwdith = 3\n"),
            "net.toml:4:9: unknown key 'wdith' in stages[1] (did you mean 'width'? keys: block, depth, width, stride, kernel, expand, group_width, se, heads, "
            "activation, options)");
  EXPECT_EQ(error_of("resolution = \"224\""), "net.toml:1:14: resolution: expected an integer, found \"224\"");
  EXPECT_EQ(error_of("stages = 3"), "net.toml:1:10: stages: expected an array of tables, found 3");
  EXPECT_EQ(error_of("bn_eps = nan"), "net.toml:1:10: bn_eps: expected a finite number");
  EXPECT_EQ(error_of("options = { widths = [1, true] }"), "net.toml:1:26: options.widths: expected an integer, found boolean");
  EXPECT_EQ(error_of("options = { a = { b = 1 } }"),
            "net.toml:1:17: options.a: expected a boolean, number, string or array of integers, found table");
  EXPECT_EQ(error_of("name = \"a").substr(0, 11), "net.toml:1:");
}

TEST(Build, ErrorsSayWhichStageAndWhy) {
  Arch a = small();
  EXPECT_TRUE(build(a)) << build_error(a);

  a.family = "renset";
  EXPECT_NE(build_error(a).find("small: unknown family 'renset' (families: "), std::string::npos);

  a = small();
  a.stages[0].group_width = 7;
  EXPECT_EQ(build_error(a), "small, layer1.0: stage 1 (bottleneck): group width 7 does not divide the inner width 16 = 16 x 1");

  a = small();
  a.stages[0].block = "botleneck";
  EXPECT_EQ(build_error(a),
            "small, layer1.0: stage 1: unknown block 'botleneck'; known: bottleneck, linear_bottleneck, preact_bottleneck, basic, vanilla");

  a = small();
  a.stem.kind = "conv9x9";
  EXPECT_EQ(build_error(a), "small: unknown stem kind 'conv9x9'; known: conv3x3, conv3x3_s1, resnet, deep");

  a = small();
  a.names = "keras";
  EXPECT_EQ(build_error(a), "small: no tensor names of 'keras' for family 'resnet' (names: timm, torchvision, pycls)");

  a = small();
  a.activation = "rleu";
  EXPECT_NE(build_error(a).find("unknown activation 'rleu'"), std::string::npos);

  a = small();
  a.padding = "valid";
  EXPECT_EQ(build_error(a), "small: unknown padding 'valid'; known: symmetric, same");

  a = small();
  a.stages[0].options.emplace("shortcutt", true);
  EXPECT_EQ(build_error(a), "small: stage 1: unknown option 'shortcutt' (did you mean 'shortcut'? options: activation group_norm shortcut widths)");

  for (const auto& [family, wrong, hint] : {std::tuple{"timm/deit_tiny_distilled_patch16_224", "distiled", "distilled"}, {"timm/levit_128s", "key_dims", "key_dim"}, {"vilt/base", "image_token", "image_tokens"},
                                            {"meter/base-384", "vocabluary", "vocabulary"}, {"elasticvit/S1", "value_scal", "value_scale"}, {"sketch/selector", "point", "points"}}) {
    a = *find_arch(family);
    a.options.emplace(wrong, int64_t{1});
    EXPECT_NE(build_error(a).find(fmt::format("unknown option '{}' (did you mean '{}'?", wrong, hint)), std::string::npos) << build_error(a);
  }
  a = *find_arch("timm/deit_tiny_patch16_224");
  a.options.emplace("distilled", int64_t{1});
  EXPECT_EQ(build_error(a), "timm/deit_tiny_patch16_224: option 'distilled' is of type integer, expected flag");

  a = small();
  a.head.width = 64;  // timm's ResNet has none
  EXPECT_EQ(build_error(a), "small: a resnet of timm has no head convolution");
}

// Numbers no network has are refused before anything is built with them.
TEST(Build, BoundsEveryNumber) {
  Arch a = small();
  a.stages[0].depth = int64_t{1} << 40;
  EXPECT_EQ(build_error(a), "small: stage 1 (bottleneck): depth is 1099511627776, expected 1 to 4096");
  a = small();
  a.stages[0].width = -3;
  EXPECT_EQ(build_error(a), "small: stage 1 (bottleneck): width is -3, expected 0 to 1048576");
  a = small();
  a.resolution = 0;
  EXPECT_EQ(build_error(a), "small: resolution is 0, expected 1 to 16384");
  a = small();
  a.bn_eps = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(build_error(a), "small: bn_eps is nan, expected 0 to 1");
  a = small();
  a.stages.assign(200, a.stages[0]);
  for (Stage& s : a.stages) s.depth = 100;
  EXPECT_EQ(build_error(a), "small: number of blocks is 20000, expected 0 to 8192");
}

// Whatever numbers an arch.toml holds, build() answers with a graph or an error.
TEST(Build, PropertyNeverCrashes) {
  EXPECT_TRUE(rc::check([] {
    const auto& all = catalog();
    Arch a = all[*rc::gen::inRange<size_t>(0, all.size())];
    a.resolution = *rc::gen::element<int64_t>(1, 2, 7, 32, 33, 64, 1 << 14);
    if (a.stages.empty()) return;
    Stage& s = a.stages[*rc::gen::inRange<size_t>(0, a.stages.size())];
    const int64_t odd = *rc::gen::element<int64_t>(-1, 0, 1, 2, 3, 7, 8, 255, 1 << 20, INT64_MAX);
    switch (*rc::gen::inRange(0, 13)) {
      case 0: s.width = odd; break;
      case 1: s.group_width = odd; break;
      case 2: s.kernel = odd; break;
      case 3: s.stride = odd; break;
      case 4: s.expand = static_cast<double>(odd) / 3; break;
      case 5: s.se = static_cast<double>(odd) / 3; break;
      case 6: a.stem.width = odd; break;
      case 7: s.heads = odd; break;
      case 8: a.head.classes = odd; break;
      case 9:
      case 10:
      case 11:
        for (Options* options : {&a.options, &a.stem.options, &s.options, &a.head.options})
          for (auto& [key, value] : *options) {
            if (*rc::gen::inRange(0, 2)) continue;
            if (auto* number = std::get_if<int64_t>(&value)) *number = odd;
            if (auto* list = std::get_if<std::vector<int64_t>>(&value); list && !list->empty()) list->front() = odd;
          }
        break;
      default: a.head.width = odd;
    }
    auto g = build(a);
    if (!g) RC_ASSERT(!g.error().message.empty());
  }));
}

}  // namespace
}  // namespace hone
