#include "measure/device_table.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/rng.h"
#include "measure/predict.h"
#include "support.h"

namespace hone {
namespace {

using space::published_space;

DeviceTable small_table() {
  DeviceTable t;
  t.device = {"a \"box\"", "AMD EPYC", 2, "openvino", "2026.4", 1, "f32", "cpu time", "[24, ...]", 5.25, "2026-11-23T14:05:00Z", "2026-11-23T14:15:00Z", 600.25, "0.1.0", ""};
  t.space = "elasticvit";
  t.rows.push_back({*parse_block("attention side=14 width=64 value=2"), {0.4253, 0.42, 0.43, 12}, ""});
  t.rows.push_back({*parse_block("cut:0123456789ab in=64 side=56 out=64 macs=1234567 elements=99 weights=3"), {1e-3, 0, 0, 0}, "Conv3x3/2"});
  t.networks.push_back({"elasticvit/S1", {{t.rows[0].block, 3}, {t.rows[1].block, 1}}, 1234567, {5.1, 5.0, 5.2, 30}});
  return t;
}

TEST(DeviceTable, ReadsBackAsWritten) {
  const DeviceTable t = small_table();
  const std::string text = print_table(t);
  const auto back = parse_table(text, "t.json");
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(print_table(*back), text);
  EXPECT_EQ(back->device.name, t.device.name);
  EXPECT_EQ(back->device.anchor, t.device.anchor);
  EXPECT_EQ(back->networks[0].blocks, t.networks[0].blocks);
  EXPECT_TRUE(same_device(back->device, t.device));
}

TEST(DeviceTable, CutShortAnywhereIsFound) {
  const std::string text = print_table(small_table());
  // The newline at the end is no loss.
  for (size_t n = 0; n + 1 < text.size(); ++n) {
    const auto t = parse_table(text.substr(0, n), "t.json");
    ASSERT_FALSE(t) << n;
    EXPECT_EQ(t.error().where, "t.json");
    EXPECT_EQ(t.error().code, Code::invalid);
  }
}

TEST(DeviceTable, AChangedByteIsFound) {
  const std::string text = print_table(small_table());
  for (size_t n = 0; n < text.rfind('"'); ++n) {
    std::string bad = text;
    bad[n] = static_cast<char>(bad[n] ^ 1);
    const auto t = parse_table(bad, "t.json");
    // A change of blanks between the checksum's key and its value is none of the contents.
    if (t) {
      EXPECT_EQ(print_table(*t), text) << n;
    }
  }
}

TEST(DeviceTable, NumbersOfOthersAreChecked) {
  auto parse = [](const std::string& rows, const std::string& more = "") { return parse_table("{\"format\": \"hone-device-table\", \"version\": 1, \"rows\": [" + rows + "]" + more + "}", "t", Checksum::ignored); };
  EXPECT_TRUE(parse(R"({"block": "attention side=14 width=64 value=2", "ms": 0.5})"));
  for (const char* row : {R"({"block": "attention side=14 width=64 value=2"})", R"({"block": "attention side=14 width=64 value=2", "ms": 0})", R"({"block": "attention side=14 width=64 value=2", "ms": "1"})",
                          R"({"block": "attention side=14 width=64 value=2", "ms": -1})", R"({"block": "attention side=14 width=64 value=2", "ms": 1e999})", R"({"block": "what side=1", "ms": 1})", R"({"block": 3, "ms": 1})", "3",
                          R"({"block": "attention side=14 width=64 value=2", "ms": 1, "low": 2, "high": 3})", R"({"block": "attention side=14 width=64 value=2", "ms": 1, "rounds": 1.5})",
                          R"({"block": "attention side=14 width=64 value=2", "ms": 1}, {"block": "attn 14 64 v2", "ms": 1})"})
    EXPECT_FALSE(parse(row)) << row;
  for (const char* more : {R"(, "device": [])", R"(, "device": {"name": 4})", R"(, "networks": [{"network": "x", "ms": 1}])", R"(, "networks": [{"network": "x", "ms": 1, "blocks": [["head side=4 width=160", 0]]}])"})
    EXPECT_FALSE(parse("", more)) << more;
  EXPECT_FALSE(parse_table(R"({"format": "hone-device-table", "version": 2})", "t", Checksum::ignored));
  EXPECT_FALSE(parse_table(R"({"format": "other", "version": 1})", "t", Checksum::ignored));
  EXPECT_FALSE(parse_table("[]", "t", Checksum::ignored));
}

TEST(DeviceTable, OtherDevicesAreToldApart) {
  const DeviceFacts a = small_table().device;
  DeviceFacts b = a;
  b.threads = 2;
  ASSERT_FALSE(same_device(a, b));
  EXPECT_NE(same_device(a, b).error().message.find("threads"), std::string::npos);
  b = a;
  b.engine_version = "2027.0";
  EXPECT_FALSE(same_device(a, b));
}

TEST(Import, TextNamesTheLineThatIsWrong) {
  const auto good = import_table("# phones\nattn 14 64 v2 | 3.1 1.4\n\nffn 14 64 m2 | 0.6 0.3  # half\n", "p.txt", 1, {.name = "Pixel 4"});
  ASSERT_TRUE(good) << good.error().text();
  EXPECT_EQ(good->rows.size(), 2u);
  EXPECT_EQ(good->rows[1].time.ms, 0.3);
  EXPECT_EQ(good->device.name, "Pixel 4");
  for (const auto& [text, where] : {std::pair{"attn 14 64 v2 | 1\nattn 14 64 | 2\n", "p.txt:2"}, {"attn 14 64 v2 1\n", "p.txt:1"}, {"attn 14 64 v2 | x\n", "p.txt:1"}, {"attn 14 64 v2 | 1\nattn 14 64 v2 | 1\n", "p.txt:2"}, {"attn 14 64 v2 | -1\n", "p.txt:1"}, {"", "p.txt"}}) {
    const auto t = import_table(text, "p.txt", 0, {});
    ASSERT_FALSE(t) << text;
    EXPECT_EQ(t.error().where, where);
  }
  EXPECT_FALSE(import_table("attn 14 64 v2 | 1\n", "p.txt", 1, {}));
}

// The authors' tables of four phones: sums of their rows are the latencies of the named models.
class Phones : public testing::Test {
 protected:
  static constexpr const char* kNames[4] = {"Pixel 1", "Pixel 4", "Pixel 6", "Xiaomi 11"};
  void SetUp() override {
    const auto shared = test::shared_dir();
    if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
    const auto spec = test::read_file(*shared + "/spec/elasticvit.md");
    ASSERT_TRUE(spec);
    const size_t begin = spec->find("```\nfirstconv 128") + 4;
    const std::string rows = spec->substr(begin, spec->find("```", begin) - begin);
    for (size_t i = 0; i < 4; ++i) {
      auto t = import_table(rows, "appendix A", i, {.name = kNames[i]});
      ASSERT_TRUE(t) << t.error().text();
      tables.push_back(std::move(*t));
    }
    ASSERT_GT(tables[0].rows.size(), 150u);
  }
  std::vector<DeviceTable> tables;
};

TEST_F(Phones, SumsAreThePublishedOnes) {
  struct Published {
    const char* name;
    double ms[4];
  };
  // Spec 4.1.
  for (const Published& p : {Published{"T1", {13.42, 6.82, 4.44, 6.32}}, {"T2", {23.94, 11.85, 7.62, 11.73}}, {"S1", {42.56, 21.10, 13.58, 20.81}}, {"S2", {61.45, 30.94, 19.67, 30.06}}, {"M", {78.64, 38.80, 25.02, 38.99}},
                             {"L1", {107.04, 53.06, 34.23, 52.45}}, {"L1.5", {121.42, 60.11, 38.89, 60.70}}, {"L2", {136.49, 68.63, 43.86, 68.28}}, {"L3", {156.93, 78.85, 50.62, 79.36}}, {"min1", {8.53, 4.22, 2.78, 3.81}},
                             {"min2", {31.95, 15.69, 10.05, 15.26}}, {"min3", {56.77, 28.45, 18.16, 27.49}}}) {
    for (size_t i = 0; i < 4; ++i) {
      const auto predictor = Predictor::fit(tables[i], TimeModel::table);
      ASSERT_TRUE(predictor) << predictor.error().text();
      EXPECT_FALSE(predictor->corrected());
      for (const auto& named : space::named_members()) {
        if (named.name != p.name) continue;
        const auto ms = (*predictor)(blocks_of(published_space(), named.member).value(), 0);
        ASSERT_TRUE(ms);
        // Rows are rounded to four digits, sums to a hundredth.
        EXPECT_NEAR(ms->ms, p.ms[i], 0.006 + 5e-4 * p.ms[i]) << p.name << " on " << kNames[i];
        EXPECT_EQ(ms->interpolated + ms->outside + ms->guessed, 0) << p.name;
      }
    }
  }
}

// The largest member has blocks beyond every printed row: they are predicted, and counted as such.
TEST_F(Phones, BlocksBeyondTheRowsArePredicted) {
  const double published[4] = {595.31, 305.92, 194.74, 311.84};
  const auto blocks = blocks_of(published_space(), space::largest(published_space())).value();
  for (size_t i = 0; i < 4; ++i) {
    const auto predictor = Predictor::fit(tables[i], TimeModel::table);
    ASSERT_TRUE(predictor);
    const auto p = (*predictor)(blocks, 0);
    ASSERT_TRUE(p);
    EXPECT_NEAR(p->ms / published[i], 1, 0.08) << kNames[i];
    EXPECT_GT(p->interpolated + p->outside, 40);
    EXPECT_GT(p->deviation, 0);
  }
}

// Spec 3.2: a line per kind has a median error of 3 to 8 % on the whole tables, and here on the rows that are printed.
TEST_F(Phones, ALinePerKindFits) {
  for (const DeviceTable& t : tables) {
    const auto pairs = held_out_rows(t, TimeModel::linear);
    ASSERT_TRUE(pairs);
    const Errors e = errors_of(*pairs);
    EXPECT_EQ(e.n, t.rows.size());
    EXPECT_LT(e.median, 0.10) << t.device.name;
    EXPECT_GT(e.spearman, 0.98) << t.device.name;
    // Interpolation takes up what the lines leave.
    const auto table = held_out_rows(t, TimeModel::table);
    ASSERT_TRUE(table);
    EXPECT_LT(errors_of(*table).median, e.median) << t.device.name;
  }
}

}  // namespace
}  // namespace hone
