#include "zoo/catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/nearest.h"
#include "formats/onnx_read.h"
#include "ir/text.h"
#include "zoo/space.h"
#include "zoo/families.h"

namespace hone {
namespace {

std::string_view library(std::string_view name) { return name.substr(0, name.find('/')); }
std::string_view without_library(std::string_view name) { return name.substr(name.find('/') + 1); }

// Libraries whose networks have one resolution, that of their position tables or of the encoding.
bool fixed_resolution(std::string_view lib) { return lib == "vilt" || lib == "meter" || lib == "elasticvit"; }

// Where bare names are looked up first; the other libraries follow in alphabetical order.
int rank(std::string_view lib) { return lib == "timm" ? 0 : lib == "torchvision" ? 1 : 2; }

const Arch* find_full(std::string_view name) {
  const auto& all = aliases();
  auto alias = std::lower_bound(all.begin(), all.end(), name, [](const auto& a, std::string_view n) { return a.first < n; });
  if (alias != all.end() && alias->first == name) name = alias->second;
  const auto& nets = catalog();
  auto it = std::lower_bound(nets.begin(), nets.end(), name, [](const Arch& a, std::string_view n) { return a.name < n; });
  return it != nets.end() && it->name == name ? &*it : nullptr;
}

const Arch* find(std::string_view name) {
  if (const Arch* a = find_full(name)) return a;
  static const std::vector<std::string> libraries = [] {
    std::vector<std::string> libs;
    for (const Arch& a : catalog()) libs.emplace_back(library(a.name));
    std::sort(libs.begin(), libs.end(), [](const auto& a, const auto& b) { return std::pair(rank(a), a) < std::pair(rank(b), b); });
    libs.erase(std::unique(libs.begin(), libs.end()), libs.end());
    return libs;
  }();
  for (const std::string& lib : libraries)
    if (const Arch* a = find_full(lib + "/" + std::string(name))) return a;
  // timm's NAME.TAG says which weights, not which network.
  const size_t dot = name.find('.');
  const std::string_view bare = library(name) == "timm" ? without_library(name) : name;
  return dot == std::string_view::npos ? nullptr : find_full("timm/" + std::string(bare.substr(0, bare.find('.'))));
}

std::vector<std::string> nearest(std::string_view name, size_t count) {
  std::vector<std::pair<size_t, std::string>> scored;
  // Names that share less than a third of their letters are no help.
  auto score = [&](const std::string& full) {
    std::optional<size_t> least;
    for (const std::string_view candidate : {std::string_view(full), without_library(full)}) {
      const size_t d = edit_distance(name, candidate);
      if (3 * d <= 2 * std::max(name.size(), candidate.size())) least = std::min(d, least.value_or(d));
    }
    if (least) scored.emplace_back(*least, full);
  };
  for (const Arch& a : catalog()) score(a.name);
  for (const auto& [alias, target] : aliases()) score(alias);
  count = std::min(count, scored.size());
  auto key = [](const auto& s) { return std::tuple(s.first, rank(library(s.second)), std::string_view(s.second)); };
  std::partial_sort(scored.begin(), scored.begin() + static_cast<ptrdiff_t>(count), scored.end(),
                    [&](const auto& a, const auto& b) { return key(a) < key(b); });
  std::vector<std::string> out;
  for (size_t i = 0; i < count; ++i) out.push_back(scored[i].second);
  return out;
}

// The whole file, or why not. The text files that are read here are small.
Result<std::string> read_text(const std::string& path) {
  constexpr uintmax_t kMaxText = 256 << 20;
  std::error_code ec;
  const uintmax_t size = std::filesystem::file_size(path, ec);
  if (ec) return fail(Code::io, "cannot read: " + ec.message(), path);
  if (size > kMaxText) return fail(Code::invalid, fmt::format("{} bytes are too many for a text file", size), path);
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  if (!in) return fail(Code::io, "cannot read", path);
  return out.str();
}

Result<Network> from_arch(Arch arch, std::string name) {
  HONE_TRY_ASSIGN(Graph graph, build(arch));
  return Network{std::move(name), std::move(graph), std::move(arch)};
}

}  // namespace

const std::vector<Arch>& catalog() {
  static const std::vector<Arch> all = [] {
    std::vector<Arch> out;
    for (const Family& f : families())
      for (Arch& a : f.published()) out.push_back(std::move(a));
    std::sort(out.begin(), out.end(), [](const Arch& a, const Arch& b) { return a.name < b.name; });
    return out;
  }();
  return all;
}

const std::vector<std::pair<std::string, std::string>>& aliases() {
  static const std::vector<std::pair<std::string, std::string>> all = [] {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Family& f : families())
      if (f.aliases)
        for (auto& a : f.aliases()) out.push_back(std::move(a));
    std::sort(out.begin(), out.end());
    return out;
  }();
  return all;
}

namespace {

// `arch` at the size that `digits`, what stands behind the @ of `name`, say.
Result<Arch> at_resolution(Arch arch, const std::string& digits, const std::string& name) {
  int64_t res = 0;
  auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), res);
  if (ec != std::errc() || end != digits.data() + digits.size() || res < 1)
    return fail(Code::usage, fmt::format("'@{}' is no resolution", digits), name, "write a size in pixels, as in " + name.substr(0, name.rfind('@')) + "@288");
  if (res == arch.resolution) return arch;
  if (arch.test_resolution != 0)  // the same crop
    arch.test_resolution = static_cast<int64_t>(
        std::nearbyint(static_cast<double>(arch.test_resolution) * static_cast<double>(res) / static_cast<double>(arch.resolution)));
  arch.resolution = res;
  arch.name += fmt::format("@{}", res);
  if (auto status = check(arch); !status) return fail(Code::usage, status.error().message, name);
  return arch;
}

}  // namespace

Result<Arch> find_arch(const std::string& name) {
  const size_t split = name.rfind('@');
  const std::string base = name.substr(0, split);
  const Arch* found = find(base);
  if (!found) {
    const std::vector<std::string> near = nearest(base, 3);
    return fail(Code::usage, fmt::format("unknown network '{}'", base), {}, near.empty() ? "`hone zoo` lists all" : fmt::format("nearest: {}; `hone zoo` lists all", fmt::join(near, ", ")));
  }
  Arch arch = *found;
  if (split == std::string::npos) return arch;

  const std::string digits = name.substr(split + 1);
  if (fixed_resolution(library(arch.name)))
    return fail(Code::usage, fmt::format("{} networks have a fixed resolution, '@{}' cannot change it", library(arch.name), digits), name);
  return at_resolution(std::move(arch), digits, name);
}

Result<Network> open_network(const std::string& net, const std::string& space_name) {
  namespace fs = std::filesystem;
  const std::string extension = fs::path(net).extension().string();
  const bool file_like = extension == ".onnx" || extension == ".toml" || extension == ".hone" || extension == ".json";
  std::error_code ec;
  if (!space_name.empty() && extension != ".json") return fail(Code::usage, "says which space an encoding is of, and this is none", "--space " + space_name, net + " does not end with .json");
  if (fs::is_directory(net, ec))
    return fail(Code::usage, "a folder is no network here", net, "name a network or a file");
  if (!file_like) {
    if (const size_t split = net.rfind('@'); split != std::string::npos && net.substr(0, split).ends_with(".toml") && fs::exists(net.substr(0, split), ec)) {  // a stage table at another size
      HONE_TRY_ASSIGN(const std::string text, read_text(net.substr(0, split)));
      HONE_TRY_ASSIGN(Arch arch, parse_arch(text, net.substr(0, split)));
      HONE_TRY_ASSIGN(arch, at_resolution(std::move(arch), net.substr(split + 1), net));
      return from_arch(std::move(arch), net);
    }
    if (fs::is_regular_file(net, ec))
      return fail(Code::usage, "no kind of network file has this ending", net, "endings: .onnx .toml .hone .json");
    HONE_TRY_ASSIGN(Arch arch, find_arch(net));
    std::string name = arch.name;
    return from_arch(std::move(arch), std::move(name));
  }
  if (!fs::exists(net, ec)) return fail(Code::not_found, "no such file", net);
  if (extension == ".toml") {
    HONE_TRY_ASSIGN(const std::string text, read_text(net));
    HONE_TRY_ASSIGN(Arch arch, parse_arch(text, net));
    return from_arch(std::move(arch), net);
  }
  if (extension == ".json") {
    HONE_TRY_ASSIGN(const std::string text, read_text(net));
    HONE_TRY_ASSIGN(const space::Space space, space::open_space(space_name.empty() ? "elasticvit" : space_name));
    HONE_TRY_ASSIGN(const space::Member member, space::parse_member(space, text, net));
    return from_arch(space::to_arch(space, member, net), net);
  }
  if (extension == ".hone") {
    HONE_TRY_ASSIGN(const std::string text, read_text(net));
    HONE_TRY_ASSIGN(Graph graph, parse_graph(text, net));
    return Network{net, std::move(graph), std::nullopt};
  }
  HONE_TRY_ASSIGN(Graph graph, read_onnx(net));
  return Network{net, std::move(graph), std::nullopt};
}

std::string tensor_manifest(const Graph& graph) {
  std::vector<std::string> lines;
  for (ValueId id : graph.state()) {
    const Value& v = graph.value(id);
    lines.push_back(v.name + " " + (v.type.shape.empty() ? "scalar" : fmt::format("{}", fmt::join(v.type.shape, ","))) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, ""));
}

}  // namespace hone
