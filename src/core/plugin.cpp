#include "core/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <filesystem>

namespace hone {

namespace fs = std::filesystem;

Result<void*> plugin_symbol(const std::string& plugin, const char* name) {
  std::error_code ec;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ec).parent_path();
  if (ec) return fail(Code::io, "cannot find the program's own folder: " + ec.message());
  const std::string file = "lib" + plugin + ".so";
  for (const fs::path& path : {folder / file, folder.parent_path() / "lib" / file}) {
    if (!fs::exists(path, ec)) continue;
    // Local: symbols of torch and protobuf must not mix with the program's. Now: what is missing shows here, not in a run.
    void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) return fail(Code::failed, fmt::format("cannot be loaded: {}", ::dlerror()), path, "was the Python environment that holds torch moved? scripts/setup makes it again, then build again");
    void* symbol = ::dlsym(library, name);
    if (!symbol) return fail(Code::failed, fmt::format("has no '{}': it belongs to another version of hone", name), path, "build again");
    return symbol;
  }
  return fail(Code::failed, fmt::format("{} is not beside the program: hone was built without it", file), folder, "scripts/setup, then cmake --preset release && cmake --build build/release");
}

}  // namespace hone
