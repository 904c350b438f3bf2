// The process's memory allocator, set up for training.
#pragma once

namespace hone::train {

// Keeps freed memory in the process instead of handing it back to the system. A training step frees and asks for the same
// big tensors again and again; by default each of them is mapped afresh and every page faults, which costs up to half of
// a MobileNetV2 step (docs/training-speed.md). Call once, before tensors are made. No effect outside glibc.
void keep_freed_memory();

}  // namespace hone::train
