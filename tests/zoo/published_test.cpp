// Every published network against the published figures: tensor names and shapes, parameters, operations, activations.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "core/sha256.h"
#include "support.h"
#include "zoo/catalog.h"
#include "zoo/families.h"
#include "zoo/measure.h"

namespace hone {
namespace {

using test::CsvRow;
using test::Sums;

const std::string kData = HONE_SOURCE_DIR "/tests/zoo/data/";

// Looks networks up and keeps the names that the catalogue lacks: they are printed, and none may be of a family it has.
class Undefined {
 public:
  // The Arch at the row's resolution, or nothing.
  std::optional<Arch> find(const std::string& name, const std::string& resolution = "") {
    for (const Arch& a : catalog())
      if (a.name == name || alias(name) == a.name) {
        auto arch = find_arch(resolution.empty() ? name : name + "@" + resolution);
        EXPECT_TRUE(arch) << arch.error().text();
        return arch ? std::optional(*arch) : std::nullopt;
      }
    names_.insert(name);
    return std::nullopt;
  }
  ~Undefined() {
    std::string list;
    for (const std::string& n : names_) list += " " + n;
    if (!names_.empty()) std::printf("[  NOTICE  ] not in the catalogue:%s\n", list.c_str());
    for (const Family& f : families())
      for (const std::string& n : names_) EXPECT_FALSE(std::regex_search(n, std::regex(family_pattern(f.name)))) << n << " is of family " << f.name;
  }

 private:
  // Which published names a family answers for.
  static const char* family_pattern(std::string_view family) {
    static const std::map<std::string_view, const char*> patterns{
        {"efficientnet", "/(tf_)?efficientnet_?[bl]|/EfficientNet|/tf_efficientnetv2|/efficientnet_v2|/efficientnetv2_[smlx]"},
        {"inception", "/inception_v3"},
        {"mnasnet", "timm/(se)?mnasnet|/spnasnet|/fbnetc"},
        {"mobilenetv1", "/mobilenetv1"},
        {"mobilenetv2", "/mobilenet_?v2"},
        {"mobilenetv3", "/(tf_)?mobilenet_?v3"},
        {"regnet", "/regnet|/RegNet"},
        {"resnet", "/(wide_)?resne[x]?t|/ResNe"},
        {"vgg", "/vgg"},
        {"vit", "/(deit|vit)_(tiny|small|base|large|huge)(_distilled)?_patch[0-9]+_[0-9]+$|torchvision/vit_"},
        {"levit", "/levit_"}};
    auto it = patterns.find(family);
    return it == patterns.end() ? "^$" : it->second;
  }
  static std::string alias(const std::string& name) {
    for (const auto& [from, to] : aliases())
      if (from == name) return to;
    return "";
  }
  std::set<std::string> names_;
};

std::optional<Graph> built(const Arch& a) {
  auto g = build(a);
  EXPECT_TRUE(g) << g.error().text();
  return g ? std::optional(std::move(*g)) : std::nullopt;
}

void check_state_dicts(const std::vector<CsvRow>& rows, const std::string& hash_column) {
  ASSERT_GT(rows.size(), 50u);
  Undefined undefined;
  for (const CsvRow& row : rows) {
    const std::string name = row.at("lib") + "/" + row.at("model");
    const auto arch = undefined.find(name);
    if (!arch) continue;
    const auto graph = built(*arch);
    if (!graph) continue;
    const Sums s = test::measure(*graph);
    EXPECT_EQ(std::to_string(s.tensors), row.at("n_tensors")) << name;
    EXPECT_EQ(std::to_string(s.params), row.at("param_elems")) << name;
    EXPECT_EQ(std::to_string(s.params + s.buffers), row.at("state_dict_elems")) << name;
    EXPECT_EQ(sha256_hex(tensor_manifest(*graph)), row.at(hash_column)) << name;
  }
}

TEST(Published, StateDictsOfTheSpecification) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  check_state_dicts(test::read_csv(*shared + "/spec/tensors/checksums.csv"), "sha256_of_sorted_name_space_shape_lines");
}

TEST(Published, StateDictsOfAllVariants) { check_state_dicts(test::read_csv(kData + "state_dicts.csv"), "sha256"); }

// The full manifests: each tensor's name, shape, element type and kind.
TEST(Published, Manifests) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  Undefined undefined;
  for (const char* lib : {"timm", "torchvision"}) {
    const auto text = test::read_file(*shared + "/spec/tensors/" + lib + ".tsv");
    ASSERT_TRUE(text);
    std::map<std::string, std::set<std::string>> published;
    for (const std::string& line : test::split(*text, '\n'))
      if (const size_t tab = line.find('\t'); tab != std::string::npos) published[line.substr(0, tab)].insert(line.substr(tab + 1));
    ASSERT_GT(published.size(), 10u);
    for (const auto& [model, tensors] : published) {
      const auto arch = undefined.find(std::string(lib) + "/" + model);
      const auto graph = arch ? built(*arch) : std::nullopt;
      if (!graph) continue;
      std::set<std::string> ours;
      for (ValueId id : graph->state()) {
        const Value& v = graph->value(id);
        ours.insert(fmt::format("{}\t{}\t{}\t{}", v.name, v.type.shape.empty() ? "scalar" : fmt::format("{}", fmt::join(v.type.shape, ",")),
                                name(v.type.dtype), v.kind == ValueKind::parameter ? "param" : "buffer"));
      }
      EXPECT_EQ(ours, tensors) << lib << "/" << model;
    }
  }
}

void check_counts(const std::vector<CsvRow>& rows) {
  ASSERT_GT(rows.size(), 100u);
  Undefined undefined;
  for (const CsvRow& row : rows) {
    const std::string name = row.at("lib") + "/" + row.at("name");
    const auto arch = undefined.find(name, row.at("resolution"));
    const auto graph = arch ? built(*arch) : std::nullopt;
    if (!graph) continue;
    const Sums s = test::measure(*graph);
    for (const auto& [column, value] : s.columns()) {
      auto cell = row.find(column);
      if (cell == row.end() || cell->second.empty()) continue;
      if (column == "buffer_elems" && arch->family == "levit") continue;  // its index tables are not in the state dict
      EXPECT_EQ(std::to_string(value), cell->second) << name << "@" << row.at("resolution") << " " << column;
    }
    auto fvcore = row.find("fvcore_flops");
    if (fvcore == row.end() || fvcore->second.empty()) continue;
    EXPECT_EQ(std::to_string(s.fvcore()), fvcore->second) << name << "@" << row.at("resolution") << " fvcore";
  }
}

// What counts and tensors do not show: epsilon, momentum, padding, activations, default resolution.
TEST(Published, Settings) {
  const std::map<std::string, std::string> operators{{"Relu", "relu"},     {"Clip", "relu6"},           {"Swish", "silu"},
                                                     {"Sigmoid", "sigmoid"}, {"HardSigmoid", "hard_sigmoid"}, {"HardSwish", "hard_swish"}};
  const auto rows = test::read_csv(kData + "settings.csv");
  ASSERT_GT(rows.size(), 150u);
  Undefined undefined;
  for (const CsvRow& row : rows) {
    const std::string name = row.at("lib") + "/" + row.at("name");
    const auto arch = undefined.find(name);
    const auto graph = arch ? built(*arch) : std::nullopt;
    if (!graph) continue;
    EXPECT_EQ(std::to_string(arch->resolution), row.at("resolution")) << name;
    std::set<std::string> activations;
    bool asymmetric = false;
    for (const Node& n : graph->nodes) {
      if (auto a = operators.find(n.type); a != operators.end()) activations.insert(a->second);
      if (n.type == "BatchNormalization") {
        EXPECT_FLOAT_EQ(n.attrs.real("epsilon", 0), std::stof(row.at("bn_eps"))) << name;
        EXPECT_NEAR(1 - n.attrs.real("momentum", 0), std::stof(row.at("bn_momentum")), 1e-6) << name;
      }
      const auto pads = n.attrs.integers("pads");
      asymmetric |= n.type == "Conv" && (pads[0] != pads[2] || pads[1] != pads[3]);
    }
    EXPECT_EQ(asymmetric, row.at("padding") == "same") << name;
    if (row.at("activations").empty()) continue;
    const auto listed = test::split(row.at("activations"), '|');
    EXPECT_EQ(activations, std::set<std::string>(listed.begin(), listed.end())) << name;
  }
}

// The checkpoints that come with the project fit the networks of their names.
TEST(Published, CheckpointsOfTheDataFolder) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  for (const char* name : {"mobilenetv2_100", "mobilenetv1_100", "mobilenetv1_075", "mobilenetv1_050", "mobilenetv1_025"}) {
    const std::string path = *shared + "/data/pretrained/" + name;
    const auto bytes = test::read_file(std::filesystem::exists(path + ".safetensors") ? path + ".safetensors" : path + "_trunk.safetensors");
    ASSERT_TRUE(bytes) << path;
    const auto header = nlohmann::json::parse(bytes->substr(8, static_cast<unsigned char>((*bytes)[0]) | static_cast<unsigned char>((*bytes)[1]) << 8 |
                                                                   static_cast<unsigned char>((*bytes)[2]) << 16));
    std::set<std::string> lines;
    for (const auto& [tensor, entry] : header.items())
      if (tensor != "__metadata__") {
        const auto shape = entry["shape"].get<Shape>();
        lines.insert(tensor + " " + (shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, ","))) + "\n");
      }
    const auto arch = find_arch(std::string("coral/") + name);
    ASSERT_TRUE(arch) << arch.error().text();
    const auto graph = built(*arch);
    ASSERT_TRUE(graph);
    EXPECT_EQ(tensor_manifest(*graph), fmt::format("{}", fmt::join(lines, ""))) << name;
    EXPECT_EQ(header["__metadata__"]["input_size"], fmt::format("3x{0}x{0}", arch->resolution)) << name;
    EXPECT_EQ(arch->padding, "same");
    EXPECT_EQ(arch->bn_eps, 1e-5);
  }
}

TEST(Published, ExactCountsOfTheSpecification) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  check_counts(test::read_csv(*shared + "/spec/zoo-exact-counts.csv"));
}

TEST(Published, ExactCountsOfAllVariants) { check_counts(test::read_csv(kData + "counts.csv")); }

TEST(Published, PyclsComplexities) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  const auto rows = test::read_csv(*shared + "/spec/pycls-complexity.csv");
  ASSERT_EQ(rows.size(), 42u);
  for (const CsvRow& row : rows) {
    const auto arch = find_arch("pycls/" + row.at("name"));
    ASSERT_TRUE(arch) << arch.error().text();
    EXPECT_EQ(std::to_string(arch->resolution), row.at("resolution")) << row.at("name");
    const auto graph = built(*arch);
    ASSERT_TRUE(graph);
    const Sums s = test::measure(*graph);
    EXPECT_EQ(std::to_string(s.params), row.at("params")) << row.at("name");
    EXPECT_EQ(std::to_string(s.pycls_flops()), row.at("flops")) << row.at("name");
    EXPECT_EQ(std::to_string(s.pycls_acts()), row.at("acts")) << row.at("name");
  }
}

// Figures in print but not in the CSV: scaling.md 6.2 and 7, zoo.md 2.6.
TEST(Published, PyclsFiguresOfTheText) {
  struct Row {
    const char* name;
    int64_t flops, params, acts;
  };
  for (const Row& r : {Row{"R-56", 125747850, 855770, 544778}, Row{"R-110", 253149834, 1730714, 1060874}, Row{"V-56", 125485706, 853018, 532490},
                       Row{"RegNetZ-500MF", 507217126, 7122742, 5860358}, Row{"RegNetZ-4GF", 4015422144, 27116800, 24191936}}) {
    const auto graph = built(*find_arch(std::string("pycls/") + r.name));
    ASSERT_TRUE(graph);
    const Sums s = test::measure(*graph);
    EXPECT_EQ(s.params, r.params) << r.name;
    EXPECT_EQ(s.pycls_flops(), r.flops) << r.name;
    EXPECT_EQ(s.pycls_acts(), r.acts) << r.name;
  }
}

// The zoo networks whose exact figures are not in the CSV: flops, params and acts of the table of scaling.md 7, in G and M.
TEST(Published, PyclsModelZooTable) {
  struct Row {
    const char* name;
    double flops, params, acts;
  };
  for (const Row& r : {Row{"RegNetX-800MF", 0.8, 7.3, 5.1}, Row{"RegNetX-1.6GF", 1.6, 9.2, 7.9}, Row{"RegNetX-16GF", 15.9, 54.3, 25.5},
                       Row{"RegNetY-1.6GF", 1.6, 11.2, 8.0}, Row{"RegNetY-12GF", 12.1, 51.8, 21.4}, Row{"RegNetY-16GF", 15.9, 83.6, 23.0},
                       Row{"ResNet-152", 11.5, 60.2, 22.8}, Row{"ResNeXt-152", 11.7, 60.0, 29.9}, Row{"EfficientNet-B2", 1.0, 9.1, 13.8},
                       Row{"EfficientNet-B5", 10.3, 30.4, 98.9}}) {
    const auto graph = built(*find_arch(std::string("pycls/") + r.name));
    ASSERT_TRUE(graph);
    const Sums s = test::measure(*graph);
    EXPECT_NEAR(static_cast<double>(s.pycls_flops()) / 1e9, r.flops, 0.0501) << r.name;
    EXPECT_NEAR(static_cast<double>(s.params) / 1e6, r.params, 0.0501) << r.name;
    EXPECT_NEAR(static_cast<double>(s.pycls_acts()) / 1e6, r.acts, 0.0501) << r.name;
  }
}

// Tensor names of pycls (scaling.md 7.1), whose state dicts have no published checksum.
TEST(Published, PyclsTensorNames) {
  auto has = [](const char* net, std::initializer_list<const char*> names) {
    const std::string manifest = "\n" + tensor_manifest(open_network(net)->graph);
    for (const char* name : names) EXPECT_NE(manifest.find("\n" + std::string(name) + " "), std::string::npos) << net << " " << name;
  };
  has("pycls/RegNetY-400MF", {"stem.conv.weight", "stem.bn.running_mean", "s1.b1.proj.weight", "s1.b1.bn.weight", "s2.b3.f.a.weight", "s2.b3.f.a_bn.bias",
                              "s4.b1.f.b.weight", "s4.b1.f.b_bn.num_batches_tracked", "s4.b1.f.se.f_ex.0.weight", "s4.b1.f.se.f_ex.2.bias", "s4.b6.f.c.weight",
                              "s4.b6.f.c_bn.running_var", "head.fc.weight", "head.fc.bias"});
  has("pycls/RegNetZ-500MF", {"head.conv.weight", "head.bn.weight"});
  has("pycls/EfficientNet-B0", {"stem.bn.weight", "s1.b1.dwise.weight", "s2.b1.exp.weight", "s2.b1.exp_bn.weight", "s2.b2.dwise_bn.bias", "s7.b1.se.f_ex.0.bias",
                                "s7.b1.se.f_ex.2.weight", "s7.b1.lin_proj.weight", "s7.b1.lin_proj_bn.weight", "head.conv.weight", "head.conv_bn.weight",
                                "head.fc.bias"});
  has("pycls/R-56", {"s3.b9.f.b_bn.weight", "s2.b1.proj.weight"});
  has("pycls/V-56", {"s3.b9.b_bn.weight", "s1.b1.a.weight"});
}

double rounded(double v, int digits) { return std::nearbyint(v * std::pow(10, digits)) / std::pow(10, digits); }

TEST(Published, ComplexityTables) {
  const auto shared = test::shared_dir();
  if (!shared) GTEST_SKIP() << "no reference files: set HONE_SHARED";
  const auto rows = test::read_csv(*shared + "/spec/zoo-complexity.csv");
  ASSERT_GT(rows.size(), 600u);
  Undefined undefined;
  std::map<std::string, Sums> seen;  // many rows are weights of one network
  size_t compared = 0;
  for (const CsvRow& row : rows) {
    const std::string &source = row.at("source"), full = row.at("name");
    if (source.starts_with("arXiv")) continue;  // for orientation: figures of networks that are not defined anywhere
    const std::string lib = source.substr(0, source.find('-'));
    const std::string name = lib + "/" + (lib == "pycls" ? full : full.substr(0, full.find('.')));
    const auto arch = undefined.find(name, row.at("resolution"));
    if (!arch) continue;
    auto it = seen.find(arch->name);
    if (it == seen.end()) {
      const auto graph = built(*arch);
      if (!graph) continue;
      it = seen.emplace(arch->name, test::measure(*graph)).first;
    }
    const Sums& s = it->second;
    const std::string where = full + " @" + row.at("resolution") + " of " + source;
    const double params = std::stod(row.at("params")), gmacs = std::stod(row.at("gmacs"));
    const double acts = row.at("acts_m_if_known").empty() ? NAN : std::stod(row.at("acts_m_if_known"));
    ++compared;
    if (source.find("UNDERCOUNTS") != std::string::npos) {
      EXPECT_NE(rounded(static_cast<double>(s.fvcore()) / 1e9, 2), gmacs) << where;
    } else if (lib == "torchvision") {
      EXPECT_EQ(static_cast<double>(s.params), params) << where;
      EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.counts.macs().value()) / 1e9, 3), gmacs) << where;
    } else if (lib == "timm") {
      EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.params) / 1e6, 2), params / 1e6) << where;
      EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.fvcore()) / 1e9, 2), gmacs) << where;
      if (!std::isnan(acts)) {
        EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.counts.acts().value()) / 1e6, 2), acts) << where;
      }
    } else {
      EXPECT_EQ(static_cast<double>(s.params), params) << where;
      EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.pycls_flops()) / 1e9, 6), gmacs) << where;
      EXPECT_DOUBLE_EQ(rounded(static_cast<double>(s.pycls_acts()) / 1e6, 6), acts) << where;
    }
  }
  EXPECT_GT(compared, 300u);
}

}  // namespace
}  // namespace hone
