#include "methods/supernet/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/units.h"
#include "data/shuffle.h"

namespace hone::methods {

namespace {

// What chance decides, each with numbers of its own (derive_seed).
enum Purpose : uint64_t { kWalk = 0x5a01, kExtraMove, kDraw };

}  // namespace

Result<Sampler> Sampler::make(space::Space space, SamplerOptions options) {
  Sampler s;
  s.space_ = std::move(space);
  s.options_ = std::move(options);
  HONE_TRY_ASSIGN(space::CostTable table, space::CostTable::make(s.space_));
  s.costs_ = std::make_shared<const space::CostTable>(std::move(table));
  if (s.options_.levels && s.levels().empty())
    return fail(Code::usage, "the space has no complexity levels", s.space_.name, "give it [levels], or train with step.kind = \"sandwich\"");
  for (size_t i = 0; i < s.levels().size(); ++i) {
    const int64_t level = s.levels()[i];
    s.smallest_.push_back(space::smallest_of_level(s.space_, level));
    if (s.cost(s.smallest_[i]) > level + s.space_.levels.window)
      return fail(Code::usage, fmt::format("the smallest network of level {} costs {}", level, s.cost(s.smallest_[i])), s.space_.name, "it may not cost more than its level");
    auto drawer = space::level_drawer(s.space_, *s.costs_, level);
    if (!drawer) return fail(drawer.error().code, drawer.error().message, fmt::format("level {}", format_count(level)), drawer.error().hint);
    s.drawers_.push_back(std::make_shared<const space::Drawer>(std::move(*drawer)));
    Bank bank;
    bank.capacity = static_cast<size_t>(level < s.options_.large_from ? s.options_.small_capacity : s.options_.large_capacity);
    s.banks_.push_back(std::move(bank));
  }
  return s;
}

int64_t Sampler::cost(const space::Member& member) const {
  const auto cost = (*costs_)(member);
  return cost ? counted(space_, *cost) : 0;
}

space::Member Sampler::candidate(size_t level, Rng& rng) const {
  space::Member best = explore(level, rng);
  if (!options_.banks || !options_.prefer_width || banks_[level].filling()) return best;
  // Others are compared with the best of the lowest level; there, and as long as nothing is known, with the smallest network.
  const BankEntry* known = banks_[0].best();
  const space::Member anchor = level > 0 && known ? known->member : smallest_[0];
  int64_t score = space::preference_score(space_, best, anchor);
  for (int64_t i = 1; i < options_.candidates; ++i) {
    const space::Member other = explore(level, rng);
    const int64_t its = space::preference_score(space_, other, anchor);
    if (its >= score) continue;
    score = its;
    best = other;
  }
  return best;
}

std::vector<Drawn> Sampler::plan(int64_t step, double epoch, bool epoch_ends) {
  const auto n = static_cast<size_t>(options_.members);
  std::vector<Drawn> out;
  if (!options_.levels) {
    Rng rng(derive_seed(options_.seed, kDraw, static_cast<uint64_t>(step)));
    out.push_back({space::largest(space_), Role::largest});
    for (size_t i = 0; i < n; ++i) out.push_back({space::sample(space_, rng), Role::drawn});
    out.push_back({space::smallest(space_), Role::smallest});
    return out;
  }
  Rng walk(derive_seed(options_.seed, kWalk, static_cast<uint64_t>(step)));
  const std::vector<size_t> at = levels_of_step(options_.mode, levels().size(), n, level_, walk);
  const double q = exploit_probability(options_.exploit, epoch);
  size_t lowest = levels().size() - 1;
  for (size_t i = 0; i < n; ++i) {
    const size_t level = at[i];
    lowest = std::min(lowest, level);
    Rng rng(derive_seed(options_.seed, kDraw, static_cast<uint64_t>(step), i));
    const bool exploit = rng.uniform() < q;  // drawn in any case: the rest of the stream does not depend on it
    if (options_.banks && exploit && banks_[level].ready()) {
      out.push_back({draw(banks_[level], options_.draw, options_.temperature, rng), Role::drawn, level, false});
    } else {
      out.push_back({candidate(level, rng), Role::drawn, level, true});
    }
  }
  out.push_back({smallest_[lowest], Role::smallest, lowest});
  if (epoch_ends && (options_.mode == LevelMode::adjacent_step || options_.mode == LevelMode::adjacent)) {
    Rng extra(derive_seed(options_.seed, kExtraMove, static_cast<uint64_t>(step)));
    level_ = next_level(level_, levels().size(), extra);
  }
  return out;
}

void Sampler::report(const Drawn& drawn, double quality) {
  if (!options_.levels || !options_.banks || !drawn.explored) return;
  if (cost(drawn.member) > levels()[drawn.level] + space_.levels.window) return;
  offer(banks_[drawn.level], drawn.member, quality);
}

std::string Sampler::save() const {
  nlohmann::json json = {{"level", level_}, {"banks", nlohmann::json::array()}};
  for (const Bank& bank : banks_) {
    nlohmann::json entries = nlohmann::json::array();
    for (const BankEntry& e : bank.entries) entries.push_back({fmt::format("{:a}", e.quality), nlohmann::json::parse(space::print_member(space_, e.member))});
    json["banks"].push_back(std::move(entries));
  }
  return json.dump();
}

Status Sampler::load(const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  const auto wrong = [](const char* what) { return fail(Code::invalid, what, "banks of the checkpoint"); };
  if (!json.is_object() || !json.contains("level") || !json["level"].is_number_unsigned() || !json.contains("banks") || !json["banks"].is_array()) return wrong("not the sampler's state");
  if (!options_.levels) return {};   // the space's levels may have been set since; a sandwich has neither walk nor banks
  if (json["banks"].size() != banks_.size()) return wrong("the checkpoint has another number of levels");
  const size_t level = json["level"].get<size_t>();
  if (level >= std::max<size_t>(1, banks_.size())) return wrong("the walk stands at no level");
  std::vector<Bank> banks = banks_;
  for (size_t i = 0; i < banks.size(); ++i) {
    banks[i].entries.clear();
    for (const nlohmann::json& e : json["banks"][i]) {
      if (!e.is_array() || e.size() != 2 || !e[0].is_string()) return wrong("an entry is not [quality, encoding]");
      const double quality = std::strtod(e[0].get_ref<const std::string&>().c_str(), nullptr);
      HONE_TRY_ASSIGN(space::Member member, space::parse_member(space_, e[1].dump(), "banks of the checkpoint"));
      banks[i].entries.push_back({std::move(member), quality});
    }
  }
  banks_ = std::move(banks);
  level_ = level;
  return {};
}

}  // namespace hone::methods
