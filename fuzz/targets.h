// What each fuzz target does with its bytes. The tests replay the stored corpus through the same functions, so that a
// finding once fixed stays fixed in every build. They return when all is well and abort on a broken promise.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cost/profile.h"
#include "formats/image.h"
#include "formats/onnx_proto.h"
#include "formats/onnx_read.h"
#include "formats/onnx_write.h"
#include "formats/pth.h"
#include "formats/safetensors.h"
#include "formats/strokes_read.h"
#include "formats/zip.h"
#include "formats/tokenizer_models.h"
#include "formats/unicode.h"
#include "ir/infer.h"
#include "ir/op.h"
#include "ir/text.h"
#include "ir/verify.h"
#include "zoo/arch.h"

namespace hone::fuzz {

inline void require(bool ok, const char* promise) {
  if (ok) return;
  std::fprintf(stderr, "broken promise: %s\n", promise);
  std::abort();
}

inline void valid(const Graph& graph, const char* promise) {
  const Status status = verify(graph);
  if (!status) std::fprintf(stderr, "%s\n%s\n", print(graph).c_str(), status.error().text().c_str());
  require(status.has_value(), promise);
}

// Every error says something; shapes, counts and memory of a graph can be asked for.
inline void exercise(const Graph& graph) {
  auto inferred = infer(graph, {}, true);
  if (!inferred) return require(!inferred.error().message.empty(), "an error of infer() has a message");
  valid(inferred->graph, "infer() keeps a graph valid");
  const auto from = from_parameters(inferred->graph);
  for (NodeId n = 0; n < inferred->graph.nodes.size(); ++n) (void)count_node(inferred->graph, n, from);
  if (auto p = profile(inferred->graph); p) require(p->totals.macs >= 0 && p->totals.params >= 0 && p->totals.peak_activation_bytes >= 0, "counts are not negative");
}

inline void print_and_parse(const Graph& graph) {
  const std::string text = print(graph);
  auto again = parse_graph(text, "printed");
  require(again.has_value(), "a printed graph can be parsed");
  require(print(*again) == text, "a parsed graph prints the same");
}

// What hone writes at the newest opset, it reads as the same graph.
inline void write_and_read(const Graph& graph) {
  auto bytes = onnx_message(graph, onnx::kMaxOpset);
  if (!bytes) return require(!bytes.error().message.empty(), "an error of onnx_message() has a message");
  auto again = read_onnx_bytes(*bytes, nullptr, "written.onnx");
  if (!again) std::fprintf(stderr, "%s\n%s\n", print(graph).c_str(), again.error().text().c_str());
  require(again.has_value(), "a file that was written can be read");
  auto twice = onnx_message(*again, onnx::kMaxOpset);
  require(twice.has_value() && *twice == *bytes, "a file that was read and written again is the same");
}

// Any bytes as checkpoint: tensors whose contents lie within the file, or an error.
inline void touch(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  unsigned sum = 0;
  for (const auto& [name, t] : tensors) {
    const auto n = element_count(t.shape);
    require(n.has_value(), "the shape of a stored tensor has a size");
    if (t.bytes.size == 0) continue;
    sum += static_cast<unsigned>(t.bytes.data[0]) + static_cast<unsigned>(t.bytes.data[t.bytes.size - 1]);
  }
  [[maybe_unused]] static volatile unsigned sink;
  sink = sum;
}
inline void safetensors(std::string_view bytes) {
  for (const bool tolerant : {false, true}) {
    auto file = read_safetensors(Bytes::copy(bytes.data(), bytes.size()), "fuzz.safetensors", tolerant);
    if (file) touch(file->tensors);
    else require(!file.error().message.empty(), "an error of read_safetensors() has a message");
  }
}
inline void pth(std::string_view bytes) {
  auto file = read_pth(Bytes::copy(bytes.data(), bytes.size()), "fuzz.pth");
  if (file) touch(file->tensors);
  else require(!file.error().message.empty(), "an error of read_pth() has a message");
}

// A vocabulary in one of its three forms, by the first byte (t: vocab.txt, j: tokenizer.json, b: vocab.json, NUL, merges.txt); behind
// the last NUL a text. What opens gives ids of the vocabulary for any text, and byte-level BPE gives the text back.
inline void tokenizer(std::string_view bytes) {
  if (bytes.empty()) return;
  const char form = bytes[0];
  bytes.remove_prefix(1);
  std::string_view text = "the dog's na\xC3\xAFve [MASK] \xF0\x9F\x90\xB6 ##x";
  if (const size_t at = bytes.rfind('\0'); at != std::string_view::npos) {
    text = bytes.substr(at + 1);
    bytes = bytes.substr(0, at);
  }
  const auto made = [&]() -> Result<std::shared_ptr<const Tokenizer>> {
    if (form == 't') {
      HONE_TRY_ASSIGN(WordPieceModel model, read_vocab_txt(bytes, "fuzz.txt"));
      return make_tokenizer(std::move(model), "fuzz.txt");
    }
    if (form == 'j') return read_tokenizer_json(bytes, "fuzz.json");
    const size_t split = std::min(bytes.find('\0'), bytes.size());
    HONE_TRY_ASSIGN(ByteBpeModel model, read_vocab_merges(bytes.substr(0, split), bytes.substr(std::min(split + 1, bytes.size())), "vocab.json", "merges.txt"));
    return make_tokenizer(std::move(model), "fuzz.json");
  }();
  if (!made) return require(!made.error().message.empty(), "an error of a tokenizer has a message");
  const Tokenizer& t = **made;
  std::vector<int32_t> ids;
  t.append(text, ids);
  for (const int32_t id : ids) require(id >= 0 && id < t.size(), "an id is one of the vocabulary");
  const std::string back = t.decode(ids);
  bool special = false;
  for (const int32_t id : ids) special |= id == t.special().begin || id == t.special().end || id == t.special().pad || id == t.special().unknown || id == t.special().mask;
  std::string bytes_of;
  for (const int32_t id : ids) special |= !token_bytes(t.vocabulary()[static_cast<size_t>(id)], bytes_of);
  if (t.name() != "WordPiece" && !special && form == 'b' && unicode::valid_utf8(text)) require(back == text, "byte-level BPE gives back the text");
  bool cut = false;
  require(t.encode(text, 5, cut).size() <= 5, "a row has room");
}

// Any bytes as strokes, by their first bytes and as QuickDraw's .bin: finite points, no empty stroke, or an error. Rows
// that were printed are read back the same.
inline void strokes(std::string_view bytes) {
  const auto check = [](const Sketch& s) {
    require(s.frame > 0, "a frame has a size");
    for (const Stroke& stroke : s.strokes) {
      require(!stroke.empty(), "a stroke has a point");
      for (const Point& p : stroke) require(std::isfinite(p.x) && std::isfinite(p.y), "a point is finite");
    }
  };
  for (const char* name : {"fuzz", "fuzz.bin"}) {
    auto sketches = parse_strokes(Bytes::copy(bytes.data(), bytes.size()), name);
    if (!sketches) require(!sketches.error().message.empty(), "an error of parse_strokes() has a message");
    else
      for (const Sketch& s : *sketches) check(s);
  }
  auto rows = read_stroke_rows(bytes, "fuzz.ndjson");
  if (!rows) return;
  std::string text;
  for (const StrokeRow& r : *rows) text += print_stroke_row(r);
  auto again = read_stroke_rows(text, "printed.ndjson");
  require(again.has_value() && again->size() == rows->size(), "printed rows can be read");
  for (size_t i = 0; i < rows->size(); ++i) require((*again)[i].sketch.strokes == (*rows)[i].sketch.strokes, "printed rows are read back the same");
}

// Any bytes as a picture: whole, of the size that its header states or a reduced one, or an error. A PNG of it is read back the same.
inline void image(std::string_view bytes) {
  DecodeOptions options;
  options.max_pixels = 1 << 20;
  const auto span = std::as_bytes(std::span(bytes));
  const auto size = image_size(span, "fuzz");
  auto picture = decode_image(span, "fuzz", options);
  options.min_side = 16;
  const auto reduced = decode_image(span, "fuzz", options);
  if (!picture) return require(!picture.error().message.empty(), "an error of decode_image() has a message");
  require(size && size->width == picture->width && size->height == picture->height, "the header states the size");
  require(picture->pixels.size() == 3 * static_cast<size_t>(picture->width) * static_cast<size_t>(picture->height), "a picture is whole");
  require(reduced && reduced->width <= picture->width && reduced->height <= picture->height, "a reduced picture is no larger");
  const auto png = encode_png(*picture);
  require(png.has_value(), "a picture can be written");
  const auto again = decode_image(std::as_bytes(std::span(*png)), "written");
  require(again && again->pixels == picture->pixels, "a written picture is read back the same");
}

// Any bytes as a zip archive: entries whose contents have the stated size, or errors.
inline void zip(std::string_view bytes) {
  const Bytes file = Bytes::copy(bytes.data(), bytes.size());
  const auto entries = read_zip_directory(file, "fuzz.zip");
  if (!entries) return require(!entries.error().message.empty(), "an error of read_zip_directory() has a message");
  for (const ZipEntry& entry : *entries) {
    const auto packed = zip_packed(file, entry, "fuzz.zip");
    if (packed) require(packed->size == entry.packed && packed->size <= bytes.size(), "packed bytes lie in the file");
    const auto contents = zip_contents(file, entry, "fuzz.zip");
    if (contents) {
      require(contents->size == entry.size, "contents have the stated size");
      [[maybe_unused]] const Status sum = check_crc(entry, *contents, "fuzz.zip");
    } else {
      require(!contents.error().message.empty(), "an error of zip_contents() has a message");
    }
  }
}

// Any bytes: a graph or an error. What was read is valid, and can be inferred, counted, printed and parsed again.
inline void onnx_read(std::string_view bytes) {
  auto graph = read_onnx_bytes(bytes, nullptr, "fuzz.onnx");
  if (!graph) return require(!graph.error().message.empty(), "an error of read_onnx() has a message");
  valid(*graph, "a graph that was read is valid");
  exercise(*graph);
  print_and_parse(*graph);
  if (auto typed = infer(*graph, {}, true)) write_and_read(typed->graph);
}

// Any text: a graph or an error; printing and parsing give the same graph.
inline void ir_text(std::string_view bytes) {
  auto graph = parse_graph(bytes, "fuzz.hone");
  if (!graph) return require(!graph.error().message.empty(), "an error of parse_graph() has a message");
  print_and_parse(*graph);
  exercise(*graph);
}

// Any text: an architecture or an error; printing and parsing give the same one; small ones are built.
inline void arch_toml(std::string_view bytes) {
  auto arch = parse_arch(std::string(bytes), "fuzz.toml");
  if (!arch) return require(!arch.error().message.empty(), "an error of parse_arch() has a message");
  auto again = parse_arch(print_arch(*arch), "printed");
  require(again.has_value() && equal(*arch, *again), "a printed architecture parses to the same");
  int64_t depth = 0;
  for (const Stage& s : arch->stages) depth += s.depth;
  if (depth > 64) return;  // allowed, but slow to try by the million
  if (auto graph = build(*arch); graph) valid(*graph, "a built graph is valid");
  else require(!graph.error().message.empty(), "an error of build() has a message");
}

// A list of choices, read off the bytes; zeros when they end.
class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  bool any() const { return !bytes_.empty(); }
  size_t below(size_t n) {
    if (bytes_.empty() || n == 0) return 0;
    size_t v = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    if (n > 256) v = v * 256 + below(256);
    return v % n;
  }
  int64_t number() {
    static constexpr int64_t kNumbers[] = {0, 1, 2, 3, 4, 7, 8, 16, 64, 224, -1, -2, -3, 1 << 20, int64_t{1} << 31, int64_t{1} << 40, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    return kNumbers[below(std::size(kNumbers))];
  }
  Shape shape() {
    Shape s(below(6));
    for (Dim& d : s)
      if (d = number(); d < kUnknown) d = kUnknown;
    return s;
  }
  TensorType type() {
    static constexpr DType kTypes[] = {DType::f32, DType::i64, DType::boolean, DType::u8, DType::f16, DType::i32, DType::string, DType::u4};
    const DType t = kTypes[below(std::size(kTypes))];
    return below(8) == 7 ? TensorType(t) : TensorType(t, shape());
  }
  Attr attr(AttrKind kind) {
    static constexpr std::string_view kTexts[] = {"", "SAME_UPPER", "SAME_LOWER", "VALID", "constant", "reflect", "linear", "nearest", "bij,bjk->bik", "...i,ij->...j", "CRD", "bidirectional", "tanh"};
    switch (kind) {
      case AttrKind::integer: return number();
      case AttrKind::real: return static_cast<float>(number()) / 2;
      case AttrKind::text: return std::string(kTexts[below(std::size(kTexts))]);
      case AttrKind::integers: {
        std::vector<int64_t> v(below(8));
        for (int64_t& i : v) i = number();
        return v;
      }
      case AttrKind::reals: return std::vector<float>(below(4), 1.5f);
      case AttrKind::texts: return std::vector<std::string>(below(3), "Tanh");
      case AttrKind::tensor: return std::make_shared<const Tensor>(Tensor::ints({number()}));
    }
    return int64_t{0};
  }

 private:
  std::string_view bytes_;
};

// A graph out of choices: samples of the operator table with something changed, or operators over any values.
inline Graph make_graph(Choices& c) {
  Graph g;
  g.name = "fuzz";
  const auto ops = all_ops();
  const auto fresh = [&](const TensorType& type) {
    Value v;
    v.name = "v" + std::to_string(g.values.size());
    v.kind = c.below(4) == 3 ? ValueKind::parameter : ValueKind::input;
    v.type = type;
    const bool input = v.kind == ValueKind::input;
    const ValueId id = g.add_value(std::move(v));
    if (input) g.inputs.push_back(id);
    return id;
  };
  const auto constant = [&](Tensor t) {
    Value v;
    v.name = "c" + std::to_string(g.values.size());
    v.kind = ValueKind::constant;
    v.type = TensorType(t.dtype, t.shape);
    v.data = std::make_shared<const Tensor>(std::move(t));
    return g.add_value(std::move(v));
  };
  const auto numbers = [&] {
    std::vector<int64_t> v(c.below(6));
    for (int64_t& i : v) i = c.number();
    return v;
  };
  while (c.any() && g.nodes.size() < 24) {
    Node node;
    node.def = &ops[c.below(ops.size())];
    node.type = node.def->name;
    size_t outputs = static_cast<size_t>(node.def->min_outputs);
    const auto samples = node.def->samples ? node.def->samples() : std::vector<Sample>();
    if (!samples.empty() && c.below(4) != 0) {
      const Sample& s = samples[c.below(samples.size())];
      node.attrs = s.attrs;
      outputs = s.outputs.size();
      for (size_t i = 0; i < s.inputs.size(); ++i) {
        TensorType t = s.inputs[i];
        if (t.dtype == DType::undefined) {
          node.inputs.push_back(kNoValue);
        } else if (i < s.contents.size() && s.contents[i] && !s.contents[i]->is_float() && t.dtype == DType::i64) {
          Tensor contents = Tensor::ints(s.contents[i]->ints);
          contents.shape = s.contents[i]->shape;
          node.inputs.push_back(c.below(4) == 3 ? constant(Tensor::ints(numbers())) : constant(std::move(contents)));
        } else {
          if (c.below(3) == 2 && !t.shape.empty()) t.shape[c.below(t.shape.size())] = std::max<Dim>(kUnknown, c.number());
          if (c.below(8) == 7) t = c.type();
          node.inputs.push_back(c.below(4) == 3 && !g.values.empty() ? static_cast<ValueId>(c.below(g.values.size())) : fresh(t));
        }
      }
    } else {
      const int max = node.def->max_inputs < 0 ? node.def->min_inputs + 3 : node.def->max_inputs;
      const size_t n = static_cast<size_t>(node.def->min_inputs) + c.below(static_cast<size_t>(max - node.def->min_inputs + 1));
      for (size_t i = 0; i < n; ++i) {
        const size_t how = c.below(4);
        if (how == 0) node.inputs.push_back(constant(Tensor::ints(numbers())));
        else if (how == 1 && !g.values.empty()) node.inputs.push_back(static_cast<ValueId>(c.below(g.values.size())));
        else if (how == 2 && i >= static_cast<size_t>(node.def->min_inputs)) node.inputs.push_back(kNoValue);
        else node.inputs.push_back(fresh(c.type()));
      }
    }
    for (const AttrSpec& a : node.def->attrs)
      if (c.below(4) == 3 || (a.required && !node.attrs.has(a.name))) node.attrs.set(std::string(a.name), c.attr(a.kind));
    if (c.below(8) == 7) outputs += c.below(3);
    for (size_t i = 0; i < outputs; ++i) {
      Value v;
      v.name = "y" + std::to_string(g.values.size());
      node.outputs.push_back(g.add_value(std::move(v)));
      g.outputs.push_back(node.outputs.back());
    }
    g.add_node(std::move(node));
  }
  return g;
}

// Bytes as a list of choices: a graph of any operators, shapes and attributes, then verify, infer and count.
inline void onnx_graph(std::string_view bytes) {
  Choices choices(bytes);
  const Graph graph = make_graph(choices);
  if (!verify(graph)) return;
  exercise(graph);
}

}  // namespace hone::fuzz
