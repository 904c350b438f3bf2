// Writes the seeds of the fuzz targets: make_corpus FOLDER fills FOLDER/<target>/. Run by scripts/fuzz --seeds; the
// seeds are under version control, with minimised findings beside them.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "../tests/formats/onnx_bytes.h"
#include "../tests/formats/strokes_bytes.h"
#include "formats/onnx_read.h"
#include "formats/tokenizer_models.h"
#include "formats/unicode.h"
#include "ir/op.h"
#include "ir/text.h"
#include "measure/device_table.h"
#include "retrieval/graph.h"
#include "retrieval/store_layout.h"
#include "search/archive.h"
#include "zoo/catalog.h"
#include "zoo/space.h"

namespace {

using namespace hone;

void store(const std::string& folder, const std::string& target, const std::string& name, const std::string& bytes) {
  std::filesystem::create_directories(folder + "/" + target);
  std::ofstream(folder + "/" + target + "/" + name, std::ios::binary) << bytes;
}

std::string file_name(std::string_view s) {
  std::string out;
  for (char c : s) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return out;
}

test::Message attribute(const std::string& key, const Attr& value) {
  if (auto* v = std::get_if<int64_t>(&value)) return test::attr(key, *v);
  if (auto* v = std::get_if<float>(&value)) return test::attr(key, *v);
  if (auto* v = std::get_if<std::string>(&value)) return test::attr(key, *v);
  if (auto* v = std::get_if<std::vector<int64_t>>(&value)) return test::attr(key, *v);
  if (auto* v = std::get_if<std::vector<float>>(&value)) return test::attr(key, *v);
  return test::attr(key, test::ints("t", {1}, {1}));
}

// One node of an operator as a file, by one of its samples: operands with contents are initialisers.
std::string one_node(const OpDef& op, const Sample& s) {
  test::Model m;
  m.opset = 24;
  std::vector<std::string> in, out;
  std::vector<test::Message> attrs;
  for (size_t i = 0; i < s.inputs.size(); ++i) {
    if (s.inputs[i].dtype == DType::undefined) {
      in.emplace_back();
      continue;
    }
    in.push_back("x" + std::to_string(i));
    if (i < s.contents.size() && s.contents[i] && !s.contents[i]->is_float()) m.initializers.push_back(test::ints(in.back(), s.contents[i]->shape, s.contents[i]->ints));
    else if (i < s.parameter.size() && s.parameter[i]) m.initializers.push_back(test::tensor(in.back(), static_cast<int64_t>(s.inputs[i].dtype), s.inputs[i].shape).put(13, test::entry("location", "w")).put(14, int64_t{1}));
    else m.inputs.push_back(test::value_info(in.back(), s.inputs[i].shape, static_cast<int64_t>(s.inputs[i].dtype)));
  }
  for (size_t i = 0; i < s.outputs.size(); ++i) {
    out.push_back("y" + std::to_string(i));
    m.outputs.push_back(test::value_info(out.back(), s.outputs[i].shape, static_cast<int64_t>(s.outputs[i].dtype)));
  }
  for (const auto& [key, value] : s.attrs) attrs.push_back(attribute(key, value));
  m.nodes.push_back(test::node(std::string(op.name), in, out, attrs, "/layer1/layer1.0/" + std::string(op.name)));
  return m.bytes();
}

// One small file of each stroke format.
void strokes(const std::string& folder) {
  const auto seed = [&](const std::string& name, const std::string& bytes) { store(folder, "strokes", name, bytes); };
  seed("qmul", test::coordinate_pickle({{"/train/a_b_2", {1.5, 2, 0, 3, 4, 1, 5, 6, 0, 7, 8, 1}}, {"/test/c_1", {9, 9, 1}}}));
  seed("ndjson", "{\"word\":\"cat\",\"key_id\":\"77\",\"drawing\":[[[0,255],[0,10]],[[5],[6]]]}\n{\"id\":\"a\",\"photo\":\"p\",\"split\":\"test\",\"frame\":100,\"drawing\":[[[1.5,-300],[1000,10],[0,9]]]}\n");
  seed("bin", std::string("\x39\x30\0\0\0\0\0\0US\1\0\0\0\0\2\0\2\0\1\2\3\4\1\0\xff\7", 27));
  const std::string three = test::npy("<i2", "(4, 3)", test::packed<int16_t>({3, 3, 0, 10, 0, 0, 0, 5, 1, -10, 0, 1}));
  seed("stroke3", three);
  seed("stroke5", test::npy("<f4", "(1, 2, 5)", test::packed<float>({3, 3, 1, 0, 0, 10, 0, 0, 0, 1}), true));
  const std::string objects = test::npy("|O", "(2,)", test::object_array_pickle({{3, 3, 0, 10, 0, 1}, {0, 0, 1}}));
  seed("objects", objects);
  seed("npz", test::zip({{"train.npy", objects}, {"valid.npy", three}}));
#ifdef HONE_ZLIB
  seed("npz_deflated", test::zip({{"a.npy", three}}, test::deflate));
#endif
  seed("omniglot", "START\n1.5,-2,0\n3,-4,12\nBREAK\n5,-6,20\nBREAK\n");
  seed("svg", "<?xml version=\"1.0\"?><!-- a --><svg viewBox=\"0 0 800 600\"><g transform=\"translate(1,2) scale(2)\"><path d=\"M1 2L3 4H5V6C1 2 3 4 5 6S7 8 9 9Q1 2 3 4T5 6A5 6 30 0 1 7 8Z\"/></g></svg>");
  seed("svg_shapes", "<svg width='9' height='9'><g transform='rotate(30 1 2) skewX(3) matrix(1 0 0 1 5 0)'><polyline points='0,0 1,1'/><circle r='3'/><rect width='3' height='4'/><line x2='3'/></g></svg>");
}

// Pictures as they are read elsewhere in the tests, and archives of the kinds that hone reads.
void containers(const std::string& folder) {
  for (const char* name : {"scene.jpg", "scene.png", "grey.jpg", "progressive.jpg"}) {
    std::ifstream in(std::string(HONE_SOURCE_DIR "/tests/data/images/") + name, std::ios::binary);
    store(folder, "image", file_name(name), {std::istreambuf_iterator<char>(in), {}});
  }
  const auto seed = [&](const std::string& name, const std::string& bytes) { store(folder, "zip", name, bytes); };
  seed("stored", test::zip({{"a/b.txt", "some bytes"}, {"c", ""}}));
  seed("folder", test::zip({{"a/", ""}, {"a/x.bin", std::string(40, '\7')}}));
#ifdef HONE_ZLIB
  seed("deflated", test::zip({{"a.npy", std::string(200, 'a')}}, test::deflate));
#endif
}

// Stores of no, one and three blocks, and graphs of one and two levels.
void stores(const std::string& folder) {
  const auto rows = [](int64_t first, int64_t n) {
    std::vector<std::string> ids;
    std::vector<float> values;
    for (int64_t i = first; i < first + n; ++i) {
      ids.push_back("photo " + std::to_string(i));
      for (int d = 0; d < 3; ++d) values.push_back(static_cast<float>(i * 7 % 5 - d));
    }
    return store_layout::block(first, 3, ids, values);
  };
  const std::string head = *store_layout::header({3, "runs/a", "abc", "sketch/mobilenetv2", "photos", 64});
  store(folder, "embedding_store", "empty", head);
  store(folder, "embedding_store", "one", head + rows(0, 1));
  store(folder, "embedding_store", "three", head + rows(0, 2) + rows(2, 4) + rows(6, 1));
  RowGraph g;
  g.rows = 3;
  g.dim = 3;
  g.levels.push_back({{0, 2, 4, 6}, {1, 2, 0, 2, 0, 1}});
  store(folder, "embedding_store", "graph", print_graph_file(g));
  g.entry = 1;
  g.levels.push_back({{0, 0, 1, 2}, {2, 1}});
  store(folder, "embedding_store", "graph_of_two_levels", print_graph_file(g));
}

// A table as hone writes it, one without networks, and one of somebody else's.
void device_tables(const std::string& folder) {
  DeviceTable t;
  t.device = {"a \"box\"", "AMD EPYC", 2, "openvino", "2026.4", 1, "f32", "cpu time", 5.25, "2026-11-23T14:05:00Z", "2026-11-23T14:15:00Z", 600.25, "0.1.0", ""};
  t.space = "elasticvit";
  for (const char* block : {"attention side=14 width=64 value=2", "attention side=7 width=64 value=2", "feed_forward side=14 width=64 mlp=2", "head side=4 width=256"})
    t.rows.push_back({*parse_block(block), {0.4253 + 0.1 * static_cast<double>(t.rows.size()), 0.42, 0.93, 12}, ""});
  store(folder, "device_table", "blocks", print_table(t));
  t.rows.push_back({*parse_block("cut:0123456789ab in=64 side=56 out=64 macs=1234567 elements=99 weights=3"), {1e-3, 0, 0, 0}, "Conv3x3/2"});
  t.networks.push_back({"elasticvit/S1", {{t.rows[0].block, 3}, {t.rows[4].block, 1}}, 1234567, {5.1, 5.0, 5.2, 30}});
  t.networks.push_back({"elasticvit/S2", {{t.rows[1].block, 2}, {t.rows[2].block, 1}}, 2234567, {6.1, 6.0, 6.2, 30}});
  store(folder, "device_table", "networks", print_table(t));
  store(folder, "device_table", "columns", "# two devices\nconv 16 16 16 e3 s1 k3 se | 0.1343 0.05633\nattn 14 64 v2 | 1.5 0.7\nmbpool 2 160 | 1.6 1.09\n");
}

// The presets, one with an encoding behind it, and archives of a search of two members.
void searches(const std::string& folder) {
  for (const std::string_view preset : space::preset_names()) {
    const space::Space s = *space::open_space(std::string(preset));
    Rng rng(3);
    store(folder, "space_toml", file_name(preset), space::print_space(s));
    store(folder, "space_toml", file_name(preset) + "_member", space::print_space(s) + std::string(1, '\0') + space::print_member(s, space::sample(s, rng)));
  }
  space::Space s = *space::open_space("demo");
  const std::string path = (std::filesystem::temp_directory_path() / "make_corpus.jsonl").string();
  for (const bool costs : {false, true}) {
    std::filesystem::remove(path);
    {
      auto archive = search::Archive::open(path, {s, "evolution", costs ? "macs<2M,latency<3ms@d.json" : "macs<2M", "search", "0123, 4 calibration batches", 2012, 0, {{"generations", 2}, {"window", -1}}});
      Rng rng(4);
      for (int64_t i = 0; i < 2; ++i) {
        search::MemberCost cost{{1, 2, 3, 4}, {}, {}};
        if (costs) cost.memory = 1000, cost.latency_ms = 1.5;
        (void)archive->append({i, space::sample(s, rng), {0.5, 1.25, 2500}, cost, i, i ? "mutation" : "bank", i ? std::vector<int64_t>{0} : std::vector<int64_t>{}});
      }
    }
    std::ifstream in(path, std::ios::binary);
    store(folder, "search_archive", costs ? "costs" : "plain", {std::istreambuf_iterator<char>(in), {}});
  }
  std::filesystem::remove(path);
}

// Requests as the page sends them, and ones at the edges of what is taken.
void requests(const std::string& folder) {
  const auto head = [](const std::string& line, const std::string& more = "") { return line + " HTTP/1.1\r\nHost: localhost\r\n" + more + "\r\n"; };
  const auto query = [&](const std::string& name, const std::string& body) {
    store(folder, "request", name, head("POST /api/v1/query", "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n") + body);
  };
  query("query", R"({"drawing":[[[60,80.5,120],[60,120,200]],[[-5],[6e1]]],"frame":256,"top":12})");
  query("query_compare", R"({"label":"cross","drawing":[[[50,200],[50,200]]],"frame":1000,"top":3,"canvas":64,"compare":"full"})");
  query("query_null", R"({"drawing":[[[1],[2]]],"canvas":null,"compare":null})");
  query("query_uneven", R"({"drawing":[[[1,2],[2]]]})");
  query("query_far", R"({"drawing":[[[1e300],[-1e300]]],"frame":100000,"top":100})");
  for (const char* path : {"/", "/app.js", "/api/v1/info", "/api/v1/photos/3", "/api/v1/photos/9", "/api/v1/examples", "/api/v1/runs", "/api/v1/runs/0123456789ab/charts/0", "/api/v1/openapi.json"})
    store(folder, "request", "get" + file_name(path), head("GET " + std::string(path), "If-None-Match: \"f00d-3\"\r\n"));
  store(folder, "request", "head", head("HEAD /api/v1/health"));
  store(folder, "request", "old", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  store(folder, "request", "events", head("GET /api/v1/runs/0123456789ab/events", "Last-Event-ID: 12\r\n"));
  store(folder, "request", "chunked", head("POST /api/v1/query", "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n") + "0\r\n\r\n");
}

// One vocabulary in each form, and broken ones.
void tokenizers(const std::string& folder) {
  const auto seed = [&](const std::string& name, const std::string& bytes) { store(folder, "tokenizer", name, bytes); };
  const std::string words = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ndog\n##s\n'\nna\n##i\n##ve\n#\nx\n", nul(1, '\0');
  seed("txt", "t" + words);
  seed("txt_text", "t" + words + nul + "the dogs, ELSEWHERE");
  seed("txt_twice", "t" + words + "the\n");
  seed("json_wordpiece", R"(j{"added_tokens":[{"id":1,"content":"[UNK]","lstrip":true}],"normalizer":{"type":"BertNormalizer","lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},)"
                         R"("post_processor":{"sep":["[SEP]",3],"cls":["[CLS]",2]},"model":{"type":"WordPiece","max_input_chars_per_word":9,"vocab":{"[PAD]":0,"[UNK]":1,"[CLS]":2,"[SEP]":3,"d":4,"##og":5}}})");
  std::string vocab = R"({"<s>":0,"<pad>":1,"</s>":2,"<unk>":3)";
  for (unsigned b = 0; b < 256; ++b) {
    std::string token;
    unicode::append_utf8(byte_character(static_cast<unsigned char>(b)), token);
    vocab += ",\"" + std::string(token == "\"" || token == "\\" ? "\\" : "") + token + "\":" + std::to_string(b + 4);
  }
  vocab += R"(,"th":260,"the":261})";
  seed("bpe", "b" + vocab + nul + "#version: 0.2\nt h\nth e\n" + nul + "the path there");
  seed("json_bpe", R"(j{"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true},"model":{"type":"BPE","merges":["t h",["th","e"]],"vocab":)" + vocab + "}}");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: make_corpus FOLDER\n"), 2;
  const std::string folder = argv[1];
  size_t op_index = 0;
  for (const OpDef& op : all_ops()) {
    const std::string name = file_name(op.name);
    const auto samples = op.samples ? op.samples() : std::vector<Sample>();
    if (!samples.empty() && op.name.find("::") == std::string_view::npos) {
      const std::string bytes = one_node(op, samples[0]);
      store(folder, "onnx_read", name, bytes);
      if (auto graph = read_onnx_bytes(bytes, nullptr, name)) store(folder, "ir_text", name, print(*graph));
    }
    // Choices of onnx_graph: this operator, its first sample, nothing changed.
    store(folder, "onnx_graph", name, std::string{static_cast<char>(op_index++), 1} + std::string(24, '\0'));
  }
  tokenizers(folder);
  // Checkpoints: torch.save files of the tests, and safetensors written here.
  for (const auto& entry : std::filesystem::directory_iterator("tests/formats/data"))
    if (entry.path().extension() == ".pth") {
      std::filesystem::create_directories(folder + "/pth");
      std::filesystem::copy_file(entry.path(), folder + "/pth/" + entry.path().stem().string(), std::filesystem::copy_options::overwrite_existing);
    }
  const auto safetensors = [&](const std::string& name, const std::string& header, size_t data) {
    const uint64_t length = header.size();
    store(folder, "safetensors", name, std::string(reinterpret_cast<const char*>(&length), 8) + header + std::string(data, '\1'));
  };
  safetensors("empty", "{}", 0);
  safetensors("one", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8);
  safetensors("two", R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},"a.bias":{"dtype":"I64","shape":[],"data_offsets":[12,20]}})", 20);
  safetensors("padded", R"({"z":{"dtype":"U8","shape":[0,4],"data_offsets":[0,0]}}      )", 0);
  safetensors("trailing", R"({"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 9);
  safetensors("overlap", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}})", 6);
  safetensors("wraps", R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0);
  strokes(folder);
  stores(folder);
  device_tables(folder);
  searches(folder);
  containers(folder);
  requests(folder);
  // One network of each family.
  std::string last;
  for (const Arch& arch : catalog()) {
    if (arch.family == last) continue;
    last = arch.family;
    store(folder, "arch_toml", file_name(arch.name), print_arch(arch));
  }
}
