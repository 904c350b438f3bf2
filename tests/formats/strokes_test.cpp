// Stroke files that are small enough to be written here, byte by byte.
#include "formats/strokes.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#ifdef HONE_ZLIB
#include <zlib.h>
#endif

#include "formats/numpy.h"
#include "formats/strokes_read.h"
#include "strokes_bytes.h"

namespace hone {
namespace {

Bytes bytes(const std::string& s) { return Bytes::copy(s.data(), s.size()); }
template <class T>
std::string error_of(const Result<T>& r) {
  return r ? "" : r.error().text();
}

TEST(CoordinatePickle, KeysPhotosAndStrokes) {
  const std::string file = test::coordinate_pickle({{"/train/a_b-1_2", {1.5, 2, 0, 3, 4, 1, 5, 6, 0, 7, 8, 1}}, {"/test/c_1", {9, 9, 1}}});
  const auto sketches = parse_strokes(bytes(file), "X_Coordinate");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  ASSERT_EQ(sketches->size(), 2u);
  EXPECT_EQ((*sketches)[0].id, "/train/a_b-1_2");
  EXPECT_EQ((*sketches)[0].label, "a_b-1");
  EXPECT_EQ((*sketches)[0].frame, 256);
  EXPECT_EQ((*sketches)[0].strokes, (std::vector<Stroke>{{{1.5, 2}, {3, 4}}, {{5, 6}, {7, 8}}}));
  EXPECT_EQ((*sketches)[1].strokes, (std::vector<Stroke>{{{9, 9}}}));
}

TEST(CoordinatePickle, RefusesEverythingElseByName) {
  std::string file = test::coordinate_pickle({{"/test/c_1", {9, 9, 1}}});
  const size_t at = file.find("numpy\ndtype");
  ASSERT_NE(at, file.npos);
  const std::string evil = file.substr(0, at) + "posix\nsystem" + file.substr(at + 11);
  EXPECT_NE(error_of(parse_strokes(bytes(evil), "f")).find("posix.system, which hone does not do"), std::string::npos) << error_of(parse_strokes(bytes(evil), "f"));
  for (size_t n = 2; n < file.size(); ++n) EXPECT_FALSE(parse_strokes(bytes(file.substr(0, n)), "f").has_value()) << n;
  const std::string flag = test::coordinate_pickle({{"/test/c_1", {9, 9, 0.5}}});
  EXPECT_EQ(error_of(parse_strokes(bytes(flag), "f")), "f:/test/c_1: row 0 has pen state 0.5 (0 or 1 is expected)");
}

TEST(QuickDraw, SimplifiedAndRawLines) {
  const auto sketches = parse_strokes(bytes("{\"word\":\"cat\",\"key_id\":\"77\",\"drawing\":[[[0,255],[0,10]],[[5],[6]]]}\r\n\n"
                                            "{\"word\":\"cat\",\"key_id\":78,\"drawing\":[[[100,300.5],[1000,1000],[0,9]],[[],[],[]]]}\n{\"drawing\":[]}"),
                                      "cat.ndjson");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  ASSERT_EQ(sketches->size(), 3u);
  EXPECT_EQ((*sketches)[0].id, "77");
  EXPECT_EQ((*sketches)[0].label, "cat");
  EXPECT_EQ((*sketches)[0].strokes, (std::vector<Stroke>{{{0, 0}, {255, 10}}, {{5, 6}}}));
  EXPECT_EQ((*sketches)[1].id, "78");
  EXPECT_EQ((*sketches)[1].strokes, (std::vector<Stroke>{{{33, 128}, {223, 128}}}));
  EXPECT_TRUE((*sketches)[2].strokes.empty());
}

TEST(QuickDraw, ErrorsNameTheLine) {
  const auto error = [](const std::string& line) { return error_of(read_stroke_rows("{\"drawing\":[]}\n" + line, "f")); };
  EXPECT_EQ(error("{\"drawing\":[[[1,2],[3]]]}"), "f:2: stroke 0 has 2 x and 1 y");
  EXPECT_EQ(error("{\"drawing\":[[[1],[\"3\"]]]}"), "f:2: point 0 of stroke 0 is no pair of numbers");
  EXPECT_EQ(error("{\"drawing\":[7]}"), "f:2: stroke 0 is no [xs, ys]");
  EXPECT_EQ(error("{}"), "f:2: has no \"drawing\"");
  EXPECT_EQ(error("[]"), "f:2: is no JSON object");
  EXPECT_EQ(error("{\"drawing\":"), "f:2: is no JSON (column 12)");
  EXPECT_NE(error("{\"drawing\":[[[1e999],[0]]]}"), "");
  EXPECT_EQ(error("{\"frame\":0,\"drawing\":[]}"), "f:2: \"frame\" is no positive number");
}

TEST(QuickDraw, PrintedRowsReadBackExactly) {
  StrokeRow row;
  row.sketch.id = "a\"b\n";
  row.sketch.label = "chair";
  row.sketch.frame = 100;
  row.sketch.strokes = {{{0.1, 1.0 / 3}, {1e-17, 123456789.125}}, {{3, 4}}};
  row.photo = "p";
  row.split = "test";
  const auto back = read_stroke_rows(print_stroke_row(row), "f");
  ASSERT_TRUE(back.has_value()) << error_of(back);
  ASSERT_EQ(back->size(), 1u);
  EXPECT_EQ((*back)[0].sketch.strokes, row.sketch.strokes);
  EXPECT_EQ((*back)[0].sketch.id, row.sketch.id);
  EXPECT_EQ((*back)[0].sketch.frame, 100);
  EXPECT_EQ((*back)[0].photo + (*back)[0].split + (*back)[0].sketch.label, "ptestchair");
}

TEST(QuickDraw, Binary) {
  std::string file("\x39\x30\0\0\0\0\0\0US\1\0\0\0\0\2\0", 17);
  file += std::string("\2\0\1\2\3\4", 6) + std::string("\1\0\xff\7", 4);
  const auto sketches = parse_strokes(bytes(file + file), "cat.bin");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  ASSERT_EQ(sketches->size(), 2u);
  EXPECT_EQ((*sketches)[1].id, "12345");
  EXPECT_EQ((*sketches)[1].strokes, (std::vector<Stroke>{{{1, 3}, {2, 4}}, {{255, 7}}}));
  EXPECT_EQ(error_of(parse_strokes(bytes(file.substr(0, 20)), "cat.bin")), "cat.bin: drawing 0 is cut short at byte 19");
}

// An L of 10 x 5 and a dot, fitted: scale 19.
const std::vector<Stroke> kFitted{{{33, 80.5}, {223, 80.5}, {223, 175.5}}, {{33, 175.5}}};

TEST(StrokeArrays, ThreeAndFiveColumns) {
  const std::string three = test::npy("<i2", "(4, 3)", test::packed<int16_t>({3, 3, 0, 10, 0, 0, 0, 5, 1, -10, 0, 1}));
  const std::string five = test::npy("<f4", "(2, 6, 5)",
                                     test::packed<float>({3, 3, 1, 0, 0, 10, 0, 1, 0, 0, 0, 5, 0, 1, 0, -10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1,    // padded, as magenta does
                                                       3, 3, 1, 0, 0, 10, 0, 1, 0, 0, 0, 5, 0, 1, 0, -10, 0, 0, 0, 1, 9, 9, 1, 0, 0, 9, 9, 1, 0, 0}));  // last real row marked
  const std::string absolute = test::npy("<f8", "(4, 3)", test::packed<double>({3, 3, 0, 13, 3, 0, 13, 8, 1, 3, 8, 2}));
  // The same rows in column-major order.
  const std::string columns = test::npy("<i2", "(4, 3)", test::packed<int16_t>({3, 10, 0, -10, 3, 0, 5, 0, 0, 0, 1, 1}), true);
  for (const std::string& file : {three, five, absolute, columns}) {
    const auto sketches = parse_strokes(bytes(file), "dir/f.npy");
    ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
    for (const Sketch& s : *sketches) EXPECT_EQ(s.strokes, kFitted);
    EXPECT_EQ((*sketches)[0].id, file == five ? "f/0" : "f");
    EXPECT_EQ(sketches->size(), file == five ? 2u : 1u);
  }
}

TEST(StrokeArrays, DamageIsNamed) {
  const std::string data = test::packed<int16_t>({3, 3, 0});
  EXPECT_EQ(error_of(parse_strokes(bytes(test::npy("<i2", "(2, 3)", data)), "f.npy")), "f.npy: states an array 2x3 of i16, but 6 bytes follow its header");
  EXPECT_EQ(error_of(parse_strokes(bytes(test::npy("<i2", "(9223372036854775807, 9223372036854775807)", data)), "f.npy")).substr(0, 29), "f.npy: states an array 922337");
  EXPECT_NE(error_of(parse_strokes(bytes(test::npy("<i2", "(1, 3)", test::packed<int16_t>({3, 3, 7}))), "f.npy")).find("pen state 7"), std::string::npos);
  EXPECT_NE(error_of(parse_strokes(bytes(test::npy("<U4", "(1, 3)", data)), "f.npy")).find("type '<U4'"), std::string::npos);
  EXPECT_NE(error_of(parse_strokes(bytes(test::npy(">i2", "(1, 3)", data)), "f.npy")).find("big-endian"), std::string::npos);
  EXPECT_NE(error_of(parse_strokes(bytes(test::npy("<i2", "(3,)", data)), "f.npy")).find("rows of 3"), std::string::npos);
  EXPECT_NE(error_of(parse_strokes(bytes(test::npy("|u1", "(1, 784)", std::string(784, '\0'))), "f.npy")).find("bitmaps"), std::string::npos);
}

// sketch-rnn's files: an .npz of object arrays, pickled by Python 2 (raw strings).
TEST(StrokeArrays, ObjectArraysInZip) {
  const std::string array = test::npy("|O", "(2,)", test::object_array_pickle({{3, 3, 0, 10, 0, 0, 0, 5, 1, -10, 0, 1}, {0, 0, 1}}));
  const auto sketches = parse_strokes(bytes(test::zip({{"train.npy", array}, {"valid.npy", array}})), "cat.npz");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  ASSERT_EQ(sketches->size(), 4u);
  EXPECT_EQ((*sketches)[0].id, "train/0");
  EXPECT_EQ((*sketches)[3].id, "valid/1");
  EXPECT_EQ((*sketches)[0].strokes, kFitted);
  EXPECT_EQ((*sketches)[1].strokes, (std::vector<Stroke>{{{128, 128}}}));
}

#ifdef HONE_ZLIB
TEST(StrokeArrays, DeflatedZip) {
  const std::string array = test::npy("<i2", "(4, 3)", test::packed<int16_t>({3, 3, 0, 10, 0, 0, 0, 5, 1, -10, 0, 1}));
  const std::string file = test::zip({{"a.npy", array}}, test::deflate);
  const auto sketches = parse_strokes(bytes(file), "a.npz");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  EXPECT_EQ((*sketches)[0].strokes, kFitted);
  // A size that the packed bytes cannot unpack to, and one that they do not.
  for (const uint32_t size : {0x7fffffffu, static_cast<uint32_t>(array.size() + 1), static_cast<uint32_t>(array.size() - 1)}) {
    std::string wrong = file;
    const size_t directory = wrong.find("PK\1\2");
    std::memcpy(wrong.data() + directory + 24, &size, 4);
    EXPECT_FALSE(parse_strokes(bytes(wrong), "a.npz").has_value()) << size;
  }
}
#endif

TEST(Omniglot, StrokesPointUp) {
  const auto sketches = parse_strokes(bytes("START\n1.5,-2,0\n3,-4,12\nBREAK\n5,-6,20\nBREAK\n"), "a/0001_01.txt");
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  EXPECT_EQ((*sketches)[0].id, "0001_01");
  EXPECT_EQ((*sketches)[0].frame, 105);
  EXPECT_EQ((*sketches)[0].strokes, (std::vector<Stroke>{{{1.5, 2}, {3, 4}}, {{5, 6}}}));
  EXPECT_EQ(error_of(parse_strokes(bytes("START\n1,2,3\nx\n"), "f.txt")), "f.txt:3: expected x,y,t or START or BREAK");
}

TEST(ReadStrokes, FolderInOrderLabelledByFolder) {
  namespace fs = std::filesystem;
  const fs::path dir = fs::path(testing::TempDir()) / "hone_strokes";
  fs::remove_all(dir);
  fs::create_directories(dir / "tree");
  fs::create_directories(dir / "cup");
  std::ofstream(dir / "tree" / "2.svg") << "<svg viewBox='0 0 8 8'><path d='M0 0L8 8'/></svg>";
  std::ofstream(dir / "cup" / "1.svg") << "<svg viewBox='0 0 8 8'><path d='M0 0L8 8'/></svg>";
  std::ofstream(dir / "readme.txt") << "Start here";
  const auto sketches = read_strokes(dir.string());
  ASSERT_TRUE(sketches.has_value()) << error_of(sketches);
  ASSERT_EQ(sketches->size(), 2u);
  EXPECT_EQ((*sketches)[0].id, "cup/1");
  EXPECT_EQ((*sketches)[0].label, "cup");
  EXPECT_EQ((*sketches)[1].label, "tree");
  std::ofstream(dir / "tree" / "3.svg") << "<svg";
  EXPECT_NE(error_of(read_strokes(dir.string())).find("tree/3.svg"), std::string::npos);
  fs::remove_all(dir);
  EXPECT_FALSE(read_strokes(dir.string()).has_value());
  EXPECT_NE(error_of(parse_strokes(bytes("GIF89a"), "x")).find("no stroke format"), std::string::npos);
}

TEST(Fit, CentredWithTheLargerSide) {
  Sketch s;
  s.strokes = {{{1, 1}, {3, 1}}, {{2, 2}}};
  EXPECT_EQ(fit(s).strokes, (std::vector<Stroke>{{{33, 80.5}, {223, 80.5}}, {{128, 175.5}}}));
  s.strokes = {{{-1e308, 0}, {1e308, 0}}};
  EXPECT_EQ(fit(s).strokes, (std::vector<Stroke>{{{33, 128}, {223, 128}}}));
  s.strokes.clear();
  EXPECT_TRUE(fit(s).strokes.empty());
}

}  // namespace
}  // namespace hone
