#include "scale/closed_form.h"

#include <algorithm>

#include "cost/memory.h"
#include "cost/profile.h"
#include "scale/families.h"

namespace hone {

namespace {

struct Form {
  std::string_view family;
  std::optional<Meter> (*count)(const Arch&);
};
constexpr Form kForms[] = {
    {"anynet", closed::anynet},      {"regnet", closed::anynet},      {"resnet", closed::anynet},  {"efficientnet", closed::mobile},
    {"mobilenetv1", closed::mobile}, {"mobilenetv2", closed::mobile}, {"mobilenetv3", closed::mobile}, {"mnasnet", closed::mobile},
    {"vgg", closed::vgg},            {"vit", closed::vit},            {"levit", closed::levit},    {"elasticvit", closed::elasticvit},
};

}  // namespace

std::optional<ArchCost> closed_form(const Arch& arch) {
  for (const Form& f : kForms) {
    if (f.family != arch.family) continue;
    const auto m = f.count(arch);
    if (!m || !m->ok()) return std::nullopt;
    return ArchCost{m->macs.value(), m->bias_adds.value(), m->params.value(), m->acts.value(), m->maxpool_out.value()};
  }
  return std::nullopt;
}

Result<ArchCost> count(const Arch& arch) {
  HONE_TRY(check(arch));
  if (auto cost = closed_form(arch)) return *cost;
  HONE_TRY_ASSIGN(const Graph graph, build(arch));
  HONE_TRY_ASSIGN(const Profile p, profile(graph));
  const Totals& t = p.totals;
  return ArchCost{t.macs, t.conv_bias_adds + t.linear_bias_adds, t.params, t.acts, t.maxpool_out};
}

Arch shallowest_of_equal_peak(const Arch& arch) {
  Arch shallow = arch;
  for (Stage& s : shallow.stages) {
    const bool blocks_differ = std::any_of(s.options.begin(), s.options.end(), [](const auto& o) { return std::holds_alternative<std::vector<int64_t>>(o.second); });
    if (!blocks_differ) s.depth = std::min<int64_t>(s.depth, 2);
  }
  return shallow;
}

Result<int64_t> peak_memory(const Arch& arch) {
  HONE_TRY_ASSIGN(const Graph graph, build(shallowest_of_equal_peak(arch)));
  HONE_TRY_ASSIGN(const MemoryPlan plan, plan_memory(graph));
  return plan.peak_bytes;
}

}  // namespace hone
