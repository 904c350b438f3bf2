#include "core/plugin.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

namespace hone {

namespace fs = std::filesystem;

namespace {

// libgomp, which libtorch's threads come from, lets a thread that waits for the others spin for milliseconds. On a machine that
// somebody else uses too, a thread that has lost its processor then keeps the rest burning theirs (a step took many times as
// long). A thousand turns are some ten microseconds, longer than what kernels wait for each other on a free machine. libgomp reads
// this when it is loaded; what the user has set stands.
void wait_briefly() {
  if (!std::getenv("OMP_WAIT_POLICY")) ::setenv("GOMP_SPINCOUNT", "1000", 0);
}

}  // namespace

Result<void*> plugin_symbol(const std::string& plugin, const char* name) {
  std::error_code ec;
  const fs::path folder = fs::read_symlink("/proc/self/exe", ec).parent_path();
  if (ec) return fail(Code::io, "cannot find the program's own folder: " + ec.message());
  const std::string file = "lib" + plugin + ".so";
  for (const fs::path& path : {folder / file, folder.parent_path() / "lib" / file}) {
    if (!fs::exists(path, ec)) continue;
    wait_briefly();
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
