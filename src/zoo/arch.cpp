#include "zoo/arch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/nearest.h"
#include "zoo/families.h"

namespace hone {
namespace {

struct Bound {
  const char* key;
  double value, low, high;
};

Status within(std::initializer_list<Bound> bounds, const std::string& where) {
  for (const Bound& b : bounds)
    if (!(b.value >= b.low && b.value <= b.high))  // also false for NaN
      return fail(Code::invalid, fmt::format("{} is {}, expected {} to {}", b.key, b.value, b.low, b.high), where);
  return {};
}

double real(int64_t v) { return static_cast<double>(v); }

// Integers among options are sizes and counts: what builders multiply must stay far from 64 bits.
Status check_options(const Options& options, const std::string& where) {
  constexpr double kLargest = 1 << 20;
  for (const auto& [key, option] : options) {
    std::vector<int64_t> values;
    if (const auto* v = std::get_if<int64_t>(&option)) values = {*v};
    if (const auto* v = std::get_if<std::vector<int64_t>>(&option)) values = *v;
    for (int64_t v : values) HONE_TRY(within({{key.c_str(), real(v), -kLargest, kLargest}}, where + ": options"));
  }
  return {};
}

}  // namespace

Status check(const Arch& a) {
  // 2^20 channels x 2^20 channels x 255^2 taps, and 2^20 channels x 2^14 x 2^14 pixels, fit 64 bits.
  constexpr double kWidth = 1 << 20;
  HONE_TRY(within({{"resolution", real(a.resolution), 1, 1 << 14},
                   {"test_resolution", real(a.test_resolution), 0, 1 << 14},
                   {"channels", real(a.channels), 1, 1 << 12},
                   {"bn_eps", a.bn_eps, 0, 1},
                   {"bn_momentum", a.bn_momentum, 0, 1},
                   {"number of stages", real(static_cast<int64_t>(a.stages.size())), 0, 256}},
                  a.name));
  HONE_TRY(within({{"width", real(a.stem.width), 0, kWidth}}, a.name + ": stem"));
  HONE_TRY(within({{"width", real(a.head.width), 0, kWidth},
                   {"classes", real(a.head.classes), 0, kWidth},
                   {"dropout", a.head.dropout, 0, 1}},
                  a.name + ": head"));
  HONE_TRY(check_options(a.options, a.name));
  HONE_TRY(check_options(a.stem.options, a.name + ": stem"));
  HONE_TRY(check_options(a.head.options, a.name + ": head"));
  double blocks = 0;
  for (size_t i = 0; i < a.stages.size(); ++i) {
    const Stage& s = a.stages[i];
    const std::string where = fmt::format("{}: stage {} ({})", a.name, i + 1, s.block);
    HONE_TRY(within({{"depth", real(s.depth), 1, 4096},
                     {"width", real(s.width), 0, kWidth},
                     {"stride", real(s.stride), 1, 64},
                     {"kernel", real(s.kernel), 1, 255},
                     {"expand", s.expand, 0, 1024},
                     {"group_width", real(s.group_width), 0, kWidth},
                     {"se", s.se, 0, 1024},
                     {"heads", real(s.heads), 0, 1 << 16}},
                    where));
    HONE_TRY(check_options(s.options, where));
    blocks += real(s.depth);
  }
  return within({{"number of blocks", blocks, 0, 8192}}, a.name);
}

namespace {

std::string_view type_name(const Option& option) {
  constexpr std::string_view kNames[] = {"flag", "integer", "number", "text", "integers"};  // in the order of Option's types
  return kNames[option.index()];
}

// A misspelt option, or one of another type, would be read as absent.
Status check_options(const Arch& a, const Family& family) {
  std::vector<std::string> keys, types;
  for (std::string_view rest = family.options; !rest.empty();) {
    const std::string_view entry = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    keys.emplace_back(entry.substr(0, entry.find(':')));
    types.emplace_back(entry.substr(entry.find(':') + 1));
  }
  auto check = [&](const Options& options, const std::string& where) -> Status {
    for (const auto& [key, value] : options) {
      const auto at = std::ranges::find(keys, key);
      if (at == keys.end())
        return fail(Code::invalid, fmt::format("unknown option '{}'", key), a.name + where,
                    keys.empty() ? fmt::format("a {} has none", family.name) : fmt::format("did you mean '{}'? options: {}", nearest(key, keys, 1)[0], fmt::join(keys, " ")));
      const std::string& type = types[static_cast<size_t>(at - keys.begin())];
      if (type_name(value) != type) return fail(Code::invalid, fmt::format("option '{}' is of type {}, expected {}", key, type_name(value), type), a.name + where);
    }
    return {};
  };
  HONE_TRY(check(a.options, ""));
  HONE_TRY(check(a.stem.options, ": stem"));
  HONE_TRY(check(a.head.options, ": head"));
  for (size_t i = 0; i < a.stages.size(); ++i) HONE_TRY(check(a.stages[i].options, fmt::format(": stage {}", i + 1)));
  return {};
}

}  // namespace

Result<Graph> build(const Arch& arch) {
  HONE_TRY(check(arch));
  std::string known;
  for (const Family& f : families()) {
    if (f.name == arch.family) {
      HONE_TRY(check_options(arch, f));
      return f.build(arch);
    }
    fmt::format_to(std::back_inserter(known), "{}{}", known.empty() ? "" : ", ", f.name);
  }
  return fail(Code::invalid, fmt::format("unknown family '{}'", arch.family), arch.name, "families: " + known);
}

namespace {
template <class T>
const T* read(const Options& o, const std::string& key) {
  auto it = o.find(key);
  return it == o.end() ? nullptr : std::get_if<T>(&it->second);
}
}  // namespace

int64_t option_int(const Options& o, const std::string& key, int64_t fallback) {
  const auto* v = read<int64_t>(o, key);
  return v ? *v : fallback;
}
double option_real(const Options& o, const std::string& key, double fallback) {
  if (const auto* v = read<double>(o, key)) return *v;
  const auto* v = read<int64_t>(o, key);
  return v ? static_cast<double>(*v) : fallback;
}
bool option_flag(const Options& o, const std::string& key, bool fallback) {
  const auto* v = read<bool>(o, key);
  return v ? *v : fallback;
}
std::string option_text(const Options& o, const std::string& key, const std::string& fallback) {
  const auto* v = read<std::string>(o, key);
  return v ? *v : fallback;
}
std::vector<int64_t> option_ints(const Options& o, const std::string& key, const std::vector<int64_t>& fallback) {
  const auto* v = read<std::vector<int64_t>>(o, key);
  return v ? *v : fallback;
}

}  // namespace hone
