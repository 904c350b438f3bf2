// The subset of Python's pickle that torch.save writes for a state dict (protocols 2 to 4).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone::pickle {

// Objects live in one deque and refer to each other by index, so that neither cycles nor deep nesting can hurt.
using Ref = uint32_t;
enum class Kind : uint8_t { none, boolean, integer, real, text, list, tuple, dict, global, storage, tensor };
struct Object {
  Kind kind = Kind::none;
  int64_t integer = 0;
  double real = 0;
  std::string text;                         // text, or the dotted name of a global
  std::vector<Ref> items;                   // list, tuple
  std::vector<std::pair<Ref, Ref>> entries; // dict
  DType dtype = DType::undefined;           // storage
  Bytes bytes;                              // storage
  Tensor tensor;
};

struct Program {
  std::deque<Object> objects;
  Ref result = 0;
  const Object& at(Ref r) const { return objects[r]; }
};

// `storage` finds the raw bytes of a storage by its key.
Result<Program> interpret(const Bytes& code, const std::string& source, const std::function<Result<Bytes>(const std::string& key)>& storage);

}  // namespace hone::pickle
