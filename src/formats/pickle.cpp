#include "formats/pickle.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <map>

#include "core/checked.h"

namespace hone::pickle {

namespace {

struct StorageName {
  std::string_view name;
  DType type;
};
constexpr std::array kStorages{StorageName{"torch.FloatStorage", DType::f32},    StorageName{"torch.DoubleStorage", DType::f64}, StorageName{"torch.HalfStorage", DType::f16},
                               StorageName{"torch.BFloat16Storage", DType::bf16}, StorageName{"torch.LongStorage", DType::i64},   StorageName{"torch.IntStorage", DType::i32},
                               StorageName{"torch.ShortStorage", DType::i16},    StorageName{"torch.CharStorage", DType::i8},    StorageName{"torch.ByteStorage", DType::u8},
                               StorageName{"torch.BoolStorage", DType::boolean}};
constexpr std::string_view kTensor = "torch._utils._rebuild_tensor_v2", kParameter = "torch._utils._rebuild_parameter", kOrdered = "collections.OrderedDict", kSize = "torch.Size";

constexpr std::string_view kArray = "numpy.ndarray", kDtype = "numpy.dtype", kEncode = "_codecs.encode";
bool is_reconstruct(std::string_view name) { return name == "numpy.core.multiarray._reconstruct" || name == "numpy._core.multiarray._reconstruct"; }

const StorageName* storage_type(std::string_view name) {
  for (const StorageName& s : kStorages)
    if (s.name == name) return &s;
  return nullptr;
}

class Machine {
 public:
  // Without `storage` the dialect is NumPy's.
  Machine(const Bytes& code, const std::string& source, const std::function<Result<Bytes>(const std::string&)>* storage) : code_(code), source_(source), storage_(storage) {}

  Result<Program> run() {
    while (true) {
      start_ = at_;
      HONE_TRY_ASSIGN(const uint8_t op, number<uint8_t>());
      if (op == '.') break;
      HONE_TRY(step(op));
    }
    HONE_TRY_ASSIGN(program_.result, pop());
    return std::move(program_);
  }

 private:
  tl::unexpected<Error> bad(std::string message) const { return fail(Code::invalid, fmt::format("{} (pickle byte {})", message, start_), source_); }

  template <class T>
  Result<T> number() {
    if (code_.size - at_ < sizeof(T)) return bad("the pickle ends early");
    T v;
    std::memcpy(&v, code_.data + at_, sizeof v);
    at_ += sizeof v;
    return v;
  }
  Result<std::string> text(uint64_t n) {
    if (n > code_.size - at_) return bad("a text runs past the end of the pickle");
    std::string s(reinterpret_cast<const char*>(code_.data) + at_, n);
    at_ += n;
    return s;
  }
  Result<std::string> line() {
    const void* end = std::memchr(code_.data + at_, '\n', code_.size - at_);
    if (!end) return bad("a name runs past the end of the pickle");
    const auto n = static_cast<size_t>(static_cast<const std::byte*>(end) - code_.data) - at_;
    HONE_TRY_ASSIGN(std::string s, text(n));
    ++at_;
    return s;
  }

  Object& make(Kind kind) {
    stack_.push_back(static_cast<Ref>(program_.objects.size()));
    program_.objects.emplace_back().kind = kind;
    return program_.objects.back();
  }
  Result<Ref> pop() {
    if (stack_.empty() || (!marks_.empty() && marks_.back() == stack_.size())) return bad("the pickle takes from an empty stack");
    const Ref r = stack_.back();
    stack_.pop_back();
    return r;
  }
  Result<Ref> top(Kind kind, std::string_view what) {
    if (stack_.empty() || program_.at(stack_.back()).kind != kind) return bad(fmt::format("expected {} on the stack", what));
    return stack_.back();
  }
  Result<std::vector<Ref>> pop_to_mark() {
    if (marks_.empty()) return bad("the pickle closes what it did not open");
    std::vector<Ref> items(stack_.begin() + static_cast<ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  Status step(uint8_t op) {
    switch (op) {
      case 0x80: return number<uint8_t>().map([](uint8_t) {});         // PROTO
      case 0x95: return number<uint64_t>().map([](uint64_t) {});       // FRAME
      case '(': marks_.push_back(stack_.size()); return {};
      case 'N': make(Kind::none); return {};
      case 0x88: case 0x89: make(Kind::boolean).integer = op == 0x88; return {};
      case 'J': return push_integer<int32_t>();
      case 'K': return push_integer<uint8_t>();
      case 'M': return push_integer<uint16_t>();
      case 0x8a: return push_long();
      case 'G': return push_real();
      case 'X': case 'T': return push_text<uint32_t>();  // BINSTRING: what Python 2 calls a string
      case 'U': return push_text<uint8_t>();
      case 'C': return push_bytes<uint8_t>();
      case 'B': return push_bytes<uint32_t>();
      case 0x8e: return push_bytes<uint64_t>();
      case 0x8c: return push_text<uint8_t>();
      case ']': make(Kind::list); return {};
      case '}': make(Kind::dict); return {};
      case ')': make(Kind::tuple); return {};
      case 't': { HONE_TRY_ASSIGN(auto items, pop_to_mark()); make(Kind::tuple).items = std::move(items); return {}; }
      case 0x85: case 0x86: case 0x87: return push_tuple(op - 0x84);
      case 'a': { HONE_TRY_ASSIGN(const Ref v, pop()); return append({v}); }
      case 'e': { HONE_TRY_ASSIGN(auto items, pop_to_mark()); return append(items); }
      case 's': return set_one();
      case 'u': { HONE_TRY_ASSIGN(auto items, pop_to_mark()); return set_items(items); }
      case 'q': { HONE_TRY_ASSIGN(const uint8_t i, number<uint8_t>()); return remember(i); }
      case 'r': { HONE_TRY_ASSIGN(const uint32_t i, number<uint32_t>()); return remember(i); }
      case 0x94: return remember(static_cast<uint32_t>(memo_.size()));
      case 'h': { HONE_TRY_ASSIGN(const uint8_t i, number<uint8_t>()); return recall(i); }
      case 'j': { HONE_TRY_ASSIGN(const uint32_t i, number<uint32_t>()); return recall(i); }
      case 'c': return named_global();
      case 0x93: return stack_global();
      case 'Q': return persistent();
      case 'R': return reduce();
      case 'b': return build();
      default: return fail(Code::unsupported, fmt::format("the pickle uses opcode 0x{:02x}, which {} not need (byte {})", op, storage_ ? "a state dict does" : "arrays do", start_), source_);
    }
  }

  template <class T>
  Status push_integer() {
    HONE_TRY_ASSIGN(const T v, number<T>());
    make(Kind::integer).integer = static_cast<int64_t>(v);
    return {};
  }
  Status push_long() {
    HONE_TRY_ASSIGN(const uint8_t n, number<uint8_t>());
    HONE_TRY_ASSIGN(const std::string bytes, text(n));
    if (n > 8) return bad("an integer does not fit 64 bits");
    uint64_t v = n && (bytes.back() & 0x80) ? ~uint64_t{0} : 0;
    std::memcpy(&v, bytes.data(), n);
    make(Kind::integer).integer = static_cast<int64_t>(v);
    return {};
  }
  Status push_real() {
    HONE_TRY_ASSIGN(const uint64_t big, number<uint64_t>());
    const uint64_t bits = __builtin_bswap64(big);
    double v;
    std::memcpy(&v, &bits, 8);
    make(Kind::real).real = v;
    return {};
  }
  template <class T>
  Status push_text() {
    HONE_TRY_ASSIGN(const T n, number<T>());
    HONE_TRY_ASSIGN(std::string s, text(n));
    make(Kind::text).text = std::move(s);
    return {};
  }
  template <class T>
  Status push_bytes() {
    HONE_TRY_ASSIGN(const T n, number<T>());
    if (n > code_.size - at_) return bad("bytes run past the end of the pickle");
    make(Kind::bytes).bytes = Bytes{code_.owner, code_.data + at_, static_cast<size_t>(n)};
    at_ += static_cast<size_t>(n);
    return {};
  }
  Status push_tuple(int n) {
    std::vector<Ref> items(static_cast<size_t>(n));
    for (size_t i = items.size(); i-- > 0;) {
      HONE_TRY_ASSIGN(items[i], pop());
    }
    make(Kind::tuple).items = std::move(items);
    return {};
  }
  Status append(const std::vector<Ref>& items) {
    HONE_TRY_ASSIGN(const Ref list, top(Kind::list, "a list"));
    auto& to = program_.objects[list].items;
    to.insert(to.end(), items.begin(), items.end());
    return {};
  }
  Status set_items(const std::vector<Ref>& items) {
    HONE_TRY_ASSIGN(const Ref dict, top(Kind::dict, "a dictionary"));
    if (items.size() % 2) return bad("a key without a value");
    for (size_t i = 0; i < items.size(); i += 2) program_.objects[dict].entries.emplace_back(items[i], items[i + 1]);
    return {};
  }
  Status set_one() {
    HONE_TRY_ASSIGN(const Ref value, pop());
    HONE_TRY_ASSIGN(const Ref key, pop());
    return set_items({key, value});
  }
  Status remember(uint32_t i) {
    if (stack_.empty()) return bad("nothing to remember");
    memo_[i] = stack_.back();
    return {};
  }
  Status recall(uint32_t i) {
    const auto it = memo_.find(i);
    if (it == memo_.end()) return bad("recalls what was not remembered");
    stack_.push_back(it->second);
    return {};
  }

  Status push_global(std::string name) {
    const bool known = storage_ ? name == kTensor || name == kParameter || name == kOrdered || name == kSize || storage_type(name)
                                : is_reconstruct(name) || name == kArray || name == kDtype || name == kEncode;
    if (!known && !storage_)
      return fail(Code::unsupported, fmt::format("the pickle asks to call {}, which hone does not do (byte {})", name, start_), source_, "only NumPy arrays in plain containers are read");
    if (!known)
      return fail(Code::unsupported, fmt::format("the checkpoint asks to call {}, which hone does not do", name), source_,
                  "only tensors and plain containers are read; save model.state_dict() alone");
    make(Kind::global).text = std::move(name);
    return {};
  }
  Status named_global() {
    HONE_TRY_ASSIGN(const std::string module, line());
    HONE_TRY_ASSIGN(const std::string name, line());
    return push_global(module + "." + name);
  }
  Status stack_global() {
    HONE_TRY_ASSIGN(const Ref name, top(Kind::text, "a name"));
    HONE_TRY(pop());
    HONE_TRY_ASSIGN(const Ref module, top(Kind::text, "a module"));
    HONE_TRY(pop());
    return push_global(program_.at(module).text + "." + program_.at(name).text);
  }

  // ("storage", type, key, location, number of elements)
  Status persistent() {
    HONE_TRY_ASSIGN(const Ref id, top(Kind::tuple, "a persistent id"));
    HONE_TRY(pop());
    const std::vector<Ref> items = program_.at(id).items;
    auto field = [&](size_t i) -> const Object& { return program_.at(items[i]); };
    if (items.size() != 5 || field(0).text != "storage" || field(1).kind != Kind::global || field(2).kind != Kind::text || field(4).kind != Kind::integer)
      return bad("a persistent id that is no storage");
    const StorageName* type = storage_type(field(1).text);
    if (!type) return bad(fmt::format("a storage of type {}", field(1).text));
    if (!storage_) return bad("a persistent id, which arrays do not need");
    const std::string key = field(2).text;
    const auto size = byte_size(type->type, field(4).integer);
    HONE_TRY_ASSIGN(Bytes bytes, (*storage_)(key));
    if (!size || static_cast<uint64_t>(*size) > bytes.size) return bad(fmt::format("storage '{}' states {} elements, but holds {} bytes", key, field(4).integer, bytes.size));
    bytes.size = static_cast<size_t>(*size);
    Object& s = make(Kind::storage);
    s.dtype = type->type;
    s.bytes = std::move(bytes);
    return {};
  }

  Status reduce() {
    HONE_TRY_ASSIGN(const Ref args, top(Kind::tuple, "arguments"));
    HONE_TRY(pop());
    HONE_TRY_ASSIGN(const Ref callable, top(Kind::global, "a callable"));
    HONE_TRY(pop());
    const std::string name = program_.at(callable).text;
    const std::vector<Ref> items = program_.at(args).items;
    if (name == kOrdered) {
      if (!items.empty() && !program_.at(items[0]).items.empty()) return bad("an OrderedDict with contents in its call");
      make(Kind::dict);
      return {};
    }
    if (name == kParameter && !items.empty() && program_.at(items[0]).kind == Kind::tensor) {
      stack_.push_back(items[0]);
      return {};
    }
    if (name == kSize && items.size() == 1) {
      stack_.push_back(items[0]);
      return {};
    }
    if (name == kTensor && items.size() >= 4) return rebuild(items);
    if (name == kEncode && items.size() == 2) return encode(program_.at(items[0]), program_.at(items[1]));
    if (name == kDtype && !items.empty()) return push_dtype(program_.at(items[0]));
    if (is_reconstruct(name) && items.size() == 3) {
      if (program_.at(items[0]).text != kArray) return bad("an array of an unknown class");
      make(Kind::tensor);  // its state follows in BUILD
      return {};
    }
    return bad(fmt::format("{} is called with {} arguments", name, items.size()));
  }

  Result<Shape> integers(Ref r) const {
    Shape out;
    for (Ref item : program_.at(r).items) {
      if (program_.at(item).kind != Kind::integer || program_.at(item).integer < 0) return bad("a size or stride that is no count");
      out.push_back(program_.at(item).integer);
    }
    if (out.size() > 64) return bad("a tensor of more than 64 dimensions");
    return out;
  }

  // A view of a storage: offset, sizes and strides in elements, checked against it.
  Status rebuild(const std::vector<Ref>& items) {
    const Object& storage = program_.at(items[0]);
    const Object& offset = program_.at(items[1]);
    if (storage.kind != Kind::storage || offset.kind != Kind::integer || offset.integer < 0) return bad("a tensor without a storage");
    HONE_TRY_ASSIGN(const Shape shape, integers(items[2]));
    HONE_TRY_ASSIGN(const Shape stride, integers(items[3]));
    if (shape.size() != stride.size()) return bad("a tensor whose sizes and strides differ in number");
    const auto width = static_cast<int64_t>(bits(storage.dtype) / 8);
    const int64_t held = static_cast<int64_t>(storage.bytes.size) / width;
    const auto count = element_count(shape);
    if (!count) return bad("a tensor whose size overflows");
    Int last = offset.integer, expected = 1;
    bool contiguous = true;
    for (size_t i = shape.size(); i-- > 0;) {
      contiguous = contiguous && (shape[i] == 1 || stride[i] == expected.value());
      expected *= Int(shape[i]);
      if (shape[i] > 0) last += Int(shape[i] - 1) * Int(stride[i]);
    }
    if (*count > 0 && (!last.ok() || last.value() >= held)) return bad(fmt::format("a tensor {} reaches past its storage of {} elements", to_string(shape), held));
    Tensor t;
    t.dtype = storage.dtype;
    t.shape = shape;
    if (contiguous || *count == 0) {
      t.bytes.owner = storage.bytes.owner;
      t.bytes.data = *count == 0 ? nullptr : storage.bytes.data + offset.integer * width;
      t.bytes.size = static_cast<size_t>(*count * width);
    } else {
      // An expanded view may be far larger than what it reads; a checkpoint has no use for it.
      if (*count / 4 > held) return bad("a tensor repeats its storage many times over");
      t.bytes = gather(storage.bytes.data, offset.integer, shape, stride, *count, width);
    }
    make(Kind::tensor).tensor = std::move(t);
    return {};
  }

  static Bytes gather(const std::byte* from, int64_t offset, const Shape& shape, const Shape& stride, int64_t count, int64_t width) {
    std::vector<std::byte> out(static_cast<size_t>(count * width));
    std::vector<int64_t> at(shape.size(), 0);
    for (int64_t i = 0, source = offset; i < count; ++i) {
      std::memcpy(out.data() + i * width, from + source * width, static_cast<size_t>(width));
      for (size_t d = shape.size(); d-- > 0;) {
        source += stride[d];
        if (++at[d] < shape[d]) break;
        source -= stride[d] * shape[d];
        at[d] = 0;
      }
    }
    return Bytes::copy(out.data(), out.size());
  }

  // What is copied out of the pickle stays in proportion to it, however often it is recalled.
  Status copied(size_t n) {
    copied_ += n;
    if (copied_ > code_.size) return bad("the pickle repeats its contents many times over");
    return {};
  }
  // Raw bytes that protocol 2 spells as text, one character each.
  Status encode(const Object& text, const Object& encoding) {
    if (text.kind != Kind::text || encoding.text != "latin1") return bad("an encoding that arrays do not need");
    std::string raw;
    for (size_t i = 0; i < text.text.size(); ++i) {
      const auto c = static_cast<uint8_t>(text.text[i]);
      if (c < 0x80) {
        raw += static_cast<char>(c);
      } else {
        if ((c & 0xfe) != 0xc2 || i + 1 == text.text.size() || (text.text[i + 1] & 0xc0) != 0x80) return bad("bytes spelt as text hold a character above 255");
        raw += static_cast<char>((c << 6) | (text.text[++i] & 0x3f));
      }
    }
    HONE_TRY(copied(raw.size()));
    make(Kind::bytes).bytes = Bytes::copy(raw.data(), raw.size());
    return {};
  }
  Status push_dtype(const Object& name) {
    const auto type = numpy_type(name.text);
    if (!type) return fail(Code::unsupported, fmt::format("an array has elements of type '{}'; numbers are expected (pickle byte {})", name.text, start_), source_);
    make(Kind::dtype).dtype = *type;
    return {};
  }

  // Attributes of an OrderedDict (torch's `_metadata`) are of no use here; those of anything else are refused.
  Status build() {
    HONE_TRY_ASSIGN(const Ref state, pop());
    if (storage_) {
      HONE_TRY(top(Kind::dict, "a dictionary to give attributes to"));
      return {};
    }
    if (stack_.empty() || program_.at(state).kind != Kind::tuple) return bad("expected an array's state on the stack");
    const std::vector<Ref> items = program_.at(state).items;
    Object& object = program_.objects[stack_.back()];
    if (object.kind == Kind::dtype && items.size() >= 2) {  // (version, byte order, ...)
      if (program_.at(items[1]).text == ">") return fail(Code::unsupported, "holds big-endian numbers", source_);
      return {};
    }
    if (object.kind == Kind::tensor && items.size() == 5) return build_array(object, items);
    return bad("expected an array or a type to give a state to");
  }
  // (version, shape, type, Fortran order?, contents)
  Status build_array(Object& array, const std::vector<Ref>& items) {
    HONE_TRY_ASSIGN(const Shape shape, integers(items[1]));
    const Object &type = program_.at(items[2]), &contents = program_.at(items[4]);
    const auto count = element_count(shape);
    if (type.kind != Kind::dtype || !count) return bad("an array without a type or size");
    array.tensor.shape = shape;
    if (type.dtype == DType::undefined) {
      if (contents.kind != Kind::list || static_cast<int64_t>(contents.items.size()) != *count) return bad(fmt::format("an array of {} objects does not list as many", *count));
      HONE_TRY(copied(contents.items.size()));
      array.kind = Kind::objects;
      array.items = contents.items;
      return {};
    }
    const auto size = byte_size(type.dtype, *count);
    if (contents.kind == Kind::text) HONE_TRY(copied(contents.text.size()));
    const Bytes bytes = contents.kind == Kind::text ? Bytes::copy(contents.text.data(), contents.text.size()) : contents.bytes;
    if ((contents.kind != Kind::text && contents.kind != Kind::bytes) || !size || static_cast<uint64_t>(*size) != bytes.size)
      return bad(fmt::format("an array {} of {} has {} bytes", to_string(shape), name(type.dtype), bytes.size));
    array.tensor.dtype = type.dtype;
    array.tensor.bytes = bytes;
    array.integer = program_.at(items[3]).integer;
    return {};
  }

  const Bytes& code_;
  const std::string& source_;
  const std::function<Result<Bytes>(const std::string&)>* storage_;
  size_t at_ = 0, start_ = 0, copied_ = 0;
  Program program_;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;
  std::map<uint32_t, Ref> memo_;
};

}  // namespace

Result<Program> interpret(const Bytes& code, const std::string& source, const std::function<Result<Bytes>(const std::string&)>& storage) { return Machine(code, source, &storage).run(); }
Result<Program> interpret_numpy(const Bytes& code, const std::string& source) { return Machine(code, source, nullptr).run(); }

std::optional<DType> numpy_type(std::string_view name) {
  constexpr std::pair<std::string_view, DType> kTypes[] = {{"f8", DType::f64}, {"f4", DType::f32}, {"f2", DType::f16}, {"i8", DType::i64}, {"i4", DType::i32}, {"i2", DType::i16}, {"i1", DType::i8},
                                                           {"u8", DType::u64}, {"u4", DType::u32}, {"u2", DType::u16}, {"u1", DType::u8},  {"b1", DType::boolean}, {"?", DType::boolean},
                                                           {"O", DType::undefined}, {"O8", DType::undefined}, {"O4", DType::undefined}};
  for (const auto& [n, type] : kTypes)
    if (n == name) return type;
  return std::nullopt;
}

}  // namespace hone::pickle
