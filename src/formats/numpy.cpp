#include "formats/numpy.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <map>

#include "formats/pickle.h"
#include "formats/zip.h"

namespace hone {

namespace {

// Element i of a column-major array goes where row-major order wants it.
std::vector<double> to_row_major(const std::vector<double>& from, const Shape& shape) {
  std::vector<double> out(from.size());
  std::vector<int64_t> at(shape.size(), 0);
  for (const double v : from) {
    int64_t to = 0;
    for (size_t d = 0; d < shape.size(); ++d) to = to * shape[d] + at[d];
    out[static_cast<size_t>(to)] = v;
    for (size_t d = 0; d < shape.size() && ++at[d] == shape[d]; ++d) at[d] = 0;
  }
  return out;
}

Result<NumpyArray> numbers(Tensor tensor, bool column_major, const std::string& source) {
  auto values = to_doubles(tensor);
  if (!values) return fail(Code::unsupported, fmt::format("holds an array {} of {}, which is not read as numbers", to_string(tensor.shape), name(tensor.dtype)), source);
  NumpyArray out;
  out.dtype = tensor.dtype;
  out.numbers = column_major && tensor.shape.size() > 1 ? to_row_major(*values, tensor.shape) : std::move(*values);
  out.shape = std::move(tensor.shape);
  return out;
}

// `room` is how many numbers may still be copied out: an array can be listed many times, but a file has no use for more
// numbers than it has bytes.
Result<NumpyArray> array(const pickle::Program& p, pickle::Ref ref, size_t& room, const std::string& source) {
  const pickle::Object& object = p.at(ref);
  if (object.kind == pickle::Kind::tensor && object.tensor.dtype != DType::undefined) {
    const auto n = static_cast<size_t>(element_count(object.tensor.shape).value_or(0)) + 1;
    if (n > room) return fail(Code::invalid, "repeats its arrays many times over", source);
    room -= n;
    return numbers(object.tensor, object.integer != 0, source);
  }
  if (object.kind != pickle::Kind::objects) return fail(Code::unsupported, "holds something that is no array of numbers", source);
  NumpyArray out;
  out.shape = object.tensor.shape;
  for (const pickle::Ref item : object.items) {
    if (p.at(item).kind == pickle::Kind::objects) return fail(Code::unsupported, "holds arrays of objects within each other", source);
    HONE_TRY_ASSIGN(NumpyArray inner, array(p, item, room, source));
    out.objects.push_back(std::move(inner));
  }
  return out;
}

struct Header {
  std::string type;
  bool column_major = false;
  Shape shape;
  size_t end = 0;  // byte after the header
};

// The text after `key` in "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }".
std::string_view value_of(std::string_view dict, std::string_view key) {
  const size_t at = dict.find(fmt::format("'{}'", key));
  if (at == dict.npos) return {};
  std::string_view rest = dict.substr(at + key.size() + 2);
  const size_t begin = rest.find_first_not_of(": ");
  return begin == rest.npos ? std::string_view() : rest.substr(begin);
}

Result<Header> read_header(const Bytes& file, const std::string& source) {
  const std::string_view text(reinterpret_cast<const char*>(file.data), file.size);
  const auto bad = [&](const char* what) { return fail(Code::invalid, fmt::format("has a damaged NumPy header: {}", what), source); };
  if (text.size() < 12 || text.substr(0, 6) != "\x93NUMPY") return bad("its first bytes");
  const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<uint8_t>(text[i])); };
  const size_t start = byte(6) == 1 ? 10 : 12;
  const size_t length = byte(6) == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (byte(6) < 1 || byte(6) > 3 || length > text.size() - start) return bad("its version or length");
  const std::string_view dict = text.substr(start, length), type = value_of(dict, "descr"), order = value_of(dict, "fortran_order"), shape = value_of(dict, "shape");
  Header h;
  h.end = start + length;
  if (type.size() < 3 || type[0] != '\'' || type.find('\'', 1) == type.npos) return bad("'descr'");
  h.type = type.substr(1, type.find('\'', 1) - 1);
  if (!order.starts_with("True") && !order.starts_with("False")) return bad("'fortran_order'");
  h.column_major = order.starts_with("True");
  const size_t close = shape.find(')');
  if (shape.empty() || shape[0] != '(' || close == shape.npos) return bad("'shape'");
  for (size_t at = 1; at < close;) {
    if (shape[at] == ' ' || shape[at] == ',') {
      ++at;
      continue;
    }
    int64_t n = 0;
    const auto [end, error] = std::from_chars(shape.data() + at, shape.data() + close, n);
    if (error != std::errc() || n < 0 || h.shape.size() == 32) return bad("'shape'");
    h.shape.push_back(n);
    at = static_cast<size_t>(end - shape.data());
  }
  return h;
}

}  // namespace

Result<NumpyArray> read_npy(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(Header h, read_header(file, source));
  if (h.type.starts_with(">")) return fail(Code::unsupported, "holds big-endian numbers", source);
  const size_t skip = h.type.find_first_not_of("<|=");
  const auto type = skip == h.type.npos ? std::nullopt : pickle::numpy_type(std::string_view(h.type).substr(skip));
  if (!type) return fail(Code::unsupported, fmt::format("holds elements of type '{}'; numbers are expected", h.type), source);
  const Bytes rest{file.owner, file.data + h.end, file.size - h.end};
  if (*type == DType::undefined) {
    HONE_TRY_ASSIGN(const pickle::Program program, pickle::interpret_numpy(rest, source));
    size_t room = rest.size;
    return array(program, program.result, room, source);
  }
  const auto count = element_count(h.shape);
  const auto size = count ? byte_size(*type, *count) : std::nullopt;
  if (!size || static_cast<uint64_t>(*size) != rest.size)
    return fail(Code::invalid, fmt::format("states an array {} of {}, but {} bytes follow its header", to_string(h.shape), name(*type), rest.size), source);
  Tensor t;
  t.dtype = *type;
  t.shape = std::move(h.shape);
  t.bytes = rest;
  return numbers(std::move(t), h.column_major, source);
}

Result<std::vector<std::pair<std::string, NumpyArray>>> read_npz(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const auto directory, read_zip_directory(file, source));
  std::map<std::string, ZipEntry> entries;
  for (const ZipEntry& e : directory)
    if (!entries.emplace(e.name, e).second) return fail(Code::invalid, "has two entries of one name", source);
  std::vector<std::pair<std::string, NumpyArray>> out;
  for (const auto& [name, entry] : entries) {
    if (!name.ends_with(".npy")) continue;
    HONE_TRY_ASSIGN(const Bytes bytes, zip_contents(file, entry, source));
    HONE_TRY_ASSIGN(NumpyArray a, read_npy(bytes, source + ":" + name));
    out.emplace_back(name.substr(0, name.size() - 4), std::move(a));
  }
  if (out.empty()) return fail(Code::invalid, "is a zip archive without NumPy arrays", source);
  return out;
}

Result<std::vector<std::pair<std::string, NumpyArray>>> read_array_pickle(const Bytes& file, const std::string& source) {
  HONE_TRY_ASSIGN(const pickle::Program program, pickle::interpret_numpy(file, source));
  const pickle::Object& dict = program.at(program.result);
  if (dict.kind != pickle::Kind::dict) return fail(Code::invalid, "holds no dictionary of arrays", source);
  std::vector<std::pair<std::string, NumpyArray>> out;
  size_t room = file.size;
  for (const auto& [key, value] : dict.entries) {
    if (program.at(key).kind != pickle::Kind::text) return fail(Code::invalid, "has a key that is no text", source);
    const std::string& name = program.at(key).text;
    HONE_TRY_ASSIGN(NumpyArray a, array(program, value, room, source + ":" + name));
    out.emplace_back(name, std::move(a));
  }
  return out;
}

}  // namespace hone
