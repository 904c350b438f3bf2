#include "formats/pth.h"

#include <fmt/format.h>

#include <map>

#include "core/file.h"
#include "formats/pickle.h"
#include "formats/zip.h"

namespace hone {

namespace {

const pickle::Object* entry(const pickle::Program& p, const pickle::Object& dict, std::string_view key) {
  for (const auto& [k, v] : dict.entries)
    if (p.at(k).kind == pickle::Kind::text && p.at(k).text == key) return &p.at(v);
  return nullptr;
}

}  // namespace

Result<TorchFile> read_pth(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const auto entries, read_stored_zip(file, source));
  // torch.save puts everything below one folder named after the file.
  std::string prefix;
  const Bytes* code = nullptr;
  for (const auto& [name, bytes] : entries)
    if (name == "data.pkl" || name.ends_with("/data.pkl")) {
      if (code) return fail(Code::invalid, "has two data.pkl", source);
      code = &bytes;
      prefix = name.substr(0, name.size() - std::string_view("data.pkl").size());
    }
  if (!code) return fail(Code::invalid, "is a zip archive without data.pkl", source, "a checkpoint of torch.save is expected");
  if (const auto order = entries.find(prefix + "byteorder"); order != entries.end())
    if (std::string_view(reinterpret_cast<const char*>(order->second.data), order->second.size) != "little") return fail(Code::unsupported, "was saved on a big-endian machine", source);
  HONE_TRY_ASSIGN(const pickle::Program program, pickle::interpret(*code, source, [&](const std::string& key) -> Result<Bytes> {
                    const auto it = entries.find(prefix + "data/" + key);
                    if (it == entries.end()) return fail(Code::invalid, fmt::format("storage '{}' is missing", key), source);
                    return it->second;
                  }));
  TorchFile out;
  const pickle::Object* dict = &program.at(program.result);
  for (std::string_view wrapper : {"state_dict", "model_state", "model"})
    if (const pickle::Object* inner = entry(program, *dict, wrapper); inner && inner->kind == pickle::Kind::dict) {
      dict = inner;
      out.wrapper = wrapper;
      break;
    }
  if (dict->kind != pickle::Kind::dict) return fail(Code::invalid, "holds no dictionary of tensors", source);
  std::map<std::string, size_t> seen;
  for (const auto& [k, v] : dict->entries) {
    const pickle::Object &key = program.at(k), &value = program.at(v);
    if (key.kind != pickle::Kind::text || value.kind != pickle::Kind::tensor) {
      out.ignored.push_back(key.kind == pickle::Kind::text ? key.text : "(key that is no text)");
      continue;
    }
    // As in Python, the last of two entries under one key counts.
    const auto [it, fresh] = seen.emplace(key.text, out.tensors.size());
    if (fresh) out.tensors.emplace_back(key.text, value.tensor);
    else out.tensors[it->second].second = value.tensor;
  }
  if (out.tensors.empty()) return fail(Code::invalid, "holds no tensor under a name", source);
  return out;
}

Result<TorchFile> read_pth(const std::string& path) {
  HONE_TRY_ASSIGN(auto mapped, MappedFile::open(path));
  Bytes bytes;
  bytes.data = mapped->bytes().data();
  bytes.size = mapped->bytes().size();
  bytes.owner = std::move(mapped);
  return read_pth(bytes, path);
}

}  // namespace hone
