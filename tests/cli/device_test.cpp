// Device tables on the command line, as far as nothing is measured.
#include <gtest/gtest.h>

#include <fstream>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

// A few rows of the ElasticViT authors' tables: Pixel 4, Pixel 6.
constexpr const char* kRows = R"(# two phones
firstconv 128 3 16 | 0.194 0.09661
firstconv 256 3 16 | 0.8038 0.4104
firstconv 192 3 16 | 0.4484 0.2211
conv 64 16 16 e1 s1 k3 nose | 0.2352 0.1358
conv 32 24 24 e3 s1 k3 nose | 0.3716 0.2373
conv 56 24 24 e3 s1 k3 nose | 1.17 0.7904
conv 64 16 24 e3 s2 k3 nose | 0.5315 0.3163
conv 32 24 32 e3 s2 k3 se | 0.2387 0.1461
conv 16 32 32 e3 s1 k3 se | 0.153 0.09941
ds 16 32 64 s2 | 0.1987 0.125
ds 8 64 96 s1 | 0.3186 0.2054
ds 8 96 176 s2 | 0.3793 0.2563
ds 4 176 272 s2 | 0.412 0.3105
attn 8 64 v2 | 0.227 0.1638
attn 8 96 v2 | 0.4279 0.2867
attn 4 176 v2 | 0.2389 0.1634
attn 2 272 v2 | 0.1788 0.1227
ffn 8 64 m2 | 0.1015 0.06334
ffn 8 96 m2 | 0.2162 0.1373
ffn 4 176 m3 | 0.2728 0.1767
ffn 2 272 m4 | 0.3239 0.2177
mbpool 2 272 | 1.649 1.081
mbpool 3 224 | 1.588 1.061
mbpool 4 320 | 2.292 1.605
)";

std::string with_rows() {
  const std::string folder = scratch_folder();
  std::ofstream(folder + "/phones.txt") << kRows;
  return folder;
}

TEST(DeviceCommands, OtherPeoplesTablesPredict) {
  const std::string folder = with_rows();
  const Ran imported = shell("hone device import phones.txt --column 2 --name 'Pixel 6' -o p6.json --json", folder);
  ASSERT_EQ(imported.exit, 0) << imported.err;
  EXPECT_NE(imported.out.find("\"rows\": 24"), std::string::npos) << imported.out;
  EXPECT_NE(shell("hone device import phones.txt -o p6.json", folder).exit, 0);  // the file is there
  const Ran shown = shell("hone device show p6.json --html p6.html", folder);
  ASSERT_EQ(shown.exit, 0) << shown.err;
  // T1 takes the published 4.44 ms (every block has a row); a budget below it makes it smaller.
  const Ran same = shell("hone scale elasticvit/T1 --to latency=100%@p6.json --predict-only --json", folder);
  ASSERT_EQ(same.exit, 0) << same.err;
  EXPECT_NE(same.out.find("\"predicted_ms\": 4.4"), std::string::npos) << same.out;
  const Ran smaller = shell("hone scale elasticvit/T1 --to 'latency<4ms@p6.json' --strategy r --json", folder);
  ASSERT_EQ(smaller.exit, 0) << smaller.err;
  EXPECT_NE(smaller.out.find("\"predicted_ms\": 3."), std::string::npos) << smaller.out;
  EXPECT_NE(smaller.out.find("\"measured_ms\": null"), std::string::npos) << smaller.out;  // no phone here
}

TEST(DeviceCommands, DamagedTablesAreNamedAndKept) {
  const std::string folder = with_rows();
  ASSERT_EQ(shell("hone device import phones.txt -o p.json", folder).exit, 0);
  for (const char* damage : {"head -c 1500 p.json > bad.json", "sed 's/0.2352/0.2353/' p.json > bad.json"}) {
    ASSERT_EQ(shell(damage, folder).exit, 0);
    const std::string before = read_file(folder + "/bad.json");
    for (const char* command : {"hone device show bad.json", "hone device check bad.json", "hone scale elasticvit/T1 --to 'latency<4ms@bad.json'"}) {
      const Ran ran = shell(command, folder);
      EXPECT_EQ(ran.exit, 1) << command;
      EXPECT_NE(ran.err.find("bad.json"), std::string::npos) << ran.err;
      EXPECT_NE(ran.err.find("damaged"), std::string::npos) << ran.err;
    }
    EXPECT_EQ(read_file(folder + "/bad.json"), before);
  }
}

// Encodings are of the space that the table is of, and the network timed in every group is a member of it.
TEST(DeviceCommands, ATableOfASpaceOfOnesOwn) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone space show small-conv --toml | sed 's/small-conv/mine/' > mine.toml && hone space sample mine.toml --count 2 --seed 1 -o members", folder).exit, 0);
  const Ran built = shell("hone device build --space mine.toml --budget-minutes 0.03 -o mine.json", folder);
  ASSERT_EQ(built.exit, 0) << built.err;
  EXPECT_NE(read_file(folder + "/mine.json").find("\"anchor\": \"["), std::string::npos);
  const Ran checked = shell("hone zoo members/1.json --space mine.toml --arch > one.toml && hone device check mine.json one.toml members/2.json --space mine.toml --json", folder);
  ASSERT_EQ(checked.exit, 0) << checked.err;
  EXPECT_NE(checked.out.find("members/2.json"), std::string::npos) << checked.out;
  const Ran homeless = shell("hone device check mine.json --networks 2", folder);
  EXPECT_EQ(homeless.exit, 2) << homeless.err;
  EXPECT_NE(homeless.err.find("mine.json"), std::string::npos) << homeless.err;
  EXPECT_NE(homeless.err.find("was built for 'mine', which is no known space"), std::string::npos) << homeless.err;
  EXPECT_EQ(shell("hone device check mine.json --networks 2 --space mine.toml", folder).exit, 0);
}

TEST(DeviceCommands, BadUseIsRefused) {
  const std::string folder = with_rows();
  for (const char* command :
       {"hone device build --space elasticvit", "hone device build -o t.json", "hone device build timm/resnet18 --space elasticvit -o t.json", "hone device build --space ofa -o t.json", "hone device build --space elasticvit --budget-minutes 0 -o t.json",
        "hone device build --space elasticvit --threads 0 -o t.json", "hone device show", "hone device import phones.txt", "hone device import phones.txt --column 0 -o t.json", "hone scale elasticvit/T1 --to latency=4ms"}) {
    const Ran ran = shell(command, folder);
    EXPECT_EQ(ran.exit, 2) << command << "\n" << ran.err;
  }
  EXPECT_EQ(shell("hone device import phones.txt --column 3 -o t.json", folder).exit, 1);
  EXPECT_EQ(shell("hone device show missing.json", folder).exit, 1);
  EXPECT_NE(shell("hone device check phones.txt", folder).err.find("not a device table"), std::string::npos);
}

}  // namespace
}  // namespace hone::test
