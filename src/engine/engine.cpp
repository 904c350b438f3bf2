#include "engine/engine.h"

#include <fmt/format.h>

#include "core/plugin.h"

namespace hone {

Result<Engine*> open_engine(const std::string& name) {
  if (name != "openvino") return fail(Code::usage, fmt::format("there is no engine '{}'", name), {}, "the engines: openvino");
  HONE_TRY_ASSIGN(void* const symbol, plugin_symbol("hone_engine_openvino", "hone_engine"));
  return reinterpret_cast<Engine* (*)()>(symbol)();
}

}  // namespace hone
