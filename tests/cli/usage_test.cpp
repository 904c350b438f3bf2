// Bad use gets help: messages verbatim, exit codes as docs/cli.md lists them.
#include <gtest/gtest.h>

#include <fstream>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

TEST(Usage, NoCommandPrintsTheOverview) {
  const Ran bare = hone(""), help = hone("--help");
  EXPECT_EQ(bare.exit, 0);
  EXPECT_EQ(bare.out, help.out);
  EXPECT_NE(bare.out.find("usage: hone COMMAND"), std::string::npos);
  EXPECT_EQ(bare.err, "");
}

TEST(Usage, Version) { EXPECT_EQ(hone("--version").out, "hone " HONE_VERSION "\n"); }

TEST(Usage, EveryCommandHasHelpWithExamples) {
  const std::string overview = hone("").out;
  size_t at = overview.find("commands:\n") + 10;
  int commands = 0;
  for (; overview.compare(at, 2, "  ") == 0; at = overview.find('\n', at) + 1) {
    const std::string line = overview.substr(at + 2, overview.find('\n', at) - at - 2), name = line.substr(0, line.find("  "));
    const Ran help = hone(name + " --help");
    EXPECT_EQ(help.exit, 0) << name;
    EXPECT_NE(help.out.find("usage: hone " + name), std::string::npos) << help.out;
    EXPECT_NE(help.out.find("examples:"), std::string::npos) << help.out;
    EXPECT_EQ(help.out, hone("help " + name).out);
    ++commands;
  }
  EXPECT_GE(commands, 4);
}

TEST(Usage, HalfACommandListsItsOthers) {
  const Ran help = hone("runs --help"), half = hone("data --help");  // one is a command of its own
  EXPECT_NE(help.out.find("usage: hone runs"), std::string::npos) << help.out;
  EXPECT_EQ(half.exit, 0) << half.err;
  EXPECT_NE(half.out.find("  data show "), std::string::npos) << half.out;
  EXPECT_EQ(half.out.find("  runs"), std::string::npos) << half.out;
  EXPECT_EQ(half.out, hone("help data").out);
}

void expect_error(const std::string& arguments, int exit, const std::string& message) {
  const Ran ran = hone(arguments);
  EXPECT_EQ(ran.exit, exit) << arguments;
  EXPECT_EQ(ran.out, "") << arguments;
  EXPECT_EQ(ran.err, message) << arguments;
}

const std::string kProfileHelp = "  usage: hone profile NET [options]\n  help:  hone profile --help\n";

TEST(Usage, WrongArguments) {
  expect_error("prfile", 2, "hone: no command 'prfile'\n  did you mean profile?  hone --help lists all commands\n");
  expect_error("profile", 2, "hone: NET is missing: a network's name such as timm/resnet50, an .onnx, .toml, .hone or .json file, a run directory, or RUN:FILE.json for a member of a supernet run\n" + kProfileHelp);
  expect_error("profile --by x timm/resnet50", 2, "hone: --by: is 'x', expected one of: op, module, stage, node\n" + kProfileHelp);
  expect_error("profile --inpt=1x3 timm/resnet50", 2, "hone: unknown option '--inpt', did you mean --input?\n" + kProfileHelp);
  expect_error("profile a b", 2, "hone: too many arguments, 1 expected\n" + kProfileHelp);
  expect_error("profile timm/resnet50 --batch 1.5", 2, "hone: --batch: is '1.5', expected a whole number\n" + kProfileHelp);
  expect_error("profile timm/resnet50 --batch 0", 2, "hone: --batch: 0 is not a batch size\n  it starts at 1\n");
  expect_error("profile timm/resnet50 --input 1x", 2, "hone: --input: '1x' is not a shape\n  write [NAME=]1x3x224x224\n");
  expect_error("profile timm/resnet50 --json --csv", 2, "hone: --json and --csv exclude each other\n  ask for one of them\n");
  expect_error("completion tcsh", 2, "hone: no completion for 'tcsh'\n  shells: bash, zsh, fish\n");
}

TEST(Usage, UnknownNetworkNamesTheThreeNearest) {
  expect_error("profile resnet51", 2, "hone: unknown network 'resnet51'\n  nearest: timm/resnet50, torchvision/resnet50, timm/resnet101; `hone zoo` lists all\n");
}

TEST(Usage, HowToMeasureNeedsSomethingToMeasure) {
  expect_error("profile timm/resnet50 --threads 2", 2, "hone: --threads, --precision, --seconds, --rounds and --seed say how to measure, and nothing is measured\n  add --measure\n");
}

TEST(Usage, FilesThatAreNoNetworks) {
  const std::string folder = scratch_folder();
  std::ofstream(folder + "/text.onnx") << "this is no model\n";
  std::ofstream(folder + "/empty.onnx");
  std::ofstream(folder + "/odd.bin") << "x";
  for (const char* file : {"text.onnx", "empty.onnx", "odd.bin", "absent.onnx", "absent.toml", "."}) {
    const Ran ran = shell(std::string("hone profile ") + file, folder);
    EXPECT_TRUE(ran.exit == 1 || ran.exit == 2) << file << " " << ran.exit;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err.compare(0, 6, "hone: "), 0) << ran.err;
    EXPECT_NE(ran.err.find(file), std::string::npos) << ran.err;
  }
}

TEST(Usage, ColourOnlyOnATerminal) {
  EXPECT_EQ(hone("profile timm/resnet18").out.find('\x1b'), std::string::npos);
  // script(1) gives the program a terminal.
  if (shell("command -v script").exit != 0) GTEST_SKIP() << "script(1) is not installed";
  EXPECT_NE(shell("TERM=xterm script -qec 'hone profile timm/resnet18' /dev/null").out.find("\x1b[1m"), std::string::npos);
  EXPECT_EQ(shell("NO_COLOR=1 TERM=xterm script -qec 'hone profile timm/resnet18' /dev/null").out.find("\x1b["), std::string::npos);
}

TEST(Usage, AFullDiskIsAnError) {
  const Ran ran = shell("hone profile timm/resnet18 >/dev/full");
  EXPECT_EQ(ran.exit, 1);
  EXPECT_EQ(ran.err, "hone: cannot write to standard output: No space left on device\n");
}

}  // namespace
}  // namespace hone::test
