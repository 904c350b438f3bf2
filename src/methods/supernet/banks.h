// Memory banks: for every complexity level, the best members that training has met (Tang et al., ICCV 2023). Values; chance
// comes from a generator that the caller seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/rng.h"
#include "zoo/space.h"

namespace hone::methods {

struct BankEntry {
  space::Member member;
  double quality = 0;   // minus the cross-entropy with hard labels
};

struct Bank {
  size_t capacity = 0;
  std::vector<BankEntry> entries;   // in order of arrival

  // A bank is drawn from only when it is more than half full, and candidates are compared from half on.
  bool ready() const { return 2 * entries.size() > capacity; }
  bool filling() const { return 2 * entries.size() < capacity; }
  const BankEntry* best() const;    // nullptr when empty
};

// Takes the member in: always while there is room, else in place of the worst entry if strictly better. A member that is
// there already gets its new quality. Returns whether it is in the bank now. A quality that is no number stays out.
bool offer(Bank& bank, const space::Member& member, double quality);

// How an entry is drawn.
enum class BankDraw : uint8_t {
  weighted,   // with probability softmax(quality / temperature); the paper's code has temperature 1
  uniform,
  best,
};
// Of a bank that is not empty.
const space::Member& draw(const Bank& bank, BankDraw how, double temperature, Rng& rng);

}  // namespace hone::methods
