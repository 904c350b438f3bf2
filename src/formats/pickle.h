// The subsets of Python's pickle that torch.save writes for a state dict and NumPy for arrays (protocols 2 to 4).
// Nothing is ever called: a name that a subset does not need is refused, and said.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone::pickle {

// Objects live in one deque and refer to each other by index, so that neither cycles nor deep nesting can hurt.
using Ref = uint32_t;
enum class Kind : uint8_t { none, boolean, integer, real, text, bytes, list, tuple, dict, global, storage, dtype, tensor, objects };
struct Object {
  Kind kind = Kind::none;
  int64_t integer = 0;                      // integer, boolean; tensor: 1 when its first index runs fastest (NumPy's Fortran order)
  double real = 0;
  std::string text;                         // text, or the dotted name of a global
  std::vector<Ref> items;                   // list, tuple, objects (a NumPy array of Python objects)
  std::vector<std::pair<Ref, Ref>> entries; // dict
  DType dtype = DType::undefined;           // storage; dtype (undefined: Python objects)
  Bytes bytes;                              // storage, bytes
  Tensor tensor;
};

struct Program {
  std::deque<Object> objects;
  Ref result = 0;
  const Object& at(Ref r) const { return objects[r]; }
};

// Arrays of numbers or of such arrays, in plain containers. Contents are views into `code`.
Result<Program> interpret_numpy(const Bytes& code, const std::string& source);

// Element type of NumPy's short names ("f8", "i2", "?"); "O" is DType::undefined. Nothing for others.
std::optional<DType> numpy_type(std::string_view name);

// `storage` finds the raw bytes of a storage by its key.
Result<Program> interpret(const Bytes& code, const std::string& source, const std::function<Result<Bytes>(const std::string& key)>& storage);

}  // namespace hone::pickle
