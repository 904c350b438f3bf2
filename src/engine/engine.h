// Running networks fast: an engine compiles a graph once and runs it many times. The engine itself is a library that is
// loaded when a command needs it (libhone_engine_openvino.so), so nothing of it shows here.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/error.h"
#include "ir/graph.h"

namespace hone {

struct EngineOptions {
  std::string device = "CPU";   // as the engine names its devices
  int threads = 1;              // of one inference; 0: the engine's own choice
  std::string precision = "f32";  // of products: f32, bf16; an engine refuses what the device cannot
  bool counters = false;        // times per node, at the cost of some speed
  bool as_is = false;           // the graph as it stands, not in engine form (rewrite/engine_form.h)
  bool pin = false;             // the engine's threads stay on one core each: for measuring on a machine that is not shared
};

// One input or output. Dimensions are bound: a session runs one set of shapes.
struct EnginePort {
  std::string name;
  TensorType type;
};

// Time of one of the engine's own nodes, the mean of the runs since counters() was last called. Engines fuse: a node of theirs may stand for several of the graph.
struct NodeTime {
  std::string name;               // the engine's name
  std::vector<std::string> from;  // names of the graph's nodes (Node::name) that it stands for; may be empty
  std::string kind;               // such as Convolution, Reorder
  std::string primitive;          // such as brgconv_avx512_f32; "" where the engine does not say
  double milliseconds = 0;
};

// A compiled network. Not for several threads at once: load() once per thread (weights are shared where the engine can).
class EngineSession {
 public:
  virtual ~EngineSession() = default;
  virtual const std::vector<EnginePort>& inputs() const = 0;
  virtual const std::vector<EnginePort>& outputs() const = 0;
  // Inputs in order, contiguous; fails on another type or shape. Outputs are copies.
  virtual Result<std::vector<Tensor>> run(std::span<const Tensor> inputs) = 0;
  // What lies in the input buffers (the inputs of the last run(), or what the caller has written there), nothing copied: what
  // a latency measurement repeats. Fails before the first run() or input_buffer().
  virtual Status again() = 0;
  // Where the input and output buffers lie, for callers that fill and read them in place between calls of again().
  virtual Result<void*> input_buffer(size_t index) = 0;
  virtual Result<const void*> output_buffer(size_t index) = 0;
  // In order of execution; empty unless asked for in EngineOptions. The first run costs many times the others: call it once
  // behind a warm-up, and again behind the runs that count. Fails when nothing has run in between.
  virtual Result<std::vector<NodeTime>> counters() = 0;
  // Bytes that compiling and running has taken (growth of the process's resident memory, so an estimate).
  virtual int64_t memory_bytes() const = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual std::string name() const = 0;     // "openvino"
  virtual std::string version() const = 0;
  // `graph` is typed, its dimensions bound, its parameters have contents (rewrite/weights.h fills fresh ones).
  // Errors: an operator the engine does not have, by name and node.
  virtual Result<std::unique_ptr<EngineSession>> load(const Graph& graph, const EngineOptions& options) = 0;
  // An ONNX file as it lies on disk, for comparisons with other exporters.
  virtual Result<std::unique_ptr<EngineSession>> load_file(const std::string& path, const EngineOptions& options) = 0;
};

// "openvino", or "torch": libtorch as training runs it, for comparisons. The library stays loaded until the process ends.
// Errors: an unknown name, a library that is not there.
Result<Engine*> open_engine(const std::string& name = "openvino");

}  // namespace hone
