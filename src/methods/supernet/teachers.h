// Frozen networks whose predictions members learn from.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/loop.h"
#include "train/params.h"

namespace hone::methods {

class Teachers {
 public:
  // Networks by name, file or run directory; `weights` are checkpoints ("" where the network has its own). All must classify
  // square RGB pictures into `classes`.
  static Result<Teachers> open(const std::vector<std::string>& networks, const std::vector<std::string>& weights, int64_t classes, const train::Compute& compute);

  // The mean over the teachers of softmax(sharpening * logits); each gets the pictures at its own side.
  Result<at::Tensor> targets(const at::Tensor& images, double sharpening);

 private:
  struct Teacher {
    std::string name;
    Graph graph;
    int64_t side = 0;
    train::Params params;
    std::map<int64_t, train::Program> programs;   // by batch size
  };
  std::vector<Teacher> all_;
  train::Compute compute_;
};

}  // namespace hone::methods
