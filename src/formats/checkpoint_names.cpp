#include "formats/checkpoint_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <unordered_map>

#include "core/checked.h"

namespace hone {

namespace {

// A row is one tensor of the network, a column one library. In a cell
//   {i} {j}      are numbers counted from 0, {i+1} {j+1} the same numbers counted from 1;
//   *            is the last part of the name ("weight", "running_mean"), the same in every column;
//   a | b | c    are tensors that a cell without bars holds stacked, along dimension 0;
//   =            is the name of the first column;
//   ""           says that the library has no such tensor.
// Two rows may share a cell: the first one whose other side is in the checkpoint with the right shape counts.
constexpr size_t kColumns = 5;
using Row = std::array<std::string_view, kColumns>;
struct Table {
  Row libraries;
  std::span<const Row> rows;
  bool parts = false;  // the other libraries' networks are parts of the first one's: what one fills counts, however little
};

constexpr Row kVitLibraries = {"timm", "torchvision", "pycls", "Hugging Face", "Hugging Face (transformers 5)"};
constexpr Row kVit[] = {
    {"cls_token", "class_token", "class_token", "embeddings.cls_token", "embeddings.cls_token"},
    {"dist_token", "", "", "embeddings.distillation_token", "embeddings.distillation_token"},
    {"pos_embed", "encoder.pos_embedding", "pos_embedding", "embeddings.position_embeddings", "embeddings.position_embeddings"},
    {"patch_embed.proj.*", "conv_proj.*", "stem.patchify.*", "embeddings.patch_embeddings.projection.*", "embeddings.patch_embeddings.projection.*"},
    {"blocks.{i}.norm1.*", "encoder.layers.encoder_layer_{i}.ln_1.*", "encoder.block_{i}.ln_1.*", "encoder.layer.{i}.layernorm_before.*", "layers.{i}.layernorm_before.*"},
    {"blocks.{i}.attn.qkv.*", "encoder.layers.encoder_layer_{i}.self_attention.in_proj_*", "encoder.block_{i}.self_attention.block.in_proj_*",
     "encoder.layer.{i}.attention.attention.query.*|encoder.layer.{i}.attention.attention.key.*|encoder.layer.{i}.attention.attention.value.*",
     "layers.{i}.attention.q_proj.*|layers.{i}.attention.k_proj.*|layers.{i}.attention.v_proj.*"},
    {"blocks.{i}.attn.proj.*", "encoder.layers.encoder_layer_{i}.self_attention.out_proj.*", "encoder.block_{i}.self_attention.block.out_proj.*",
     "encoder.layer.{i}.attention.output.dense.*", "layers.{i}.attention.o_proj.*"},
    {"blocks.{i}.norm2.*", "encoder.layers.encoder_layer_{i}.ln_2.*", "encoder.block_{i}.ln_2.*", "encoder.layer.{i}.layernorm_after.*", "layers.{i}.layernorm_after.*"},
    {"blocks.{i}.mlp.fc1.*", "encoder.layers.encoder_layer_{i}.mlp.0.*", "encoder.block_{i}.mlp_block.linear_1.*", "encoder.layer.{i}.intermediate.dense.*", "layers.{i}.mlp.fc1.*"},
    {"blocks.{i}.mlp.fc1.*", "encoder.layers.encoder_layer_{i}.mlp.linear_1.*", "", "", ""},  // torchvision before 0.15
    {"blocks.{i}.mlp.fc2.*", "encoder.layers.encoder_layer_{i}.mlp.3.*", "encoder.block_{i}.mlp_block.linear_2.*", "encoder.layer.{i}.output.dense.*", "layers.{i}.mlp.fc2.*"},
    {"blocks.{i}.mlp.fc2.*", "encoder.layers.encoder_layer_{i}.mlp.linear_2.*", "", "", ""},
    {"norm.*", "encoder.ln.*", "encoder.ln.*", "layernorm.*", "layernorm.*"},
    {"head.*", "heads.head.*", "head.head_fc.*", "classifier.*", "classifier.*"},
    {"head.*", "", "", "cls_classifier.*", "cls_classifier.*"},
    {"head_dist.*", "", "", "distillation_classifier.*", "distillation_classifier.*"},
};

// Adapters and the list of those in place of skipped blocks are those of DoubtedSteam/DAS.
constexpr Row kViltLibraries = {"Hugging Face", "the authors", "Hugging Face (transformers 5)", "", ""};
constexpr Row kVilt[] = {
    {"embeddings.cls_token", "transformer.cls_token", "="},
    {"embeddings.position_embeddings", "transformer.pos_embed", "="},
    {"embeddings.text_embeddings.word_embeddings.*", "text_embeddings.word_embeddings.*", "="},
    {"embeddings.text_embeddings.position_embeddings.*", "text_embeddings.position_embeddings.*", "="},
    {"embeddings.text_embeddings.token_type_embeddings.*", "text_embeddings.token_type_embeddings.*", "="},
    {"embeddings.text_embeddings.LayerNorm.*", "text_embeddings.LayerNorm.*", "="},
    {"embeddings.patch_embeddings.projection.*", "transformer.patch_embed.proj.*", "="},
    {"embeddings.token_type_embeddings.*", "token_type_embeddings.*", "="},
    {"encoder.layer.{i}.layernorm_before.*", "transformer.blocks.{i}.norm1.*", "="},
    {"encoder.layer.{i}.attention.attention.query.*|encoder.layer.{i}.attention.attention.key.*|encoder.layer.{i}.attention.attention.value.*", "transformer.blocks.{i}.attn.qkv.*", "="},
    {"encoder.layer.{i}.attention.output.dense.*", "transformer.blocks.{i}.attn.proj.*", "="},
    {"encoder.layer.{i}.layernorm_after.*", "transformer.blocks.{i}.norm2.*", "="},
    {"encoder.layer.{i}.intermediate.dense.*", "transformer.blocks.{i}.mlp.fc1.*", "="},
    {"encoder.layer.{i}.output.dense.*", "transformer.blocks.{i}.mlp.fc2.*", "="},
    {"encoder.layer.{i}.adapter{j}.adapter_layer_norm_before.*", "transformer.blocks.{i}.adapter{j}.adapter_layer_norm_before.*", "="},
    {"encoder.layer.{i}.adapter{j}.down_proj.*", "transformer.blocks.{i}.adapter{j}.down_proj.*", "="},
    {"encoder.layer.{i}.adapter{j}.up_proj.*", "transformer.blocks.{i}.adapter{j}.up_proj.*", "="},
    {"adapter_list.{i}.{j}.adapter_layer_norm_before.*", "=", "="},
    {"adapter_list.{i}.{j}.down_proj.*", "=", "="},
    {"adapter_list.{i}.{j}.up_proj.*", "=", "="},
    {"layernorm.*", "transformer.norm.*", "="},
    {"pooler.dense.*", "=", "="},
    {"classifier.{i}.*", "vqa_classifier.{i}.*", "="},
    {"classifier.{i}.*", "nlvr2_classifier.{i}.*", "="},
    {"rank_output.*", "=", "="},
    {"itm_score.fc.*", "=", "="},
    {"mlm_score.transform.dense.*", "=", "="},
    {"mlm_score.transform.LayerNorm.*", "=", "="},
    {"mlm_score.decoder.weight", "=", "="},
    {"mlm_score.bias", "=", "mlm_score.decoder.bias"},
};

// METER's two encoders, each published by itself; without CLIP's last block and what it projects to.
constexpr Row kMeterLibraries = {"METER", "OpenAI's CLIP", "Hugging Face's CLIP", "Hugging Face's RoBERTa", ""};
constexpr Row kMeter[] = {
    {"vit_model.visual.conv1.weight", "visual.conv1.weight", "embeddings.patch_embedding.weight", ""},
    {"vit_model.visual.class_embedding", "visual.class_embedding", "embeddings.class_embedding", ""},
    {"vit_model.visual.positional_embedding", "visual.positional_embedding", "embeddings.position_embedding.weight", ""},
    {"vit_model.visual.ln_pre.*", "visual.ln_pre.*", "pre_layrnorm.*", ""},
    {"vit_model.visual.ln_post.*", "visual.ln_post.*", "post_layernorm.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.attn.in_proj_*", "visual.transformer.resblocks.{i}.attn.in_proj_*", "", ""},
    {"vit_model.visual.transformer.resblocks.{i}.attn.in_proj_*", "", "encoder.layers.{i}.self_attn.q_proj.*|encoder.layers.{i}.self_attn.k_proj.*|encoder.layers.{i}.self_attn.v_proj.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.attn.out_proj.*", "visual.transformer.resblocks.{i}.attn.out_proj.*", "encoder.layers.{i}.self_attn.out_proj.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.ln_1.*", "visual.transformer.resblocks.{i}.ln_1.*", "encoder.layers.{i}.layer_norm1.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.ln_2.*", "visual.transformer.resblocks.{i}.ln_2.*", "encoder.layers.{i}.layer_norm2.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.mlp.c_fc.*", "visual.transformer.resblocks.{i}.mlp.c_fc.*", "encoder.layers.{i}.mlp.fc1.*", ""},
    {"vit_model.visual.transformer.resblocks.{i}.mlp.c_proj.*", "visual.transformer.resblocks.{i}.mlp.c_proj.*", "encoder.layers.{i}.mlp.fc2.*", ""},
    {"vit_model.positional_embedding", "positional_embedding", "", ""},
    {"vit_model.ln_final.*", "ln_final.*", "", ""},
    {"text_transformer.embeddings.word_embeddings.*", "", "", "embeddings.word_embeddings.*"},
    {"text_transformer.embeddings.position_embeddings.*", "", "", "embeddings.position_embeddings.*"},
    {"text_transformer.embeddings.token_type_embeddings.*", "", "", "embeddings.token_type_embeddings.*"},
    {"text_transformer.embeddings.LayerNorm.*", "", "", "embeddings.LayerNorm.*"},
    {"text_transformer.encoder.layer.{i}.attention.self.query.*", "", "", "encoder.layer.{i}.attention.self.query.*"},
    {"text_transformer.encoder.layer.{i}.attention.self.key.*", "", "", "encoder.layer.{i}.attention.self.key.*"},
    {"text_transformer.encoder.layer.{i}.attention.self.value.*", "", "", "encoder.layer.{i}.attention.self.value.*"},
    {"text_transformer.encoder.layer.{i}.attention.output.dense.*", "", "", "encoder.layer.{i}.attention.output.dense.*"},
    {"text_transformer.encoder.layer.{i}.attention.output.LayerNorm.*", "", "", "encoder.layer.{i}.attention.output.LayerNorm.*"},
    {"text_transformer.encoder.layer.{i}.intermediate.dense.*", "", "", "encoder.layer.{i}.intermediate.dense.*"},
    {"text_transformer.encoder.layer.{i}.output.dense.*", "", "", "encoder.layer.{i}.output.dense.*"},
    {"text_transformer.encoder.layer.{i}.output.LayerNorm.*", "", "", "encoder.layer.{i}.output.LayerNorm.*"},
    {"text_transformer.pooler.dense.*", "", "", "pooler.dense.*"},
};

constexpr Row kResnetLibraries = {"timm and torchvision", "pycls", "Hugging Face", "", ""};
constexpr Row kResnet[] = {
    {"conv1.*", "stem.conv.*", "embedder.embedder.convolution.*"},
    {"bn1.*", "stem.bn.*", "embedder.embedder.normalization.*"},
    {"layer{i+1}.{j}.conv1.*", "s{i+1}.b{j+1}.f.a.*", "encoder.stages.{i}.layers.{j}.layer.0.convolution.*"},
    {"layer{i+1}.{j}.bn1.*", "s{i+1}.b{j+1}.f.a_bn.*", "encoder.stages.{i}.layers.{j}.layer.0.normalization.*"},
    {"layer{i+1}.{j}.conv2.*", "s{i+1}.b{j+1}.f.b.*", "encoder.stages.{i}.layers.{j}.layer.1.convolution.*"},
    {"layer{i+1}.{j}.bn2.*", "s{i+1}.b{j+1}.f.b_bn.*", "encoder.stages.{i}.layers.{j}.layer.1.normalization.*"},
    {"layer{i+1}.{j}.conv3.*", "s{i+1}.b{j+1}.f.c.*", "encoder.stages.{i}.layers.{j}.layer.2.convolution.*"},
    {"layer{i+1}.{j}.bn3.*", "s{i+1}.b{j+1}.f.c_bn.*", "encoder.stages.{i}.layers.{j}.layer.2.normalization.*"},
    {"layer{i+1}.{j}.downsample.0.*", "s{i+1}.b{j+1}.proj.*", "encoder.stages.{i}.layers.{j}.shortcut.convolution.*"},
    {"layer{i+1}.{j}.downsample.1.*", "s{i+1}.b{j+1}.bn.*", "encoder.stages.{i}.layers.{j}.shortcut.normalization.*"},
    {"fc.*", "head.fc.*", "classifier.1.*"},
};

constexpr Row kRegnetLibraries = {"timm", "torchvision", "pycls", "Hugging Face", "Hugging Face"};  // without and with squeeze-excite
constexpr Row kRegnet[] = {
    {"stem.conv.*", "stem.0.*", "stem.conv.*", "embedder.embedder.convolution.*", "embedder.embedder.convolution.*"},
    {"stem.bn.*", "stem.1.*", "stem.bn.*", "embedder.embedder.normalization.*", "embedder.embedder.normalization.*"},
    {"s{i+1}.b{j+1}.conv1.conv.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.a.0.*", "s{i+1}.b{j+1}.f.a.*", "encoder.stages.{i}.layers.{j}.layer.0.convolution.*",
     "encoder.stages.{i}.layers.{j}.layer.0.convolution.*"},
    {"s{i+1}.b{j+1}.conv1.bn.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.a.1.*", "s{i+1}.b{j+1}.f.a_bn.*", "encoder.stages.{i}.layers.{j}.layer.0.normalization.*",
     "encoder.stages.{i}.layers.{j}.layer.0.normalization.*"},
    {"s{i+1}.b{j+1}.conv2.conv.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.b.0.*", "s{i+1}.b{j+1}.f.b.*", "encoder.stages.{i}.layers.{j}.layer.1.convolution.*",
     "encoder.stages.{i}.layers.{j}.layer.1.convolution.*"},
    {"s{i+1}.b{j+1}.conv2.bn.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.b.1.*", "s{i+1}.b{j+1}.f.b_bn.*", "encoder.stages.{i}.layers.{j}.layer.1.normalization.*",
     "encoder.stages.{i}.layers.{j}.layer.1.normalization.*"},
    {"s{i+1}.b{j+1}.se.fc1.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.se.fc1.*", "s{i+1}.b{j+1}.f.se.f_ex.0.*", "", "encoder.stages.{i}.layers.{j}.layer.2.attention.0.*"},
    {"s{i+1}.b{j+1}.se.fc2.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.se.fc2.*", "s{i+1}.b{j+1}.f.se.f_ex.2.*", "", "encoder.stages.{i}.layers.{j}.layer.2.attention.2.*"},
    {"s{i+1}.b{j+1}.conv3.conv.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.c.0.*", "s{i+1}.b{j+1}.f.c.*", "encoder.stages.{i}.layers.{j}.layer.2.convolution.*",
     "encoder.stages.{i}.layers.{j}.layer.3.convolution.*"},
    {"s{i+1}.b{j+1}.conv3.bn.*", "trunk_output.block{i+1}.block{i+1}-{j}.f.c.1.*", "s{i+1}.b{j+1}.f.c_bn.*", "encoder.stages.{i}.layers.{j}.layer.2.normalization.*",
     "encoder.stages.{i}.layers.{j}.layer.3.normalization.*"},
    {"s{i+1}.b{j+1}.downsample.conv.*", "trunk_output.block{i+1}.block{i+1}-{j}.proj.0.*", "s{i+1}.b{j+1}.proj.*", "encoder.stages.{i}.layers.{j}.shortcut.convolution.*",
     "encoder.stages.{i}.layers.{j}.shortcut.convolution.*"},
    {"s{i+1}.b{j+1}.downsample.bn.*", "trunk_output.block{i+1}.block{i+1}-{j}.proj.1.*", "s{i+1}.b{j+1}.bn.*", "encoder.stages.{i}.layers.{j}.shortcut.normalization.*",
     "encoder.stages.{i}.layers.{j}.shortcut.normalization.*"},
    {"head.fc.*", "fc.*", "head.fc.*", "classifier.1.*", "classifier.1.*"},
};

constexpr Row kVggLibraries = {"timm", "torchvision", "", "", ""};
constexpr Row kVgg[] = {
    {"features.{i}.*", "features.{i}.*"},
    {"pre_logits.fc1.*", "classifier.0.*"},  // a convolution of the last 7x7 image there, a matrix here
    {"pre_logits.fc2.*", "classifier.3.*"},
    {"head.fc.*", "classifier.6.*"},
};

constexpr Table kTables[] = {{kVggLibraries, kVgg}, {kVitLibraries, kVit}, {kViltLibraries, kVilt}, {kMeterLibraries, kMeter, true}, {kResnetLibraries, kResnet}, {kRegnetLibraries, kRegnet}};

// What wraps a whole network and its name, in checkpoints and in graphs with a head.
constexpr std::string_view kWrappers[] = {"module.", "model.", "_orig_mod.", "vilt.", "vit.", "deit.", "resnet.", "regnet.", "vision_model.", "roberta."};
std::string_view unwrapped(std::string_view name) {
  for (bool again = true; again;) {
    again = false;
    for (std::string_view wrapper : kWrappers)
      if (name.starts_with(wrapper)) name.remove_prefix(wrapper.size()), again = true;
  }
  return name;
}

struct Holes {
  std::optional<int64_t> number[2];  // {i}, {j}
  std::string_view leaf;             // *
};

// The hole that a pattern begins with: which number, and from what it counts; nothing at any other character.
struct Hole {
  size_t which = 0, length = 0;
  int64_t base = 0;
};
std::optional<Hole> hole_at(std::string_view pattern) {
  if (pattern.size() < 3 || pattern[0] != '{') return std::nullopt;
  const size_t which = pattern[1] == 'i' ? 0 : 1;
  if (pattern[2] == '}') return Hole{which, 3, 0};
  return Hole{which, 5, 1};  // {i+1}
}

std::optional<Holes> match(std::string_view pattern, std::string_view name) {
  Holes holes;
  while (!pattern.empty()) {
    if (const auto hole = hole_at(pattern)) {
      int64_t n = 0;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), n);
      if (error != std::errc() || n < hole->base || n > 1'000'000) return std::nullopt;
      n -= hole->base;
      if (holes.number[hole->which].value_or(n) != n) return std::nullopt;
      holes.number[hole->which] = n;
      name.remove_prefix(static_cast<size_t>(end - name.data()));
      pattern.remove_prefix(hole->length);
    } else if (pattern == "*") {
      if (name.empty() || name.find('.') != std::string_view::npos) return std::nullopt;
      holes.leaf = name;
      return holes;
    } else {
      if (name.empty() || name[0] != pattern[0]) return std::nullopt;
      name.remove_prefix(1);
      pattern.remove_prefix(1);
    }
  }
  return name.empty() ? std::optional(holes) : std::nullopt;
}

std::string filled(std::string_view pattern, const Holes& holes) {
  std::string name;
  while (!pattern.empty()) {
    if (const auto hole = hole_at(pattern)) {
      name += fmt::format("{}", holes.number[hole->which].value_or(0) + hole->base);
      pattern.remove_prefix(hole->length);
    } else {
      name += pattern == "*" ? holes.leaf : pattern.substr(0, 1);
      pattern.remove_prefix(1);
    }
  }
  return name;
}

// The tensors of a cell.
std::vector<std::string_view> parts(const Row& row, size_t column) {
  std::string_view cell = row[column] == "=" ? row[0] : row[column];
  std::vector<std::string_view> out;
  for (size_t bar; (bar = cell.find('|')) != std::string_view::npos; cell.remove_prefix(bar + 1)) out.push_back(cell.substr(0, bar));
  if (!cell.empty()) out.push_back(cell);
  return out;
}

// Part `k` of `n` equal parts along dimension 0, as a view.
std::optional<Tensor> cut(const Tensor& whole, size_t k, size_t n) {
  const auto count = static_cast<int64_t>(n);
  if (whole.shape.empty() || whole.shape[0] % count || bits(whole.dtype) % 8 || whole.bytes.size % n) return std::nullopt;
  Tensor part = whole;
  part.shape[0] /= count;
  part.bytes.size /= n;
  part.bytes.data += k * part.bytes.size;
  return part;
}

// The pieces below each other, along dimension 0.
std::optional<Tensor> joined(const std::vector<const Tensor*>& pieces) {
  if (pieces.size() == 1) return *pieces[0];
  const Tensor& first = *pieces[0];
  Int rows = 0;
  auto bytes = std::make_shared<std::vector<std::byte>>();
  for (const Tensor* piece : pieces) {
    if (piece->shape.empty() || piece->dtype != first.dtype || bits(piece->dtype) % 8 || !piece->bytes.data) return std::nullopt;
    if (!std::equal(piece->shape.begin() + 1, piece->shape.end(), first.shape.begin() + 1, first.shape.end())) return std::nullopt;
    rows += piece->shape[0];
    bytes->insert(bytes->end(), piece->bytes.data, piece->bytes.data + piece->bytes.size);
  }
  if (!rows.ok()) return std::nullopt;
  Tensor whole = first;
  whole.shape[0] = rows.value();
  const std::byte* data = bytes->data();
  const size_t size = bytes->size();
  whole.bytes = {std::move(bytes), data, size};
  return whole;
}

// May one be reshaped to the other: a matrix and a convolution of its image, dimensions of 1 more or less.
bool reshapes(Shape a, Shape b) {
  const auto n = element_count(a), m = element_count(b);
  std::erase(a, 1);
  std::erase(b, 1);
  return n && n == m && a.empty() == b.empty() && (a.empty() || a[0] == b[0]);
}

using Index = std::unordered_map<std::string_view, size_t>;  // unwrapped name -> position

struct Found {
  std::vector<size_t> from;  // positions in the checkpoint
  size_t part = 0, of = 1;   // the part of a stacked tensor that is wanted
};

// Where column `source` keeps the tensor that the graph calls `name` in column `target`; `from` empty: nowhere.
std::vector<Found> places(const Table& table, size_t target, size_t source, std::string_view name, const Index& index) {
  std::vector<Found> out;
  for (const Row& row : table.rows) {
    const auto there = parts(row, source), here = parts(row, target);
    for (size_t k = 0; k < here.size() && !there.empty(); ++k) {
      const auto holes = match(here[k], name);
      if (!holes) continue;
      Found found;
      if (here.size() > 1 && there.size() == 1) found.part = k, found.of = here.size();
      const bool one_to_one = here.size() == there.size();
      for (size_t p = 0; p < there.size(); ++p) {
        if (one_to_one && p != k) continue;
        const auto at = index.find(filled(there[p], *holes));
        if (at != index.end()) found.from.push_back(at->second);
      }
      if (found.from.size() == (one_to_one ? 1 : there.size())) out.push_back(std::move(found));
    }
  }
  return out;
}

std::optional<Tensor> fetched(const Found& found, const NamedTensors& tensors, const Shape& shape) {
  std::vector<const Tensor*> pieces;
  for (size_t at : found.from) pieces.push_back(&tensors[at].second);
  auto tensor = joined(pieces);
  if (tensor && found.of > 1) tensor = cut(*tensor, found.part, found.of);
  if (!tensor || !reshapes(tensor->shape, shape)) return std::nullopt;
  tensor->shape = shape;
  return tensor;
}

// A tensor that is neither cut nor joined and has another shape keeps it under the new name: a position table to be resized,
// a head of other classes to be told of.
bool only_renamed(const Found& found) { return found.of == 1 && found.from.size() == 1; }

}  // namespace

std::optional<Translation> translated(const Graph& graph, const NamedTensors& tensors, size_t found) {
  Index index;
  for (size_t i = 0; i < tensors.size(); ++i) index.emplace(unwrapped(tensors[i].first), i);
  const auto state = graph.state();
  const Table* best = nullptr;
  size_t best_target = 0, best_source = 0;
  for (const Table& table : kTables)
    for (size_t target = 0; target < kColumns; ++target)
      for (size_t source = 0; source < kColumns; ++source) {
        if (table.libraries[target].empty() || table.libraries[source].empty()) continue;
        size_t filled_here = 0;
        for (ValueId v : state) {
          const Value& value = graph.value(v);
          if (is_float(value.type.dtype)) filled_here += !places(table, target, source, unwrapped(value.name), index).empty();
        }
        if (filled_here > found) found = filled_here, best = &table, best_target = target, best_source = source;
      }
  if (!best) return std::nullopt;

  Renamed out;
  std::vector<bool> used(tensors.size());
  size_t stacked = 0;
  std::vector<std::pair<ValueId, std::vector<Found>>> unfit;
  for (ValueId v : state) {
    const Value& value = graph.value(v);
    auto found_at = places(*best, best_target, best_source, unwrapped(value.name), index);
    bool fits = false;
    for (const Found& place : found_at) {
      auto tensor = fetched(place, tensors, value.type.shape);
      if (!tensor) continue;
      for (size_t at : place.from) used[at] = true;
      stacked += place.of > 1 || place.from.size() > 1;
      out.tensors.emplace_back(value.name, std::move(*tensor));
      fits = true;
      break;
    }
    if (!fits && !found_at.empty()) unfit.emplace_back(v, std::move(found_at));
  }
  const size_t filled_by_table = out.tensors.size();
  if (filled_by_table == 0) return std::nullopt;
  for (const auto& [v, found_at] : unfit)
    for (const Found& place : found_at) {
      if (!only_renamed(place) || used[place.from[0]]) continue;
      used[place.from[0]] = true;
      out.tensors.emplace_back(graph.value(v).name, tensors[place.from[0]].second);
      break;
    }
  const size_t renamed = out.tensors.size();
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!used[i]) out.tensors.push_back(tensors[i]);
  const std::string_view theirs = best->libraries[best_source], ours = best->libraries[best_target];
  out.how = theirs == ours ? fmt::format("the names are those of {} under another prefix: {} tensors were renamed", ours, renamed)
                           : fmt::format("the names are those of {}, the network's those of {}: {} tensors were renamed{}", theirs, ours, renamed,
                                         stacked ? fmt::format(", {} of them cut or joined", stacked) : "");
  return Translation{std::move(out), filled_by_table, best->parts};
}

}  // namespace hone
