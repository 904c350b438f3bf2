#include <gtest/gtest.h>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

// What bash would offer behind `line` (its last word may be empty).
std::string offered(const std::string& line) {
  return shell("source <(hone completion bash)\n"
               "read -ra COMP_WORDS <<<\"" + line + "\"; [[ \"" + line + "\" == *' ' ]] && COMP_WORDS+=('')\n"
               "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _hone; printf '%s\\n' \"${COMPREPLY[@]}\" | sort | tr '\\n' ' '").out;
}

TEST(Completion, BashOffersWhatTheProgramHas) {
  EXPECT_EQ(offered("hone pro"), "profile ");
  EXPECT_EQ(offered("hone profile --str"), "--strict ");
  EXPECT_EQ(offered("hone profile --by "), "module node op stage ");
  EXPECT_NE(offered("hone profile timm/resnet5").find("timm/resnet50 "), std::string::npos);
}

TEST(Completion, ScriptsParse) {
  EXPECT_EQ(shell("hone completion bash | bash -n").exit, 0);
  for (const char* name : {"zsh", "fish"}) {
    const std::string shell_name = name;
    EXPECT_EQ(shell("hone completion " + shell_name + " >/dev/null").exit, 0);
    if (shell("command -v " + shell_name).exit != 0) continue;
    const Ran ran = shell("hone completion " + shell_name + " > script; " + shell_name + " -n script");
    EXPECT_EQ(ran.exit, 0) << ran.err;
  }
}

}  // namespace
}  // namespace hone::test
