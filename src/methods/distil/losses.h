// Losses of cross-modal relational distillation: Sain et al., "Sketch Down the FLOPs" (CVPR 2025), and the baselines that it is
// compared with. Embeddings are N x D, one row a sample; a loss is a scalar, averaged over rows. No gradient goes to a
// teacher: pass its tensors detached.
#pragma once

#include <ATen/ATen.h>

namespace hone::methods {

// Euclidean distance of rows, a and b N x D -> N. 1e-6 is added to each difference, as PyTorch's pairwise distance does,
// so that equal rows have a gradient.
at::Tensor pair_distance(const at::Tensor& a, const at::Tensor& b);

// All distances between rows: N x D, M x D -> N x M, at least 1e-6.
at::Tensor cross_distance(const at::Tensor& a, const at::Tensor& b);

// Cosines of rows of length 1 over a temperature, N x D, N x D -> N x N: of every sketch (rows) with every photo. Where `same` is true
// off the diagonal, a photo is another view of the row's own and counts as if it were not there. Their softmax cross-entropy with the
// diagonal is the contrastive loss of van den Oord et al. 2018 (InfoNCE).
at::Tensor similarities(const at::Tensor& sketches, const at::Tensor& photos, const at::Tensor& same, double temperature);

// mean max(0, margin + d(s, p) - d(s, n)).
at::Tensor triplet_loss(const at::Tensor& d_sp, const at::Tensor& d_sn, double margin);

// Huber: (x - y)^2 / 2 within `delta`, delta |x - y| - delta^2 / 2 beyond; mean over elements (Huber 1964; unit threshold in
// Park et al., "Relational Knowledge Distillation", CVPR 2019).
at::Tensor huber(const at::Tensor& x, const at::Tensor& y, double delta);

// The three relations inside a triplet of sketch, its photo and another photo.
struct Relations {
  at::Tensor sp, sn, pn;  // N each
};
Relations relations(const at::Tensor& sketch, const at::Tensor& positive, const at::Tensor& negative);

// H(sp, sp') + H(sn, sn') + H(pn, pn'). `normalise_by_mean` divides each side's distances by their own mean over the batch.
at::Tensor relational_loss(const Relations& student, const Relations& teacher, double delta, bool normalise_by_mean);

// Park et al.: all pairs (each side by its own mean distance), and the cosines of all angles.
at::Tensor rkd_distance(const at::Tensor& student, const at::Tensor& teacher, double delta);
at::Tensor rkd_angle(const at::Tensor& student, const at::Tensor& teacher, double delta);

// Kullback-Leibler divergence of the student's softmax over photos from the teacher's, for every sketch, and over sketches for every
// photo; cosines of rows of length 1 over `temperature`; mean of both ways. After Fang et al., "SEED" (ICLR 2021), with the batch in
// place of a queue.
at::Tensor similarity_loss(const at::Tensor& sketches, const at::Tensor& photos, const at::Tensor& teacher_sketches, const at::Tensor& teacher_photos, double temperature);

// Mean squared distance between projected student rows and the teacher's; `projection` is teacher D x student D.
at::Tensor vector_regression(const at::Tensor& student, const at::Tensor& teacher, const at::Tensor& projection);

}  // namespace hone::methods
