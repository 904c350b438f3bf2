// Memory that reading takes, for files made to take much of it: each is read in a child process, whose address space may
// grow by kBase + kPerByte x the file's size. Fuzzing looks for crashes; this keeps the proportion.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>

#include "../../fuzz/targets.h"
#include "onnx_bytes.h"

namespace hone {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

// A node of a dozen bytes in a file is a Node, a Value, its name and its place in an index in memory.
constexpr int64_t kBase = 24 << 20, kPerByte = 128;

int64_t kilobytes(const char* key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(key)) return std::atoll(line.c_str() + std::strlen(key));
  return -1;
}

// How much the address space of a child grows, at its peak, while it does `work`; -1 when it does not end well.
template <class F>
int64_t growth(const F& work) {
  malloc_trim(0);
  int ends[2];
  if (pipe(ends) != 0) return -1;
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    const rlimit most{rlim_t{4} << 30, rlim_t{4} << 30};
    setrlimit(RLIMIT_AS, &most);
    const int64_t before = kilobytes("VmSize:");
    work();
    const int64_t grown = (kilobytes("VmPeak:") - before) * 1024;
    _exit(write(ends[1], &grown, sizeof grown) == sizeof grown ? 0 : 1);
  }
  close(ends[1]);
  int64_t grown = -1;
  if (read(ends[0], &grown, sizeof grown) != sizeof grown) grown = -1;
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? grown : -1;
}

void expect_bounded(const std::string& what, const std::string& file, void (*read)(std::string_view)) {
  if (kSanitized) GTEST_SKIP() << "the sanitizer's own memory is measured, not hone's";
  const int64_t grown = growth([&] { read(file); }), bound = kBase + kPerByte * static_cast<int64_t>(file.size());
  ASSERT_GE(grown, 0) << what << ": the reader does not survive it";
  EXPECT_LE(grown, bound) << what << ", " << file.size() << " bytes";
  if (std::getenv("HONE_VERBOSE")) std::printf("%-40s %8zu bytes, %8lld KiB, %.1f a byte\n", what.c_str(), file.size(), static_cast<long long>(grown / 1024), static_cast<double>(grown) / static_cast<double>(file.size()));
}

std::vector<std::string> names(const std::string& stem, size_t n) {
  std::vector<std::string> out;
  for (size_t i = 0; i < n; ++i) out.push_back(stem + std::to_string(i));
  return out;
}

// Read, typed and counted.
void onnx(const std::string& what, const std::string& file) {
  expect_bounded(what, file, [](std::string_view bytes) {
    auto graph = read_onnx_bytes(bytes, nullptr, "hostile.onnx");
    if (!graph) return;
    const auto typed = infer(std::move(*graph), {}, true);
    if (typed) (void)profile(typed->graph);
  });
}

TEST(HostileMemory, Onnx) {
  using namespace test;
  const auto x = value_info("x", {1, 3, 8, 8});
  {
    Model m;
    m.inputs = {x};
    std::string last = "x";
    for (const auto& y : names("", 20000)) m.nodes.push_back(node("Abs", {last}, {y})), last = y;
    onnx("20,000 tiny nodes", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    m.nodes.push_back(node("Split", {"x"}, names("", 50000)));
    onnx("a node of 50,000 outputs", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    m.nodes.push_back(node("Concat", std::vector<std::string>(50000, "x"), {"y"}, {attr("axis", int64_t{0})}));
    onnx("a node that reads x 50,000 times", m.bytes());
  }
  {
    Model m;
    m.initializers.push_back(floats("w", {1, 1, 1, int64_t{1} << 40}, {}));
    onnx("a stored tensor of 4 TB without bytes", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    for (const auto& y : names("c", 200)) {
      m.initializers.push_back(ints("n" + y, {1}, {1 << 20}));
      m.nodes.push_back(node("ConstantOfShape", {"n" + y}, {y}, {attr("value", ints("", {1}, {7}))}));
    }
    onnx("200 tables of a million known numbers", m.bytes());
  }
  {
    Model m;
    m.initializers.push_back(ints("0", {4}, {1, 2, 3, 4}));
    std::string last = "0";
    for (const auto& y : names("d", 40)) m.nodes.push_back(node("Concat", {last, last}, {y}, {attr("axis", int64_t{0})})), last = y;
    onnx("known numbers that double 40 times", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    Message strings = tensor("s", 8, {30000});
    for (int i = 0; i < 30000; ++i) strings.put(6, std::string());
    m.initializers.push_back(strings);
    onnx("30,000 empty strings", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    for (const auto& f : names("f", 14)) {
      const std::string next = "f" + std::to_string(std::stoi(f.substr(1)) + 1);
      Message function;
      function.put(1, f).put(4, std::string("a")).put(5, std::string("c")).put(7, node(next, {"a"}, {"b"}, {}, "", "h")).put(7, node(next, {"b"}, {"c"}, {}, "", "h"));
      m.model_extra.put(25, function.put(9, Message().put(1, std::string()).put(2, int64_t{17})).put(10, std::string("h")));
    }
    m.nodes.push_back(node("f0", {"x"}, {"y"}, {}, "", "h"));
    onnx("functions that call the next one twice", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    Message function;
    function.put(1, std::string("f")).put(4, std::string("a"));
    std::string last = "a";
    for (const auto& y : names("", 5000)) function.put(7, node("Abs", {last}, {y})), last = y;
    function.put(5, last).put(9, Message().put(1, std::string()).put(2, int64_t{17})).put(10, std::string("h"));
    m.model_extra.put(25, function);
    m.nodes.push_back(node("f", {"x"}, {"y"}, {}, std::string(60000, 'n'), "h"));
    onnx("5,000 names behind a prefix of 60,000", m.bytes());
  }
  {
    Model m;
    m.inputs = {x};
    Message graph = node("Abs", {"x"}, {"y"});
    for (int i = 0; i < 200; ++i) graph = node("If", {"x"}, {"y"}, {Message().put(1, std::string("then_branch")).put(6, Message().put(1, graph)).put(20, int64_t{5})});
    m.nodes.push_back(graph);
    onnx("subgraphs 200 deep", m.bytes());
  }
}

void safetensors(const std::string& what, const std::string& header) {
  const uint64_t n = header.size();
  expect_bounded(what, std::string(reinterpret_cast<const char*>(&n), 8) + header, fuzz::safetensors);
}

TEST(HostileMemory, SafeTensors) {
  std::string many = "{";
  for (int i = 0; i < 20000; ++i) many += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  safetensors("20,000 empty tensors", many + "}");
  std::string dims = R"({"a":{"dtype":"U8","shape":[1)";
  for (int i = 0; i < 100000; ++i) dims += ",1";
  safetensors("100,000 dimensions", dims + R"(],"data_offsets":[0,1]}})");
  safetensors("lists 100,000 deep", R"({"a":)" + std::string(100000, '['));
  safetensors("objects 50,000 deep", [] {
    std::string text;
    for (int i = 0; i < 50000; ++i) text += "{\"a\":";
    return text;
  }());
  std::string metadata = R"({"__metadata__":{)";
  for (int i = 0; i < 20000; ++i) metadata += (i ? ",\"" : "\"") + std::to_string(i) + R"(":"")";
  safetensors("20,000 metadata entries", metadata + "}}");
  safetensors("a tensor of 8 EB", R"({"a":{"dtype":"F64","shape":[1152921504606846975],"data_offsets":[0,9223372036854775800]}})");
  const uint64_t huge = UINT64_MAX / 2;
  expect_bounded("a header of 9 EB", std::string(reinterpret_cast<const char*>(&huge), 8) + "{}", fuzz::safetensors);
}

// A stored zip archive of one entry, as torch.save writes.
std::string archive(const std::string& pickle) {
  const auto number = [](uint64_t v, int bytes) {
    std::string s;
    for (int i = 0; i < bytes; ++i) s += i < 8 ? static_cast<char>(v >> (8 * i) & 255) : 0;
    return s;
  };
  const std::string name = "archive/data.pkl", sizes = number(0, 4) + number(pickle.size(), 4) + number(pickle.size(), 4) + number(name.size(), 2) + number(0, 2);
  const std::string local = "PK\3\4" + number(10, 2) + number(0, 8) + sizes + name + pickle;
  const std::string directory = "PK\1\2" + number(10, 2) + number(10, 2) + number(0, 8) + sizes + number(0, 10) + number(0, 4) + name;
  return local + directory + "PK\5\6" + number(0, 4) + number(1, 2) + number(1, 2) + number(directory.size(), 4) + number(local.size(), 4) + number(0, 2);
}

void pth(const std::string& what, const std::string& pickle) { expect_bounded(what, archive("\x80\x02" + pickle + "."), fuzz::pth); }

TEST(HostileMemory, Pth) {
  const std::string zero(1, '\0');
  pth("100,000 empty dictionaries", std::string(100000, '}'));
  pth("100,000 marks", std::string(100000, '('));
  std::string doubling = "]q" + zero;  // a list in memo 0; each round a tuple of the one before, twice
  for (int i = 0; i < 200; ++i) doubling += "h" + std::string(1, static_cast<char>(i)) + "h" + std::string(1, static_cast<char>(i)) + "\x86q" + std::string(1, static_cast<char>(i + 1));
  pth("tuples that double 200 times", doubling);
  pth("a memo at index 4 billion", "}r\xff\xff\xff\xff");
  pth("a text of 4 GB", "X\xff\xff\xff\xff");
  pth("a long integer of 2 GB", "\x8b\xff\xff\xff\x7f");
  std::string appended = "]q" + zero;
  for (int i = 0; i < 50000; ++i) appended += "h" + zero + "a";
  pth("a list that holds itself 50,000 times", appended);
}

}  // namespace
}  // namespace hone
