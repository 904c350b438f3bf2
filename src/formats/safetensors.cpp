#include "formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "core/checked.h"
#include "core/file.h"

namespace hone {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;

struct TypeName {
  std::string_view name;
  DType type;
};
constexpr std::array kTypes{TypeName{"BOOL", DType::boolean}, TypeName{"U8", DType::u8},   TypeName{"I8", DType::i8},       TypeName{"U16", DType::u16},
                            TypeName{"I16", DType::i16},      TypeName{"U32", DType::u32}, TypeName{"I32", DType::i32},     TypeName{"U64", DType::u64},
                            TypeName{"I64", DType::i64},      TypeName{"F16", DType::f16}, TypeName{"BF16", DType::bf16},   TypeName{"F32", DType::f32},
                            TypeName{"F64", DType::f64},      TypeName{"C64", DType::c64}, TypeName{"F8_E5M2", DType::f8e5m2}, TypeName{"F8_E4M3", DType::f8e4m3fn},
                            TypeName{"F8_E8M0", DType::f8e8m0}, TypeName{"F4", DType::f4e2m1}};

struct Entry {
  std::string name;
  std::string dtype;
  std::vector<uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Streams the header, so that nothing is stored but the entries themselves, and any surprise stops the parser.
class Header : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
  std::string problem;

  bool start_object(size_t) override {
    if (in_array_ || depth_ == 2) return refuse("an object where none belongs");
    ++depth_;
    if (depth_ == 2 && !in_metadata_) {
      entries.emplace_back();
      entries.back().name = key_;
    }
    return true;
  }
  bool end_object() override {
    if (depth_ == 2 && !in_metadata_) {
      const Entry& e = entries.back();
      if (!e.has_dtype || !e.has_shape || !e.has_offsets) return refuse(fmt::format("tensor '{}' without dtype, shape or data_offsets", e.name));
    }
    in_metadata_ = in_metadata_ && depth_ != 2;
    --depth_;
    return true;
  }
  bool key(string_t& k) override {
    if (depth_ == 1) {
      if (!names_.insert(k).second) return refuse(fmt::format("'{}' twice", k));
      in_metadata_ = k == "__metadata__";
    } else if (in_metadata_ && metadata.contains(k)) {
      return refuse(fmt::format("the metadata key '{}' twice", k));
    }
    key_ = k;
    return true;
  }
  bool string(string_t& v) override {
    if (depth_ == 2 && in_metadata_) {
      metadata[key_] = v;
      return true;
    }
    if (depth_ != 2 || in_array_ || key_ != "dtype" || entries.back().has_dtype) return refuse(fmt::format("a text under '{}'", key_));
    entries.back().dtype = v;
    return entries.back().has_dtype = true;
  }
  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || in_array_) return refuse("a list where none belongs");
    bool& seen = key_ == "shape" ? entries.back().has_shape : entries.back().has_offsets;
    if ((key_ != "shape" && key_ != "data_offsets") || seen) return refuse(fmt::format("a list under '{}'", key_));
    return seen = in_array_ = true;
  }
  bool end_array() override {
    in_array_ = false;
    return true;
  }
  bool number_unsigned(number_unsigned_t v) override {
    if (!in_array_) return refuse(fmt::format("a number under '{}'", key_));
    auto& list = key_ == "shape" ? entries.back().shape : entries.back().offsets;
    if (list.size() >= 64) return refuse(fmt::format("tensor '{}' has more than 64 dimensions", entries.back().name));
    list.push_back(v);
    return true;
  }
  bool number_integer(number_integer_t v) override { return refuse(fmt::format("the number {} under '{}'", v, key_)); }
  bool number_float(number_float_t, const string_t& s) override { return refuse(fmt::format("the number {} under '{}'", s, key_)); }
  bool null() override { return refuse("a null"); }
  bool boolean(bool) override { return refuse("a truth value"); }
  bool binary(binary_t&) override { return refuse("binary data"); }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override {
    if (problem.empty()) problem = fmt::format("the header is no JSON in UTF-8, from byte {} on", 8 + position);
    return false;
  }

 private:
  bool refuse(std::string what) {
    problem = "the header holds " + std::move(what);
    return false;
  }
  int depth_ = 0;
  bool in_array_ = false, in_metadata_ = false;
  std::string key_;
  std::set<std::string> names_;
};

struct Span {
  uint64_t begin, end;
  size_t tensor;
};

tl::unexpected<Error> bad(const std::string& source, std::string message, std::string hint = {}) {
  return fail(Code::invalid, std::move(message), source, std::move(hint));
}

Result<Span> place(const Entry& e, size_t index, uint64_t data_size, const std::string& source, Tensor& tensor) {
  const auto type = std::ranges::find(kTypes, e.dtype, &TypeName::name);
  if (type == kTypes.end()) return fail(Code::unsupported, fmt::format("tensor '{}' has the unknown dtype '{}'", e.name, e.dtype), source);
  tensor.dtype = type->type;
  for (uint64_t d : e.shape) {
    if (d > static_cast<uint64_t>(INT64_MAX)) return bad(source, fmt::format("tensor '{}' has a dimension of {}", e.name, d));
    tensor.shape.push_back(static_cast<int64_t>(d));
  }
  const auto count = element_count(tensor.shape);
  const auto size = count ? byte_size(tensor.dtype, *count) : std::nullopt;
  if (!size) return bad(source, fmt::format("the size of tensor '{}' ({}) overflows", e.name, to_string(tensor.shape)));
  if (e.offsets.size() != 2) return bad(source, fmt::format("tensor '{}' has {} data_offsets, expected 2", e.name, e.offsets.size()));
  const uint64_t begin = e.offsets[0], end = e.offsets[1];
  if (end < begin) return bad(source, fmt::format("tensor '{}' ends at {} before it begins at {}", e.name, end, begin));
  if (end > data_size)
    return bad(source, fmt::format("tensor '{}' ends at byte {} of the data, but there are {}", e.name, end, data_size), "the file is cut short, or its header is wrong");
  if (end - begin != static_cast<uint64_t>(*size))
    return bad(source, fmt::format("tensor '{}' is {} {}, which takes {} bytes, but {} are set aside", e.name, e.dtype, to_string(tensor.shape), *size, end - begin));
  return Span{begin, end, index};
}

// Tensors must tile the data: overlaps are refused always, holes and trailing bytes unless tolerated.
Status check_tiling(std::vector<Span> spans, uint64_t data_size, const std::vector<Entry>& entries, const std::string& source, bool tolerant, std::vector<std::string>& notes) {
  std::ranges::sort(spans, {}, [](const Span& s) { return std::pair(s.begin, s.end); });
  uint64_t next = 0;
  auto gap = [&](uint64_t to, const std::string& where) -> Status {
    const std::string what = fmt::format("{} bytes {} belong to no tensor", to - next, where);
    if (!tolerant) return bad(source, what);
    notes.push_back(what);
    return {};
  };
  for (const Span& s : spans) {
    if (s.begin < next) return bad(source, fmt::format("tensor '{}' overlaps the one before it", entries[s.tensor].name));
    if (s.begin > next) HONE_TRY(gap(s.begin, fmt::format("before '{}'", entries[s.tensor].name)));
    next = s.end;
  }
  if (next < data_size) HONE_TRY(gap(data_size, "at the end"));
  return {};
}

std::string header_text(const SafeTensors& file, const std::vector<std::string_view>& types) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  uint64_t at = 0;
  for (size_t i = 0; i < file.tensors.size(); ++i) {
    const auto& [name, t] = file.tensors[i];
    header[name] = {{"dtype", types[i]}, {"shape", t.shape}, {"data_offsets", {at, at + t.bytes.size}}};
    at += t.bytes.size;
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

}  // namespace

Result<SafeTensors> read_safetensors(Bytes file, const std::string& source, bool tolerant) {
  if (file.size < 8) return bad(source, fmt::format("is {} bytes long; a safetensors file has at least 8", file.size));
  uint64_t length = 0;
  std::memcpy(&length, file.data, 8);
  if (length > kMaxHeader) return bad(source, fmt::format("states a header of {} bytes; the format allows {}", length, kMaxHeader), "this is no safetensors file, or a damaged one");
  if (length > file.size - 8) return bad(source, fmt::format("states a header of {} bytes, but only {} follow", length, file.size - 8), "the file is cut short");
  const char* text = reinterpret_cast<const char*>(file.data) + 8;
  if (length == 0 || text[0] != '{') return bad(source, "the header does not begin with '{'");
  Header header;
  if (!nlohmann::json::sax_parse(text, text + length, &header)) return bad(source, header.problem.empty() ? "the header is no JSON" : header.problem);

  const uint64_t data_begin = 8 + length, data_size = file.size - data_begin;
  SafeTensors out;
  std::vector<Span> spans;
  for (size_t i = 0; i < header.entries.size(); ++i) {
    Tensor tensor;
    HONE_TRY_ASSIGN(const Span span, place(header.entries[i], i, data_size, source, tensor));
    tensor.bytes.owner = file.owner;
    tensor.bytes.data = file.data + data_begin + span.begin;
    tensor.bytes.size = span.end - span.begin;
    spans.push_back(span);
    out.tensors.emplace_back(header.entries[i].name, std::move(tensor));
  }
  HONE_TRY(check_tiling(std::move(spans), data_size, header.entries, source, tolerant, out.notes));
  out.metadata = std::move(header.metadata);
  return out;
}

Result<SafeTensors> read_safetensors(const std::string& path, bool tolerant) {
  HONE_TRY_ASSIGN(auto file, MappedFile::open(path));
  Bytes bytes;
  bytes.data = file->bytes().data();
  bytes.size = file->bytes().size();
  bytes.owner = std::move(file);
  return read_safetensors(std::move(bytes), path, tolerant);
}

Status write_safetensors(const SafeTensors& file, const std::string& path, bool force) {
  std::vector<std::string_view> types;
  std::set<std::string> names;
  for (const auto& [name, t] : file.tensors) {
    const auto type = std::ranges::find(kTypes, t.dtype, &TypeName::type);
    if (type == kTypes.end()) return fail(Code::unsupported, fmt::format("safetensors has no type for {}", hone::name(t.dtype)), name);
    const auto count = element_count(t.shape);
    const auto size = count ? byte_size(t.dtype, *count) : std::nullopt;
    if (!size || static_cast<uint64_t>(*size) != t.bytes.size || (*size && !t.bytes.data)) return fail(Code::invalid, "has no contents, or of another size than its shape", name);
    if (name == "__metadata__" || !names.insert(name).second) return fail(Code::invalid, "this name cannot be written, or stands twice", name);
    types.push_back(type->name);
  }
  std::string header;
  try {
    header = header_text(file, types);
  } catch (const nlohmann::json::exception&) {
    return fail(Code::invalid, "a name or a metadata text is not UTF-8", path);
  }
  HONE_TRY_ASSIGN(AtomicFile out, AtomicFile::create(path, force));
  const uint64_t length = header.size();
  HONE_TRY(out.write({reinterpret_cast<const char*>(&length), 8}));
  HONE_TRY(out.write(header));
  for (const auto& [name, t] : file.tensors) HONE_TRY(out.write({reinterpret_cast<const char*>(t.bytes.data), t.bytes.size}));
  return out.commit();
}

}  // namespace hone
