// Networks of the zoo without some modules, and their counts: what the tests of skipping and of adapters share.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "cost/profile.h"
#include "ir/verify.h"
#include "rewrite/adapters.h"
#include "zoo/catalog.h"

namespace hone::test {

inline Graph network(const std::string& name, const Options& options = {}) {
  auto arch = find_arch(name);
  EXPECT_TRUE(arch) << (arch ? "" : arch.error().text());
  if (!arch) return {};
  for (const auto& [key, value] : options) arch->options[key] = value;
  auto graph = build(*arch);
  EXPECT_TRUE(graph) << (graph ? "" : graph.error().text());
  return graph ? *graph : Graph{};
}

inline Totals totals(const Graph& g) {
  auto p = profile(g);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? p->totals : Totals{};
}

// 10^9 FLOPs as fvcore counts them.
inline double giga(const Graph& g) {
  auto p = profile(g);
  EXPECT_TRUE(p) << (p ? "" : p.error().text());
  return p ? 1e-9 * static_cast<double>(convention(*p, "fvcore")->flops) : 0;
}

// `g` without the candidates of `set`, verified.
inline Graph with(const Graph& g, const Adapters& adapters, const std::vector<int64_t>& set = {}, std::string_view variant = "") {
  auto c = skip_candidates(g, variant);
  EXPECT_TRUE(c) << (c ? "" : c.error().text());
  if (!c) return {};
  auto out = apply_skips(g, *c, set, adapters);
  EXPECT_TRUE(out) << (out ? "" : out.error().text());
  if (!out) return {};
  const Status ok = verify(*out);
  EXPECT_TRUE(ok) << (ok ? "" : ok.error().text());
  return *out;
}

// Parameters in adapters, with their norms or, as the paper counts, without.
inline int64_t added(const Graph& g, bool norms = true) {
  int64_t n = 0;
  for (const Value& v : g.values)
    if (v.kind == ValueKind::parameter && is_adapter(v.name) && (norms || v.name.find("layer_norm_before") == std::string::npos)) n += *element_count(v.type.shape);
  return n;
}

}  // namespace hone::test
