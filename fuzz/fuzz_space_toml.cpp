#include "search_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hone::fuzz::space_toml({reinterpret_cast<const char*>(data), size});
  return 0;
}
