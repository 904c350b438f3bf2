// Libraries that are loaded when a command needs them: hone itself answers without paying for them.
#pragma once

#include <string>

#include "core/error.h"

namespace hone {

// The symbol `name` of lib<plugin>.so, which lies beside the program or in ../lib. A library that is not there or does not
// load is an error that says what to do. It stays loaded until the process ends.
Result<void*> plugin_symbol(const std::string& plugin, const char* name);

// Calls the entry `name`, whose type is Entry = void(const Request&, Result<Reply>&), and gives its reply.
template <class Entry>
struct PluginEntry;
template <class Q, class R>
struct PluginEntry<void(const Q&, Result<R>&)> {
  using Request = Q;
  using Reply = R;
};
template <class Entry>
Result<typename PluginEntry<Entry>::Reply> ask_plugin(const std::string& plugin, const char* name, const typename PluginEntry<Entry>::Request& request) {
  HONE_TRY_ASSIGN(void* symbol, plugin_symbol(plugin, name));
  Result<typename PluginEntry<Entry>::Reply> reply = fail(Code::failed, "gave no reply", name);
  reinterpret_cast<Entry*>(symbol)(request, reply);
  return reply;
}

}  // namespace hone
