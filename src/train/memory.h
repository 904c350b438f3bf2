// The process set up for training: its memory allocator, and oneDNN's cache.
#pragma once

namespace hone::train {

// Keeps freed tensors' memory in the process, by size, instead of handing it back. A training step frees and asks for the same big
// tensors again and again. The system maps such a block afresh and every page of it faults, which costs up to half of a MobileNetV2
// step; kept in the C library's heap, blocks are cut and joined all the time, which costs a supernet's step, where every member
// asks for other sizes, an eighth (docs/training-speed.md). What is kept is given back when it grows beyond what is in use and a
// gigabyte. Call once, before tensors are made.
void keep_freed_memory();

// Room in oneDNN's cache for the kernels of every shape that a supernet's members have: each is compiled when it is first met,
// which takes as long as running it a few times, and oneDNN forgets beyond 1024 of them. Call before the first tensor operation;
// ONEDNN_PRIMITIVE_CACHE_CAPACITY in the environment wins.
void keep_compiled_kernels();

}  // namespace hone::train
