#include "methods/tasks.h"

namespace hone::methods {

std::vector<train::TaskKind> tasks() {
  std::vector<train::TaskKind> all = train::basic_tasks();
  return all;
}

}  // namespace hone::methods
