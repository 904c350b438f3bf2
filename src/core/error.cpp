#include "core/error.h"

namespace hone {

std::string Error::text() const {
  std::string out;
  if (!where.empty()) out += where + ": ";
  out += message;
  if (!hint.empty()) out += " (" + hint + ")";
  return out;
}

int exit_code(Code code) {
  switch (code) {
    case Code::usage: return 2;
    case Code::budget_not_met: return 3;
    default: return 1;
  }
}

}  // namespace hone
