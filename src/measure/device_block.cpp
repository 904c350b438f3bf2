#include "measure/device_block.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "ir/builder.h"
#include "zoo/elasticvit_graph.h"
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
    const int64_t v = b.sizes[i], low = names[i] == "se" ? 0 : 1, high = names[i] == "se" ? 1 : names[i] == "side" ? 4096 : names[i] == "in" || names[i] == "out" || names[i] == "width" || names[i] == "channels" || names[i] == "length" ? 1 << 20 : 16;
    if (v < low || v > high) return fail(Code::invalid, fmt::format("{} {} is out of range, {} to {}", names[i], v, low, high), print(b));
  }
  if (b.kind == "attention" && b.sizes[1] % elasticvit::kHeadDim) return fail(Code::invalid, fmt::format("an attention's width is a multiple of {}", elasticvit::kHeadDim), print(b));
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

BlockWork raw_work(const Block& b) {
  std::vector<double> s(b.sizes.begin(), b.sizes.end());
  s.resize(7);
  if (b.kind == "first_conv") {
    const double n = std::ceil(s[0] / 2) * std::ceil(s[0] / 2);
    return {9 * s[1] * s[2] * n, s[1] * s[0] * s[0] + s[2] * n, 9 * s[1] * s[2] + 2 * s[2]};
  }
  if (b.kind == "mobile") return mobile_work(s[0], s[1], s[2], s[3], s[4], s[5], s[6] != 0);
  if (b.kind == "downsample") return mobile_work(s[0], s[1], s[2], elasticvit::kDownsampleExpand, s[3], 3, true);
  if (b.kind == "attention") {
    const double n = s[0] * s[0], c = s[1], v = s[2] * c, heads = c / elasticvit::kHeadDim, span = 2 * s[0] - 1;
    return {n * c * (2 * c + v) + 9 * n * v + n * n * (c + v) + n * v * c, n * c * (2 + s[2]) + 2 * heads * n * n + n * v + n * c,
            2 * c + c * (2 * c + v) + 9 * v + heads * span * span + v * c + c};
  }
  if (b.kind == "feed_forward") {
    const double n = s[0] * s[0], c = s[1], m = s[2];
    return {2 * n * m * c * c, n * c * (2 * m + 2), 2 * c + 2 * m * c * c + m * c + c};
  }
  if (b.kind == "head") {
    const elasticvit::Space& space = elasticvit::published_space();
    const double n = s[0] * s[0], c = s[1], wide = elasticvit::kHeadExpand * c, hidden = static_cast<double>(space.head_width), classes = static_cast<double>(space.classes);
    return {n * c * wide + wide * hidden + hidden * classes, 12 * n * c, c * wide + wide + 2 * wide + wide * hidden + hidden + hidden * classes + classes};
  }
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
  void add(std::string kind, std::vector<int64_t> sizes, int64_t count = 1) {
    if (count < 1) return;
    Block b{std::move(kind), std::move(sizes)};
    for (BlockCount& c : blocks)
      if (c.block == b) {
        c.count += count;
        return;
      }
    blocks.push_back({std::move(b), count});
  }
  std::vector<BlockCount> blocks;
};

struct StageSizes {
  bool mobile = true, se = false;
  int64_t depth = 1, width = 0, stride = 1, expand = 1, kernel = 3, value = 2;  // expand: MLP ratio of a transformer
};

std::vector<BlockCount> walk(int64_t resolution, int64_t channels, int64_t stem, const std::vector<StageSizes>& stages) {
  Joined out;
  out.add("first_conv", {resolution, channels, stem});
  int64_t side = halved(resolution, 2), width = stem;
  for (const StageSizes& s : stages) {
    const int64_t after = halved(side, s.stride);
    if (s.mobile) {
      out.add("mobile", {side, width, s.width, s.expand, s.stride, s.kernel, s.se});
      out.add("mobile", {after, s.width, s.width, s.expand, 1, s.kernel, s.se}, s.depth - 1);
    } else {
      out.add("downsample", {side, width, s.width, s.stride});
      out.add("attention", {after, s.width, s.value}, s.depth);
      out.add("feed_forward", {after, s.width, s.expand}, s.depth);
    }
    side = after;
    width = s.width;
  }
  out.add("head", {side, width});
  return out.blocks;
}

}  // namespace

std::vector<BlockCount> blocks_of(const elasticvit::Space& space, const elasticvit::Member& m) {
  std::vector<StageSizes> stages;
  for (size_t i = 0; i < m.stages; ++i) {
    const auto& c = space.stages[i];
    const auto& g = m.stage[i];
    const bool mobile = c.block == elasticvit::Block::mobile;
    stages.push_back({mobile, c.se, g.depth, g.width, c.stride, mobile ? g.expand : g.mlp, g.kernel, g.value});
  }
  return walk(m.resolution, 3, m.stage[0].width, stages);
}

Result<std::vector<BlockCount>> blocks_of(const Arch& arch) {
  if (arch.family != "elasticvit") return fail(Code::usage, fmt::format("is of family {}, not elasticvit", arch.family), arch.name);
  HONE_TRY(check(arch));
  std::vector<StageSizes> stages;
  for (const Stage& s : arch.stages)
    stages.push_back({s.block == "mobile", s.se > 0, s.depth, s.width, s.stride, static_cast<int64_t>(s.expand), s.kernel, option_int(s.options, "value_scale", 2)});
  return walk(arch.resolution, arch.channels, arch.stem.width, stages);
}

Result<Graph> block_graph(const Block& block) {
  HONE_TRY(check_sizes(block));
  if (block.kind.starts_with(kCutKind) || !known_kind(block.kind)) return fail(Code::failed, "has no graph of its own: it is measured as part of its network", print(block));
  const std::vector<int64_t>& s = block.sizes;
  Builder b(print(block));
  const ValueId x = b.input("x", DType::f32, {1, s[1], s[0], s[0]});
  ValueId y = x;
  if (block.kind == "first_conv") y = elasticvit::first_conv(b, x, s[2]);
  if (block.kind == "mobile") y = elasticvit::mobile_block(b, x, {s[2], s[3], s[5], s[4], s[6] != 0});
  if (block.kind == "downsample") y = elasticvit::mobile_block(b, x, {s[2], elasticvit::kDownsampleExpand, 3, s[3], true});
  if (block.kind == "attention") y = elasticvit::attention(b, x, s[2], signed_offsets(b, s[0]));
  if (block.kind == "feed_forward") y = elasticvit::feed_forward(b, x, s[2]);
  if (block.kind == "head") y = elasticvit::head(b, x, elasticvit::published_space().head_width, elasticvit::published_space().classes);
  b.output(y);
  return b.finish();
}

}  // namespace hone
