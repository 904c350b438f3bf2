// A protobuf message under construction. Long contents (weights) stay where they are until the message is written, so
// a model of 2 GB is not copied to be saved.
#pragma once

#include <cstdint>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

class ProtoMessage {
 public:
  void integer(uint32_t tag, int64_t v) { protozero::pbf_writer(tail()).add_int64(tag, v); }
  void real(uint32_t tag, float v) { protozero::pbf_writer(tail()).add_float(tag, v); }
  void text(uint32_t tag, std::string_view v) { protozero::pbf_writer(tail()).add_bytes(tag, v.data(), v.size()); }
  // Refers to `bytes`, which the message keeps alive.
  void view(uint32_t tag, const Bytes& bytes) {
    header(tag, bytes.size);
    if (bytes.size > 0) parts_.push_back({{}, bytes});
  }
  void message(uint32_t tag, ProtoMessage m) {
    header(tag, m.size());
    for (Part& p : m.parts_) {
      // Small neighbours become one part, so that a graph of many nodes is not as many parts.
      if (p.view.size == 0) tail() += p.own;
      else parts_.push_back(std::move(p));
    }
  }

  size_t size() const {
    size_t n = 0;
    for (const Part& p : parts_) n += p.own.size() + p.view.size;
    return n;
  }

  // Calls sink(std::string_view) -> Status for one part after the other; stops at its first error.
  template <class Sink>
  Status write(Sink sink) const {
    for (const Part& p : parts_) {
      HONE_TRY(sink(std::string_view(p.own)));
      HONE_TRY(sink(std::string_view(reinterpret_cast<const char*>(p.view.data), p.view.size)));
    }
    return {};
  }

 private:
  struct Part {  // one of the two is empty
    std::string own;
    Bytes view;
  };
  std::string& tail() {
    if (parts_.empty() || parts_.back().view.size > 0) parts_.emplace_back();
    return parts_.back().own;
  }
  // Tag and length of a field whose contents follow.
  void header(uint32_t tag, size_t length) {
    std::string& out = tail();
    protozero::add_varint_to_buffer(&out, (uint64_t{tag} << 3) | static_cast<uint32_t>(protozero::pbf_wire_type::length_delimited));
    protozero::add_varint_to_buffer(&out, length);
  }
  std::vector<Part> parts_;
};

}  // namespace hone
