// hone export: what is written is read back by hone here; other engines read it in the tests of formats.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli/run_hone.h"
#include "formats/onnx_read.h"
#include "formats/safetensors.h"
#include "rewrite/weights.h"
#include "zoo/catalog.h"

namespace hone::test {
namespace {

using Json = nlohmann::json;

Json json(const std::string& command, const std::string& folder) {
  const Ran ran = shell(command + " --json", folder);
  EXPECT_EQ(ran.exit, 0) << ran.err;
  return Json::parse(ran.out, nullptr, false);
}

TEST(Export, TheFileCostsWhatTheNetworkCosts) {
  const std::string folder = scratch_folder();
  const Json written = json("hone export timm/resnet18 -o r.onnx", folder);
  EXPECT_EQ(written["command"], "export");
  const Json file = json("hone profile r.onnx", folder), zoo = json("hone profile timm/resnet18", folder);
  for (const char* key : {"macs", "params", "acts", "bn_elements", "activation_elements", "peak_activation_bytes"}) EXPECT_EQ(file["totals"][key], zoo["totals"][key]) << key;
  EXPECT_GT(written["bytes"].get<int64_t>(), 4 * zoo["totals"]["params"].get<int64_t>());
  EXPECT_LT(written["bytes"].get<int64_t>(), 4 * zoo["totals"]["params"].get<int64_t>() + 200000);
}

TEST(Export, TheSameSeedGivesTheSameFile) {
  const std::string folder = scratch_folder();
  const Ran ran = shell("for s in 1 1 2; do hone export pycls/RegNetX-200MF --seed $s --force -o $s.onnx && sha256sum <$s.onnx; done | grep '  -$'", folder);
  std::vector<std::string> sums;
  for (size_t at = 0; at + 64 < ran.out.size(); at += 68) sums.push_back(ran.out.substr(at, 64));
  ASSERT_EQ(sums.size(), 3u) << ran.out << ran.err;
  EXPECT_EQ(sums[0], sums[1]);
  EXPECT_NE(sums[0], sums[2]);
}

TEST(Export, FoldedNormsAreGoneAndTheMacsAreNot) {
  const std::string folder = scratch_folder();
  const Json written = json("hone export timm/resnet18 --fold-bn -o r.onnx", folder);
  EXPECT_EQ(written["bn_folded"], 20);
  EXPECT_EQ(written["bn_kept"], 0);
  const Json file = json("hone profile r.onnx", folder);
  EXPECT_EQ(file["totals"]["bn_elements"], 0);
  EXPECT_EQ(file["totals"]["macs"], 1814073344);
}

TEST(Export, EngineFormsCostTheSame) {
  const std::string folder = scratch_folder();
  const Json zoo = json("hone profile elasticvit/min1", folder);
  for (const char* engine : {"openvino", "onnxruntime"}) {
    const Json written = json(std::string("hone export elasticvit/min1 --for ") + engine + " --force -o m.onnx", folder);
    EXPECT_EQ(written["opset"], 20);
    EXPECT_EQ(written["for"], engine);
    const Json file = json("hone profile m.onnx", folder);
    EXPECT_EQ(file["totals"]["macs"], zoo["totals"]["macs"]) << engine;
    EXPECT_EQ(file["totals"]["bn_elements"], 0) << engine;
  }
  const Json whole = json("hone export elasticvit/min1 --for openvino --force -o m.onnx", folder), small = json("hone export elasticvit/min1 --for openvino --int8-rows -o s.onnx", folder);
  EXPECT_LT(small["bytes"].get<int64_t>(), whole["bytes"].get<int64_t>());
  EXPECT_EQ(small["macs"], whole["macs"]);
}

TEST(Export, AFilesOwnWeightsStay) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone export pycls/RegNetX-200MF --seed 5 -o a.onnx", folder).exit, 0);
  const Json again = json("hone export a.onnx --seed 6 -o b.onnx", folder);
  EXPECT_FALSE(again.contains("seed"));
  EXPECT_EQ(shell("hone export pycls/RegNetX-200MF --seed 6 -o c.onnx", folder).exit, 0);
  EXPECT_EQ(shell("cmp -s <(tail -c 100000 a.onnx) <(tail -c 100000 c.onnx)", folder).exit, 1);
}

TEST(Export, WeightsComeFromSafetensors) {
  const std::string folder = scratch_folder();
  auto network = open_network("timm/resnet18");
  ASSERT_TRUE(network);
  const auto filled = with_fresh_weights(std::move(network->graph), 9);
  ASSERT_TRUE(filled);
  SafeTensors file;
  for (ValueId id : filled->state()) file.tensors.emplace_back(filled->value(id).name, *filled->value(id).data);
  ASSERT_TRUE(write_safetensors(file, folder + "/w.safetensors", false));
  const Json written = json("hone export timm/resnet18 --weights w.safetensors -o r.onnx", folder);
  EXPECT_EQ(written["weights"], "w.safetensors");
  EXPECT_FALSE(written.contains("seed"));
  const auto read = read_onnx(folder + "/r.onnx");
  ASSERT_TRUE(read) << read.error().text();
  for (const char* name : {"conv1.weight", "layer4.1.bn2.running_var", "fc.weight"}) {
    ASSERT_NE(read->find(name), kNoValue) << name;
    EXPECT_TRUE(same_contents(*read->value(read->find(name)).data, *filled->value(filled->find(name)).data)) << name;
  }
  const Json bgr = json("hone export timm/resnet18 --weights w.safetensors --bgr -o bgr.onnx", folder);
  const auto turned = read_onnx(folder + "/bgr.onnx");
  ASSERT_TRUE(turned) << turned.error().text();
  const auto rgb_stem = *to_doubles(*read->value(read->find("conv1.weight")).data), bgr_stem = *to_doubles(*turned->value(turned->find("conv1.weight")).data);
  EXPECT_EQ(std::vector(rgb_stem.begin(), rgb_stem.begin() + 49), std::vector(bgr_stem.begin() + 98, bgr_stem.begin() + 147));
  const Ran wrong = shell("hone export timm/resnet34 --weights w.safetensors -o s.onnx", folder);
  EXPECT_EQ(wrong.exit, 1);
  EXPECT_NE(wrong.err.find("tensors of the network are not in the file: layer1.2.conv1.weight"), std::string::npos) << wrong.err;
}

TEST(Export, AnArchIsAVariantOfTheNetwork) {
  const std::string folder = scratch_folder();
  ASSERT_EQ(shell("hone zoo pycls/RegNetX-200MF --arch >a.toml && sed 's/depth = 7/depth = 6/' a.toml >b.toml && ! cmp -s a.toml b.toml", folder).exit, 0);
  const Json small = json("hone export pycls/RegNetX-200MF --arch b.toml -o small.onnx", folder), direct = json("hone profile b.toml", folder);
  EXPECT_EQ(small["arch"], "b.toml");
  EXPECT_EQ(small["macs"], direct["totals"]["macs"]);
  // The weights of a file go with it: those of seed 4, not fresh ones.
  ASSERT_EQ(shell("hone export pycls/RegNetX-200MF --seed 4 -o full.onnx", folder).exit, 0);
  const Json kept = json("hone export full.onnx --arch b.toml -o kept.onnx", folder);
  EXPECT_FALSE(kept.contains("seed"));
  const auto full = read_onnx(folder + "/full.onnx"), sliced = read_onnx(folder + "/kept.onnx");
  ASSERT_TRUE(full && sliced);
  EXPECT_TRUE(same_contents(*full->value(full->find("s4.b6.f.c.weight")).data, *sliced->value(sliced->find("s4.b6.f.c.weight")).data));
  EXPECT_EQ(sliced->find("s4.b7.f.c.weight"), kNoValue);
  EXPECT_EQ(shell("hone export timm/vit_tiny_patch16_224 --arch b.toml -o v.onnx", folder).exit, 2);
}

TEST(Export, BadUseGetsHelp) {
  const std::string folder = scratch_folder();
  const Ran bare = shell("hone export timm/resnet18", folder);
  EXPECT_EQ(bare.exit, 2);
  EXPECT_EQ(bare.err, "hone: say where to write: -o OUT.onnx\n  as in: hone export timm/resnet50 -o resnet50.onnx\n");
  EXPECT_EQ(shell("hone export timm/resnet18 --bgr -o r.onnx", folder).exit, 2);
  EXPECT_EQ(shell("hone export timm/resnet18 --int8-rows -o r.onnx", folder).exit, 2);
  EXPECT_EQ(shell("hone export timm/resnet18 --for abacus -o r.onnx", folder).exit, 2);
  ASSERT_EQ(shell("hone export pycls/RegNetX-200MF -o r.onnx", folder).exit, 0);
  const Ran again = shell("hone export pycls/RegNetX-200MF -o r.onnx", folder);
  EXPECT_EQ(again.exit, 2);
  EXPECT_EQ(again.err, "hone: r.onnx: exists already\n  --force overwrites it\n");
  EXPECT_NE(shell("hone export pycls/RegNetX-200MF --opset 3 -o old.onnx", folder).exit, 0);
  EXPECT_EQ(shell("test -e old.onnx", folder).exit, 1);
}

}  // namespace
}  // namespace hone::test
