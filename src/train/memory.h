// The process set up for training: its memory allocator, and oneDNN's cache.
#pragma once

namespace hone::train {

// Keeps freed memory in the process instead of handing it back to the system. A training step frees and asks for the same
// big tensors again and again; by default each of them is mapped afresh and every page faults, which costs up to half of
// a MobileNetV2 step (docs/training-speed.md). Call once, before tensors are made. No effect outside glibc.
void keep_freed_memory();

// Room in oneDNN's cache for the kernels of every shape that a supernet's members have: each is compiled when it is first met,
// which takes as long as running it a few times, and oneDNN forgets beyond 1024 of them. Call before the first tensor operation;
// ONEDNN_PRIMITIVE_CACHE_CAPACITY in the environment wins.
void keep_compiled_kernels();

}  // namespace hone::train
