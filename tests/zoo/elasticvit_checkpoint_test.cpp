// The authors' supernet taken apart into members. The checkpoint is made here with their names and shapes (spec of ElasticViT, 1.3, 1.4;
// Moonlit ElasticViT/models/*.py) and random contents, and a member's attention is computed from it as they compute it.
#include "zoo/elasticvit_checkpoint.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/rng.h"
#include "zoo/space.h"

namespace hone::space {
namespace {

using Floats = std::vector<float>;

Tensor filled(const Shape& shape, Rng& rng) {
  int64_t n = 1;
  for (const int64_t d : shape) n *= d;
  Floats values(static_cast<size_t>(n));
  for (float& v : values) v = static_cast<float>(2 * rng.uniform() - 1);
  return Tensor{DType::f32, shape, Bytes::copy(values.data(), values.size() * sizeof(float)), {}};
}

// A space with the stages' roles of the published one, small: two convolutional stages and a transformer stage behind the stem.
Space small() {
  Space s = *open_space("small-vit");
  s.resolutions = {32, 64};
  s.classes = 7;
  s.stem_stride = 2;
  s.head_expand = 6;
  s.head_width = 40;
  s.levels = {};
  s.stages.resize(4);
  return s;
}

struct Checkpoint {
  NamedTensors tensors;
  const Tensor& operator[](const std::string& name) const {
    for (const auto& [n, t] : tensors)
      if (n == name) return t;
    throw std::out_of_range(name);
  }
};

// As the authors' modules hold it: every layer of a stage at the stage's largest sizes.
Checkpoint authors(const Space& s, uint64_t seed) {
  Checkpoint c;
  Rng rng(seed);
  const auto add = [&](const std::string& name, const Shape& shape) { c.tensors.emplace_back("module." + name, filled(shape, rng)); };
  const auto norm = [&](const std::string& name, int64_t width, bool statistics) {
    for (const char* part : {"weight", "bias"}) add(name + "." + part, {width});
    if (!statistics) return;
    for (const char* part : {"running_mean", "running_var"}) add(name + "." + part, {width});
    c.tensors.emplace_back("module." + name + ".num_batches_tracked", Tensor::scalar(int64_t{5}));
  };
  const auto mobile = [&](const std::string& name, int64_t width, int64_t expand, int64_t kernel, bool se) {
    const int64_t inner = width * expand;
    if (expand > 1) add(name + ".pw_conv.weight", {inner, width, 1, 1}), norm(name + ".pw_bn", inner, true);
    add(name + ".dw_conv.weight", {inner, 1, kernel, kernel}), norm(name + ".dw_bn", inner, true);
    if (se) {
      add(name + ".se_conv1.weight", {inner / 4, inner, 1, 1}), add(name + ".se_conv1.bias", {inner / 4});
      add(name + ".se_conv2.weight", {inner, inner / 4, 1, 1}), add(name + ".se_conv2.bias", {inner});
    }
    add(name + ".pwl_conv.weight", {width, inner, 1, 1}), norm(name + ".pwl_bn", width, true);
    add(name + ".shortcut_conv.weight", {width, width, 1, 1});
  };
  add("first_conv.weight", {s.stages[0].widths.back(), 3, 3, 3}), norm("first_conv_bn", s.stages[0].widths.back(), true);
  int64_t side = s.resolutions.back() / 2;
  for (size_t i = 0; i < s.stages.size(); ++i) {
    const StageChoices& stage = s.stages[i];
    const std::string module = i == 0 ? "conv_stem" : "feature_exactor." + std::to_string(i - 1);
    const int64_t width = stage.widths.back();
    side = (side + stage.stride - 1) / stage.stride;
    for (int64_t j = 0; j < stage.depths.back(); ++j) {
      if (stage.block == Block::mobile) {
        mobile(module + ".layers." + std::to_string(j) + ".0", width, stage.expands.back(), stage.kernels.back(), stage.se);
        continue;
      }
      const std::string attention = module + ".layers." + std::to_string(2 * j), mlp = module + ".layers." + std::to_string(2 * j + 1);
      const int64_t values = stage.values.back() * width, hidden = stage.mlps.back() * width;
      if (j == 0) mobile(attention + ".reduction", width, 6, 3, true);
      norm(attention + ".norm1", width, false);
      add(attention + ".qkv.weight", {2 * width + values, width});
      add(attention + ".dw_v_conv.weight", {values, 1, 3, 3});
      add(attention + ".attention_bias", {(2 * side - 1) * (2 * side - 1), width / 16});
      add(attention + ".proj.weight", {width, values}), add(attention + ".proj.bias", {width});
      norm(mlp + ".norm1", width, false);
      add(mlp + ".fc1.weight", {hidden, width}), add(mlp + ".fc1.bias", {hidden});
      add(mlp + ".fc2.weight", {width, hidden}), add(mlp + ".fc2.bias", {width});
    }
  }
  const int64_t last = s.stages.back().widths.back();
  add("pre_head_0.weight", {6 * last, last}), add("pre_head_0.bias", {6 * last}), norm("pre_head_norm_0", 6 * last, true);
  add("pre_head_1.weight", {s.head_width, 6 * last}), add("pre_head_1.bias", {s.head_width});
  add("classifer.weight", {s.classes, s.head_width}), add("classifer.bias", {s.classes});
  return c;
}

Floats values(const Tensor& t) {
  const auto* p = reinterpret_cast<const float*>(t.bytes.data);
  return {p, p + t.bytes.size / sizeof(float)};
}

const Tensor& of(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [n, t] : tensors)
    if (n == name) return t;
  throw std::out_of_range(name);
}

TEST(AuthorsCheckpoint, EveryMemberFindsItsTensorsByNameAndShape) {
  const Space s = small();
  const Checkpoint c = authors(s, 1);
  Rng rng(2);
  for (int i = 0; i < 30; ++i) {
    const Member m = i == 0 ? smallest(s) : i == 1 ? largest(s) : sample(s, rng);
    const Graph g = *build(to_arch(s, m, "member"));
    const auto tensors = from_authors(g, c.tensors);
    ASSERT_TRUE(tensors) << tensors.error().text();
    for (const ValueId v : g.state()) EXPECT_EQ(of(*tensors, g.value(v).name).shape, g.value(v).type.shape) << g.value(v).name;
  }
}

// q, k and v of tokens, as the authors make them: rows put together, cut by head; against products with the imported rows.
TEST(AuthorsCheckpoint, HeadsAreReadAsTheAuthorsReadThem) {
  const Space s = small();
  const Checkpoint c = authors(s, 3);
  Rng rng(4);
  for (int trial = 0; trial < 8; ++trial) {
    const Member m = sample(s, rng);
    const Graph g = *build(to_arch(s, m, "member"));
    const auto ours = from_authors(g, c.tensors);
    ASSERT_TRUE(ours) << ours.error().text();
    const int64_t width = m.stage[3].width, widest = 64, scale = m.stage[3].block[0].value, heads = width / 16, part = 32 + 16 * scale;
    const Floats shared = values(c["module.feature_exactor.2.layers.0.qkv.weight"]);
    Floats x(static_cast<size_t>(width));
    for (float& v : x) v = static_cast<float>(rng.uniform());
    const auto dot = [&](const float* row) {
      double sum = 0;
      for (int64_t i = 0; i < width; ++i) sum += static_cast<double>(row[i]) * x[static_cast<size_t>(i)];
      return sum;
    };
    std::vector<double> together;   // F.linear with torch.cat([q rows, k rows, v rows])
    for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, width}, {widest, width}, {2 * widest, scale * width}})
      for (int64_t r = first; r < first + count; ++r) together.push_back(dot(shared.data() + r * widest));
    const std::string block = "stages.3.blocks.0.attn.";
    const Floats q = values(of(*ours, block + "q.weight")), k = values(of(*ours, block + "k.weight")), v = values(of(*ours, block + "v.weight"));
    for (int64_t h = 0; h < heads; ++h) {   // view(heads, -1).split([16, 16, 16 * scale])
      for (int64_t i = 0; i < 16; ++i) {
        EXPECT_DOUBLE_EQ(dot(q.data() + (h * 16 + i) * width), together[static_cast<size_t>(h * part + i)]);
        EXPECT_DOUBLE_EQ(dot(k.data() + (h * 16 + i) * width), together[static_cast<size_t>(h * part + 16 + i)]);
      }
      for (int64_t i = 0; i < 16 * scale; ++i) EXPECT_DOUBLE_EQ(dot(v.data() + (h * 16 * scale + i) * width), together[static_cast<size_t>(h * part + 32 + i)]);
    }
    // Position tables: row (dy + R - 1)(2R - 1) + (dx + R - 1) for offsets of the largest side, here 4 at 64 pixels.
    const Floats bias = values(c["module.feature_exactor.2.layers.0.attention_bias"]), table = values(of(*ours, block + "relative_position_bias"));
    const int64_t most = 4, side = m.resolution / 16, span = 2 * side - 1;
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t dy = 1 - side; dy < side; ++dy)
        for (int64_t dx = 1 - side; dx < side; ++dx)
          EXPECT_EQ(table[static_cast<size_t>((h * span + dy + side - 1) * span + dx + side - 1)], bias[static_cast<size_t>(((dy + most - 1) * (2 * most - 1) + dx + most - 1) * (widest / 16) + h)]);
  }
}

// There and back: the authors' tables filled from a member of ours, row by row of the rule, give the member again.
TEST(AuthorsCheckpoint, RoundTrip) {
  const Space s = small();
  Rng rng(6);
  for (int trial = 0; trial < 6; ++trial) {
    const Member m = trial == 0 ? largest(s) : sample(s, rng);
    const Graph g = *build(to_arch(s, m, "member"));
    Checkpoint c = authors(s, 7);
    const std::string block = "stages.3.blocks.0.attn.", theirs = "module.feature_exactor.2.layers.0.qkv.weight";
    const int64_t width = m.stage[3].width, widest = 64, scale = m.stage[3].block[0].value, part = 32 + 16 * scale;
    std::map<std::string, Tensor> own;
    for (const auto& [name, rows] : {std::pair<const char*, int64_t>{"q", width}, {"k", width}, {"v", scale * width}}) own[name] = filled({rows, width, 1, 1}, rng);
    Floats shared = values(c[theirs]);
    for (int64_t row = 0; row < (2 + scale) * width; ++row) {   // of the member's concatenation
      const int64_t head = row / part, within = row % part;
      const auto& [name, at] = within < 16 ? std::pair{"q", head * 16 + within} : within < 32 ? std::pair{"k", head * 16 + within - 16} : std::pair{"v", head * 16 * scale + within - 32};
      const int64_t to = row < width ? row : row < 2 * width ? widest + row - width : 2 * widest + row - 2 * width;
      const Floats from = values(own[name]);
      for (int64_t i = 0; i < width; ++i) shared[static_cast<size_t>(to * widest + i)] = from[static_cast<size_t>(at * width + i)];
    }
    for (auto& [name, tensor] : c.tensors)
      if (name == theirs) tensor.bytes = Bytes::copy(shared.data(), shared.size() * sizeof(float));
    const auto tensors = from_authors(g, c.tensors);
    ASSERT_TRUE(tensors) << tensors.error().text();
    for (const auto& [name, tensor] : own) EXPECT_TRUE(same_contents(tensor, of(*tensors, block + name + ".weight"))) << name;
  }
}

TEST(AuthorsCheckpoint, MistakesAreNamed) {
  const Space s = small();
  const Graph g = *build(to_arch(s, largest(s), "member"));
  Checkpoint c = authors(s, 8);
  const auto says = [&](const char* what) {
    const auto tensors = from_authors(g, c.tensors);
    ASSERT_FALSE(tensors);
    EXPECT_NE(tensors.error().text().find(what), std::string::npos) << tensors.error().text();
  };
  const auto find = [&](const std::string& name) -> Tensor& {
    for (auto& [n, t] : c.tensors)
      if (n == name) return t;
    throw std::out_of_range(name);
  };
  Rng rng(9);
  const Tensor whole = find("module.pre_head_0.weight");
  find("module.pre_head_0.weight") = filled({200, 64}, rng);
  says("pre_head_0.weight");
  find("module.pre_head_0.weight") = Tensor{DType::f16, whole.shape, Bytes::copy(whole.bytes.data, whole.bytes.size / 2), {}};
  says("another type than f32");
  find("module.pre_head_0.weight") = whole;
  find("module.feature_exactor.2.layers.0.attention_bias") = filled({48, 4}, rng);
  says("attention_bias");
  find("module.feature_exactor.2.layers.0.attention_bias") = filled({49, 4}, rng);
  find("module.feature_exactor.2.layers.2.qkv.weight") = filled({100, 64}, rng);
  says("layers.2.qkv.weight");
  c.tensors.pop_back();
  find("module.feature_exactor.2.layers.2.qkv.weight") = filled({320, 64}, rng);
  says("classifer.bias");
}

}  // namespace
}  // namespace hone::space
