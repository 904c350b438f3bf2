#include "train/state_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "formats/safetensors.h"

namespace hone::train {

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code ec;
  return fs::exists(path, ec);
}

Status rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return fail(Code::io, fmt::format("cannot be renamed to {}: {}", to, std::strerror(errno)), from);
  return {};
}

Status make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return fail(Code::io, fmt::format("cannot make the folder: {}", std::strerror(errno)), path);
  return {};
}

// Second half of write_checkpoint(), also run by a reader after a crash: with next.state there, the pair is complete.
Status finish_renames(const RunDir& run) {
  const std::string params = run.file("checkpoints/next.safetensors"), state = run.file("checkpoints/next.state");
  if (!exists(state)) return {};
  if (exists(params)) HONE_TRY(rename(params, run.file("checkpoints/last.safetensors")));
  return rename(state, run.file("checkpoints/last.state"));
}

}  // namespace

void State::put(const std::string& prefix, const State& other) {
  for (const auto& [name, tensor] : other.tensors) tensors[prefix + "." + name] = tensor;
  for (const auto& [name, text] : other.texts) texts[prefix + "." + name] = text;
}

State State::part(const std::string& prefix) const {
  State out;
  const std::string start = prefix + ".";
  for (auto it = tensors.lower_bound(start); it != tensors.end() && it->first.starts_with(start); ++it) out.tensors[it->first.substr(start.size())] = it->second;
  for (auto it = texts.lower_bound(start); it != texts.end() && it->first.starts_with(start); ++it) out.texts[it->first.substr(start.size())] = it->second;
  return out;
}

Result<int64_t> State::integer(const std::string& name) const {
  const auto found = texts.find(name);
  if (found == texts.end()) return fail(Code::invalid, "the saved state lacks this number", name);
  int64_t value = 0;
  const char* end = found->second.data() + found->second.size();
  if (const auto r = std::from_chars(found->second.data(), end, value); r.ec != std::errc() || r.ptr != end)
    return fail(Code::invalid, fmt::format("the saved state has '{}', expected a whole number", found->second), name);
  return value;
}

Result<double> State::real(const std::string& name) const {
  const auto found = texts.find(name);
  if (found == texts.end()) return fail(Code::invalid, "the saved state lacks this number", name);
  char* end = nullptr;
  const double value = std::strtod(found->second.c_str(), &end);
  if (found->second.empty() || *end) return fail(Code::invalid, fmt::format("the saved state has '{}', expected a number", found->second), name);
  return value;
}

void State::set(const std::string& name, int64_t value) { texts[name] = fmt::format("{}", value); }
void State::set(const std::string& name, double value) { texts[name] = fmt::format("{:a}", value); }

Status write_state(const State& state, const std::string& path) {
  SafeTensors file;
  for (const auto& [name, tensor] : state.tensors) {
    auto contents = from_torch(tensor);
    if (!contents) return fail(contents.error().code, contents.error().message, name);
    file.tensors.emplace_back(name, std::move(*contents));
  }
  file.metadata = state.texts;
  return write_safetensors(file, path, /*force=*/true);
}

Result<State> read_state(const std::string& path) {
  HONE_TRY_ASSIGN(const SafeTensors file, read_safetensors(path));
  State state;
  for (const auto& [name, tensor] : file.tensors) {
    HONE_TRY_ASSIGN(state.tensors[name], to_torch(tensor));
  }
  state.texts = file.metadata;
  return state;
}

Status write_params(const RunDir& run, const std::string& name, const Params& params, const std::map<std::string, std::string>& metadata) {
  HONE_TRY(make_folder(run.file("checkpoints")));
  return write_safetensors({params.save(), metadata, {}}, run.file("checkpoints/" + name + ".safetensors"), /*force=*/true);
}

Status write_checkpoint(const RunDir& run, const Params& params, const State& state) {
  const auto step = state.texts.find("step");
  HONE_TRY(write_params(run, "next", params, {{"step", step == state.texts.end() ? "" : step->second}}));
  HONE_TRY(write_state(state, run.file("checkpoints/next.state")));
  return finish_renames(run);
}

Status recover_checkpoint(const RunDir& run) {
  HONE_TRY(finish_renames(run));
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(run.file("checkpoints"), ec)) {
    const std::string file = entry.path().filename();
    if (file.find(".part") != std::string::npos || file == "next.safetensors") fs::remove(entry.path(), ec);
  }
  return {};
}

Result<std::optional<Checkpoint>> read_checkpoint(const RunDir& run) {
  const std::string params = run.file("checkpoints/last.safetensors"), rest = run.file("checkpoints/last.state");
  if (!exists(params) && !exists(rest)) return std::optional<Checkpoint>();
  // Both were complete when they were written: what is wrong with them happened later, and no earlier checkpoint is kept.
  const auto damaged = [](Error e) {
    e.hint = "the checkpoint is damaged or incomplete: bring its two files back, or delete the folder checkpoints to begin at step 0";
    return fail(std::move(e));
  };
  auto tensors_read = read_safetensors(params);
  if (!tensors_read) return damaged(std::move(tensors_read).error());
  SafeTensors tensors = std::move(*tensors_read);
  Checkpoint checkpoint;
  auto state_read = read_state(rest);
  if (!state_read) return damaged(std::move(state_read).error());
  checkpoint.state = std::move(*state_read);
  if (tensors.metadata["step"] != checkpoint.state.texts["step"])
    return fail(Code::invalid, fmt::format("is of step {}, last.state of step {}", tensors.metadata["step"], checkpoint.state.texts["step"]), params, "start again in a new directory");
  checkpoint.params = std::move(tensors.tensors);
  return std::optional<Checkpoint>(std::move(checkpoint));
}

}  // namespace hone::train
