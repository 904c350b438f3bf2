// PyTorch checkpoints (.pt, .pth, Lightning's .ckpt): a stored zip archive with a pickle program and raw tensors.
//
// The program is interpreted, never executed: it may build dictionaries, lists, tuples, numbers, texts and tensors, and
// name torch's storages, tensors and collections.OrderedDict. Any other callable is refused by its name.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/error.h"
#include "ir/types.h"

namespace hone {

struct TorchFile {
  std::vector<std::pair<std::string, Tensor>> tensors;  // the state dict, in the file's order; views where contiguous
  std::string wrapper;                                  // "state_dict", "model", "model_state" or "" : where it lay
  std::vector<std::string> ignored;                     // keys beside the tensors
};

Result<TorchFile> read_pth(const std::string& path);
Result<TorchFile> read_pth(const Bytes& file, const std::string& source);

}  // namespace hone
