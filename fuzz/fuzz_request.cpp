#include "request_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  hone::fuzz::request({reinterpret_cast<const char*>(data), size});
  return 0;
}
