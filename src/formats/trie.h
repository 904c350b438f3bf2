// Byte strings to ids, walked byte by byte: the vocabulary of a tokenizer.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace hone {

// Edges lie in one open-addressed table of (node, byte), so building takes no longer for any choice of strings.
class Trie {
 public:
  static constexpr uint32_t kRoot = 0, kNone = UINT32_MAX;
  static constexpr size_t kMaxNodes = size_t{1} << 24;

  // False when the trie would have more than kMaxNodes nodes; it is of no use then. A string added twice keeps the later id.
  bool add(std::string_view text, int32_t id) {
    uint32_t node = kRoot;
    for (const char c : text) {
      uint32_t next = step(node, static_cast<unsigned char>(c));
      if (next == kNone) {
        if (ids_.size() >= kMaxNodes) return false;
        if (2 * ids_.size() >= edges_.size()) grow();
        next = static_cast<uint32_t>(ids_.size());
        ids_.push_back(-1);
        insert(node << 8 | static_cast<unsigned char>(c), next);
      }
      node = next;
    }
    ids_[node] = id;
    return true;
  }

  // The node behind the edge, or kNone.
  uint32_t step(uint32_t node, unsigned char byte) const {
    const uint32_t key = node << 8 | byte;
    for (uint32_t at = slot(key);; at = (at + 1) & mask_) {
      const Edge& e = edges_[at];
      if (e.child == kNone) return kNone;
      if (e.key == key) return e.child;
    }
  }
  int32_t id(uint32_t node) const { return ids_[node]; }  // -1 where no string ends

  // Id of exactly this string, or -1.
  int32_t find(std::string_view text) const {
    uint32_t node = kRoot;
    for (const char c : text)
      if ((node = step(node, static_cast<unsigned char>(c))) == kNone) return -1;
    return ids_[node];
  }

 private:
  struct Edge {
    uint32_t key = 0, child = kNone;
  };
  uint32_t slot(uint32_t key) const { return (key * 0x9E3779B1u) >> shift_; }
  void insert(uint32_t key, uint32_t child) {
    uint32_t at = slot(key);
    while (edges_[at].child != kNone) at = (at + 1) & mask_;
    edges_[at] = {key, child};
  }
  void grow() {
    std::vector<Edge> old(2 * edges_.size());
    old.swap(edges_);
    --shift_;
    mask_ = static_cast<uint32_t>(edges_.size() - 1);
    for (const Edge& e : old)
      if (e.child != kNone) insert(e.key, e.child);
  }

  std::vector<Edge> edges_ = std::vector<Edge>(256);
  std::vector<int32_t> ids_ = {-1};
  uint32_t mask_ = 255, shift_ = 24;
};

}  // namespace hone
