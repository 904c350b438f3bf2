#include "cli/model_card.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "core/file.h"
#include "core/units.h"
#include "run/report.h"

namespace hone::cli {

namespace {

std::vector<std::pair<std::string, std::string>> ports(const Graph& graph, const std::vector<ValueId>& which) {
  std::vector<std::pair<std::string, std::string>> out;
  for (ValueId v : which) out.emplace_back(graph.value(v).name, to_string(graph.value(v).type));
  return out;
}

std::string markdown(const std::string& network, const std::string& file, const Graph& graph, const Profile& p) {
  std::string out = fmt::format("# {}\n\nExported to `{}`.\n", network, file);
  const auto section = [&](const char* title, const std::vector<std::pair<std::string, std::string>>& rows) {
    if (rows.empty()) return;
    out += fmt::format("\n## {}\n\n| | |\n| --- | --- |\n", title);
    for (const auto& [key, value] : rows) out += fmt::format("| {} | `{}` |\n", key, value);
  };
  section("Inputs", ports(graph, graph.inputs));
  section("Outputs", ports(graph, graph.outputs));
  section("Cost of one run", {{"MACs", format_exact(p.totals.macs)}, {"FLOPs (2 x MACs)", format_exact(p.totals.flops)}, {"parameters", format_exact(p.totals.params)}, {"activations", format_exact(p.totals.acts)}});
  section("Provenance", {graph.metadata.begin(), graph.metadata.end()});
  return out;
}

std::string json(const std::string& network, const std::string& file, const Graph& graph, const Profile& p) {
  Report report;
  report.command = "export card";
  report.parts.push_back(Facts{"", "", {{"network", "", network}, {"file", "", file}}});
  for (const auto& [key, which] : {std::pair{"inputs", &graph.inputs}, std::pair{"outputs", &graph.outputs}}) {
    Table table{key, "", {{"name", "name"}, {"type", "type"}}};
    for (auto& [name, type] : ports(graph, *which)) table.rows.push_back({name, type});
    report.parts.push_back(std::move(table));
  }
  report.parts.push_back(Facts{"cost", "", {{"macs", "", p.totals.macs}, {"flops", "", p.totals.flops}, {"params", "", p.totals.params}, {"acts", "", p.totals.acts}}});
  Table provenance{"provenance", "", {{"key", "key"}, {"value", "value"}}};
  for (const auto& [key, value] : graph.metadata) provenance.rows.push_back({key, value});
  report.parts.push_back(std::move(provenance));
  return to_json(report);
}

}  // namespace

Status check_card(const std::string& path, bool force) {
  const std::string ending = std::filesystem::path(path).extension().string();
  if (ending != ".md" && ending != ".json") return fail(Code::usage, fmt::format("'{}' is no card", path), "--card", "its ending says what it is: .md or .json");
  return check_writable(path, force);
}

Status write_card(const std::string& path, bool force, const std::string& network, const std::string& file, const Graph& graph, const Profile& profile) {
  return write_file(path, path.ends_with(".md") ? markdown(network, file, graph, profile) : json(network, file, graph, profile), force);
}

}  // namespace hone::cli
