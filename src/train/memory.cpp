#include "train/memory.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <mutex>
#include <vector>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace hone::train {

namespace {

// Blocks of eight sizes an octave; a header in front remembers which.
class KeepingAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &release, c10::Device(c10::kCPU)};
    TORCH_CHECK_WITH(OutOfMemoryError, bytes < size_t{1} << 62, "not enough memory: ", bytes, " bytes asked for");
    const size_t kind = kind_of(bytes);
    void* block = nullptr;
    {
      const std::lock_guard lock(mutex_);
      used_ += size_of(kind);
      if (auto& free = free_[kind]; !free.empty()) {
        block = free.back();
        free.pop_back();
        kept_ -= size_of(kind);
      }
    }
    if (!block) {
      block = std::aligned_alloc(kHeader, kHeader + size_of(kind));
      TORCH_CHECK_WITH(OutOfMemoryError, block, "not enough memory: ", bytes, " bytes asked for");
      *static_cast<size_t*>(block) = kind;
    }
    void* data = static_cast<char*>(block) + kHeader;
    return {data, data, &release, c10::Device(c10::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }

  static KeepingAllocator& instance() {
    static KeepingAllocator* one = new KeepingAllocator;   // outlives every tensor
    return *one;
  }

 private:
  static constexpr size_t kHeader = 64;                  // bytes; what libtorch's kernels want tensors aligned to
  static constexpr size_t kKept = size_t{1} << 30;

  // Of 64 bytes and more: octaves by the highest bit, eighths of them by the next three.
  static size_t kind_of(size_t bytes) {
    const size_t above = bytes <= 64 ? 63 : bytes - 1, octave = static_cast<size_t>(std::bit_width(above)) - 1;
    return bytes <= 64 ? 0 : (octave - 6) * 8 + ((above >> (octave - 3)) & 7) + 1;
  }
  static size_t size_of(size_t kind) { return kind == 0 ? 64 : (9 + (kind - 1) % 8) << ((kind - 1) / 8 + 3); }

  static void release(void* data) {
    if (data) instance().keep(static_cast<char*>(data) - kHeader);
  }
  void keep(void* block) {
    const size_t kind = *static_cast<size_t*>(block);
    const std::lock_guard lock(mutex_);
    free_[kind].push_back(block);
    used_ -= size_of(kind);
    kept_ += size_of(kind);
    if (kept_ <= kKept || kept_ <= used_) return;
    for (auto& free : free_) {
      for (void* b : free) std::free(b);
      free.clear();
    }
    kept_ = 0;
  }

  std::mutex mutex_;
  std::array<std::vector<void*>, (64 - 6) * 8 + 1> free_;  // by kind
  size_t used_ = 0, kept_ = 0;                            // bytes
};

}  // namespace

void keep_freed_memory() {
  c10::SetCPUAllocator(&KeepingAllocator::instance());
#if defined(__GLIBC__)
  mallopt(M_MMAP_THRESHOLD, 1 << 30);  // what is smaller comes from the heap, which grows
  mallopt(M_TRIM_THRESHOLD, -1);       // and never shrinks
  mallopt(M_TOP_PAD, 64 << 20);
#endif
}

void keep_compiled_kernels() { ::setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "65536", /*overwrite=*/0); }

}  // namespace hone::train
