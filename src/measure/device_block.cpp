#include "measure/device_block.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "ir/builder.h"
#include "zoo/space_graph.h"
#include "zoo/tokens.h"

namespace hone {

namespace {

using Names = std::vector<std::string_view>;

struct Kind {
  std::string_view name, other;  // other: in the authors' tables
  Names sizes;
};
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"first_conv", "firstconv", {"side", "in", "out"}},
      {"mobile", "conv", {"side", "in", "out", "expand", "stride", "kernel", "se"}},
      {"downsample", "ds", {"side", "in", "out", "stride"}},
      {"attention", "attn", {"side", "width", "value"}},
      {"feed_forward", "ffn", {"side", "width", "mlp"}},
      {"head", "mbpool", {"side", "width"}},
      {"stem", "", {"side", "in", "out", "stride"}},
      {"pool_head", "", {"side", "width", "expand", "hidden", "classes"}},
      {"frame", "", {"rank", "channels", "length"}},
  };
  return all;
}
const Kind* find_kind(std::string_view word) {
  if (word.empty()) return nullptr;
  for (const Kind& k : kinds())
    if (word == k.name || word == k.other || (word.substr(0, 5) == "trans" && word.substr(5) == k.other)) return &k;
  return nullptr;
}

constexpr int64_t kMaxSize = int64_t{1} << 40;  // of a cut's work; sides and widths are far below

std::optional<int64_t> whole(std::string_view text) {
  int64_t v = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size() || v < 0 || v > kMaxSize) return std::nullopt;
  return v;
}

// The value of a word in the authors' notation: "e3", "s1", "k5", "v2", "m4", "se", "nose", or a number.
std::optional<int64_t> short_size(std::string_view word, std::string_view name) {
  if (name == "se") return word == "se" ? std::optional<int64_t>(1) : word == "nose" ? std::optional<int64_t>(0) : std::nullopt;
  if (name == "expand" || name == "stride" || name == "kernel" || name == "value" || name == "mlp") {
    if (word.empty() || word.front() != name.front()) return std::nullopt;
    word.remove_prefix(1);
  }
  return whole(word);
}

Status check_sizes(const Block& b) {
  if (b.kind.starts_with(kCutKind)) return {};
  const Names& names = size_names(b.kind);
  for (size_t i = 0; i < names.size(); ++i) {
    const int64_t v = b.sizes[i], low = names[i] == "se" ? 0 : 1, high = names[i] == "se" ? 1 : names[i] == "side" ? 4096 : names[i] == "in" || names[i] == "out" || names[i] == "width" || names[i] == "channels" || names[i] == "length" || names[i] == "hidden" || names[i] == "classes" ? 1 << 20 : 16;
    if (v < low || v > high) return fail(Code::invalid, fmt::format("{} {} is out of range, {} to {}", names[i], v, low, high), print(b));
  }
  if (b.kind == "attention" && b.sizes[1] % space::kHeadDim) return fail(Code::invalid, fmt::format("an attention's width is a multiple of {}", space::kHeadDim), print(b));
  return {};
}

}  // namespace

bool known_kind(std::string_view kind) { return kind.starts_with(kCutKind) || std::any_of(kinds().begin(), kinds().end(), [&](const Kind& k) { return k.name == kind; }); }

const Names& size_names(std::string_view kind) {
  static const Names cut = {"in", "side", "out", "macs", "elements", "weights"}, none;
  if (kind.starts_with(kCutKind)) return cut;
  const Kind* k = find_kind(kind);
  return k ? k->sizes : none;
}

std::string print(const Block& b) {
  std::string out = b.kind;
  const Names& names = size_names(b.kind);
  for (size_t i = 0; i < names.size() && i < b.sizes.size(); ++i) out += fmt::format(" {}={}", names[i], b.sizes[i]);
  return out;
}

Result<Block> parse_block(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t", begin), text.size());
    words.push_back(text.substr(begin, at - begin));
  }
  auto bad = [&](std::string message) { return fail(Code::invalid, std::move(message), fmt::format("block '{}'", text), "such as: attention side=14 width=64 value=2"); };
  if (words.empty()) return bad("is empty");
  const bool cut = words[0].starts_with(kCutKind);
  const Kind* kind = cut ? nullptr : find_kind(words[0]);
  if (!cut && !kind) return bad(fmt::format("there is no kind of block called '{}'", words[0]));
  Block b{std::string(cut ? words[0] : kind->name), {}};
  const Names& names = size_names(b.kind);
  if (words.size() != names.size() + 1) return bad(fmt::format("has {} sizes, the kind has {}: {}", words.size() - 1, names.size(), fmt::join(names, ", ")));
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view word = words[i + 1];
    const bool named = word.size() > names[i].size() && word.starts_with(names[i]) && word[names[i].size()] == '=';
    const auto v = named ? whole(word.substr(names[i].size() + 1)) : short_size(word, names[i]);
    if (!v) return bad(fmt::format("'{}' is no {}", word, names[i]));
    b.sizes.push_back(*v);
  }
  HONE_TRY(check_sizes(b));
  return b;
}

namespace {

int64_t halved(int64_t side, int64_t stride) { return (side + stride - 1) / stride; }

BlockWork mobile_work(double side, double in, double out, double expand, double stride, double kernel, bool se) {
  const double after = std::ceil(side / stride), n = after * after, before = side * side, inner = in * expand, squeezed = std::floor(inner / 4);
  const bool project = in != out;
  BlockWork w;
  w.macs = (expand > 1 ? in * inner * before : 0) + inner * kernel * kernel * n + inner * out * n + (se ? 2 * inner * squeezed : 0) + (project ? in * out * n : 0);
  w.elements = (expand > 1 ? inner * before : 0) + inner * n + out * n + in * before;
  w.weights = (expand > 1 ? in * inner + 2 * inner : 0) + inner * kernel * kernel + 2 * inner + inner * out + 2 * out + (se ? 2 * inner * squeezed + squeezed + inner : 0) + (project ? in * out : 0);
  return w;
}

BlockWork stem_work(double side, double in, double out, double stride) {
  const double after = std::ceil(side / stride), n = after * after;
  return {9 * in * out * n, in * side * side + out * n, 9 * in * out + 2 * out};
}

BlockWork head_work(double side, double c, double expand, double hidden, double classes) {
  const double n = side * side, wide = expand * c;
  return {n * c * wide + wide * hidden + hidden * classes, 2 * n * wide, c * wide + wide + 2 * wide + wide * hidden + hidden + hidden * classes + classes};
}

BlockWork raw_work(const Block& b) {
  std::vector<double> s(b.sizes.begin(), b.sizes.end());
  s.resize(7);
  if (b.kind == "first_conv") return stem_work(s[0], s[1], s[2], 2);
  if (b.kind == "stem") return stem_work(s[0], s[1], s[2], s[3]);
  if (b.kind == "mobile") return mobile_work(s[0], s[1], s[2], s[3], s[4], s[5], s[6] != 0);
  if (b.kind == "downsample") return mobile_work(s[0], s[1], s[2], space::kDownsampleExpand, s[3], 3, true);
  if (b.kind == "attention") {
    const double n = s[0] * s[0], c = s[1], v = s[2] * c, heads = c / space::kHeadDim, span = 2 * s[0] - 1;
    return {n * c * (2 * c + v) + 9 * n * v + n * n * (c + v) + n * v * c, n * c * (2 + s[2]) + 2 * heads * n * n + n * v + n * c,
            2 * c + c * (2 * c + v) + 9 * v + heads * span * span + v * c + c};
  }
  if (b.kind == "feed_forward") {
    const double n = s[0] * s[0], c = s[1], m = s[2];
    return {2 * n * m * c * c, n * c * (2 * m + 2), 2 * c + 2 * m * c * c + m * c + c};
  }
  if (b.kind == "head") {
    const space::Space& space = space::published_space();
    return head_work(s[0], s[1], space::kHeadExpand, static_cast<double>(space.head_width), static_cast<double>(space.classes));
  }
  if (b.kind == "pool_head") return head_work(s[0], s[1], s[2], s[3], s[4]);
  if (b.kind == "frame") return {};
  return {s[3], s[4], s[5]};  // a cut carries its work
}

}  // namespace

BlockWork work_of(const Block& block) {
  const BlockWork w = raw_work(block);
  return {w.macs / 1e6, w.elements / 1e6, w.weights / 1e6};
}

namespace {

class Joined {
 public:
  void add(std::string kind, std::vector<int64_t> sizes) { add(Block{std::move(kind), std::move(sizes)}); }
  void add(Block b) {
    for (BlockCount& c : blocks)
      if (c.block == b) {
        ++c.count;
        return;
      }
    blocks.push_back({std::move(b), 1});
  }
  std::vector<BlockCount> blocks;
};

std::vector<int64_t> genes_of(const Stage& s, const char* key, int64_t value) {
  std::vector<int64_t> out = option_ints(s.options, key);
  out.resize(static_cast<size_t>(s.depth), value);
  return out;
}

}  // namespace

Block stem_block(int64_t side, int64_t in, int64_t out, int64_t stride) { return stride == 2 ? Block{"first_conv", {side, in, out}} : Block{"stem", {side, in, out, stride}}; }

Block head_block(int64_t side, int64_t width, int64_t expand, int64_t hidden, int64_t classes) {
  const space::Space& published = space::published_space();
  if (expand == space::kHeadExpand && hidden == published.head_width && classes == published.classes) return {"head", {side, width}};
  return {"pool_head", {side, width, expand, hidden, classes}};
}

bool has_blocks(const Arch& a) {
  return a.family == "elasticvit" && a.activation == "hard_swish" && a.options.empty() && a.head.kind == "mb_pool" && a.head.width > 0 &&
         std::all_of(a.stages.begin(), a.stages.end(), [](const Stage& s) { return s.activation.empty() && !s.options.contains("shortcut") && (s.block == "mobile" || s.se > 0); });
}

Result<std::vector<BlockCount>> blocks_of(const space::Space& space, const space::Member& member) {
  HONE_TRY(check(space, member));
  return blocks_of(to_arch(space, member, "a member of " + space.name));
}

Result<std::vector<BlockCount>> blocks_of(const Arch& arch) {
  if (!has_blocks(arch)) return fail(Code::usage, "is not built of the blocks of ElasticViT", arch.name);
  HONE_TRY(check(arch));
  Joined out;
  const int64_t stem_stride = option_int(arch.stem.options, "stride", 2);
  out.add(stem_block(arch.resolution, arch.channels, arch.stem.width, stem_stride));
  int64_t side = halved(arch.resolution, stem_stride), width = arch.stem.width;
  for (const Stage& s : arch.stages) {
    const int64_t after = halved(side, s.stride), ratio = static_cast<int64_t>(s.expand);
    const auto depth = static_cast<size_t>(s.depth);
    if (s.block == "mobile") {
      const auto expands = genes_of(s, "expands", ratio), kernels = genes_of(s, "kernels", s.kernel), ses = genes_of(s, "ses", s.se > 0);
      for (size_t i = 0; i < depth; ++i) out.add("mobile", {i == 0 ? side : after, i == 0 ? width : s.width, s.width, expands[i], i == 0 ? s.stride : 1, kernels[i], ses[i]});
    } else {
      const auto values = genes_of(s, "values", option_int(s.options, "value_scale", 2)), mlps = genes_of(s, "mlps", ratio);
      out.add("downsample", {side, width, s.width, s.stride});
      for (size_t i = 0; i < depth; ++i) out.add("attention", {after, s.width, values[i]});
      for (size_t i = 0; i < depth; ++i) out.add("feed_forward", {after, s.width, mlps[i]});
    }
    side = after;
    width = s.width;
  }
  out.add(head_block(side, width, option_int(arch.head.options, "expand", space::kHeadExpand), arch.head.width, arch.head.classes));
  return out.blocks;
}

Result<Graph> block_graph(const Block& block) {
  HONE_TRY(check_sizes(block));
  if (block.kind.starts_with(kCutKind) || !known_kind(block.kind)) return fail(Code::failed, "has no graph of its own: it is measured as part of its network", print(block));
  const std::vector<int64_t>& s = block.sizes;
  Builder b(print(block));
  const ValueId x = b.input("x", DType::f32, {1, s[1], s[0], s[0]});
  ValueId y = x;
  if (block.kind == "first_conv") y = space::first_conv(b, x, s[2]);
  if (block.kind == "stem") y = space::first_conv(b, x, s[2], s[3]);
  if (block.kind == "mobile") y = space::mobile_block(b, x, {s[2], s[3], s[5], s[4], s[6] != 0});
  if (block.kind == "downsample") y = space::mobile_block(b, x, {s[2], space::kDownsampleExpand, 3, s[3], true});
  if (block.kind == "attention") y = space::attention(b, x, {s[2]}, signed_offsets(b, s[0]));
  if (block.kind == "feed_forward") y = space::feed_forward(b, x, {s[2]});
  if (block.kind == "head") y = space::head(b, x, {space::HeadKind::mb_pool, space::kHeadExpand, space::published_space().head_width, space::published_space().classes});
  if (block.kind == "pool_head") y = space::head(b, x, {space::HeadKind::mb_pool, s[2], s[3], s[4]});
  b.output(y);
  return b.finish();
}

}  // namespace hone
