// The closed forms against the graphs: every published network, and scaled ones of each family.
#include "scale/closed_form.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "cost/profile.h"
#include "scale/scale.h"
#include "zoo/catalog.h"

namespace hone {

namespace {

ArchCost by_graph(const Arch& arch) {
  auto graph = build(arch);
  EXPECT_TRUE(graph) << arch.name << ": " << (graph ? "" : graph.error().text());
  if (!graph) return {};
  auto p = profile(*graph);
  EXPECT_TRUE(p) << arch.name << ": " << (p ? "" : p.error().text());
  if (!p) return {};
  const Totals& t = p->totals;
  return {t.macs, t.conv_bias_adds + t.linear_bias_adds, t.params, t.acts, t.maxpool_out};
}

void expect_equal(const ArchCost& form, const ArchCost& graph, const std::string& name) {
  EXPECT_EQ(form.macs, graph.macs) << name;
  EXPECT_EQ(form.bias_adds, graph.bias_adds) << name;
  EXPECT_EQ(form.params, graph.params) << name;
  EXPECT_EQ(form.acts, graph.acts) << name;
  EXPECT_EQ(form.maxpool_out, graph.maxpool_out) << name;
}

bool scales(const Arch& arch) {
  for (const ScaleRule& rule : scale_rules())
    if (rule.family == arch.family) return true;
  return false;
}

}  // namespace

TEST(ClosedForm, EqualsTheGraphOnEveryPublishedNetwork) {
  int compared = 0;
  for (const Arch& arch : catalog()) {
    if (!scales(arch)) continue;
    const auto form = closed_form(arch);
    ASSERT_TRUE(form) << arch.name;
    expect_equal(*form, by_graph(arch), arch.name);
    ++compared;
  }
  EXPECT_GT(compared, 200);
}

TEST(ClosedForm, EqualsTheGraphOnScaledNetworks) {
  std::map<std::string, std::vector<const Arch*>> families;
  for (const Arch& arch : catalog())
    if (scales(arch)) families[arch.family].push_back(&arch);
  for (const auto& [family, members] : families) {
    EXPECT_TRUE(rc::check(family, [&] {
      const Arch& base = *members[*rc::gen::inRange<size_t>(0, members.size())];
      const auto strategy = parse_strategy(*rc::gen::element<std::string>("dWr", "dwr", "dw", "w", "r", "d1_w4_g4_r1"));
      const double factor = *rc::gen::inRange(20, 300) / 100.0;
      const auto arch = apply_factors(base, *scaling_factors(*strategy, factor));
      RC_ASSERT(arch.has_value());
      const auto form = closed_form(*arch);
      const auto graph = build(*arch);
      RC_ASSERT(form.has_value() == graph.has_value());  // both refuse what does not fit
      if (form) RC_ASSERT(*form == by_graph(*arch));
    }));
  }
}

// An arch file may hold anything: nothing divides by zero, and what both accept costs the same. (The solver builds the graph
// of its answer, so a network that only the builder refuses is refused there.)
TEST(ClosedForm, SurvivesAnyArch) {
  std::vector<const Arch*> small;
  for (const char* name : {"pycls/RegNetY-400MF", "timm/mobilenetv3_small_100", "torchvision/vgg11", "timm/deit_tiny_patch16_224", "timm/levit_128s",
                           "elasticvit/min1", "timm/resnet18", "timm/regnetz_005"})
    for (const Arch& arch : catalog())
      if (arch.name == name) small.push_back(&arch);
  ASSERT_EQ(small.size(), 8u);
  EXPECT_TRUE(rc::check("any numbers", [&] {
    Arch a = *small[*rc::gen::inRange<size_t>(0, small.size())];
    const auto number = rc::gen::element<int64_t>(0, 1, 2, 3, 7, 8, 16, 24, 32, 48, 64, 100, 192);
    Stage& s = a.stages[*rc::gen::inRange<size_t>(0, a.stages.size())];
    switch (*rc::gen::inRange(0, 9)) {
      case 0: s.width = *number; break;
      case 1: s.depth = *rc::gen::inRange(1, 4); break;
      case 2: s.group_width = *number; break;
      case 3: s.heads = *number; break;
      case 4: s.expand = *rc::gen::element(0.0, 0.25, 0.5, 1.0, 1.5, 3.0); break;
      case 5: a.resolution = *number + 1; break;
      case 6: a.stem.width = *number; break;
      case 7: s.kernel = *rc::gen::element<int64_t>(1, 3, 5); break;
      default: s.stride = *rc::gen::element<int64_t>(1, 2, 3); break;
    }
    for (const char* option : {"patch", "key_dim"})
      if (a.stem.options.count(option) && *rc::gen::inRange(0, 4) == 0) a.stem.options[option] = *number;
    if (!check(a)) return;
    for (std::string_view text : {"dWr", "g"}) (void)apply_factors(a, *scaling_factors(*parse_strategy(text), 0.7));
    const auto form = closed_form(a);
    const auto graph = build(a);
    if (form && graph) RC_ASSERT(*form == by_graph(a));
  }));
}

// The shortened networks that the solver measures need the memory of the whole ones: every published network, and some
// twice as expensive.
TEST(ClosedForm, PeakMemoryNeedsTwoBlocksAStage) {
  const auto expect_equal = [](const Arch& arch) {
    const auto graph = build(arch);
    ASSERT_TRUE(graph) << graph.error().text();
    const auto whole = profile(*graph);
    ASSERT_TRUE(whole);
    const auto peak = peak_memory(arch);
    ASSERT_TRUE(peak) << arch.name << ": " << peak.error().text();
    EXPECT_EQ(*peak, whole->totals.peak_activation_bytes) << arch.name;
  };
  for (const Arch& arch : catalog()) expect_equal(arch);
  for (const char* name : {"timm/resnet50", "pycls/RegNetY-400MF", "torchvision/efficientnet_b0", "timm/mobilenetv2_100", "timm/mobilenetv3_large_100", "timm/deit_tiny_patch16_224"})
    for (const char* strategy : {"dWr", "d", "w", "r"}) {
      const auto scaled = apply_factors(*find_arch(name), *scaling_factors(*parse_strategy(strategy), 2));
      ASSERT_TRUE(scaled) << name << " " << strategy << ": " << scaled.error().text();
      expect_equal(*scaled);
    }
}

}  // namespace hone
