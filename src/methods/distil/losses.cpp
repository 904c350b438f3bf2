#include "methods/distil/losses.h"

namespace hone::methods {

namespace {

constexpr double kEpsilon = 1e-6;

// e_ij = (f_i - f_j) / |f_i - f_j|, and the cosine at j between e_ij and e_kj: N x N x N, j first.
at::Tensor angles(const at::Tensor& f) {
  const at::Tensor d = f.unsqueeze(0) - f.unsqueeze(1);
  const at::Tensor e = d / d.norm(2, {2}, true).clamp_min(1e-12);
  return at::bmm(e, e.transpose(1, 2));
}

// Distances of rows to each other, by their own mean without the diagonal's zeros.
at::Tensor normalised_distances(const at::Tensor& f) {
  const at::Tensor d = cross_distance(f, f);
  const at::Tensor off = 1 - at::eye(f.size(0), f.options().requires_grad(false));
  const at::Tensor mean = (d * off).sum() / off.sum().clamp_min(1);
  return d * off / mean;
}

}  // namespace

at::Tensor pair_distance(const at::Tensor& a, const at::Tensor& b) { return (a - b + kEpsilon).norm(2, {1}); }

at::Tensor cross_distance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor squared = a.square().sum(1, true) + b.square().sum(1).unsqueeze(0) - 2 * a.matmul(b.t());
  return squared.clamp_min(kEpsilon * kEpsilon).sqrt();
}

at::Tensor similarities(const at::Tensor& sketches, const at::Tensor& photos, const at::Tensor& same, double temperature) {
  const at::Tensor others = same.to(sketches.device()).logical_and(at::eye(same.size(0), at::TensorOptions(sketches.device()).dtype(at::kBool)).logical_not());
  return (at::matmul(sketches, photos.t()) / temperature).masked_fill(others, -1e4);  // no infinity: gradients dislike them
}

at::Tensor triplet_loss(const at::Tensor& d_sp, const at::Tensor& d_sn, double margin) { return (d_sp - d_sn + margin).clamp_min(0).mean(); }

at::Tensor huber(const at::Tensor& x, const at::Tensor& y, double delta) { return at::huber_loss(x, y, at::Reduction::Mean, delta); }

Relations relations(const at::Tensor& sketch, const at::Tensor& positive, const at::Tensor& negative) {
  return {pair_distance(sketch, positive), pair_distance(sketch, negative), pair_distance(positive, negative)};
}

at::Tensor relational_loss(const Relations& student, const Relations& teacher, double delta, bool normalise_by_mean) {
  const auto scaled = [&](const Relations& r) -> Relations {
    if (!normalise_by_mean) return r;
    const at::Tensor mean = (r.sp.mean() + r.sn.mean() + r.pn.mean()) / 3;
    return {r.sp / mean, r.sn / mean, r.pn / mean};
  };
  const Relations s = scaled(student), t = scaled(teacher);
  return huber(s.sp, t.sp, delta) + huber(s.sn, t.sn, delta) + huber(s.pn, t.pn, delta);
}

at::Tensor rkd_distance(const at::Tensor& student, const at::Tensor& teacher, double delta) {
  return huber(normalised_distances(student), normalised_distances(teacher), delta);
}

at::Tensor rkd_angle(const at::Tensor& student, const at::Tensor& teacher, double delta) { return huber(angles(student), angles(teacher), delta); }

at::Tensor similarity_loss(const at::Tensor& sketches, const at::Tensor& photos, const at::Tensor& teacher_sketches, const at::Tensor& teacher_photos, double temperature) {
  const at::Tensor student = sketches.matmul(photos.t()) / temperature, teacher = teacher_sketches.matmul(teacher_photos.t()) / temperature;
  const auto over = [&](int64_t dim) {
    return at::kl_div(at::log_softmax(student, dim), at::log_softmax(teacher, dim), at::Reduction::Sum, /*log_target=*/true) / student.size(1 - dim);
  };
  return (over(0) + over(1)) / 2;
}

at::Tensor vector_regression(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& projection) {
  return (at::linear(student, projection) - teacher).square().sum(1).mean();
}

}  // namespace hone::methods
