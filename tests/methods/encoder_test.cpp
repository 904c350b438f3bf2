#include "methods/distil/encoder.h"

#include <gtest/gtest.h>

#include "methods/canvas/selector.h"
#include "rewrite/weights.h"

namespace hone::methods {
namespace {

Sketch zigzag(int points, double frame = 256) {
  Sketch s{"z", "", {{}}, frame};
  for (int i = 0; i < points; ++i) {
    if (i > 0 && i % 7 == 0) s.strokes.emplace_back();
    s.strokes.back().push_back({frame * (20 + 3 * i % 200) / 256, frame * (i % 2 ? 60 : 180) / 256});
  }
  return s;
}

EncoderOptions small(bool canvas_norms) {
  EncoderOptions o;
  o.net = "coral/mobilenetv1_025";
  o.canvases = {32, 64};
  o.canvas_norms = canvas_norms;
  o.style = {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
  return o;
}

TEST(Encoder, RowsHaveLengthOneAtEveryCanvas) {
  const auto e = Encoder::make(small(false), 1);
  ASSERT_TRUE(e) << e.error().text();
  EXPECT_EQ(e->dim(), 256);
  for (int64_t c : {32, 64}) {
    at::Tensor pictures = at::empty({2, c, c, 3});
    for (int64_t i = 0; i < 2; ++i) draw(zigzag(20 + 10 * static_cast<int>(i)), c, false, e->options().style, pictures.data_ptr<float>() + i * c * c * 3);
    const auto rows = e->embed(pictures.permute({0, 3, 1, 2}), c, e->params(), {});
    ASSERT_TRUE(rows) << rows.error().text();
    EXPECT_EQ(rows->sizes(), (std::vector<int64_t>{2, 256}));
    EXPECT_TRUE(at::allclose(rows->norm(2, {1}), at::ones({2}), 1e-5, 1e-5));
  }
}

TEST(Encoder, CanvasesMayHaveNormsOfTheirOwn) {
  auto e = Encoder::make(small(true), 1);
  ASSERT_TRUE(e) << e.error().text();
  const auto run = [&](int64_t canvas) { return *e->embed(at::ones({2, 3, 64, 64}), canvas, e->params(), {}); };
  EXPECT_TRUE(at::equal(run(32), run(64)));  // copies at first
  int changed = 0;
  for (auto& entry : e->params().entries())
    if (entry.name.rfind("canvas.32.", 0) == 0 && entry.name.find(".bias") != std::string::npos) {
      entry.tensor.detach().add_(0.5);
      ++changed;
    }
  EXPECT_GT(changed, 20);
  EXPECT_FALSE(at::allclose(run(32), run(64), 1e-2, 1e-2));
}

TEST(Encoder, MistakesAreNamed) {
  EncoderOptions o = small(false);
  o.canvases = {64, 32};
  EXPECT_NE(Encoder::make(o, 1).error().message.find("rise"), std::string::npos);
  o = small(false);
  o.net = "coral/mobilenetv1_02";
  EXPECT_FALSE(Encoder::make(o, 1));
  o.net = "timm/deit_tiny_patch16_224";  // its position table is of one size
  EXPECT_FALSE(Encoder::make(o, 1));
}

TEST(Draw, MirrorAndPolarity) {
  InputStyle style{{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}};
  std::vector<float> plain(3 * 32 * 32), mirrored(plain.size()), white(plain.size());
  draw(zigzag(12), 32, false, style, plain.data());
  draw(zigzag(12), 32, true, style, mirrored.data());
  style.dark_on_white = false;
  draw(zigzag(12), 32, false, style, white.data());
  int ink = 0;
  for (int y = 0; y < 32; ++y)
    for (int x = 0; x < 32; ++x) {
      EXPECT_EQ(plain[3 * (y * 32 + x)], mirrored[3 * (y * 32 + 31 - x)]);
      EXPECT_EQ(plain[3 * (y * 32 + x)], -white[3 * (y * 32 + x)]);
      ink += plain[3 * (y * 32 + x)] < 0;
    }
  EXPECT_GT(ink, 50);
}

TEST(Selector, IsTheGraphOfTheZoo) {
  // Parameters and cost of the paper's selector at hidden 128, four canvases (spec section 3.2).
  const auto s = Selector::make({}, 4, 3);
  ASSERT_TRUE(s) << s.error().text();
  int64_t parameters = 0;
  for (const auto& e : s->params().entries()) parameters += e.tensor.numel();
  EXPECT_EQ(parameters, 52356);

  // Sequences of three lengths at once, against the zoo's ONNX GRU run one by one.
  std::vector<at::Tensor> rows;
  for (int n : {12, 40, 25}) rows.push_back(s->rows(zigzag(n)));
  const at::Tensor together = s->logits(rows, s->params());
  for (int64_t i = 0; i < 3; ++i) {
    const int64_t points = rows[static_cast<size_t>(i)].size(0);
    const auto graph = s->graph(points);
    ASSERT_TRUE(graph);
    const auto program = train::Program::compile(*graph);
    ASSERT_TRUE(program) << program.error().text();
    const auto alone = program->run({rows[static_cast<size_t>(i)].unsqueeze(0)}, *s->params().bind(*program), {});
    ASSERT_TRUE(alone) << alone.error().text();
    EXPECT_TRUE(at::allclose((*alone)[0][0], together[i], 1e-4, 1e-5));
    EXPECT_EQ(s->flops(points), *paper_flops(*graph));
  }
}

TEST(Selector, LongSketchesAreBounded) {
  SelectorOptions o;
  o.simplify = 0;
  o.max_points = 30;
  const auto s = Selector::make(o, 4, 3);
  EXPECT_LE(s->rows(zigzag(400)).size(0), 30);
}

}  // namespace
}  // namespace hone::methods
