// Libraries that are loaded when a command needs them: hone itself answers without paying for them.
#pragma once

#include <string>

#include "core/error.h"

namespace hone {

// The symbol `name` of lib<plugin>.so, which lies beside the program or in ../lib. A library that is not there or does not
// load is an error that says what to do. It stays loaded until the process ends.
Result<void*> plugin_symbol(const std::string& plugin, const char* name);

}  // namespace hone
