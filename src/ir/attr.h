// Attributes of a node: a short sorted list of names and values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "ir/types.h"

namespace hone {

using Attr = std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>,
                          std::vector<std::string>, TensorPtr>;
// Same order as the alternatives of Attr.
enum class AttrKind : uint8_t { integer, real, text, integers, reals, texts, tensor };
inline AttrKind kind(const Attr& a) { return static_cast<AttrKind>(a.index()); }
std::string_view name(AttrKind k);
bool equal(const Attr& a, const Attr& b);  // tensors by contents

class Attrs {
 public:
  Attrs() = default;
  Attrs(std::initializer_list<std::pair<std::string, Attr>> list);

  const Attr* find(std::string_view name) const;
  void set(std::string name, Attr value);
  void erase(std::string_view name);
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // Typed reads. A missing attribute, or one of another kind, gives the fallback: verify() has checked kinds.
  int64_t integer(std::string_view name, int64_t fallback) const;
  float real(std::string_view name, float fallback) const;
  std::string_view text(std::string_view name, std::string_view fallback) const;
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> fallback = {}) const;

  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  size_t size() const { return list_.size(); }
  bool empty() const { return list_.empty(); }
  bool operator==(const Attrs& other) const;

 private:
  std::vector<std::pair<std::string, Attr>> list_;  // sorted by name
};

}  // namespace hone
