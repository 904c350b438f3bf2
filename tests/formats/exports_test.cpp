// Networks exported by PyTorch, read back: MACs, parameters and activations to the integer, and norms, softmax and
// activation functions once the scattered patterns are recognised. tests/data/exports/README.md has the recipe.
// HONE_EXPORTS=DIR adds every DIR/*.onnx that DIR/expected.csv lists (same columns).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "cost/profile.h"
#include "formats/onnx_read.h"
#include "ir/infer.h"
#include "ir/recognise.h"
#include "ir/verify.h"

namespace hone {
namespace {

using Row = std::map<std::string, std::string>;

std::vector<Row> read_csv(const std::string& path) {
  std::ifstream in(path);
  std::string line, cell;
  std::vector<std::string> header;
  std::vector<Row> rows;
  while (std::getline(in, line)) {
    std::stringstream cells(line);
    std::vector<std::string> fields;
    while (std::getline(cells, cell, ',')) fields.push_back(cell);
    if (header.empty()) {
      header = fields;
      continue;
    }
    Row row;
    for (size_t i = 0; i < fields.size() && i < header.size(); ++i) row[header[i]] = fields[i];
    rows.push_back(std::move(row));
  }
  return rows;
}

std::map<std::string, int64_t> fields(const Totals& t) {
  return {{"params", t.params},         {"macs_conv", t.macs_conv},     {"macs_linear", t.macs_linear},   {"macs_matmul", t.macs_matmul},
          {"conv_bias_adds", t.conv_bias_adds}, {"acts_conv", t.acts_conv},     {"acts_linear", t.acts_linear},   {"acts_matmul", t.acts_matmul},
          {"maxpool_out", t.maxpool_out}, {"bn_elements", t.bn_elements}, {"ln_elements", t.ln_elements},   {"softmax_elements", t.softmax_elements},
          {"activation_elements", t.activation_elements}};
}

void check(const std::string& dir, const Row& row) {
  const std::string& file = row.at("file");
  SCOPED_TRACE(file);
  auto graph = read_onnx(dir + "/" + file);
  ASSERT_TRUE(graph.has_value()) << graph.error().text();
  const Status valid = verify(*graph);
  ASSERT_TRUE(valid.has_value()) << valid.error().text();
  auto inferred = infer(std::move(*graph));
  ASSERT_TRUE(inferred.has_value()) << inferred.error().text();
  auto plain = profile(inferred->graph);
  ASSERT_TRUE(plain.has_value()) << plain.error().text();
  EXPECT_TRUE(plain->unknown.empty()) << plain->unknown[0].op;
  const Graph fused = recognise(inferred->graph);
  const Status still_valid = verify(fused);
  ASSERT_TRUE(still_valid.has_value()) << still_valid.error().text();
  auto whole = profile(fused);
  ASSERT_TRUE(whole.has_value()) << whole.error().text();

  EXPECT_EQ(plain->totals.macs, whole->totals.macs) << "recognition must not change a count";
  EXPECT_EQ(plain->totals.acts, whole->totals.acts);
  EXPECT_EQ(plain->totals.params, whole->totals.params);
  const auto counted = fields(whole->totals);
  for (const auto& [name, text] : row)
    if (name != "file" && !text.empty()) {
      EXPECT_EQ(counted.at(name), std::stoll(text)) << name;
    }
}

TEST(Exports, CountsAreThoseOfTheModel) {
  const std::string dir = HONE_SOURCE_DIR "/tests/data/exports";
  const auto rows = read_csv(dir + "/expected.csv");
  ASSERT_GE(rows.size(), 12u);
  for (const Row& row : rows) check(dir, row);
}

TEST(Exports, MoreOfThemOnRequest) {
  const char* dir = std::getenv("HONE_EXPORTS");
  if (!dir) GTEST_SKIP() << "HONE_EXPORTS names no folder of further exports";
  const auto rows = read_csv(std::string(dir) + "/expected.csv");
  ASSERT_FALSE(rows.empty());
  for (const Row& row : rows) check(dir, row);
}

}  // namespace
}  // namespace hone
