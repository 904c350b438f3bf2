// hone diff: the costs of two networks side by side, and the modules that differ.
#include <fmt/format.h>

#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/network.h"
#include "cli/profile_view.h"
#include "cost/profile.h"
#include "run/format.h"

namespace hone::cli {

namespace {

struct Options {
  NetworkOptions a, b;
  std::vector<std::string> inputs;
  std::optional<int64_t> batch;
  Output output;
};

Cell percent(int64_t a, int64_t b) {
  if (a == 0) return b == 0 ? Cell(0.0) : Cell(std::monostate{});  // from nothing: no percentage
  return (static_cast<double>(b) - static_cast<double>(a)) / static_cast<double>(a) * 100;
}

// Rows of either network, in a's order and then b's; those that are the same in both only when `equal_too`.
Table side_by_side(const std::vector<Row>& a, const std::vector<Row>& b, GroupBy by, const std::string& key, bool equal_too = false) {
  const std::string what(label(by));
  Table table{key, equal_too ? "By " + what : what == "operator" ? "Operators that differ" : "Modules that differ",
              {{"name", what},
               {"macs_a", "MACs A", Unit::count}, {"macs_b", "MACs B", Unit::count}, {"macs", "difference", Unit::signed_count},
               {"params_a", "params A", Unit::count, false, kJson | kCsv | kHtml}, {"params_b", "params B", Unit::count, false, kJson | kCsv | kHtml},
               {"params", "parameters", Unit::signed_count},
               {"acts_a", "acts A", Unit::count, false, kJson | kCsv | kHtml}, {"acts_b", "acts B", Unit::count, false, kJson | kCsv | kHtml},
               {"acts", "activations", Unit::signed_count}}};
  std::map<std::string, const Row*> in_b;
  for (const Row& r : b) in_b.emplace(r.name, &r);
  const auto add = [&](const std::string& name, const Row& x, const Row& y) {
    if (!equal_too && x.macs == y.macs && x.params == y.params && x.acts == y.acts) return;
    table.rows.push_back({name.empty() ? std::string("(top)") : name, x.macs, y.macs, y.macs - x.macs, x.params, y.params, y.params - x.params, x.acts, y.acts, y.acts - x.acts});
  };
  for (const Row& r : a) {
    auto found = in_b.find(r.name);
    add(r.name, r, found == in_b.end() ? Row{} : *found->second);
    if (found != in_b.end()) in_b.erase(found);
  }
  for (const Row& r : b)
    if (in_b.count(r.name)) add(r.name, Row{}, r);
  return table;
}

// A page also draws both networks: their stages side by side, then where each one's MACs lie.
void add_charts(Report& report, const Network& a, const Profile& pa, const Network& b, const Profile& pb, bool comparable) {
  if (comparable) {
    report.parts.push_back(Chart{Chart::Kind::bars, "Cost by stage", "Length is the share of the network's own MACs; the numbers are absolute.", "stages", "name", "", {"macs_a", "macs_b"}});
    Table stages = side_by_side(roll_up(a.graph, pa, GroupBy::stage), roll_up(b.graph, pb, GroupBy::stage), GroupBy::stage, "stages", true);
    stages.forms = kHtml;
    report.parts.push_back(std::move(stages));
  }
  for (const auto& [key, letter, n, p] : {std::tuple{"modules_a", "A", &a, &pa}, std::tuple{"modules_b", "B", &b, &pb}}) {
    const bool modules = n->graph.modules.size() > 1;
    const GroupBy by = modules ? GroupBy::module : GroupBy::node;
    report.parts.push_back(Chart{Chart::Kind::treemap, fmt::format("{}: {}", letter, n->name), "Area is the share of the network's multiply-adds.", key, "name", modules ? "stage" : "", {"macs"}});
    Table table = rows_table(roll_up(n->graph, *p, by), by, p->totals, key);
    table.title = fmt::format("{}, by {}", letter, label(by));
    table.folded = true, table.forms = kHtml;
    report.parts.push_back(std::move(table));
  }
}

Result<Outcome> run(Options& o, const TextStyle& style) {
  for (NetworkOptions* n : {&o.a, &o.b}) n->inputs = o.inputs, n->batch = o.batch;
  // One --space for both; it says nothing of a network that is no encoding.
  const std::string space = o.a.space;
  if (o.a.net.ends_with(".json") || o.b.net.ends_with(".json"))
    for (NetworkOptions* n : {&o.a, &o.b}) n->space = n->net.ends_with(".json") ? space : "";
  HONE_TRY_ASSIGN(const Network a, open(o.a));
  HONE_TRY_ASSIGN(const Network b, open(o.b));
  HONE_TRY_ASSIGN(const Profile pa, profile(a.graph));
  HONE_TRY_ASSIGN(const Profile pb, profile(b.graph));

  Report report;
  report.command = "diff";
  report.title = a.name + " -> " + b.name;
  report.subtitle = "A " + input_text(pa) + "; B " + input_text(pb);
  for (const auto& [key, network, profile] : {std::tuple{"a", &a, &pa}, std::tuple{"b", &b, &pb}}) {
    report.parts.push_back(Facts{key, "", {{"network", "network", network->name}}, false, kJson});
    Facts head = headline_facts(profile->totals, std::string(key) + ".totals"), rest = other_facts(profile->totals, std::string(key) + ".totals");
    head.forms = rest.forms = kJson;
    report.parts.push_back(std::move(head));
    report.parts.push_back(std::move(rest));
  }
  // People read a table, programs difference.macs.absolute; both are made from the same facts.
  Table totals{"totals", "", {{"name", ""}, {"a", "A", Unit::count}, {"b", "B", Unit::count}, {"difference", "difference", Unit::signed_count}, {"percent", "percent", Unit::percent}}, {}, false, kText | kHtml};
  for (const auto make : {headline_facts, other_facts}) {
    const Facts fa = make(pa.totals, ""), fb = make(pb.totals, "");
    for (size_t i = 0; i < fa.facts.size(); ++i) {
      const int64_t x = std::get<int64_t>(fa.facts[i].value), y = std::get<int64_t>(fb.facts[i].value);
      report.parts.push_back(Facts{"difference." + fa.facts[i].key, "", {{"absolute", "", y - x}, {"percent", "", percent(x, y)}}, false, kJson});
      if (make != headline_facts && x == y) continue;
      // The columns count; bytes come as text.
      const auto cell = [&](int64_t v) { return fa.facts[i].unit == Unit::bytes ? Cell(format_cell(v, Unit::bytes)) : Cell(v); };
      totals.rows.push_back({fa.facts[i].label, cell(x), cell(y), cell(y - x), percent(x, y)});
    }
  }
  report.parts.push_back(std::move(totals));

  const auto rows = [](const Network& n, const Profile& p, GroupBy by) { return roll_up(n.graph, p, by); };
  Table modules = side_by_side(rows(a, pa, GroupBy::module), rows(b, pb, GroupBy::module), GroupBy::module, "modules");
  Table operators = side_by_side(rows(a, pa, GroupBy::op), rows(b, pb, GroupBy::op), GroupBy::op, "operators");
  // Modules of a file without module paths have nothing to be compared with.
  const bool comparable = a.graph.modules.size() > 1 && b.graph.modules.size() > 1;
  if (o.output.html) add_charts(report, a, pa, b, pb, comparable);
  modules.forms = comparable ? kAll : kJson | kCsv;
  operators.forms = comparable ? kJson : kJson | kText | kHtml;
  if (!comparable) report.parts.push_back(Note{Note::Level::info, "one of the two has no module paths: compared by operator"});
  else if (modules.rows.empty()) report.parts.push_back(Note{Note::Level::info, "no module differs"});
  report.parts.push_back(std::move(modules));
  report.parts.push_back(std::move(operators));
  return present(report, o.output, style);
}

}  // namespace

Command diff_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "diff";
  c.summary = "What differs between the costs of two networks";
  c.about = "Differences are B - A, percentages are of A.";
  add_network(c, o->a, "A");
  add_network(c, o->b, "B");
  add_space(c, o->a.space);
  c.options.push_back({"--input", "[NAME=]SHAPE", &o->inputs, "shape of an input of both, as in 1x3x224x224"});
  c.options.push_back({"--batch", "N", &o->batch, "batch size of both"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone diff timm/resnet50 timm/resnet101", "two networks of the zoo"}, {"hone diff timm/resnet50 model.onnx", "a file against the network it should be"}};
  c.run = [o](const TextStyle& style) { return run(*o, style); };
  return c;
}

}  // namespace hone::cli
