// What other counters print for the same networks (measured: fvcore 3378afe0, ptflops d612c754, thop 43c064af, calflops
// 29ca5844, DeepSpeed's profiler, timm's benchmark tables), recomputed from our counts: each figure that docs/counting.md
// quotes is derived here, the wrong ones together with the term that was lost.
#include <gtest/gtest.h>

#include "cost/profile.h"
#include "zoo/catalog.h"

namespace hone {

namespace {

Profile profiled(const std::string& name) {
  auto arch = find_arch(name);
  EXPECT_TRUE(arch) << (arch ? "" : arch.error().text());
  if (!arch) return {};
  auto graph = build(*arch);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  if (!graph) return {};
  auto p = profile(*graph);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? *p : Profile{};
}

int64_t flops(const Profile& p, std::string_view convention_name) { return convention(p, convention_name)->flops; }

}  // namespace

struct Measured {
  const char* network;
  int64_t macs, fvcore, hooks, aten;  // 0: the tool failed, or lost whole layers (attention), which no convention imitates
  bool functional = false;            // the hook backend met calls that it counts once: see below
};

class Tools : public testing::TestWithParam<Measured> {};

TEST_P(Tools, AgreeByConvention) {
  const Measured& m = GetParam();
  const Profile p = profiled(m.network);
  EXPECT_EQ(p.totals.macs, m.macs);
  EXPECT_EQ(flops(p, "torchvision"), m.macs);
  EXPECT_EQ(flops(p, "ptflops-aten"), m.aten);
  EXPECT_EQ(flops(p, "pycls"), m.aten);
  EXPECT_EQ(flops(p, "fvcore"), m.fvcore);
  if (m.hooks == 0) return;
  // The hook backend counts a function twice where a module calls the functional that it has patched as well (nn.ReLU calls
  // F.relu), and once for a bare functional (Inception's F.relu, F.avg_pool2d) or a module that calls something else
  // (nn.ReLU6 calls F.hardtanh), and nn.Sigmoid not at all. A graph does not know which it was, so with such calls the
  // figure lies between the two conventions.
  if (m.functional) {
    EXPECT_GE(m.hooks, flops(p, "ptflops"));
    EXPECT_LT(m.hooks, flops(p, "ptflops-hooks"));
  } else {
    EXPECT_EQ(flops(p, "ptflops-hooks"), m.hooks);
  }
}

INSTANTIATE_TEST_SUITE_P(
    SameNetworks, Tools,
    testing::Values(Measured{"torchvision/resnet50", 4089184256, 4111512576, 4132436968, 4089185256},
                    Measured{"torchvision/vgg16", 15470264320, 15470289408, 15523225576, 15483821032},
                    Measured{"torchvision/mobilenet_v2", 300774272, 314193216, 320300008, 300775272, true},
                    Measured{"torchvision/mobilenet_v3_large", 216589760, 226033824, 231316416, 216597120, true},
                    Measured{"torchvision/efficientnet_b0", 385814752, 401659392, 410196896, 385825092, true},
                    Measured{"torchvision/regnet_y_400mf", 401842848, 410406088, 418388672, 401849056, true},
                    Measured{"torchvision/inception_v3", 5713216096, 5731282144, 5747660552, 5713217096, true},
                    Measured{"torchvision/vit_b_16", 17563828224, 17582740224, 0, 17580319720},
                    Measured{"timm/vit_base_patch16_224", 17563828224, 17582740224, 0, 17580319720},
                    Measured{"timm/levit_128s", 304660832, 307239776, 0, 304662832}),
    [](const auto& info) {
      std::string name = info.param.network;
      for (char& c : name)
        if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
      return name;
    });

// ptflops' plain rules on the trunks of the sketch paper, at 256x256: twice the sum is what the paper prints.
TEST(Tools, SketchTrunks) {
  const Profile vgg = profiled("sketch/vgg16"), mobile = profiled("sketch/mobilenetv2");
  EXPECT_EQ(vgg.totals.macs, 20044578816);
  EXPECT_EQ(vgg.totals.params, 14714688);
  EXPECT_EQ(vgg.totals.conv_bias_adds, 17694720);
  EXPECT_EQ(vgg.totals.pool_inputs, 7995392);
  EXPECT_EQ(mobile.totals.macs, 391176192);
  EXPECT_EQ(mobile.totals.params, 2223872);
  EXPECT_EQ(mobile.totals.bn_elements, 8722432);
  EXPECT_EQ(mobile.totals.activation_elements, 7974912);
  EXPECT_NEAR(2e-9 * static_cast<double>(flops(vgg, "ptflops")), 40.18, 0.005);
  EXPECT_NEAR(2e-9 * static_cast<double>(flops(mobile, "ptflops")), 0.833, 0.0005);
}

// Tools that do not see the two attention products print exactly their absence.
TEST(Tools, AttentionThatIsNotSeen) {
  const Totals t = profiled("timm/vit_base_patch16_224").totals;
  EXPECT_EQ(t.macs_matmul, 715327488);
  EXPECT_EQ(t.macs - t.macs_matmul, 16848500736);                       // calflops
  EXPECT_EQ(t.macs - t.macs_matmul + 4 * t.ln_elements, 16863630336);   // thop: norms cost 4 an element
  EXPECT_EQ(t.macs + t.macs_matmul, 18279155712);                       // DeepSpeed, second call: attention once more
  EXPECT_EQ(t.macs + 2 * t.macs_matmul, 18994483200);                   // DeepSpeed, third call
  // timm's table of 2023 (pt210), fused attention invisible to fvcore: 16.87 GMACs and 16.49 M activations.
  const int64_t fvcore = t.macs + 2 * t.bn_elements + 5 * t.ln_elements;
  EXPECT_NEAR(1e-9 * static_cast<double>(fvcore - t.macs_matmul), 16.87, 0.005);
  EXPECT_NEAR(1e-6 * static_cast<double>(t.acts - t.acts_matmul), 16.49, 0.005);
  // thop on torchvision's nn.MultiheadAttention: the input and output projections are lost as well.
  const int64_t tokens = 197, width = 768, projections = 12 * tokens * 4 * width * width;
  EXPECT_EQ(t.macs - t.macs_matmul - projections + 4 * t.ln_elements, 11286254592);
}

// RegNetY: everything twice but the gates of its squeeze-excites, one output a channel of each block.
TEST(Tools, HooksDoNotCountSigmoid) {
  const int64_t gates = 1 * 48 + 3 * 104 + 6 * 208 + 6 * 440;
  EXPECT_EQ(flops(profiled("torchvision/regnet_y_400mf"), "ptflops-hooks") - 2 * gates, 418388672);
}

// MobileNetV2 has ReLU6 modules and a functional pool only: the hook backend counts each once.
TEST(Tools, HooksCountReLU6Once) { EXPECT_EQ(flops(profiled("torchvision/mobilenet_v2"), "ptflops"), 320300008); }

// thop counts 4 a norm element where fvcore and ptflops count 2: ResNet-50.
TEST(Tools, NormsWeighDifferently) {
  const Totals t = profiled("torchvision/resnet50").totals;
  EXPECT_EQ(t.bn_elements, 11113984);
  EXPECT_EQ(t.macs + 4 * t.bn_elements + 50 * 2048, 4133742592);
  EXPECT_EQ(t.macs + 2 * t.bn_elements + t.adaptive_pool_inputs, 4111512576);
}

// The other figures of docs/counting.md.
TEST(Tools, FiguresOfTheDocumentation) {
  const Profile resnet = profiled("timm/resnet50");
  EXPECT_EQ(flops(resnet, "ptflops"), 4121925096);
  EXPECT_EQ(resnet.totals.peak_activation_bytes, 7225344);
  EXPECT_EQ(flops(profiled("torchvision/regnet_y_400mf"), "fvcore") - flops(profiled("timm/regnety_004"), "fvcore"), 769104);
  EXPECT_EQ(profiled("torchvision/inception_v3").totals.params, 27161264);
  EXPECT_EQ(profiled("timm/inception_v3").totals.params, 23834568);
}

}  // namespace hone
