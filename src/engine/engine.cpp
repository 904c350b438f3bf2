#include "engine/engine.h"

#include <fmt/format.h>

#include "core/plugin.h"

namespace hone {

Result<Engine*> open_engine(const std::string& name) {
  if (name != "openvino" && name != "torch") return fail(Code::usage, fmt::format("there is no engine '{}'", name), {}, "the engines: openvino, torch");
  HONE_TRY_ASSIGN(void* const symbol, plugin_symbol(name == "torch" ? "hone_train" : "hone_engine_openvino", "hone_engine"));
  return reinterpret_cast<Engine* (*)()>(symbol)();
}

}  // namespace hone
