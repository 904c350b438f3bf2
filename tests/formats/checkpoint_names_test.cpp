// Names carried between libraries. The pairs in data/names were proven by running both networks (recipe.py there).
#include "formats/checkpoint_names.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace hone {
namespace {

struct Pair {
  std::string name;
  Shape shape;
  std::vector<std::string> sources;  // more than one: stacked in `name`
};

std::vector<std::string> split(const std::string& text, char at) {
  std::vector<std::string> out;
  std::stringstream in(text);
  for (std::string part; std::getline(in, part, at);) out.push_back(part);
  return out;
}

// Long dimensions are cut to 6, so that contents stay small and three equal parts remain.
std::vector<Pair> pairs(const std::string& path) {
  std::vector<Pair> out;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    const auto fields = split(line, '\t');
    Pair p{fields[0], {}, split(fields[2], '|')};
    if (fields[1] != "scalar")
      for (const auto& d : split(fields[1], ',')) p.shape.push_back(std::min<int64_t>(6, std::stoll(d)));
    out.push_back(p);
  }
  return out;
}

// Numbers that no other tensor has.
Tensor numbered(const Shape& shape, float from) {
  std::vector<float> values(static_cast<size_t>(*element_count(shape)));
  for (size_t i = 0; i < values.size(); ++i) values[i] = from + static_cast<float>(i);
  Tensor t = Tensor::floats(values);
  t.shape = shape;
  return t;
}

void add(Graph& graph, const std::string& name, const Shape& shape) {
  Value v;
  v.name = name;
  v.kind = ValueKind::parameter;
  v.type = TensorType(DType::f32, shape);
  graph.add_value(v);
}

std::vector<double> contents(const NamedTensors& tensors, const std::string& name) {
  for (const auto& [n, t] : tensors)
    if (n == name) return *to_doubles(t);
  ADD_FAILURE() << name << " is not there";
  return {};
}

// Both directions of one file of pairs: every tensor under its new name, with its own contents.
void expect_both_ways(const std::vector<Pair>& all) {
  Graph stacked, plain;
  NamedTensors whole, parts;
  float from = 0;
  for (const Pair& p : all) {
    add(stacked, p.name, p.shape);
    whole.emplace_back(p.name, numbered(p.shape, from));
    Shape part = p.shape;
    if (p.sources.size() > 1) part[0] /= static_cast<int64_t>(p.sources.size());
    for (const auto& source : p.sources) {
      add(plain, source, part);
      parts.emplace_back(source, numbered(part, from));
      from += static_cast<float>(*element_count(part));
    }
  }
  const auto forth = translated(stacked, parts, 0), back = translated(plain, whole, 0);
  ASSERT_TRUE(forth && back);
  ASSERT_EQ(forth->renamed.tensors.size(), whole.size()) << forth->renamed.how;
  ASSERT_EQ(back->renamed.tensors.size(), parts.size()) << back->renamed.how;
  for (const auto& [name, t] : whole) EXPECT_EQ(contents(forth->renamed.tensors, name), *to_doubles(t)) << name;
  for (const auto& [name, t] : parts) EXPECT_EQ(contents(back->renamed.tensors, name), *to_doubles(t)) << name;
}

TEST(CheckpointNames, EveryProvenPairBothWays) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(HONE_SOURCE_DIR "/tests/formats/data/names")) {
    if (entry.path().extension() != ".tsv") continue;
    SCOPED_TRACE(entry.path().filename().string());
    const auto all = pairs(entry.path());
    ASSERT_GT(all.size(), 20u);
    expect_both_ways(all);
    ++files;
  }
  EXPECT_EQ(files, 9);
}

// dandelin/ViLT: the timm ViT under "transformer.", its heads by task.
std::vector<Pair> vilt(const std::string& head) {
  std::vector<Pair> all = {{"token_type_embeddings.weight", {2, 3}, {"vilt.embeddings.token_type_embeddings.weight"}},
                           {"text_embeddings.LayerNorm.bias", {3}, {"vilt.embeddings.text_embeddings.LayerNorm.bias"}},
                           {"transformer.pos_embed", {1, 4, 3}, {"vilt.embeddings.position_embeddings"}},
                           {"transformer.norm.weight", {3}, {"vilt.layernorm.weight"}},
                           {"pooler.dense.weight", {3, 3}, {"vilt.pooler.dense.weight"}},
                           {head + "_classifier.3.bias", {5}, {"classifier.3.bias"}}};
  for (const std::string i : {"0", "11"}) {
    const std::string from = "transformer.blocks." + i + ".", to = "vilt.encoder.layer." + i + ".";
    for (const std::string leaf : {"weight", "bias"}) {
      all.push_back({from + "attn.qkv." + leaf, {6, 2}, {to + "attention.attention.query." + leaf, to + "attention.attention.key." + leaf, to + "attention.attention.value." + leaf}});
      all.push_back({from + "attn.proj." + leaf, {2}, {to + "attention.output.dense." + leaf}});
      all.push_back({from + "mlp.fc1." + leaf, {2}, {to + "intermediate.dense." + leaf}});
      all.push_back({from + "mlp.fc2." + leaf, {2}, {to + "output.dense." + leaf}});
      all.push_back({from + "norm1." + leaf, {2}, {to + "layernorm_before." + leaf}});
      all.push_back({from + "norm2." + leaf, {2}, {to + "layernorm_after." + leaf}});
    }
  }
  return all;
}

TEST(CheckpointNames, ViltOfTheAuthorsBothWays) { expect_both_ways(vilt("vqa")); }

TEST(CheckpointNames, TheHeadIsTheOneOfTheRightShape) {
  Graph graph;
  for (const char* name : {"vilt.encoder.layer.0.layernorm_before.weight", "classifier.3.bias"}) add(graph, name, {2});
  const auto renamed = translated(graph, {{"vqa_classifier.3.bias", numbered({9}, 0)}, {"nlvr2_classifier.3.bias", numbered({2}, 20)}, {"transformer.blocks.0.norm1.weight", numbered({2}, 40)}}, 0);
  ASSERT_TRUE(renamed);
  EXPECT_EQ(contents(renamed->renamed.tensors, "classifier.3.bias"), (std::vector<double>{20, 21}));
  EXPECT_EQ(contents(renamed->renamed.tensors, "vqa_classifier.3.bias").size(), 9u);  // what the network has no place for keeps its name
}

TEST(CheckpointNames, APrefixOfTheWholeModelIsNoHindrance) {
  Graph graph;
  add(graph, "blocks.0.attn.qkv.bias", {3});
  NamedTensors given;
  for (const char* m : {"query", "key", "value"}) given.emplace_back(std::string("model.vit.encoder.layer.0.attention.attention.") + m + ".bias", numbered({1}, static_cast<float>(given.size())));
  const auto renamed = translated(graph, given, 0);
  ASSERT_TRUE(renamed);
  EXPECT_EQ(contents(renamed->renamed.tensors, "blocks.0.attn.qkv.bias"), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(renamed->renamed.how, "the names are those of Hugging Face, the network's those of timm: 1 tensors were renamed, 1 of them cut or joined");
}

TEST(CheckpointNames, AWrapperOfTheSameLibraryComesAndGoes) {
  for (const auto& [ours, theirs] : {std::pair{"encoder.layer.0.layernorm_before.weight", "vilt.encoder.layer.0.layernorm_before.weight"}, {"vilt.layernorm.bias", "layernorm.bias"}}) {
    Graph graph;
    add(graph, ours, {2});
    const auto renamed = translated(graph, {{theirs, numbered({2}, 5)}, {"classifier.0.weight", numbered({1}, 0)}}, 0);
    ASSERT_TRUE(renamed);
    EXPECT_EQ(contents(renamed->renamed.tensors, ours), (std::vector<double>{5, 6}));
  }
}

TEST(CheckpointNames, WhatDoesNotFitIsLeftAlone) {
  Graph graph;
  add(graph, "blocks.0.attn.qkv.bias", {6});
  const auto part = [](const char* m) { return std::string("encoder.layer.0.attention.attention.") + m + ".bias"; };
  EXPECT_FALSE(translated(graph, {{part("query"), numbered({2}, 0)}, {part("key"), numbered({2}, 0)}}, 0));                                        // no value
  EXPECT_FALSE(translated(graph, {{part("query"), numbered({2}, 0)}, {part("key"), numbered({2}, 0)}, {part("value"), numbered({1}, 0)}}, 0));     // a wrong sum
  EXPECT_FALSE(translated(graph, {{part("query"), numbered({2}, 0)}, {part("key"), numbered({2}, 0)}, {part("value"), Tensor::ints({1, 2})}}, 0));  // mixed types
  EXPECT_FALSE(translated(graph, {{"something.else", numbered({6}, 0)}}, 0));
  Graph plain;
  add(plain, part("key"), {2});
  EXPECT_FALSE(translated(plain, {{"blocks.0.attn.qkv.bias", numbered({7}, 0)}}, 0));  // not three parts
  EXPECT_FALSE(translated(plain, {{"blocks.0.attn.qkv.bias", numbered({}, 0)}}, 0));
}

}  // namespace
}  // namespace hone
