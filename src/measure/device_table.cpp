#include "measure/device_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "core/file.h"
#include "core/sha256.h"

namespace hone {

namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "hone-device-table", kChecksumKey = "\"checksum\":";
constexpr const char* kRebuild = "get it again from where it came, or build it anew with --force";

// As written by the standard library: the shortest digits that read back as the same number.
std::string number(double v) {
  char text[32];
  const auto [end, error] = std::to_chars(text, text + sizeof text, v);
  return error == std::errc() ? std::string(text, end) : "0";
}
std::string quoted(const std::string& s) { return json(s).dump(-1, ' ', false, json::error_handler_t::replace); }

std::string time_fields(const MeasuredTime& t) {
  std::string out = "\"ms\": " + number(t.ms);
  if (t.high > 0) out += ", \"low\": " + number(t.low) + ", \"high\": " + number(t.high);
  if (t.rounds > 0) out += fmt::format(", \"rounds\": {}", t.rounds);
  return out;
}

tl::unexpected<Error> bad(const std::string& source, std::string message, std::string hint = {}) { return fail(Code::invalid, std::move(message), source, std::move(hint)); }

}  // namespace

Status same_device(const DeviceFacts& a, const DeviceFacts& b) {
  auto differs = [&](std::string_view what, const auto& x, const auto& y) { return fail(Code::invalid, fmt::format("another {}: {} and {}", what, x, y)); };
  if (a.cpu != b.cpu) return differs("processor", a.cpu, b.cpu);
  if (a.engine != b.engine) return differs("engine", a.engine, b.engine);
  if (a.engine_version != b.engine_version) return differs("version of the engine", a.engine_version, b.engine_version);
  if (a.threads != b.threads) return differs("number of threads", a.threads, b.threads);
  if (a.precision != b.precision) return differs("precision", a.precision, b.precision);
  return {};
}

const BlockRow* DeviceTable::find(const Block& block) const {
  for (const BlockRow& row : rows)
    if (row.block == block) return &row;
  return nullptr;
}

std::string print_table(const DeviceTable& t) {
  const DeviceFacts& d = t.device;
  std::string out = fmt::format("{{\n\"format\": \"{}\",\n\"version\": {},\n\"device\": {{\"name\": {}, \"cpu\": {}, \"cores\": {}, \"engine\": {}, \"engine_version\": {}, \"threads\": {}, \"precision\": {}, \"basis\": {}, \"anchor\": {}, \"anchor_ms\": {}, \"began\": {}, \"ended\": {}, \"seconds\": {}, \"hone\": {}, \"note\": {}}},\n\"space\": {},\n\"rows\": [",
                                kFormat, kDeviceTableVersion, quoted(d.name), quoted(d.cpu), d.cores, quoted(d.engine), quoted(d.engine_version), d.threads, quoted(d.precision), quoted(d.basis), quoted(d.anchor), number(d.anchor_ms), quoted(d.began),
                                quoted(d.ended), number(std::round(d.seconds * 10) / 10), quoted(d.hone), quoted(d.note), quoted(t.space));
  for (size_t i = 0; i < t.rows.size(); ++i) out += fmt::format("{}\n{{\"block\": {}, {}{}}}", i ? "," : "", quoted(print(t.rows[i].block)), time_fields(t.rows[i].time), t.rows[i].label.empty() ? "" : ", \"label\": " + quoted(t.rows[i].label));
  out += "\n],\n\"networks\": [";
  for (size_t i = 0; i < t.networks.size(); ++i) {
    const NetworkRow& n = t.networks[i];
    out += fmt::format("{}\n{{\"network\": {}, \"acts\": {}, {}, \"blocks\": [", i ? "," : "", quoted(n.network), number(n.acts), time_fields(n.time));
    for (size_t j = 0; j < n.blocks.size(); ++j) out += fmt::format("{}[{}, {}]", j ? ", " : "", quoted(print(n.blocks[j].block)), n.blocks[j].count);
    out += "]}";
  }
  out += "\n],\n";
  const std::string sum = sha256_hex(out);
  return out + fmt::format("{} \"{}\"\n}}\n", kChecksumKey, sum);
}

namespace {

// Typed reads of what somebody else may have written.
struct Reader {
  const std::string& source;

  Result<std::string> text(const json& o, const char* key) const {
    const auto it = o.find(key);
    if (it == o.end() || it->is_null()) return std::string();
    if (!it->is_string()) return bad(source, fmt::format("\"{}\" is not a text", key));
    return it->get<std::string>();
  }
  Result<double> real(const json& o, const char* key, double fallback) const {
    const auto it = o.find(key);
    if (it == o.end() || it->is_null()) return fallback;
    if (!it->is_number() || !std::isfinite(it->get<double>()) || it->get<double>() < 0) return bad(source, fmt::format("\"{}\" is not a number from 0", key));
    return it->get<double>();
  }
  Result<int64_t> integer(const json& o, const char* key) const {
    HONE_TRY_ASSIGN(const double v, real(o, key, 0));
    if (v > 1e15 || v != std::floor(v)) return bad(source, fmt::format("\"{}\" is not a whole number", key));
    return static_cast<int64_t>(v);
  }
  Result<MeasuredTime> time(const json& o, const std::string& row) const {
    MeasuredTime t;
    HONE_TRY_ASSIGN(t.ms, real(o, "ms", 0));
    HONE_TRY_ASSIGN(t.low, real(o, "low", 0));
    HONE_TRY_ASSIGN(t.high, real(o, "high", 0));
    HONE_TRY_ASSIGN(t.rounds, integer(o, "rounds"));
    if (!(t.ms > 0)) return bad(source, fmt::format("{}: \"ms\" must be a number above 0", row));
    if (t.high > 0 && !(t.low <= t.ms && t.ms <= t.high)) return bad(source, fmt::format("{}: the interval {} to {} does not hold the time {}", row, t.low, t.high, t.ms));
    return t;
  }
  Result<Block> block(const json& o) const {
    if (!o.is_string()) return bad(source, "a block is not a text");
    auto b = parse_block(o.get<std::string>());
    if (!b) return bad(source, b.error().text());
    return *b;
  }
};

Result<DeviceFacts> read_device(const Reader& r, const json& o) {
  DeviceFacts d;
  HONE_TRY_ASSIGN(d.name, r.text(o, "name"));
  HONE_TRY_ASSIGN(d.cpu, r.text(o, "cpu"));
  HONE_TRY_ASSIGN(d.cores, r.integer(o, "cores"));
  HONE_TRY_ASSIGN(d.engine, r.text(o, "engine"));
  HONE_TRY_ASSIGN(d.engine_version, r.text(o, "engine_version"));
  HONE_TRY_ASSIGN(d.threads, r.integer(o, "threads"));
  HONE_TRY_ASSIGN(d.precision, r.text(o, "precision"));
  HONE_TRY_ASSIGN(d.basis, r.text(o, "basis"));
  HONE_TRY_ASSIGN(d.anchor, r.text(o, "anchor"));
  HONE_TRY_ASSIGN(d.anchor_ms, r.real(o, "anchor_ms", 0));
  HONE_TRY_ASSIGN(d.began, r.text(o, "began"));
  HONE_TRY_ASSIGN(d.ended, r.text(o, "ended"));
  HONE_TRY_ASSIGN(d.seconds, r.real(o, "seconds", 0));
  HONE_TRY_ASSIGN(d.hone, r.text(o, "hone"));
  HONE_TRY_ASSIGN(d.note, r.text(o, "note"));
  return d;
}

Result<NetworkRow> read_network(const Reader& r, const json& o) {
  if (!o.is_object()) return bad(r.source, "a network is not an object");
  NetworkRow n;
  HONE_TRY_ASSIGN(n.network, r.text(o, "network"));
  HONE_TRY_ASSIGN(n.acts, r.real(o, "acts", 0));
  HONE_TRY_ASSIGN(n.time, r.time(o, "network " + n.network));
  const auto blocks = o.find("blocks");
  if (blocks == o.end() || !blocks->is_array() || blocks->empty()) return bad(r.source, fmt::format("network {}: no blocks", n.network));
  for (const json& b : *blocks) {
    if (!b.is_array() || b.size() != 2 || !b[1].is_number_integer() || b[1].get<int64_t>() < 1 || b[1].get<int64_t>() > 100000)
      return bad(r.source, fmt::format("network {}: a block is [text, how often]", n.network));
    HONE_TRY_ASSIGN(Block block, r.block(b[0]));
    n.blocks.push_back({std::move(block), b[1].get<int64_t>()});
  }
  return n;
}

}  // namespace

Result<DeviceTable> parse_table(const std::string& text, const std::string& source, Checksum checksum) {
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded()) {
    const bool begun = text.find(kFormat) != std::string::npos;
    return bad(source, begun ? "is cut short or damaged: no JSON" : "is not a device table: no JSON", begun ? kRebuild : "docs/device.md shows the format");
  }
  if (!root.is_object() || root.value("format", json()) != kFormat) return bad(source, "is not a device table", fmt::format("\"format\" must be \"{}\"", kFormat));
  const json version = root.value("version", json());
  if (version != kDeviceTableVersion)
    return bad(source, fmt::format("is a device table of version {}, this hone reads version {}", version.dump(), kDeviceTableVersion));
  if (checksum == Checksum::required) {
    const size_t at = text.rfind(kChecksumKey);
    const json stated = root.value("checksum", json());
    if (at == std::string::npos || !stated.is_string()) return bad(source, "has no checksum", "a table from elsewhere becomes one of hone's by hone device import");
    if (stated.get<std::string>() != sha256_hex(std::string_view(text).substr(0, at)))
      return bad(source, "is damaged or was edited: its checksum does not fit", std::string(kRebuild) + "; hone device import takes an edited table as it is");
  }
  const Reader r{source};
  DeviceTable t;
  const json empty_object = json::object(), empty_list = json::array();
  const auto device = root.find("device");
  if (device != root.end() && !device->is_object()) return bad(source, "\"device\" is not an object");
  HONE_TRY_ASSIGN(t.device, read_device(r, device == root.end() ? empty_object : *device));
  HONE_TRY_ASSIGN(t.space, r.text(root, "space"));
  const auto rows = root.find("rows"), networks = root.find("networks");
  if ((rows != root.end() && !rows->is_array()) || (networks != root.end() && !networks->is_array())) return bad(source, "\"rows\" and \"networks\" are lists");
  std::set<Block> seen;
  for (const json& o : rows == root.end() ? empty_list : *rows) {
    if (!o.is_object() || !o.contains("block")) return bad(source, "a row has no \"block\"");
    HONE_TRY_ASSIGN(Block b, r.block(o["block"]));
    const std::string name = print(b);
    HONE_TRY_ASSIGN(const MeasuredTime time, r.time(o, name));
    if (!seen.insert(b).second) return bad(source, fmt::format("{} has two rows", name));
    HONE_TRY_ASSIGN(std::string label, r.text(o, "label"));
    t.rows.push_back({std::move(b), time, std::move(label)});
  }
  for (const json& o : networks == root.end() ? empty_list : *networks) {
    HONE_TRY_ASSIGN(NetworkRow n, read_network(r, o));
    t.networks.push_back(std::move(n));
  }
  return t;
}

Result<DeviceTable> read_table(const std::string& path) {
  HONE_TRY_ASSIGN(const std::string text, read_file(path));
  return parse_table(text, path);
}

Status write_table(const DeviceTable& table, const std::string& path, bool force) { return write_file(path, print_table(table), force); }

Result<DeviceTable> import_table(const std::string& text, const std::string& source, size_t column, const DeviceFacts& facts) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first != std::string::npos && text[first] == '{') {
    HONE_TRY_ASSIGN(DeviceTable t, parse_table(text, source, Checksum::ignored));
    if (!facts.name.empty()) t.device.name = facts.name;
    return t;
  }
  DeviceTable t;
  t.device = facts;
  std::set<Block> seen;
  size_t line_number = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    ++line_number;
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}:{}", source, line_number);
    const size_t bar = line.find('|');
    if (bar == std::string_view::npos) return fail(Code::invalid, "no '|' between block and milliseconds", where, "such as: conv 16 16 16 e3 s1 k3 se | 0.1343");
    auto block = parse_block(line.substr(0, bar));
    if (!block) return fail(Code::invalid, block.error().text(), where);
    std::vector<double> values;
    std::string_view rest = line.substr(bar + 1);
    while (true) {
      const size_t begin = rest.find_first_not_of(" \t\r");
      if (begin == std::string_view::npos) break;
      rest.remove_prefix(begin);
      const size_t stop = std::min(rest.find_first_of(" \t\r"), rest.size());
      double v = 0;
      const auto [p, error] = std::from_chars(rest.data(), rest.data() + stop, v);
      if (error != std::errc() || p != rest.data() + stop || !(v > 0) || !std::isfinite(v)) return fail(Code::invalid, fmt::format("'{}' is not a time in milliseconds", rest.substr(0, stop)), where);
      values.push_back(v);
      rest.remove_prefix(stop);
    }
    if (column >= values.size()) return fail(Code::invalid, fmt::format("{} columns of milliseconds, column {} asked for", values.size(), column + 1), where);
    if (!seen.insert(*block).second) return fail(Code::invalid, fmt::format("{} has two rows", print(*block)), where);
    t.rows.push_back({std::move(*block), {values[column], 0, 0, 0}, {}});
  }
  if (t.rows.empty()) return bad(source, "holds no rows", "a line per block: conv 16 16 16 e3 s1 k3 se | 0.1343");
  return t;
}

}  // namespace hone
