#include "measure_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hone::fuzz::device_table({reinterpret_cast<const char*>(data), size});
  return 0;
}
