// Arrays in NumPy's files: .npy, and .npz (a zip of them).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

// Numbers, row-major, or with dtype undefined and `objects` the arrays that an array of Python objects holds (numeric
// ones only; anything else is refused).
struct NumpyArray {
  Shape shape;
  std::vector<double> numbers;
  DType dtype = DType::undefined;
  std::vector<NumpyArray> objects;
};
Result<NumpyArray> read_npy(const Bytes& file, const std::string& source);
// In order of their names, which come without ".npy".
Result<std::vector<std::pair<std::string, NumpyArray>>> read_npz(const Bytes& file, const std::string& source);
// A pickled dictionary of arrays, in its order.
Result<std::vector<std::pair<std::string, NumpyArray>>> read_array_pickle(const Bytes& file, const std::string& source);

}  // namespace hone
