// The conventions as a table: one formula a line. docs/counting.md says where each comes from.
#include <fmt/format.h>

#include "cost/profile.h"

namespace hone {

namespace {

struct Formula {
  std::string_view name;
  Int (*flops)(const Totals&);
  Int (*acts)(const Totals&);
};

Int bias_adds(const Totals& t) { return Int(t.conv_bias_adds) + t.linear_bias_adds; }
Int macs(const Totals& t) { return t.macs; }
Int macs_and_bias(const Totals& t) { return macs(t) + bias_adds(t); }
Int fvcore(const Totals& t) { return macs(t) + Int(2) * t.bn_elements + Int(5) * (Int(t.ln_elements) + t.gn_elements) + t.adaptive_pool_inputs; }
// What ptflops adds for functions and pools; its hook backend adds it twice.
Int functions_and_pools(const Totals& t) { return Int(t.activation_elements) + t.pool_inputs; }
Int ptflops(const Totals& t) { return macs_and_bias(t) + Int(2) * t.bn_elements + functions_and_pools(t); }
Int ptflops_hooks(const Totals& t) { return ptflops(t) + functions_and_pools(t); }

Int acts(const Totals& t) { return t.acts; }
Int acts_and_maxpool(const Totals& t) { return Int(t.acts) + t.maxpool_out; }

constexpr Formula kFormulas[] = {
    {"pycls", macs_and_bias, acts_and_maxpool},  // scaling.md 1.3: pycls/models/blocks.py
    {"fvcore", fvcore, acts},                    // fvcore/nn/jit_handles.py
    {"timm", fvcore, acts},                      // timm's benchmark tables are made with fvcore
    {"torchvision", macs, acts},                 // `_ops` of the weights' metadata
    {"ptflops", ptflops, acts},                  // ptflops/pytorch_ops.py, each function once
    {"ptflops-hooks", ptflops_hooks, acts},      // the same as printed: hook and patched functional both count
    {"ptflops-aten", macs_and_bias, acts},       // ptflops/aten_ops.py
};

}  // namespace

std::vector<std::string_view> convention_names() {
  std::vector<std::string_view> names;
  for (const Formula& f : kFormulas) names.push_back(f.name);
  return names;
}

Result<ConventionTotals> convention(const Profile& profile, std::string_view name) {
  for (const Formula& f : kFormulas) {
    if (f.name != name) continue;
    const Int flops = f.flops(profile.totals), acts = f.acts(profile.totals);
    if (!flops.ok() || !acts.ok())
      return fail(Code::failed, fmt::format("the cost by convention {} does not fit 64-bit integers", name), profile.network);
    return ConventionTotals{std::string(name), flops.value(), profile.totals.params, acts.value()};
  }
  std::string list;
  for (const Formula& f : kFormulas) list += (list.empty() ? "" : ", ") + std::string(f.name);
  if (name == "elasticvit")
    return fail(Code::usage, "the convention elasticvit is a function of the network's encoding", profile.network,
                "it goes with members of the ElasticViT space only; for this network: " + list);
  return fail(Code::usage, fmt::format("there is no convention called '{}'", name), {}, "conventions: " + list);
}

}  // namespace hone
