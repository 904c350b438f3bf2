#include "methods/supernet/banks.h"

#include <algorithm>
#include <cmath>

namespace hone::methods {

namespace {

bool worse(const BankEntry& a, const BankEntry& b) { return a.quality < b.quality; }

}  // namespace

const BankEntry* Bank::best() const {
  const auto found = std::max_element(entries.begin(), entries.end(), worse);
  return found == entries.end() ? nullptr : &*found;
}

bool offer(Bank& bank, const space::Member& member, double quality) {
  if (std::isnan(quality) || bank.capacity == 0) return false;
  const auto known = std::find_if(bank.entries.begin(), bank.entries.end(), [&](const BankEntry& e) { return e.member == member; });
  if (known != bank.entries.end()) {
    known->quality = quality;
    return true;
  }
  if (bank.entries.size() < bank.capacity) {
    bank.entries.push_back({member, quality});
    return true;
  }
  const auto worst = std::min_element(bank.entries.begin(), bank.entries.end(), worse);
  if (!(quality > worst->quality)) return false;
  *worst = {member, quality};
  return true;
}

const space::Member& draw(const Bank& bank, BankDraw how, double temperature, Rng& rng) {
  if (how == BankDraw::best) return bank.best()->member;
  if (how == BankDraw::uniform) return bank.entries[rng.below(bank.entries.size())].member;
  const double top = bank.best()->quality;
  double sum = 0;
  for (const BankEntry& e : bank.entries) sum += std::exp((e.quality - top) / temperature);
  double left = rng.uniform() * sum;
  for (const BankEntry& e : bank.entries)
    if ((left -= std::exp((e.quality - top) / temperature)) < 0) return e.member;
  return bank.entries.back().member;   // rounding
}

}  // namespace hone::methods
