#include "ir/attr.h"

#include <algorithm>
#include <bit>

namespace hone {

namespace {

auto lower(auto& list, std::string_view name) {
  return std::lower_bound(list.begin(), list.end(), name, [](const auto& entry, std::string_view key) { return entry.first < key; });
}

// Bit patterns, so that NaN equals itself and a copy equals its source.
bool same_bits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

}  // namespace

std::string_view name(AttrKind k) {
  switch (k) {
    case AttrKind::integer: return "integer";
    case AttrKind::real: return "number";
    case AttrKind::text: return "text";
    case AttrKind::integers: return "integers";
    case AttrKind::reals: return "numbers";
    case AttrKind::texts: return "texts";
    case AttrKind::tensor: return "tensor";
  }
  return "?";
}

bool equal(const Attr& a, const Attr& b) {
  if (a.index() != b.index()) return false;
  if (auto* t = std::get_if<TensorPtr>(&a)) {
    const TensorPtr& u = std::get<TensorPtr>(b);
    return *t == u || (*t && u && same_contents(**t, *u));
  }
  if (auto* x = std::get_if<float>(&a)) return same_bits(*x, std::get<float>(b));
  if (auto* x = std::get_if<std::vector<float>>(&a)) return std::ranges::equal(*x, std::get<std::vector<float>>(b), same_bits);
  return a == b;
}

Attrs::Attrs(std::initializer_list<std::pair<std::string, Attr>> list) {
  for (const auto& [key, value] : list) set(key, value);
}

const Attr* Attrs::find(std::string_view name) const {
  auto it = lower(list_, name);
  return it != list_.end() && it->first == name ? &it->second : nullptr;
}

void Attrs::set(std::string name, Attr value) {
  auto it = lower(list_, name);
  if (it != list_.end() && it->first == name) it->second = std::move(value);
  else list_.insert(it, {std::move(name), std::move(value)});
}

void Attrs::erase(std::string_view name) {
  auto it = lower(list_, name);
  if (it != list_.end() && it->first == name) list_.erase(it);
}

int64_t Attrs::integer(std::string_view name, int64_t fallback) const {
  const Attr* a = find(name);
  const int64_t* v = a ? std::get_if<int64_t>(a) : nullptr;
  return v ? *v : fallback;
}

float Attrs::real(std::string_view name, float fallback) const {
  const Attr* a = find(name);
  const float* v = a ? std::get_if<float>(a) : nullptr;
  return v ? *v : fallback;
}

std::string_view Attrs::text(std::string_view name, std::string_view fallback) const {
  const Attr* a = find(name);
  const std::string* v = a ? std::get_if<std::string>(a) : nullptr;
  return v ? std::string_view(*v) : fallback;
}

std::vector<int64_t> Attrs::integers(std::string_view name, std::vector<int64_t> fallback) const {
  const Attr* a = find(name);
  const auto* v = a ? std::get_if<std::vector<int64_t>>(a) : nullptr;
  return v ? *v : std::move(fallback);
}

bool Attrs::operator==(const Attrs& other) const {
  return std::ranges::equal(list_, other.list_, [](const auto& a, const auto& b) { return a.first == b.first && equal(a.second, b.second); });
}

}  // namespace hone
