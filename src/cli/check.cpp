// hone check: a network against recorded outputs, another network, or another engine.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "cli/commands.h"
#include "core/plugin.h"
#include "engine/check.h"
#include "formats/onnx_case.h"
#include "ir/infer.h"
#include "train/check.h"
#include "cli/network.h"
#include "retrieval/trained.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

struct Options {
  std::string a;
  std::optional<std::string> b, data, tolerance, precision, member;
  std::optional<int64_t> seed;
  std::vector<std::string> inputs;
  std::vector<std::string> with;
  bool shapes = false, layers = false;
  Output output;
};

Outcome result(const ShapeCheck& check, const Options& o, const TextStyle& style) {
  Report report;
  report.command = "check";
  report.title = o.a;
  report.subtitle = check.ok() ? "inferred shapes equal the recorded ones" : check.unsupported.empty() ? "inferred shapes differ from the recorded ones" : "cannot be checked";
  report.parts.push_back(Facts{"", "", {{"network", "", o.a}, {"ok", "", check.ok()}}, false, kJson});
  // The numbers that only a run can give are null.
  Table outputs{"outputs", "", {{"name", "output"}, {"shape", "shape", Unit::shape, false, kJson}, {"dtype", "", Unit::none, false, kJson},
                                {"inferred", "inferred", Unit::none, false, kText}, {"recorded", "recorded", Unit::none, false, kText},
                                {"recorded_shape", "", Unit::shape, false, kJson}, {"recorded_dtype", "", Unit::none, false, kJson}, {"ok", "equal"},
                                {"max_abs", "", Unit::none, false, kJson}, {"max_rel", "", Unit::none, false, kJson}, {"mean_abs", "", Unit::none, false, kJson}, {"cosine", "", Unit::none, false, kJson}}};
  std::string first;
  const Cell none = std::monostate{};
  for (const ShapeCheck::Output& out : check.outputs) {
    outputs.rows.push_back({out.name, out.inferred.ranked ? Cell(out.inferred.shape) : none, std::string(name(out.inferred.dtype)), to_string(out.inferred), to_string(out.recorded),
                            out.recorded.shape, std::string(name(out.recorded.dtype)), out.ok, none, none, none, none});
    if (!out.ok && first.empty()) first = out.name;
  }
  report.parts.push_back(std::move(outputs));
  report.parts.push_back(Facts{"", "", {{"first_departure", "", first.empty() ? none : Cell(first)}}, false, kJson});
  if (!check.unsupported.empty()) {
    report.parts.push_back(Facts{"", "", {{"unsupported", "", check.unsupported}}, false, kJson});
    for (const std::string& u : check.unsupported) report.parts.push_back(Note{Note::Level::warning, u});
  }
  return {o.output.json ? to_json(report) : to_text(report, style), check.ok() ? 0 : 1, ""};
}

// "Op: reason" of a refused file: the operator where the error names one (the reader's "FILE, If 'res' at byte 22"), else
// what it is about.
std::string refusal(const Error& e, const std::string& file) {
  std::string_view where = e.where, what = "Model";
  if (where.starts_with(file)) where.remove_prefix(file.size());
  if (where.starts_with(", ")) where.remove_prefix(2);
  const size_t quote = where.find(" '");
  if (quote != std::string_view::npos) {
    what = where.substr(0, quote);
    where.remove_prefix(quote + 1);
  } else if (e.message.find("opset") != std::string::npos) {
    what = "Opset";
  }
  if (what == "value") what = "Type";
  return fmt::format("{}: {}{}{}{}", what, where, where.empty() ? "" : " ", e.message, e.hint.empty() ? "" : fmt::format(" ({})", e.hint));
}

// The layers that differ most, largest first; all of them as JSON.
void add_layers(Report& report, const RunCheck& check) {
  constexpr size_t kShown = 10;
  Table all{"layers", "", {{"node", "node"}, {"ok", "equal"}, {"max_abs", "largest difference"}, {"mean_abs", "mean"}, {"relative", "of the largest"}, {"cosine", "cosine"}}, {}, false, kJson};
  Table worst{"worst_layers", "layers that differ most", all.columns, {}, false, kText};
  const auto row = [](const RunCheck::Layer& l) { return std::vector<Cell>{l.node, l.difference.ok, l.difference.max_abs, l.difference.mean_abs, l.difference.relative, l.difference.cosine}; };
  std::vector<const RunCheck::Layer*> order;
  for (const RunCheck::Layer& l : check.layers) {
    all.rows.push_back(row(l));
    order.push_back(&l);
  }
  std::ranges::stable_sort(order, [](const RunCheck::Layer* x, const RunCheck::Layer* y) { return x->difference.relative > y->difference.relative; });
  for (size_t i = 0; i < std::min(kShown, order.size()); ++i) worst.rows.push_back(row(*order[i]));
  report.parts.push_back(Facts{"", "", {{"worst_layer", "", order[0]->node}}, false, kJson});
  report.parts.push_back(std::move(all));
  report.parts.push_back(std::move(worst));
}

// Columns of the contract's "outputs", and what a person reads.
Outcome result(const RunCheck& check, const Options& o, const TextStyle& style) {
  Report report;
  report.command = "check";
  report.title = o.a;
  report.subtitle = !check.unsupported.empty() ? "cannot be run" : (check.ok() ? "agrees with " : "departs from ") + check.how;
  report.parts.push_back(Facts{"", "", {{"network", "", o.a}, {"against", "", check.how}, {"ok", "", check.ok()}}, false, kJson});
  Table outputs{"outputs", "", {{"name", "output"}, {"shape", "", Unit::shape, false, kJson}, {"dtype", "", Unit::none, false, kJson}, {"type", "type", Unit::none, false, kText}, {"ok", "equal"},
                                {"max_abs", "largest difference"}, {"max_rel", "relative"}, {"mean_abs", "mean"}, {"relative", "of the largest"}, {"cosine", "cosine"}}};
  const Cell none = std::monostate{};
  for (const RunCheck::Output& out : check.outputs) {
    const Difference& d = out.difference;
    const auto number = [&](double v) { return d.why.empty() ? Cell(v) : none; };
    outputs.rows.push_back({out.name, out.got.ranked ? Cell(out.got.shape) : none, std::string(name(out.got.dtype)), to_string(out.got), d.ok, number(d.max_abs), number(d.max_rel), number(d.mean_abs), number(d.relative), number(d.cosine)});
  }
  report.parts.push_back(std::move(outputs));
  if (!check.layers.empty()) add_layers(report, check);
  report.parts.push_back(Facts{"", "", {{"first_departure", "", check.first_departure.empty() ? none : Cell(check.first_departure)}}, false, kJson});
  for (const RunCheck::Output& out : check.outputs)
    if (!out.difference.why.empty()) report.parts.push_back(Note{Note::Level::warning, fmt::format("'{}' {}", out.name, out.difference.why)});
  if (!check.first_departure.empty()) report.parts.push_back(Note{Note::Level::warning, fmt::format("the first node that departs is {}", check.first_departure)});
  if (!check.unsupported.empty()) {
    report.parts.push_back(Facts{"", "", {{"unsupported", "", check.unsupported}}, false, kJson});
    for (const std::string& u : check.unsupported) report.parts.push_back(Note{Note::Level::warning, u});
  }
  return {o.output.json ? to_json(report) : to_text(report, style), check.ok() ? 0 : 1, ""};
}

// "REL,ABS", both at least zero.
Result<Tolerance> parse_tolerance(const std::string& text) {
  Tolerance t;
  char *middle = nullptr, *end = nullptr;
  t.rel = std::strtod(text.c_str(), &middle);
  if (middle == text.c_str() || *middle != ',') return fail(Code::usage, fmt::format("'{}' is not REL,ABS", text), "--tolerance", "such as 1e-3,1e-5");
  t.abs = std::strtod(middle + 1, &end);
  if (end == middle + 1 || *end != 0 || !(t.rel >= 0) || !(t.abs >= 0)) return fail(Code::usage, fmt::format("'{}' is not REL,ABS", text), "--tolerance", "such as 1e-3,1e-5");
  return t;
}

// Typed, where its inputs allow it: recorded inputs bind what the file leaves open.
Result<Graph> typed(const std::string& net, const Options& o, bool first = true) {
  NetworkOptions options;
  options.net = net;
  options.inputs = o.inputs;
  if (first) options.member = o.member;
  options.calibrated = o.b.has_value();   // as hone export writes it
  if (o.data && !(first && o.member)) {
    HONE_TRY_ASSIGN(Network network, open_net(net));
    return std::move(network.graph);
  }
  HONE_TRY_ASSIGN(Network network, open(options));
  return std::move(network.graph);
}

Result<Outcome> run_shapes(const Options& o, const TextStyle& style) {
  if (!o.data) return fail(Code::usage, "--shapes compares with recorded outputs: say where they are", "--data", "a folder with input_N.pb and output_N.pb, as ONNX test data has them");
  if (o.b || !o.with.empty() || o.tolerance || o.seed || o.layers || o.precision || !o.inputs.empty()) return fail(Code::usage, "--shapes runs nothing: B, --with, --tolerance, --seed, --layers, --precision and --input have no meaning with it");
  auto network = open_net(o.a);
  if (!network) return fail(network.error());
  HONE_TRY_ASSIGN(const ShapeCheck check, check_shapes(network->graph, *o.data));
  return result(check, o, style);
}

Result<CheckOptions> check_options(const Options& o, Tolerance fallback) {
  CheckOptions options{fallback, static_cast<uint64_t>(o.seed.value_or(0)), o.layers};
  if (o.tolerance) {
    HONE_TRY_ASSIGN(options.tolerance, parse_tolerance(*o.tolerance));
  }
  return options;
}

// On libtorch alone, which has more element types than engines do and takes inputs that are left out.
Result<Outcome> run_torch(const Options& o, const TextStyle& style) {
  if (o.layers || o.precision) return fail(Code::usage, "--layers and --precision belong to an engine", "--with", "such as --with openvino");
  HONE_TRY_ASSIGN(const CheckOptions options, check_options(o, {}));
  HONE_TRY_ASSIGN(const Graph a, typed(o.a, o));
  std::optional<Graph> b;
  if (o.b) {
    HONE_TRY_ASSIGN(b, typed(*o.b, o, false));
  }
  HONE_TRY_ASSIGN(const RunCheck reply, ask_plugin<train::CheckRun>("hone_train", "hone_check_run", {&a, b ? &*b : nullptr, o.data.value_or(""), options}));
  return result(reply, o, style);
}

// One engine: A against the recorded outputs, against B, or against itself without the rewrites that engines get. Two: A in the
// first against B, or A again, in the second.
Result<Outcome> run_engines(const Options& o, const TextStyle& style) {
  HONE_TRY_ASSIGN(const Graph a, typed(o.a, o));
  std::optional<Graph> b;
  if (o.b) {
    HONE_TRY_ASSIGN(b, typed(*o.b, o, false));
  }
  const std::string precision = o.precision.value_or("f32");
  HONE_TRY_ASSIGN(const CheckOptions options, check_options(o, engine_tolerance(a, precision)));
  const bool two = o.with.size() == 2;
  CheckSide left{&a, nullptr, {.threads = 0, .precision = precision}}, right{b ? &*b : &a, nullptr, {.threads = 0}};
  HONE_TRY_ASSIGN(left.engine, open_engine(o.with.front()));
  if (o.data && !o.b && !two) {
    HONE_TRY_ASSIGN(const RunCheck check, check_recorded(left, *o.data, options));
    return result(check, o, style);
  }
  HONE_TRY_ASSIGN(right.engine, open_engine(o.with.back()));
  right.options.as_is = two || !b;
  HONE_TRY_ASSIGN(const RunCheck check, check_pair(left, right, o.data.value_or(""), options));
  return result(check, o, style);
}

Result<Outcome> run_check(const Options& o, const TextStyle& style) {
  for (const std::string& engine : o.with)
    if (engine != "torch" && engine != "openvino") return fail(Code::usage, fmt::format("there is no engine '{}'", engine), "--with", "the engines: torch, openvino");
  if (o.with.size() > 2) return fail(Code::usage, fmt::format("{} engines are given, at most two can be compared", o.with.size()), "--with");
  return o.with.empty() || std::ranges::all_of(o.with, [](const std::string& e) { return e == "torch"; }) ? run_torch(o, style) : run_engines(o, style);
}

Result<Outcome> run(const Options& o, const TextStyle& style) {
  auto outcome = o.shapes ? run_shapes(o, style) : run_check(o, style);
  // Valid files that hone does not read are an answer too: unsupported, by name.
  if (outcome || outcome.error().code != Code::unsupported) return outcome;
  ShapeCheck check;
  const std::string file = o.b && outcome.error().where.starts_with(*o.b) ? *o.b : o.a;
  check.unsupported.push_back(refusal(outcome.error(), file));
  return result(check, o, style);
}

}  // namespace

Command check_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "check";
  c.summary = "A network against recorded outputs";
  c.about = "A runs on recorded inputs (--data) or on seeded random ones, and its outputs are compared with the recorded ones, with B's, or, where neither is given, with A's own computed node by node without fused kernels. --with openvino runs A in OpenVINO: against the recorded outputs, against B, or against A as it stands, without the rewrites that engines get; given twice, the second engine is the reference. What counts as equal there grows with the root of the products on one path. Contents that a network lacks are the other's of the same name, or fresh ones. --shapes compares inferred types and shapes with the recorded ones and runs nothing; a dimension that depends on data matches anything. The exit status is 1 where they differ, or where hone lacks an operator.";
  c.arguments.push_back({"A", &o->a, "a network's name or file"});
  c.arguments.push_back({"B", &o->b, "another one to compare with", false});
  c.options.push_back({"--arch", "FILE", &o->member, "A is a supernet run: its member with this encoding (.json); beside B with BatchNorm statistics of its own, as hone export writes it"});
  c.options.push_back({"--data", "DIR", &o->data, "recorded data: input_N.pb and output_N.pb, as ONNX test data has them"});
  c.options.push_back({"--shapes", "", &o->shapes, "compare types and shapes only"});
  c.options.push_back({"--with", "ENGINE", &o->with, "run with this engine: torch (the default) or openvino; twice: the first against the second"});
  c.options.push_back({"--tolerance", "REL,ABS", &o->tolerance, "what counts as equal (default: 1e-3,1e-5; between engines by depth)"});
  c.options.push_back({"--precision", "TYPE", &o->precision, "of products in the first engine; the second, or the reference, stays at f32", {"f32", "bf16"}});
  c.options.push_back({"--layers", "", &o->layers, "compare node by node between engines, and name the worst"});
  c.options.push_back({"--input", "SHAPE", &o->inputs, "bind an input, such as x=1x3x224x224"});
  c.options.push_back({"--seed", "N", &o->seed, "of random inputs and fresh contents (default: 0)"});
  add_output(c, o->output, false, false);
  c.examples = {{"hone check timm/resnet18", "fused kernels against plain ones"}, {"hone check timm/resnet18 resnet18.onnx", "a network against a file with its weights"}, {"hone check timm/resnet18 --with openvino --with torch", "one engine against another"}, {"hone check runs/supernet --arch member.json member.onnx", "a member as the supernet computes it against its export"}, {"hone check model.onnx --data test_data_set_0", "against recorded outputs"}, {"hone check model.onnx --data test_data_set_0 --shapes", "inferred shapes against recorded outputs"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
