// The forms for programs: JSON and CSV. Both carry exact values.
#include <cmath>
#include <nlohmann/json.hpp>

#include "run/format.h"
#include "run/report.h"

namespace hone {

namespace {

using Json = nlohmann::ordered_json;

Json value(const Cell& cell) {
  return std::visit(
      [](const auto& v) -> Json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) return nullptr;
        else if constexpr (std::is_same_v<T, double>) return std::isfinite(v) ? Json(v) : Json(nullptr);
        else return Json(v);
      },
      cell);
}

// The object at a dotted path, made on the way; "" is the root.
Json& at(Json& root, std::string_view path) {
  Json* here = &root;
  while (!path.empty()) {
    const size_t dot = path.find('.');
    here = &(*here)[std::string(path.substr(0, dot))];
    path = dot == std::string_view::npos ? "" : path.substr(dot + 1);
  }
  return *here;
}

Json rows_of(const Table& table) {
  Json rows = Json::array();
  for (const auto& row : table.rows) {
    Json object = Json::object();
    for (size_t c = 0; c < table.columns.size(); ++c)
      if (table.columns[c].forms & kJson) object[table.columns[c].key] = value(row[c]);
    rows.push_back(std::move(object));
  }
  return rows;
}

// Names from files may be broken UTF-8: replaced, not thrown about.
std::string compact(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// Objects one field a line, tables one row a line: fit to read, to diff and to grep.
void write(const Json& json, size_t indent, std::string& out) {
  const std::string pad(indent + 2, ' ');
  const char* separator = "\n";
  if (json.is_object() && !json.empty()) {
    out += '{';
    for (const auto& [key, field] : json.items()) {
      out += separator + pad + compact(key) + ": ";
      write(field, indent + 2, out);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + '}';
  } else if (json.is_array() && !json.empty() && json.front().is_object()) {
    out += '[';
    for (const auto& row : json) {
      out += separator + pad + compact(row);
      separator = ",\n";
    }
    out += '\n' + std::string(indent, ' ') + ']';
  } else {
    out += compact(json);
  }
}

std::string csv_field(const Cell& cell, Unit unit) {
  std::string text;
  if (std::holds_alternative<std::monostate>(cell)) return "";
  if (const auto* s = std::get_if<std::string>(&cell)) text = *s;
  else if (is_number(cell) || std::holds_alternative<bool>(cell)) text = value(cell).dump();
  else text = format_cell(cell, unit);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

const Table* Report::table(std::string_view key) const {
  for (const auto& part : parts)
    if (const auto* t = std::get_if<Table>(&part); t && t->key == key) return t;
  return nullptr;
}

std::string to_json(const Report& report) {
  Json root;
  root["command"] = report.command;
  for (const auto& part : report.parts) {
    if (const auto* facts = std::get_if<Facts>(&part); facts && facts->forms & kJson) {
      Json& object = at(root, facts->key);
      if (object.is_null()) object = Json::object();
      for (const Fact& fact : facts->facts)
        if (fact.forms & kJson) object[fact.key] = value(fact.value);
    } else if (const auto* table = std::get_if<Table>(&part); table && table->forms & kJson) {
      at(root, table->key) = rows_of(*table);
    }
  }
  std::string out;
  write(root, 0, out);
  return out + '\n';
}

Result<std::string> to_csv(const Report& report) {
  for (const auto& part : report.parts) {
    const auto* table = std::get_if<Table>(&part);
    if (!table || !(table->forms & kCsv)) continue;
    std::string out;
    auto line = [&](auto&& field) {
      bool first = true;
      for (size_t c = 0; c < table->columns.size(); ++c) {
        if (!(table->columns[c].forms & kCsv)) continue;
        if (!first) out += ',';
        first = false;
        out += field(c);
      }
      out += '\n';
    };
    line([&](size_t c) { return csv_field(table->columns[c].key, Unit::none); });
    for (const auto& row : table->rows) line([&](size_t c) { return csv_field(row[c], table->columns[c].unit); });
    return out;
  }
  return fail(Code::usage, "'hone " + report.command + "' has no table to write as CSV", {}, "use --json");
}

}  // namespace hone
