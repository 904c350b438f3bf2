#include "cli/run_hone.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace hone::test {

namespace fs = std::filesystem;

namespace {

struct Root {
  fs::path path = fs::temp_directory_path() / ("hone_cli_" + std::to_string(::getpid()));
  int next = 0;
  Root() { fs::create_directories(path); }
  ~Root() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
};
Root& root() {
  static Root r;
  return r;
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string scratch_folder() {
  const fs::path folder = root().path / std::to_string(root().next++);
  fs::create_directories(folder);
  return folder.string();
}

Ran shell(const std::string& command, const std::string& folder) {
  const std::string output = scratch_folder();
  const std::string script = "cd '" + folder + "' && export PATH=\"" + fs::path(HONE_BINARY).parent_path().string() + ":$PATH\" LC_ALL=C.UTF-8 && unset NO_COLOR\n" + command + "\n";
  std::ofstream(output + "/script") << script;
  const int status = std::system(("bash '" + output + "/script' >'" + output + "/out' 2>'" + output + "/err' </dev/null").c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_file(output + "/out"), read_file(output + "/err")};
}

}  // namespace hone::test
