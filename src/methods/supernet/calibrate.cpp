#include "methods/supernet/calibrate.h"

#include <ATen/core/grad_mode.h>

namespace hone::methods {

at::Tensor resized(const at::Tensor& images, int64_t side) {
  if (images.size(2) == side && images.size(3) == side) return images;
  return at::upsample_bicubic2d(images, {side, side}, /*align_corners=*/false);
}

const at::Tensor& Sides::at(int64_t side) {
  const auto found = made_.find(side);
  return found != made_.end() ? found->second : made_.emplace(side, resized(images_, side)).first->second;
}

Result<at::Tensor> logits_of(const Calibrated& member, Sides& images, const train::Compute& compute) {
  train::RunOptions run;
  run.compute = compute.type;
  HONE_TRY_ASSIGN(auto out, member.program->program.run({images.at(member.program->member.resolution)}, member.tensors, run));
  return out[0].to(at::kFloat);
}

Result<std::vector<Calibrated>> calibrate(const std::vector<std::shared_ptr<const MemberProgram>>& members, const train::Params& params, const Batches& batches, int64_t count,
                                          const train::Compute& compute) {
  at::NoGradGuard no_grad;
  std::vector<Calibrated> out;
  for (const auto& member : members) {
    Calibrated c{member, member->tensors(params)};
    for (size_t i = 0; i < c.tensors.size(); ++i)
      if (member->slices[i].buffer) c.tensors[i] = c.tensors[i].clone();
    out.push_back(std::move(c));
  }
  for (int64_t b = 0; b < count; ++b) {
    HONE_TRY_ASSIGN(const train::Batch batch, batches(b));
    Sides images(batch.images.to(compute.device));
    train::RunOptions run;
    run.batch_norm = train::BatchNorm::train;
    run.batch_norm_momentum = 1.0 / static_cast<double>(b + 1);
    run.compute = compute.type;
    for (const Calibrated& c : out) HONE_TRY(c.program->program.run({images.at(c.program->member.resolution)}, c.tensors, run));
  }
  return out;
}

Result<std::vector<Scored>> evaluate(const std::vector<Calibrated>& members, const Batches& batches, int64_t count, int64_t images, const train::Compute& compute) {
  at::NoGradGuard no_grad;
  std::vector<Scored> out(members.size());
  int64_t left = images;
  for (int64_t b = 0; b < count && left > 0; ++b) {
    HONE_TRY_ASSIGN(const train::Batch batch, batches(b));
    const int64_t n = std::min(left, batch.images.size(0));
    left -= n;
    Sides pictures(batch.images.to(compute.device));
    const at::Tensor labels = batch.labels.to(compute.device).narrow(0, 0, n);
    for (size_t i = 0; i < members.size(); ++i) {
      HONE_TRY_ASSIGN(at::Tensor logits, logits_of(members[i], pictures, compute));
      logits = logits.narrow(0, 0, n);
      out[i].loss += at::cross_entropy_loss(logits, labels, {}, at::Reduction::Sum).item<double>();
      out[i].accuracy += logits.argmax(1).eq(labels).sum().item<double>();
      out[i].images += n;
    }
  }
  for (Scored& s : out) {
    s.accuracy /= static_cast<double>(std::max<int64_t>(1, s.images));
    s.loss /= static_cast<double>(std::max<int64_t>(1, s.images));
  }
  return out;
}

}  // namespace hone::methods
