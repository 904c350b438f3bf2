// Normalisation.
#include <numeric>

#include "train/kernels/sample_norm.h"
#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

std::vector<int64_t> all_but_channel(int64_t rank) {
  std::vector<int64_t> dims{0};
  for (int64_t i = 2; i < rank; ++i) dims.push_back(i);
  return dims;
}

// The counter beside running statistics ("bn1.running_mean" -> "bn1.num_batches_tracked"), or kNoValue.
ValueId counter_of(const Lowering& c) {
  static constexpr std::string_view kMean = "running_mean";
  const std::string& mean = c.input(3).name;
  if (!mean.ends_with(kMean)) return kNoValue;
  return c.graph().find(mean.substr(0, mean.size() - kMean.size()) + "num_batches_tracked");
}

// training_mode = 1: ONNX's rule, population variance in the running statistics, which are outputs.
Step onnx_training_step(double eps, double momentum) {
  return [eps, momentum](Frame& f) {
    const Tensor x = f.precise(0);
    const auto dims = all_but_channel(x.dim());
    const Tensor mean = x.mean(dims), var = x.var(dims, false);
    const Tensor y = (x - along_channels(mean, x.dim())) * at::rsqrt(along_channels(var, x.dim()) + eps) * along_channels(f[1].to(x.scalar_type()), x.dim()) + along_channels(f[2].to(x.scalar_type()), x.dim());
    f.set(0, y);
    f.set(1, f[3] * momentum + mean.detach().to(f[3].scalar_type()) * (1 - momentum));
    f.set(2, f[4] * momentum + var.detach().to(f[4].scalar_type()) * (1 - momentum));
  };
}

Result<Step> lower_batch_norm(const Lowering& c) {
  const double eps = c.attrs().real("epsilon", 1e-5f);
  if (c.attrs().integer("training_mode", 0)) return onnx_training_step(eps, c.attrs().real("momentum", 0.9f));
  // Statistics that belong to the network's state can be trained; constants cannot.
  const auto in_state = [&](size_t i) { return c.input(i).kind == ValueKind::buffer || c.input(i).kind == ValueKind::parameter; };
  const bool trainable = in_state(3) && in_state(4);
  const ValueId counter = trainable ? counter_of(c) : kNoValue;
  const size_t count_at = counter == kNoValue ? 0 : c.also_reads(counter);
  return Step([eps, trainable, count_at](Frame& f) {
    const bool train = trainable && f.options.batch_norm == BatchNorm::train;
    f.set(0, at::batch_norm(f[0], f[1], f[2], f[3], f[4], train, f.options.batch_norm_momentum, eps, true));
    if (!train || !count_at) return;
    at::NoGradGuard quiet;
    Tensor count = f[count_at];
    count.add_(1);
  });
}

// Outputs 1 and 2: mean and reciprocal deviation, which libtorch's kernel has no gradient for.
Result<Step> lower_layer_norm(const Lowering& c) {
  const double eps = c.attrs().real("epsilon", 1e-5f);
  const int64_t axis = c.attrs().integer("axis", -1);
  const bool statistics = c.has_output(1) || c.has_output(2);
  return Step([eps, axis, statistics](Frame& f) {
    const Tensor x = f.precise(0);
    const at::IntArrayRef over = x.sizes().slice(static_cast<size_t>(wrap(axis, x.dim())));
    if (!statistics && f[1].sizes() == over && (!f.has(2) || f[2].sizes() == over)) return f.set(0, at::layer_norm(x, over, f.precise(1), f.precise(2), eps));
    std::vector<int64_t> dims;
    for (int64_t i = wrap(axis, x.dim()); i < x.dim(); ++i) dims.push_back(i);
    const Tensor mean = x.mean(dims, true), centred = x - mean, scale = at::rsqrt(centred.square().mean(dims, true) + eps), y = centred * scale * f[1];
    f.set(0, f.has(2) ? y + f[2] : y);
    f.set(1, x.scalar_type() == at::kDouble ? mean : mean.to(at::kFloat));
    f.set(2, x.scalar_type() == at::kDouble ? scale : scale.to(at::kFloat));
  });
}

Result<Step> lower_rms_norm(const Lowering& c) {
  const double eps = c.attrs().real("epsilon", 1e-5f);
  const auto stash = static_cast<DType>(c.attrs().integer("stash_type", 1));
  const at::ScalarType inner = scalar_type(stash).value_or(at::kFloat);
  return Step([eps, axis = c.attrs().integer("axis", -1), inner](Frame& f) {
    const Tensor x = f.precise(0);
    std::vector<int64_t> dims;
    for (int64_t i = wrap(axis, x.dim()); i < x.dim(); ++i) dims.push_back(i);
    const Tensor wide = x.scalar_type() == at::kDouble ? x : x.to(inner);
    const Tensor y = wide * at::rsqrt(wide.square().mean(dims, true) + eps);
    f.set(0, y.to(x.scalar_type()) * f[1]);
  });
}

// Under autograd as a layer norm over each group: libtorch's backward of group_norm reads and writes what is not there when
// x is channels-last and some of x, gain and shift need no gradient (a norm behind frozen layers).
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& gain, const Tensor& shift, double eps) {
  if (!at::GradMode::is_enabled() || !(x.requires_grad() || gain.requires_grad() || shift.requires_grad())) return at::group_norm(x, groups, gain, shift, eps);
  std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
  shape[1] = -1;
  // With one group the order of elements does not matter, so a channels-last map is taken as it lies.
  const bool last = groups == 1 && x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast);
  const Tensor in = last ? x.permute({0, 2, 3, 1}) : x.contiguous();
  const Tensor rows = in.reshape({x.size(0) * groups, -1});
  const Tensor y = at::layer_norm(rows, {rows.size(1)}, {}, {}, eps).view(in.sizes());
  return (last ? y.permute({0, 3, 1, 2}) : y) * gain.view(shape) + shift.view(shape);
}

Result<Step> lower_group_norm(const Lowering& c) {
  const double eps = c.attrs().real("epsilon", 1e-5f);
  const int64_t groups = c.attrs().integer("num_groups", 1);
  return Step([eps, groups, sample = groups == 1 && c.options().fuse](Frame& f) {
    const Tensor x = f.precise(0), gain = f.precise(1), shift = f.precise(2);
    f.set(0, sample && has_sample_norm(x, gain, shift) ? sample_norm(x, gain, shift, eps) : group_norm(x, groups, gain, shift, eps));
  });
}

Result<Step> lower_instance_norm(const Lowering& c) {
  const double eps = c.attrs().real("epsilon", 1e-5f);
  return Step([eps](Frame& f) {
    const Tensor x = f.precise(0);
    f.set(0, group_norm(x, x.size(1), f.precise(1), f.precise(2), eps));
  });
}

Result<Step> lower_lp_norm(const Lowering& c) {
  return Step([p = c.attrs().integer("p", 2), axis = c.attrs().integer("axis", -1)](Frame& f) {
    const Tensor x = f.precise(0), length = at::norm(x, at::Scalar(p), at::IntArrayRef(axis), true);
    f.set(0, at::where(length == 0, at::zeros_like(x), x / length));
  });
}

Result<Step> lower_mean_variance_norm(const Lowering& c) {
  return Step([axes = c.attrs().integers("axes", {0, 2, 3})](Frame& f) {
    const Tensor x = f.precise(0), centred = x - x.mean(axes, true);
    f.set(0, centred / (at::sqrt(centred.square().mean(axes, true)) + 1e-9));
  });
}

// Across channels (Krizhevsky et al. 2012); at::local_response_norm's helper sees windows of `size` centred as ONNX's.
Result<Step> lower_lrn(const Lowering& c) {
  const double alpha = c.attrs().real("alpha", 0.0001f), beta = c.attrs().real("beta", 0.75f), bias = c.attrs().real("bias", 1);
  return Step([alpha, beta, bias, size = c.attrs().integer("size", 1)](Frame& f) {
    const Tensor x = f.precise(0);
    const Tensor square = x.square().flatten(2).unsqueeze(1);  // n, 1, c, positions
    const int64_t before = (size - 1) / 2;
    const Tensor sums = at::avg_pool2d(at::constant_pad_nd(square, {0, 0, before, size - 1 - before}, 0), {size, 1}, {1, 1}).reshape(x.sizes());
    f.set(0, x / at::pow(sums * alpha + bias, beta));
  });
}

}  // namespace

std::vector<LoweringDef> norm_lowerings() {
  return {
      {"BatchNormalization", lower_batch_norm},   {"LayerNormalization", lower_layer_norm}, {"RMSNormalization", lower_rms_norm},
      {"GroupNormalization", lower_group_norm},   {"InstanceNormalization", lower_instance_norm},
      {"LpNormalization", lower_lp_norm},         {"MeanVarianceNormalization", lower_mean_variance_norm},
      {"LRN", lower_lrn},
  };
}

}  // namespace hone::train
