// The family "elasticvit": the builder that every search space uses, and the published members of the space "elasticvit".
#include <fmt/format.h>

#include "zoo/families.h"
#include "zoo/space.h"
#include "zoo/space_graph.h"

namespace hone::space {

const std::vector<Named>& named_members() {
  static const std::vector<Named> all = [] {
    // As in the authors' configuration: lists over stem, C1, C2, T1 .. T4; e over C1, C2; k over stem, C1, C2; MLP and V
    // over T1 .. T4.
    struct Row {
      std::string_view name;
      int32_t resolution;
      std::array<int32_t, 7> width, depth;
      std::array<uint8_t, 2> expand;
      std::array<uint8_t, 3> kernel;
      std::array<uint8_t, 4> mlp, value;
    };
    static constexpr Row rows[] = {
        {"T1", 128, {16, 24, 32, 64, 96, 176, 272}, {1, 2, 3, 1, 1, 1, 1}, {3, 3}, {3, 3, 3}, {2, 2, 3, 4}, {2, 2, 2, 2}},
        {"T2", 160, {16, 24, 40, 48, 96, 176, 256}, {1, 2, 3, 1, 1, 2, 2}, {3, 3}, {3, 3, 3}, {3, 4, 3, 2}, {2, 2, 2, 2}},
        {"S1", 192, {16, 24, 40, 64, 96, 192, 272}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 3, 4}, {2, 2, 2, 2}},
        {"S2", 224, {16, 24, 48, 64, 96, 192, 256}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 2, 4}, {2, 2, 2, 2}},
        {"M", 224, {16, 32, 48, 64, 96, 192, 288}, {1, 3, 5, 2, 2, 2, 2}, {3, 3}, {5, 3, 3}, {2, 4, 4, 5}, {2, 2, 2, 2}},
        {"L1", 256, {16, 24, 40, 64, 96, 192, 320}, {1, 3, 3, 2, 2, 2, 2}, {3, 6}, {5, 5, 5}, {4, 3, 4, 4}, {2, 2, 2, 2}},
        {"L1.5", 256, {16, 24, 48, 64, 96, 256, 320}, {2, 4, 4, 2, 2, 2, 2}, {3, 4}, {3, 3, 5}, {4, 5, 3, 5}, {2, 2, 2, 2}},
        {"L2", 256, {16, 24, 40, 80, 128, 256, 304}, {1, 3, 4, 2, 2, 2, 2}, {6, 6}, {3, 3, 3}, {3, 2, 3, 5}, {2, 2, 2, 3}},
        {"L3", 256, {16, 32, 48, 80, 128, 256, 320}, {1, 3, 4, 2, 2, 2, 2}, {5, 5}, {5, 3, 5}, {4, 4, 3, 5}, {2, 2, 2, 2}},
        {"min1", 128, {16, 16, 16, 48, 80, 144, 160}, {1, 2, 2, 1, 1, 1, 1}, {3, 3}, {3, 3, 3}, {2, 2, 2, 2}, {2, 2, 2, 2}},
        {"min2", 176, {16, 24, 32, 48, 96, 176, 224}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 3, 2, 2}, {2, 2, 2, 2}},
        {"min3", 224, {16, 24, 32, 64, 96, 192, 256}, {1, 3, 3, 2, 2, 2, 2}, {3, 3}, {3, 3, 3}, {2, 2, 2, 2}, {2, 2, 2, 2}},
    };
    std::vector<Named> out;
    for (const Row& r : rows) {
      Member m{r.resolution, 7, {}};
      for (size_t i = 0; i < 7; ++i) {
        const BlockGenes block = i < 3 ? BlockGenes{i == 0 ? uint8_t{1} : r.expand[i - 1], r.kernel[i], 0, 0} : BlockGenes{0, 0, r.mlp[i - 3], r.value[i - 3]};
        m.stage[i] = shared(r.width[i], r.depth[i], block);
      }
      out.push_back({r.name, m});
    }
    out.push_back({"min", smallest(published_space())});
    out.push_back({"max", largest(published_space())});
    return out;
  }();
  return all;
}

namespace {

std::vector<Arch> published_elasticvit() {
  std::vector<Arch> out;
  for (const Named& n : named_members()) out.push_back(to_arch(published_space(), n.member, fmt::format("elasticvit/{}", n.name)));
  return out;
}

}  // namespace

}  // namespace hone::space

namespace hone {
Family elasticvit_family() {
  return {"elasticvit", space::build_member, space::published_elasticvit, nullptr,
          "expand:integer expands:integers head_dim:integer kernels:integers mlps:integers norm:text ses:integers shortcut:text stride:integer value_scale:integer values:integers"};
}
}  // namespace hone
