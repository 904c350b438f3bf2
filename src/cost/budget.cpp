#include "cost/budget.h"

#include <fmt/format.h>

#include <cmath>

#include "core/units.h"

namespace hone {

namespace {

constexpr std::string_view kExamples = "for example macs=4G, params<25M, memory<24MiB or macs=50%";

std::string_view trim(std::string_view s) {
  while (!s.empty() && s.front() == ' ') s.remove_prefix(1);
  while (!s.empty() && s.back() == ' ') s.remove_suffix(1);
  return s;
}

tl::unexpected<Error> bad(std::string_view text, std::string message, std::string hint = std::string(kExamples)) {
  return fail(Code::usage, fmt::format("budget '{}': {}", text, message), {}, std::move(hint));
}

Result<Quantity> parse_quantity(std::string_view word, std::string_view relation, std::string_view amount, std::string_view text) {
  if (word == "macs") return Quantity::macs;
  if (word == "params") return Quantity::params;
  if (word == "acts") return Quantity::acts;
  if (word == "memory") return Quantity::memory;
  if (word == "flops") {
    // Half of the literature prints multiply-adds under this name; guessing would be wrong by a factor of two.
    const auto count = parse_count(amount);
    std::string hint = "write the multiply-adds: macs=4G is what papers call 4 GFLOPs, and 8 G floating point operations";
    if (count)
      hint = fmt::format("write macs{}{} if {} means multiply-adds, as in most papers, or macs{}{} if it means operations", relation, amount,
                         amount, relation, static_cast<int64_t>(std::llround(*count / 2)));
    return bad(text, "'flops' can mean multiply-adds or twice as many operations", hint);
  }
  if (word == "latency") return Quantity::latency;
  if (word == "mem" || word == "ram" || word == "parameters" || word == "activations" || word == "weights")
    return bad(text, fmt::format("'{}' is not a quantity", word),
               fmt::format("did you mean {}?", word == "mem" || word == "ram" ? "memory" : word == "activations" ? "acts" : "params"));
  if (word.empty()) return bad(text, "no quantity before the relation", "name one: macs, params, acts, memory or latency, " + std::string(kExamples));
  return bad(text, fmt::format("'{}' is not a quantity", word), "quantities: macs, params, acts, memory, latency; " + std::string(kExamples));
}

// Nanoseconds.
std::optional<double> parse_duration(std::string_view text) {
  double unit = 1e6;
  for (const auto& [suffix, ns] : {std::pair<std::string_view, double>{"ms", 1e6}, {"us", 1e3}, {"s", 1e9}})
    if (text.ends_with(suffix)) {
      unit = ns;
      text = trim(text.substr(0, text.size() - suffix.size()));
      break;
    }
  const auto n = parse_count(text);
  return n ? std::optional(*n * unit) : std::nullopt;
}

Result<Limit> parse_limit(std::string_view part, std::string_view text) {
  const size_t at = part.find_first_of("<=>");
  if (at == std::string_view::npos) {
    if (parse_count(part) || parse_bytes(part))
      return bad(text, fmt::format("{} of what?", part), fmt::format("name the quantity: macs={0}, params<{0}, acts<{0} or memory<{0}B", part));
    return bad(text, fmt::format("'{}' has no '<' or '='", part));
  }
  size_t end = at + 1;
  if (part[at] == '<' && end < part.size() && part[end] == '=') ++end;
  const std::string_view relation = part.substr(at, end - at);
  const std::string_view word = trim(part.substr(0, at));
  std::string_view amount = trim(part.substr(end));
  if (relation == ">") return bad(text, "a budget is an upper bound or a target, so '>' has no meaning", "use '<' or '='");

  Limit limit;
  HONE_TRY_ASSIGN(limit.quantity, parse_quantity(word, relation, amount, text));
  limit.exact = relation == "=";
  if (limit.quantity == Quantity::latency) {
    const size_t device = amount.find('@');
    if (device == std::string_view::npos || trim(amount.substr(device + 1)).empty())
      return bad(text, "latency of which device?", fmt::format("name its table: latency{}{}@DEVICE.json, as hone device build writes it", relation, trim(amount.substr(0, device))));
    limit.device = std::string(trim(amount.substr(device + 1)));
    amount = trim(amount.substr(0, device));
  }
  if (amount.empty()) return bad(text, fmt::format("no amount after '{}'", relation));
  std::optional<double> number;
  if (amount.back() == '%') {
    limit.percent = true;
    number = parse_count(trim(amount.substr(0, amount.size() - 1)));
    if (number) *number /= 100;
  } else {
    number = limit.quantity == Quantity::memory ? parse_bytes(amount) : limit.quantity == Quantity::latency ? parse_duration(amount) : parse_count(amount);
  }
  if (!number)
    return bad(text, fmt::format("'{}' is not an amount of {}", amount, name(limit.quantity)),
               limit.quantity == Quantity::latency ? "milliseconds as in 8ms, 0.5s or 800us, or a percentage"
               : limit.quantity == Quantity::memory ? "bytes with B, KB, MB, GB, KiB, MiB or GiB, or a percentage" : "a number with k, M, G or T, or a percentage");
  if (!(*number > 0) || *number > 9e18) return bad(text, fmt::format("the amount '{}' is out of range", amount), "it must be more than 0 and fit 64 bits");
  limit.amount = *number;
  return limit;
}

}  // namespace

std::string_view name(Quantity q) {
  switch (q) {
    case Quantity::macs: return "macs";
    case Quantity::params: return "params";
    case Quantity::acts: return "acts";
    case Quantity::memory: return "memory";
    case Quantity::latency: return "latency";
  }
  return "?";
}

int64_t amount_of(const Amounts& totals, Quantity q) {
  switch (q) {
    case Quantity::macs: return totals.macs;
    case Quantity::params: return totals.params;
    case Quantity::acts: return totals.acts;
    case Quantity::memory: return totals.peak_activation_bytes;
    case Quantity::latency: return totals.latency_ns;
  }
  return 0;
}

std::string format_amount(int64_t amount, Quantity q) {
  if (q == Quantity::memory) return format_bytes(amount);
  if (q == Quantity::latency) return fmt::format("{:.3g} ms", static_cast<double>(amount) / 1e6);
  return format_count(amount);
}

const Limit* latency_limit(const Budget& budget) {
  for (const Limit& limit : budget.limits)
    if (limit.quantity == Quantity::latency) return &limit;
  return nullptr;
}

Result<Budget> parse_budget(std::string_view text) {
  Budget budget;
  budget.text = std::string(text);
  std::string_view rest = text;
  while (true) {
    const size_t comma = rest.find(',');
    const std::string_view part = trim(rest.substr(0, comma));
    if (part.empty()) return bad(text, "a limit is missing");
    HONE_TRY_ASSIGN(const Limit limit, parse_limit(part, text));
    for (const Limit& other : budget.limits) {
      if (other.quantity == limit.quantity) return bad(text, fmt::format("{} is limited twice", name(limit.quantity)), "keep one of the two");
      if (other.exact && limit.exact) return bad(text, "two targets with '=' cannot both be met", "make one of them an upper bound with '<'");
    }
    budget.limits.push_back(limit);
    if (comma == std::string_view::npos) return budget;
    rest.remove_prefix(comma + 1);
  }
}

Budget resolve(const Budget& budget, const Amounts& base) {
  Budget out = budget;
  for (Limit& limit : out.limits)
    if (limit.percent) {
      limit.amount *= static_cast<double>(amount_of(base, limit.quantity));
      limit.percent = false;
    }
  return out;
}

bool meets(const Amounts& totals, const Limit& limit) {
  const double have = static_cast<double>(amount_of(totals, limit.quantity));
  return limit.exact ? std::fabs(have - limit.amount) <= kBudgetTolerance * limit.amount : have <= limit.amount;
}

bool meets(const Amounts& totals, const Budget& budget) {
  for (const Limit& limit : budget.limits)
    if (!meets(totals, limit)) return false;
  return true;
}

}  // namespace hone
