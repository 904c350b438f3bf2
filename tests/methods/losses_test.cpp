#include "methods/distil/losses.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

namespace hone::methods {
namespace {

at::Tensor row(std::vector<double> v) { return at::tensor(v, at::kDouble).unsqueeze(0); }
at::Tensor random(int64_t n, int64_t d, uint64_t seed) {
  at::Generator g = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn({n, d}, g, at::TensorOptions().dtype(at::kDouble));
}

// Central differences of a scalar function of one tensor.
at::Tensor numerical(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, double h = 1e-6) {
  at::Tensor g = at::zeros_like(x), flat = x.clone();
  for (int64_t i = 0; i < x.numel(); ++i) {
    double* p = flat.data_ptr<double>() + i;
    const double keep = *p;
    *p = keep + h;
    const double up = f(flat).item<double>();
    *p = keep - h;
    const double down = f(flat).item<double>();
    *p = keep;
    g.view(-1)[i] = (up - down) / (2 * h);
  }
  return g;
}

void expect_gradient(const std::function<at::Tensor(const at::Tensor&)>& f, const at::Tensor& x, const char* what) {
  at::Tensor leaf = x.clone().requires_grad_(true);
  f(leaf).backward();
  const double off = (leaf.grad() - numerical(f, x)).abs().max().item<double>();
  EXPECT_LT(off, 1e-6) << what;
  EXPECT_GT(leaf.grad().abs().max().item<double>(), 1e-8) << what;
}

TEST(Losses, HuberVectors) {
  EXPECT_NEAR(huber(row({0.3}), row({0.8}), 1).item<double>(), 0.125, 1e-12);
  EXPECT_NEAR(huber(row({0}), row({2.5}), 1).item<double>(), 2.0, 1e-12);
  // The gradient is the difference, clamped to the threshold.
  at::Tensor x = row({0, 0, 0}).requires_grad_(true);
  huber(x, row({0.25, -0.5, 7}), 1).mul(3).backward();
  EXPECT_TRUE(at::allclose(x.grad(), row({-0.25, 0.5, -1})));
}

TEST(Losses, TripletGradientsAreTheClosedForm) {
  const at::Tensor s = random(5, 4, 1), p = random(5, 4, 2), n = random(5, 4, 3);
  at::Tensor ls = s.clone().requires_grad_(true), lp = p.clone().requires_grad_(true), ln = n.clone().requires_grad_(true);
  const double margin = 10;  // every hinge is open
  triplet_loss(pair_distance(ls, lp), pair_distance(ls, ln), margin).backward();
  const at::Tensor sp = (s - p) / (s - p).norm(2, {1}, true), sn = (s - n) / (s - n).norm(2, {1}, true);
  EXPECT_TRUE(at::allclose(ls.grad(), (sp - sn) / 5, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(lp.grad(), -sp / 5, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(ln.grad(), sn / 5, 1e-5, 1e-5));
  // A closed hinge gives no gradient.
  at::Tensor far = s.clone().requires_grad_(true);
  triplet_loss(pair_distance(far, s), pair_distance(far, s + 100), 0.2).backward();
  EXPECT_EQ(far.grad().abs().max().item<double>(), 0);
}

// Two views of one photo are no wrong answers for each other; the diagonal stays whatever `same` says of it.
TEST(Losses, SimilaritiesLeaveOutTheOwnPhotosOtherViews) {
  const at::Tensor s = at::eye(3, at::kDouble), p = at::tensor({1.0, 0.0, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0}).view({3, 3});
  at::Tensor same = at::eye(3, at::kBool);
  same[0][1] = same[1][0] = true;
  EXPECT_TRUE(at::allclose(similarities(s, p, same, 0.5), at::tensor({2.0, -1e4, 0.0, -1e4, 1.6, 0.0, 0.0, 0.0, 2.0}).view({3, 3})));
}

TEST(Losses, RelationalLossByHand) {
  // Student distances 3, 4, 5 of a right triangle; the teacher has all at 3: Huber 0, 0.5, 1.5.
  const at::Tensor s = row({0, 0}), p = row({3, 0}), n = row({0, 4});
  const Relations student = relations(s, p, n), teacher{row({3}).view(1), row({3}).view(1), row({3}).view(1)};
  EXPECT_NEAR(relational_loss(student, teacher, 1, false).item<double>(), 2.0, 1e-5);
  // By their means both are scale-free: a student twice as large loses nothing.
  const Relations twice = relations(2 * s, 2 * p, 2 * n);
  EXPECT_NEAR(relational_loss(twice, student, 1, true).item<double>(), 0, 1e-6);
  EXPECT_GT(relational_loss(twice, student, 1, false).item<double>(), 1);
}

TEST(Losses, GradientsAgainstFiniteDifferences) {
  const at::Tensor t = random(6, 7, 10), x = random(6, 4, 11), p = random(6, 4, 12), n = random(6, 4, 13), w = random(7, 4, 14);
  const Relations teacher = relations(t, t.roll(1, 0), t.roll(2, 0));
  expect_gradient([&](const at::Tensor& a) { return relational_loss(relations(a, p, n), teacher, 1, false); }, x, "relations");
  expect_gradient([&](const at::Tensor& a) { return relational_loss(relations(a, p, n), teacher, 0.5, true); }, x, "relations by mean");
  expect_gradient([&](const at::Tensor& a) { return rkd_distance(a, t, 1); }, x, "rkd distance");
  expect_gradient([&](const at::Tensor& a) { return rkd_angle(a, t, 1); }, x, "rkd angle");
  expect_gradient([&](const at::Tensor& a) { return similarity_loss(a, p, t, t.roll(1, 0), 0.5); }, x, "similarities, sketches");
  expect_gradient([&](const at::Tensor& a) { return similarity_loss(x, a, t, t.roll(1, 0), 0.5); }, p, "similarities, photos");
  expect_gradient([&](const at::Tensor& a) { return vector_regression(a, t, w); }, x, "regression, embedding");
  expect_gradient([&](const at::Tensor& a) { return vector_regression(x, t, a); }, w, "regression, projection");
}

TEST(Losses, RelationsOfASimilarityAreFree) {
  // Distances by their mean do not change under rotation and scale; cosines of angles neither.
  const at::Tensor x = random(8, 3, 5);
  const at::Tensor q = std::get<0>(at::linalg_qr(random(3, 3, 6)));
  EXPECT_NEAR(rkd_distance(x.matmul(q) * 3, x, 1).item<double>(), 0, 1e-10);
  EXPECT_NEAR(rkd_angle(x.matmul(q) * 3, x, 1).item<double>(), 0, 1e-10);
  EXPECT_GT(rkd_distance(random(8, 3, 9), x, 1).item<double>(), 1e-3);
}

TEST(Losses, SimilaritiesByHand) {
  // Two sketches and photos at right angles; cosines 1 and 0 over a temperature of 1: softmax (e, 1) / (e + 1) both ways.
  const at::Tensor eye = at::eye(2, at::kDouble);
  EXPECT_NEAR(similarity_loss(eye, eye, eye, eye, 1).item<double>(), 0, 1e-12);
  // A student that sees no difference, 1/2 each: KL = log 2 + q log q + (1 - q) log(1 - q), q = e / (e + 1).
  const at::Tensor same = at::ones({2, 1}, at::kDouble);
  const double q = std::exp(1.0) / (std::exp(1.0) + 1);
  EXPECT_NEAR(similarity_loss(same, same, eye, eye, 1).item<double>(), std::log(2.0) + q * std::log(q) + (1 - q) * std::log(1 - q), 1e-12);
}

}  // namespace
}  // namespace hone::methods
