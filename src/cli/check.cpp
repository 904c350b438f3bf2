// hone check: a network against recorded outputs, another network, or another engine.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "formats/onnx_case.h"
#include "zoo/catalog.h"

namespace hone::cli {

namespace {

struct Options {
  std::string a;
  std::optional<std::string> b, data, tolerance;
  std::vector<std::string> with;
  bool shapes = false;
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

Result<Outcome> run(const Options& o, const TextStyle& style) {
  if (!o.shapes)
    return fail(Code::unsupported, "running a network needs an engine plug-in, and this build has none", {},
                "hone check NET --data DIR --shapes compares types and shapes without one");
  if (!o.data) return fail(Code::usage, "--shapes compares with recorded outputs: say where they are", "--data", "a folder with input_N.pb and output_N.pb, as ONNX test data has them");
  if (o.b || !o.with.empty() || o.tolerance) return fail(Code::usage, "--shapes runs nothing: B, --with and --tolerance have no meaning with it");
  // Valid files that hone does not read are an answer too: unsupported, by name.
  const auto refused = [&](const Error& e) -> Result<Outcome> {
    if (e.code != Code::unsupported) return fail(e);
    ShapeCheck check;
    check.unsupported.push_back(refusal(e, o.a));
    return result(check, o, style);
  };
  auto network = open_network(o.a);
  if (!network) return refused(network.error());
  const auto check = check_shapes(network->graph, *o.data);
  if (!check) return refused(check.error());
  return result(*check, o, style);
}

}  // namespace

Command check_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "check";
  c.summary = "A network against recorded outputs";
  c.about = "--shapes compares inferred types and shapes with the recorded ones and runs nothing; a dimension that depends on data matches anything. The exit status is 1 where they differ, or where hone lacks an operator.";
  c.arguments.push_back({"A", &o->a, "a network's name or file"});
  c.arguments.push_back({"B", &o->b, "another one to compare with (needs an engine plug-in)", false});
  c.options.push_back({"--data", "DIR", &o->data, "recorded data: input_N.pb and output_N.pb, as ONNX test data has them"});
  c.options.push_back({"--shapes", "", &o->shapes, "compare types and shapes only"});
  c.options.push_back({"--with", "ENGINE", &o->with, "run with this engine: torch or openvino (needs its plug-in)"});
  c.options.push_back({"--tolerance", "REL,ABS", &o->tolerance, "what counts as equal"});
  add_output(c, o->output, false, false);
  c.examples = {{"hone check model.onnx --data test_data_set_0 --shapes", "inferred shapes against recorded outputs"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
