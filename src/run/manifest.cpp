#include "run/manifest.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/file.h"
#include "core/sha256.h"

namespace hone {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kName = "manifest.json";

Json to_json(const Host& h) {
  Json out = {{"name", h.name}, {"system", h.system}, {"cpu", h.cpu}, {"cores", h.cores}, {"memory_bytes", h.memory_bytes}};
  if (!h.device.empty()) out["device"] = h.device;
  return out;
}

std::string to_json(const Manifest& m) {
  Json root = {{"seed", m.seed}, {"data", Json::array()}, {"sessions", Json::array()}};
  for (const DataFacts& d : m.data) root["data"].push_back({{"name", d.name}, {"path", d.path}, {"checksum", d.checksum}, {"counts", d.counts}});
  for (const Session& s : m.sessions)
    root["sessions"].push_back({{"began", s.began}, {"ended", s.ended.empty() ? Json(nullptr) : Json(s.ended)}, {"from_step", s.from_step},
                                {"command_line", s.command_line}, {"versions", s.versions}, {"host", to_json(s.host)}});
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// The first line of a file in /proc or /sys that begins with `key`, behind its colon.
std::string line_of(const char* path, std::string_view key) {
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    if (line.compare(0, key.size(), key) == 0) {
      const size_t at = line.find_first_not_of(" \t:", key.size());
      return at == std::string::npos ? "" : line.substr(at);
    }
  return "";
}

std::vector<std::string> own_command_line() {
  std::ifstream in("/proc/self/cmdline", std::ios::binary);
  std::vector<std::string> out;
  for (std::string word; std::getline(in, word, '\0');) out.push_back(word);
  return out;
}

}  // namespace

Host this_host() {
  Host h;
  utsname system{};
  if (::uname(&system) == 0) {
    h.name = system.nodename;
    h.system = fmt::format("{} {} {}", system.sysname, system.release, system.machine);
  }
  h.cpu = line_of("/proc/cpuinfo", "model name");
  cpu_set_t set;
  CPU_ZERO(&set);
  h.cores = ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : ::sysconf(_SC_NPROCESSORS_ONLN);
  const int64_t pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
  h.memory_bytes = pages > 0 && page > 0 ? pages * page : 0;
  return h;
}

std::map<std::string, std::string> own_versions() {
  return {{"hone", HONE_VERSION},
#if defined(__clang__)
          {"compiler", "clang " __clang_version__},
#else
          {"compiler", "gcc " __VERSION__},
#endif
          {"fmt", fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)}};
}

std::string utc_now() { return utc_text(std::time(nullptr)); }

std::string utc_text(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

Result<Manifest> read_manifest(const RunDir& run) {
  const std::string path = run.file(kName);
  HONE_TRY_ASSIGN(const std::string text, read_file(path));
  try {
    const Json root = Json::parse(text);
    Manifest m;
    m.seed = root.at("seed").get<int64_t>();
    for (const Json& d : root.at("data"))
      m.data.push_back({d.at("name").get<std::string>(), d.at("path").get<std::string>(), d.at("checksum").get<std::string>(), d.at("counts").get<std::map<std::string, int64_t>>()});
    for (const Json& s : root.at("sessions")) {
      Session session;
      session.began = s.at("began").get<std::string>();
      if (!s.at("ended").is_null()) session.ended = s.at("ended").get<std::string>();
      session.from_step = s.at("from_step").get<int64_t>();
      session.command_line = s.at("command_line").get<std::vector<std::string>>();
      session.versions = s.at("versions").get<std::map<std::string, std::string>>();
      const Json& h = s.at("host");
      session.host = {h.at("name").get<std::string>(), h.at("system").get<std::string>(), h.at("cpu").get<std::string>(), h.value("device", ""), h.at("cores").get<int64_t>(), h.at("memory_bytes").get<int64_t>()};
      m.sessions.push_back(std::move(session));
    }
    return m;
  } catch (const Json::exception& e) {
    // "[json.exception.parse_error.101] parse error at line 1, ...": the library's name for it says nothing to a reader.
    const std::string what = e.what();
    return fail(Code::invalid, "is no manifest: " + what.substr(std::min(what.size(), what.find("] ") == what.npos ? 0 : what.find("] ") + 2)), path, "put it back, or begin in a new run directory");
  }
}

Status write_manifest(const RunDir& run, const Manifest& manifest) { return run.write(kName, to_json(manifest)); }

Status begin_session(const RunDir& run, int64_t seed, int64_t from_step, const std::vector<DataFacts>& data, const std::map<std::string, std::string>& versions, const std::string& device,
                     std::vector<std::string> command_line) {
  auto manifest = read_manifest(run);
  if (!manifest && manifest.error().code != Code::not_found) return fail(std::move(manifest).error());
  if (!manifest) manifest = Manifest{seed, data, {}};
  if (manifest->data.empty()) manifest->data = data;  // of a run that named none: there is nothing to compare
  // Folders may move; what is in them may not change.
  if (manifest->data.size() != data.size()) return fail(Code::failed, fmt::format("the run was begun with {} data sets, now there are {}", manifest->data.size(), data.size()), run.path());
  for (size_t i = 0; i < data.size(); ++i) {
    const DataFacts &was = manifest->data[i], &now = data[i];
    if (was.checksum != now.checksum || was.counts != now.counts)
      return fail(Code::failed, fmt::format("data set '{}' is not what the run was begun with", now.name), now.path, "bring the data back, or give a new run directory");
  }
  Session session;
  session.began = utc_now();
  session.from_step = from_step;
  session.command_line = command_line.empty() ? own_command_line() : std::move(command_line);
  session.versions = own_versions();
  for (const auto& [name, version] : versions) session.versions[name] = version;
  session.host = this_host();
  session.host.device = device;
  manifest->sessions.push_back(std::move(session));
  return write_manifest(run, *manifest);
}

Status end_session(const RunDir& run) {
  HONE_TRY_ASSIGN(Manifest manifest, read_manifest(run));
  if (manifest.sessions.empty()) return fail(Code::failed, "no session was begun", run.file(kName));
  manifest.sessions.back().ended = utc_now();
  return write_manifest(run, manifest);
}

Result<std::string> file_checksum(const std::string& path) {
  HONE_TRY_ASSIGN(const auto mapped, MappedFile::open(path));
  Sha256 sha;
  sha.update(mapped->bytes().data(), mapped->bytes().size());
  std::string out;
  for (const uint8_t byte : sha.digest()) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace hone
