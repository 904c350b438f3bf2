#include "train/memory.h"

#include <cstdlib>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace hone::train {

void keep_freed_memory() {
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // what is smaller comes from the heap, which grows
  mallopt(M_TRIM_THRESHOLD, -1);       // and never shrinks
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void keep_compiled_kernels() { ::setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "65536", /*overwrite=*/0); }

}  // namespace hone::train
