// Search spaces: files, members, encoding, the authors' counter, sampling. Expected numbers are the published ones.
#include "zoo/space.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "zoo/catalog.h"
#include "cost/profile.h"
#include "zoo/space_cost.h"

namespace hone::space {
namespace {

const Space& space() { return published_space(); }

Member named(std::string_view name) {
  for (const Named& n : named_members())
    if (n.name == name) return n.member;
  ADD_FAILURE() << name;
  return {};
}

TEST(Space, NumberOfMembers) {
  EXPECT_NEAR(static_cast<double>(size_of_paper(space()).value()), 1.09e17, 0.005e17);
  EXPECT_NEAR(static_cast<double>(size(space()).value()), 2.17e16, 0.005e16);
}

TEST(Space, SizeCountsEveryMemberOnce) {
  Space s;  // 2 resolutions; widths (1,1) (1,2) (2,2) do not fall; 3 depths in the second stage
  s.resolutions = {32, 64};
  s.stages = {{"a", Block::mobile, 1, false, {1}, {1, 2}, {1}, {3}, {}, {}}, {"b", Block::mobile, 2, false, {1, 2, 3}, {1, 2}, {1}, {3}, {}, {}}};
  EXPECT_EQ(size(s), 2 * 3 * 3);
  EXPECT_EQ(size_of_paper(s), 2 * 2 * 2 * 2 * 3);
}

TEST(Space, PresetsReadBack) {
  ASSERT_GE(preset_names().size(), 6u);
  for (std::string_view name : preset_names()) {
    const auto s = open_space(std::string(name));
    ASSERT_TRUE(s) << s.error().text();
    EXPECT_EQ(s->name, name);
    const auto back = parse_space(print_space(*s), "printed");
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, *s) << print_space(*s);
    EXPECT_GT(size_estimate(*s), 1000);
    if (const auto exact = size(*s)) {
      EXPECT_NEAR(size_estimate(*s) / static_cast<double>(*exact), 1, 1e-12);
    }
  }
}

// The same space, the blocks of whose mobile stages choose squeeze-and-excitation.
Space choosing(Space s) {
  for (StageChoices& c : s.stages)
    if (c.block == Block::mobile) c.se = false, c.ses = {0, 1};
  s.levels.smallest.clear();  // encodings without the choice
  return s;
}

// Counts of every preset's members against their graphs, with and without the rule on widths, and with one more choice.
TEST(Space, TablesEqualGraphsInEveryPreset) {
  for (std::string_view name : preset_names())
    for (const int variant : {0, 1, 2}) {
      Space s = open_space(std::string(name)).value();
      s.widths_may_fall = variant == 1;
      s.norm = variant == 1 ? Norm::token : s.norm;
      if (variant == 2) s = choosing(s);
      const auto table = CostTable::make(s);
      ASSERT_TRUE(table) << table.error().text();
      Rng rng(11);
      std::vector<Member> members{smallest(s), largest(s)};
      for (int i = 0; i < 60; ++i) members.push_back(sample(s, rng));
      for (const Member& m : members) {
        ASSERT_TRUE(check(s, m));
        const auto fast = (*table)(m);
        ASSERT_TRUE(fast) << name;
        const Arch arch = to_arch(s, m, "member");
        const auto graph = build(arch);
        ASSERT_TRUE(graph) << graph.error().text();
        const Totals slow = profile(*graph).value().totals;
        ASSERT_EQ(*fast, (Cost{authors_macs(s, m), slow.macs, slow.params, slow.acts})) << name << " " << print_member(s, m);
        const auto back = parse_member(s, print_member(s, m), "printed");
        ASSERT_TRUE(back) << back.error().text();
        ASSERT_EQ(*back, m);
        ASSERT_EQ(member_of(s, arch).value(), m);
        const auto text = parse_arch(print_arch(arch), "printed");
        ASSERT_TRUE(text) << text.error().text();
        ASSERT_EQ(*text, arch);
        ASSERT_EQ(hash(*back), hash(m));
      }
    }
}

TEST(Space, SqueezeAndExcitationCanBeAChoice) {
  const Space plain = open_space("demo").value(), s = choosing(plain);
  ASSERT_TRUE(check_space(s));
  EXPECT_EQ(parse_space(print_space(s), "printed").value(), s) << print_space(s);
  // One set of genes a stage: twice as many members for each mobile stage.
  int64_t times = 1;
  for (const StageChoices& c : s.stages) times *= c.block == Block::mobile ? 2 : 1;
  EXPECT_EQ(size(s).value(), times * size(plain).value());
  // The eleventh list is of blocks that choose, and only spaces with such have it.
  const Member large = largest(s);
  const std::string text = print_member(s, large);
  EXPECT_TRUE(text.ends_with(fmt::format("{}]\n", fmt::format("[{}]", fmt::join(std::vector<int>(static_cast<size_t>(large.stage[0].depth + large.stage[1].depth), 1), ", "))))) << text;
  const auto foreign = parse_member(plain, text, "mine.json");
  ASSERT_FALSE(foreign);
  EXPECT_NE(foreign.error().text().find("expected an array of 10 values"), std::string::npos) << foreign.error().text();
  std::string two = text;
  two.replace(two.rfind('1'), 1, "2");
  const auto refused = parse_member(s, two, "mine.json");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("squeeze-and-excitation 2 is not in the space"), std::string::npos) << refused.error().text();
  EXPECT_NE(refused.error().text().find("allowed: 0, 1"), std::string::npos) << refused.error().text();
  // What chooses nothing has no such gene.
  Member m = smallest(plain);
  m.stage[0].block[0].se = 1;
  EXPECT_FALSE(check(plain, m));
  EXPECT_GT(authors_macs(s, large), authors_macs(s, [&] { Member none = large; for (Genes& g : none.stage) for (BlockGenes& b : g.block) b.se = 0; return none; }()));
}

TEST(Space, NamedMembersAreInTheSpace) {
  EXPECT_EQ(named_members().size(), 14u);
  for (const Named& n : named_members()) EXPECT_TRUE(check(space(), n.member)) << n.name;
  EXPECT_EQ(named("min"), named("min1"));
}

// The printed demo space with one line changed, and what its refusal must say.
TEST(Space, RefusedFilesNameLineAndKey) {
  const std::string good = print_space(open_space("demo").value());
  struct Case {
    const char *from, *to, *message, *rest;
    bool elsewhere = false;  // the line that is named is not the changed one
  };
  const Case cases[] = {
      {"classes = 4", "classes = 0", "classes is 0, expected 1 to 65536", "mine.toml:3:11"},
      {"name = \"demo\"", "name = \"\"", "name is empty", ""},
      {"name = \"C1\"", "name = \"\"", "name is empty", "stages[1]"},
      {"stride = 2", "stride = 3", "stride is 3, expected 1 to 2", "C1"},
      {"kernels = [3]", "kernels = [3]\nmlps = [2]", "mlps is given", "stem", true},
      {"at = [600000, ", "at = [0, ", "at holds 0, expected 1 to", "levels"},
      {"at = [600000, ", "at = [900000, ", "at holds 900000 behind 900000", "levels"},
      {"width = 64", "width = -1", "width is -1, expected 0 to", "head"},
      {"classes = 4", "classes = \"four\"", "classes: expected an integer, found \"four\"", "mine.toml:3"},
      {"classes = 4", "clases = 4", "'classes' is missing", "mine.toml", true},
      {"sharing = \"stage\"", "sharing = \"blocks\"", "expected \"stage\" or \"block\", found \"blocks\"", "mine.toml:4"},
      {"head_dim = 8", "headdim = 8", "unknown key 'headdim'", "did you mean 'head_dim'"},
      {"stride = 1\n\n[[stages]]", "strides = 1\n\n[[stages]]", "unknown key 'stem.strides'", "did you mean 'stride'"},
      {"depths = [1, 2, 3]", "depths = [1, 3, 2]", "depths holds 2 behind 3", "C1"},
      {"depths = [1, 2, 3]", "depths = [1, 2, 30]", "depths holds 30, expected 1 to 10", "C1"},
      {"depths = [1, 2, 3]", "depths = []", "depths is missing or empty", "C1"},
      {"depths = [1, 2, 3]", "depths = [1, 2.5]", "stages[1].depths: expected a list of integers", "mine.toml"},
      {"kernels = [3, 5]", "kernels = [3, 4]", "kernels holds 4", "C1"},
      {"kernels = [3, 5]", "kernels = [3, 5]\nsqueeze_excites = [0, 2]", "squeeze_excites holds other choices", "C1", true},
      {"kernels = [3, 5]", "kernels = [3, 5]\nsqueeze_excites = [1, 0]", "squeeze_excites holds other choices", "C1", true},
      {"values = [", "squeeze_excites = [0, 1]\nvalues = [", "squeeze_excites is given, and only the blocks of a mobile stage choose", "T1"},
      {"expands = [2, 3, 4]", "expands = [1, 3, 4]", "expands holds 1 beside other ratios", "C1"},
      {"expands = [2, 3, 4]", "mlps = [2, 3, 4]", "expands is missing", "C1", true},
      {"widths = [24, 32, 48]", "widths = [24, 36]", "no multiple of head_dim 8", "T1"},
      {"widths = [24, 32, 48]", "widths = [16]", "could not go on", "T1"},
      {"block = \"mobile\"", "block = \"transformer\"", "", "stages[0]"},
      {"[levels]", "[level]", "unknown key 'level'", "did you mean 'levels'"},
      {"window = ", "window = -", "window is -", "levels"},
      {"name = \"C1\"", "name = \"stem\"", "name is 'stem', as that of stages[0]", ""},
      {"resolutions = [16]", "resolutions = [1]", "below the overall stride", ""},
      {"resolutions = [16]", "resolutions = [16", "", "mine.toml", true},
      {"activation = \"hard_swish\"", "activation = \"swish\"", "activation is 'swish'", "did you mean"},
  };
  for (const Case& c : cases) {
    std::string text = good;
    const size_t at = text.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from << "\n" << good;
    text.replace(at, std::string(c.from).size(), c.to);
    const auto s = parse_space(text, "mine.toml");
    ASSERT_FALSE(s) << c.to;
    EXPECT_NE(s.error().message.find(c.message), std::string::npos) << c.to << ": " << s.error().text();
    EXPECT_NE(s.error().text().find(c.rest), std::string::npos) << c.to << ": " << s.error().text();
    const auto line = c.elsewhere ? std::string() : fmt::format("{}:", 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n'));
    EXPECT_NE(s.error().where.find("mine.toml:" + line), std::string::npos) << c.to << ": " << s.error().text();
  }
  const auto unknown = open_space("elasticvitt");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::usage);
  EXPECT_NE(unknown.error().hint.find("elasticvit"), std::string::npos);
  EXPECT_EQ(open_space("/nowhere/mine.toml").error().code, Code::not_found);
}

// A member of a published level, refused with the gene when its floor is outside.
TEST(Space, SmallestOfALevelMustBeAMember) {
  std::string text = print_space(published_space());
  const size_t at = text.find("member = [176, [16, 24");
  ASSERT_NE(at, std::string::npos);
  text.replace(at, 22, "member = [176, [16, 25");
  const auto s = parse_space(text, "mine.toml");
  ASSERT_FALSE(s);
  EXPECT_NE(s.error().text().find("width 25 is not in the space"), std::string::npos) << s.error().text();
  EXPECT_NE(s.error().text().find("16, 24, 32"), std::string::npos) << s.error().text();
}

TEST(Space, EncodingRoundTrip) {
  Rng rng(1);
  for (int i = 0; i < 2000; ++i) {
    const Member m = sample(space(), rng);
    ASSERT_TRUE(check(space(), m));
    const auto back = parse_member(space(), print_member(space(), m), "random");
    ASSERT_TRUE(back) << back.error().text();
    ASSERT_EQ(*back, m);
  }
  EXPECT_EQ(print_member(space(), named("min1")),
            "[128, [16, 16, 16, 48, 80, 144, 160], [1, 2, 2, 1, 1, 1, 1], [1, 3, 3, 3, 3], [3, 3, 3, 3, 3], [2, 2, 2, 2], [3, 5, 9, 10], "
            "[1, 1, 1, 1], [1, 1, 1, 1], [2, 2, 2, 2]]\n");
}

// A valid encoding with one part replaced, and what its refusal must name.
TEST(Space, RefusedEncodingsNameTheGene) {
  const std::string good = print_member(space(), named("min1"));
  struct Case {
    const char *from, *to, *where, *message, *hint;
  };
  const Case cases[] = {
      {"[128,", "[129,", "", "resolution 129", "128, 160, 176, 192, 224, 256"},
      {"[16, 16, 16,", "[16, 20, 20,", "C1", "width 20", "16, 24, 32"},
      {"48, 80, 144, 160]", "96, 80, 144, 160]", "T2", "width 80 is below the 96 of T1", "may not fall"},
      {"[1, 2, 2, 1, 1, 1, 1]", "[1, 2, 2, 7, 1, 1, 1]", "T1", "depth 7", "1, 2, 3, 4, 5"},
      {"[1, 2, 2, 1, 1, 1, 1]", "[1, 2, 3, 1, 1, 1, 1]", "conv_ratio", "5 values, expected 6", ""},
      {"[1, 3, 3, 3, 3]", "[1, 3, 3, 3, 4]", "conv_ratio", "C2 has 3, 4", ""},
      {"[1, 3, 3, 3, 3]", "[2, 3, 3, 3, 3]", "stem", "expansion ratio 2", "1"},
      {"[3, 3, 3, 3, 3]", "[3, 7, 7, 3, 3]", "C1", "kernel 7", "3, 5"},
      {"[3, 5, 9, 10]", "[3, 5, 9, 8]", "heads", "T4 has 8 heads, expected 10", ""},
      {"[1, 1, 1, 1], [1", "[1, 2, 1, 1], [1", "window", "T2 has window 2", ""},
      {"[2, 2, 2, 2]]", "[2, 2, 2, 5]]", "T4", "V scale 5", "2, 3, 4"},
      {"[2, 2, 2, 2], [3", "[2, 2, 2, 6], [3", "T4", "MLP ratio 6", "2, 3, 4, 5"},
      {"[128,", "[128.0,", "res", "expected an integer", ""},
      {"[128,", "[9223372036854775807,", "res", "out of range", ""},
      {"[16, 16,", "[16, -16,", "channels", "out of range", ""},
      {"[16, 16,", "[16, \"16\",", "channels", "list of integers", ""},
  };
  for (const Case& c : cases) {
    std::string text = good;
    const size_t at = text.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    text.replace(at, std::string(c.from).size(), c.to);
    const auto m = parse_member(space(), text, "net.json");
    ASSERT_FALSE(m) << text;
    EXPECT_NE(m.error().message.find(c.message), std::string::npos) << m.error().text();
    EXPECT_NE(m.error().where.find(c.where), std::string::npos) << m.error().text();
    EXPECT_NE(m.error().where.find("net.json"), std::string::npos) << m.error().text();
    EXPECT_NE(m.error().hint.find(c.hint), std::string::npos) << m.error().text();
    if (m.error().hint.find("[res, channels[]") != std::string::npos) {  // of which space the file is meant, only the command knows
      EXPECT_NE(m.error().hint.find("of the space elasticvit"), std::string::npos) << m.error().text();
    }
  }
  for (const char* text : {"", "{}", "[1]", "[128, [], [], [], [], [], [], [], [], []]", "[[], [], [], [], [], [], [], [], [], []]", "[128"})
    EXPECT_FALSE(parse_member(space(), text, "net.json")) << text;
  EXPECT_FALSE(parse_member(space(), std::string(1 << 20, '['), "net.json"));
}

TEST(Space, AnEncodingFileIsANetwork) {
  const std::string path = (std::filesystem::temp_directory_path() / "hone_elasticvit_test.json").string();
  std::ofstream(path) << print_member(space(), named("L2"));
  const auto net = open_network(path);
  ASSERT_TRUE(net) << net.error().text();
  ASSERT_TRUE(net->arch);
  EXPECT_EQ(member_of(space(), *net->arch).value(), named("L2"));
  EXPECT_EQ(tensor_manifest(net->graph), tensor_manifest(build(find_arch("elasticvit/L2").value()).value()));
  std::ofstream(path) << "[1, 2";
  const auto broken = open_network(path);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().where, path);
  std::filesystem::remove(path);
}

TEST(Space, ArchAndMemberAreTheSame) {
  for (const Named& n : named_members()) {
    Arch a = to_arch(space(), n.member, "net");
    const auto back = member_of(space(), a);
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(*back, n.member);
    a.stages[2].se = 0;
    EXPECT_FALSE(member_of(space(), a));
  }
  Arch wide = to_arch(space(), named("S1"), "net");
  wide.stages[6].width = 336;
  const auto outside = member_of(space(), wide);
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code, Code::usage);
  // From a file, the file is what the error names.
  const std::string path = (std::filesystem::temp_directory_path() / fmt::format("hone_member_{}.toml", ::getpid())).string();
  std::ofstream(path) << print_arch(to_arch(space(), named("S1"), "elasticvit/S1"));
  EXPECT_EQ(read_member(space(), path).value(), named("S1"));
  const auto foreign = read_member(open_space("demo").value(), path);
  std::filesystem::remove(path);
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().where, path);
  EXPECT_NE(foreign.error().message.find("7 stages, the space has 3"), std::string::npos) << foreign.error().text();
}

TEST(Space, AuthorsCountByPart) {
  const std::map<std::string_view, std::pair<double, std::vector<double>>> published{
      {"min1", {37.365, {3.41, 6.65, 1.67, 2.83, 7.63, 7.07, 3.61, 4.50}}},
      {"min2", {159.924, {6.44, 25.65, 11.94, 14.20, 40.75, 35.52, 18.06, 7.36}}},
      {"min3", {288.809, {10.44, 41.55, 19.34, 38.73, 71.51, 55.50, 40.43, 11.32}}},
      {"T1", {62.915, {3.41, 9.36, 6.32, 5.90, 11.27, 11.33, 8.32, 7.00}}},
      {"T2", {119.980, {5.32, 14.63, 13.12, 9.45, 20.27, 27.47, 21.14, 8.57}}},
      {"S1", {217.642, {7.67, 30.52, 18.89, 28.01, 48.14, 45.53, 29.66, 9.22}}},
      {"S2", {318.528, {10.44, 41.55, 33.27, 46.12, 71.51, 55.50, 48.82, 11.32}}},
      {"M", {415.581, {13.65, 61.37, 62.59, 46.12, 85.96, 69.95, 62.57, 13.37}}},
      {"L1", {517.108, {17.83, 66.85, 76.40, 69.43, 111.87, 92.49, 66.62, 15.62}}},
      {"L1.5", {618.781, {20.19, 71.07, 89.22, 74.65, 130.74, 131.08, 86.20, 15.62}}},
      {"L2", {704.111, {13.63, 106.95, 88.08, 86.81, 162.06, 145.34, 86.75, 14.47}}},
      {"L3", {815.399, {17.83, 132.19, 123.81, 98.79, 195.62, 145.34, 86.20, 15.62}}},
      {"max", {3191.459, {49.15, 373.36, 219.74, 417.57, 1145.00, 730.85, 240.17, 15.62}}},
  };
  for (const auto& [name, expected] : published) {
    const Member m = named(name);
    EXPECT_EQ(std::round(static_cast<double>(authors_macs(space(), m)) / 1e3) / 1e3, expected.first) << name;
    const auto parts = authors_macs_by_part(space(), m);
    ASSERT_EQ(parts.size(), 8u);
    for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(static_cast<double>(parts[i]) / 1e6, expected.second[i], 0.00501) << name << " part " << i;
  }
}

TEST(Space, PreferenceScores) {
  const std::map<std::string_view, std::pair<double, double>> published{
      {"T1", {-15.5791, 0}},        {"T2", {-12.0340, 23.0435}},  {"S1", {-5.6595, 48.4086}},
      {"S2", {-5.8192, 75.3153}},   {"M", {-9.6894, 82.9713}},    {"L1", {-7.6908, 102.6161}},
      {"L1.5", {-44.6674, 72.0783}}, {"L2", {-107.8287, 1.3921}}, {"L3", {-115.6060, -1.7439}}};
  for (const auto& [name, score] : published) {
    EXPECT_NEAR(static_cast<double>(preference_score(space(), named(name), named("min"))) / 1e6, score.first, 0.00005001) << name;
    EXPECT_NEAR(static_cast<double>(preference_score(space(), named(name), named("T1"))) / 1e6, score.second, 0.00005001) << name;
  }
}

TEST(Space, SamplerIsUniformStageByStage) {
  // Quantiles of the authors' count under uniform sampling, published from 20 000 draws.
  Rng rng(2026);
  std::vector<double> macs;
  for (int i = 0; i < 40000; ++i) macs.push_back(static_cast<double>(authors_macs(space(), sample(space(), rng))) / 1e6);
  double mean = 0;
  for (double m : macs) mean += m / static_cast<double>(macs.size());
  std::sort(macs.begin(), macs.end());
  auto quantile = [&](double q) { return macs[static_cast<size_t>(q * static_cast<double>(macs.size()))]; };
  EXPECT_NEAR(mean, 565, 8);
  EXPECT_NEAR(quantile(0.01), 137, 6);
  EXPECT_NEAR(quantile(0.25), 327, 8);
  EXPECT_NEAR(quantile(0.50), 492, 10);
  EXPECT_NEAR(quantile(0.95), 1192, 30);
  EXPECT_NEAR(quantile(0.99), 1516, 60);
}

TEST(Space, FloorCutsTheSpace) {
  const Member floor = named("min3");
  const Space cut = above(space(), floor);
  EXPECT_EQ(cut.resolutions, (std::vector<int64_t>{224, 256}));
  EXPECT_EQ(cut.stages[3].widths, (std::vector<int64_t>{64, 80, 96}));
  EXPECT_EQ(cut.stages[4].depths, (std::vector<int64_t>{2, 3, 4, 5, 6}));
  EXPECT_LT(size(cut).value(), size(space()).value());
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    const Member m = sample(cut, rng);
    ASSERT_TRUE(check(cut, m));
    ASSERT_TRUE(check(space(), m));
    ASSERT_GE(authors_macs(space(), m), authors_macs(space(), floor));
  }
}

}  // namespace
}  // namespace hone::space
