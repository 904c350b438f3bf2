#include <gtest/gtest.h>

#include <regex>

#include "cli/run_hone.h"

namespace hone::test {
namespace {

// A build without cpp-httplib says so.
bool built_with_server() { return shell("mkdir runs; timeout 2 hone serve --runs runs --port 0").err.find("built without its server") == std::string::npos; }

// Serves the runs of a folder, asks for something, ends it by a signal.
TEST(Serve, ServesUntilItIsToldToEnd) {
  if (!built_with_server()) GTEST_SKIP() << "built without cpp-httplib";
  const std::string folder = scratch_folder();
  const Ran ran = shell(
      "mkdir -p runs/a && echo 'seed = 1' > runs/a/recipe.toml && echo '{\"step\":7,\"kind\":\"train\",\"loss\":0.5}' > runs/a/events.jsonl\n"
      "hone serve --runs runs --port 0 --json > address 2> log & server=$!\n"
      "while [ ! -s address ]; do kill -0 $server || exit 3; sleep 0.05; done\n"
      "url=$(sed 's/.*\"url\":\"//; s/\".*//' address); port=${url##*:}; port=${port%/}\n"
      "ask() { exec 3<>/dev/tcp/127.0.0.1/$port; printf 'GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' \"$1\" >&3; cat <&3; }\n"
      "ask /api/v1/runs > runs.txt; ask / > page.txt; ask /api/v1/photos/0 > photo.txt; ask /nowhere > nowhere.txt\n"
      "kill -TERM $server; wait $server; echo exit $?; cat log",
      folder);
  EXPECT_EQ(ran.exit, 0) << ran.err;
  EXPECT_NE(ran.out.find("exit 0\nstopped after 4 requests\n"), std::string::npos) << ran.out;
  EXPECT_TRUE(std::regex_search(read_file(folder + "/address"), std::regex("^\\{\"command\":\"serve\",\"url\":\"http://127\\.0\\.0\\.1:[0-9]+/\",\"process\":[0-9]+\\}\n$")));
  EXPECT_NE(read_file(folder + "/runs.txt").find("\"name\":\"a\",\"state\":\"stopped\",\"step\":7"), std::string::npos) << read_file(folder + "/runs.txt");
  EXPECT_NE(read_file(folder + "/page.txt").find("<title>hone</title>"), std::string::npos);
  EXPECT_EQ(read_file(folder + "/photo.txt").compare(0, 22, "HTTP/1.1 404 Not Found"), 0);
  EXPECT_EQ(read_file(folder + "/nowhere.txt").compare(0, 22, "HTTP/1.1 404 Not Found"), 0);
}

TEST(Serve, SecondServerOnAPortIsTold) {
  if (!built_with_server()) GTEST_SKIP() << "built without cpp-httplib";
  const Ran ran = shell(
      "mkdir runs; hone serve --runs runs --port 0 > address & server=$!\n"
      "while [ ! -s address ]; do kill -0 $server || exit 3; sleep 0.05; done\n"
      "port=$(grep -o '[0-9]*/$' address); hone serve --runs runs --port ${port%/}; echo exit $?; kill $server; wait $server");
  EXPECT_NE(ran.out.find("exit 1"), std::string::npos);
  EXPECT_NE(ran.err.find("cannot listen on 127.0.0.1"), std::string::npos) << ran.err;
}

TEST(Serve, BadUse) {
  for (const char* arguments : {"serve", "serve --runs . --port 70000", "serve --runs . --port x", "serve --runs . --workers 0", "serve --runs . --threads 0", "serve --runs . --index a", "serve --runs . --full a", "serve a --full-index b"}) {
    const Ran ran = hone(arguments);
    EXPECT_EQ(ran.exit, 2) << arguments;
    EXPECT_NE(ran.err.find("hone: "), std::string::npos) << arguments;
  }
  EXPECT_EQ(hone("serve --runs no-such-folder").exit, 1);
  const Ran run = hone("serve no-such-run --port 0");
  EXPECT_EQ(run.exit, 1);
  EXPECT_NE(run.err.find("no-such-run"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace hone::test
