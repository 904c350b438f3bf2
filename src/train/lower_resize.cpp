// Resampling. Resize is separable: along each axis the output is a matrix (outputs x inputs) times the input. libtorch's
// own kernels do the forms that equal ONNX's on images.
#include <algorithm>
#include <cmath>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

enum class Mode : uint8_t { nearest, linear, cubic };

struct ResizeSpec {
  Mode mode;
  std::string coordinates, nearest, policy;
  std::vector<int64_t> axes;
  double cubic_a, extrapolation;
  bool antialias, exclude_outside;
};

struct Axis {
  int64_t in, out;
  double scale, roi_begin = 0, roi_end = 1;
};

// Where output i lies among the inputs (ONNX, Resize, coordinate_transformation_mode).
double source(const std::string& how, const Axis& a, int64_t i) {
  const auto x = static_cast<double>(i), in = static_cast<double>(a.in), wide = a.scale * in;
  if (how == "align_corners") return wide == 1 ? 0 : x * (in - 1) / (wide - 1);
  if (how == "asymmetric") return x / a.scale;
  if (how == "tf_half_pixel_for_nn") return (x + 0.5) / a.scale;
  if (how == "pytorch_half_pixel") return wide == 1 ? -0.5 : (x + 0.5) / a.scale - 0.5;
  if (how == "tf_crop_and_resize")
    return a.roi_begin * (in - 1) + (wide == 1 ? (a.roi_end - a.roi_begin) * (in - 1) / 2 : x * (a.roi_end - a.roi_begin) * (in - 1) / (wide - 1));
  const double offset = how == "half_pixel_symmetric" ? in / 2 * (1 - static_cast<double>(a.out) / wide) : 0;
  return offset + (x + 0.5) / a.scale - 0.5;
}

double cubic(double x, double a) {  // Keys 1981
  x = std::fabs(x);
  if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

int64_t nearest(const std::string& how, double x) {
  if (how == "floor") return static_cast<int64_t>(std::floor(x));
  if (how == "ceil") return static_cast<int64_t>(std::ceil(x));
  return static_cast<int64_t>(how == "round_prefer_ceil" ? std::floor(x + 0.5) : std::ceil(x - 0.5));
}

// Weights of the inputs for each output of one axis; neighbours beyond the border are the border's element.
Tensor weights(const ResizeSpec& r, const Axis& axis) {
  Tensor m = at::zeros({axis.out, axis.in}, at::kDouble);
  auto w = m.accessor<double, 2>();
  // Shrinking with antialias widens the kernel by the scale.
  const double stretch = r.antialias ? std::min(axis.scale, 1.0) : 1;
  const double reach = r.mode == Mode::cubic ? 2 : 1;
  const auto taps = 2 * static_cast<int64_t>(std::ceil(reach / stretch));
  for (int64_t i = 0; i < axis.out; ++i) {
    const double x = source(r.coordinates, axis, i);
    const auto border = [&](int64_t at_) { return std::clamp<int64_t>(at_, 0, axis.in - 1); };
    if (r.mode == Mode::nearest) {
      w[i][border(nearest(r.nearest, x))] = 1;
      continue;
    }
    const auto first = static_cast<int64_t>(std::ceil(x)) - taps / 2;
    double sum = 0;
    std::vector<double> share(static_cast<size_t>(taps));
    for (int64_t t = 0; t < taps; ++t) {
      const double d = (static_cast<double>(first + t) - x) * stretch;
      double v = r.mode == Mode::cubic ? cubic(d, r.cubic_a) : std::max(0.0, 1 - std::fabs(d));
      if (r.exclude_outside && (first + t < 0 || first + t >= axis.in)) v = 0;
      sum += share[static_cast<size_t>(t)] = v;
    }
    for (int64_t t = 0; t < taps; ++t) w[i][border(first + t)] += share[static_cast<size_t>(t)] / sum;
  }
  return m;
}

// x times `m` along one axis.
Tensor along(const Tensor& x, int64_t axis, const Tensor& m) { return at::matmul(x.movedim(axis, -1), m.to(x.options()).t()).movedim(-1, axis); }

// The image kernels: N x C x H x W, both spatial axes, borders clamped.
bool has_kernel(const ResizeSpec& r, const Tensor& x, const std::vector<Axis>& axes) {
  if (x.dim() != 4 || !at::isFloatingType(x.scalar_type()) || r.antialias || r.exclude_outside || r.mode == Mode::nearest) return false;
  if (r.mode == Mode::cubic && r.cubic_a != -0.75) return false;
  if (axes[0].in != axes[0].out || axes[0].scale != 1 || axes[1].in != axes[1].out || axes[1].scale != 1) return false;
  if (r.coordinates == "half_pixel") return true;
  return r.coordinates == "align_corners" && std::ranges::all_of(axes, [](const Axis& a) { return a.scale * static_cast<double>(a.in) == static_cast<double>(a.out); });
}

// x, [roi], [scales], [sizes]
Result<Step> lower_resize(const Lowering& c) {
  const Attrs& a = c.attrs();
  const std::string_view mode = a.text("mode", "nearest");
  ResizeSpec r{mode == "cubic" ? Mode::cubic : mode == "linear" ? Mode::linear : Mode::nearest,
               std::string(a.text("coordinate_transformation_mode", "half_pixel")),
               std::string(a.text("nearest_mode", "round_prefer_floor")),
               std::string(a.text("keep_aspect_ratio_policy", "stretch")),
               a.integers("axes"),
               a.real("cubic_coeff_a", -0.75f),
               a.real("extrapolation_value", 0),
               a.integer("antialias", 0) != 0,
               a.integer("exclude_outside", 0) != 0};
  const bool by_size = c.has_input(3);
  return Step([r, by_size, sizes = IntsOperand(c, 3)](Frame& f) {
    Tensor x = f[0];
    std::vector<Axis> axes;
    for (const int64_t d : x.sizes()) axes.push_back({d, d, 1});
    std::vector<int64_t> named = r.axes;
    if (named.empty())
      for (int64_t i = 0; i < x.dim(); ++i) named.push_back(i);
    const auto axis_of = [&](size_t i) -> Axis& { return axes[static_cast<size_t>(wrap(named[i], x.dim()))]; };
    const auto doubles = [](const Tensor& t) {
      const Tensor d = t.detach().to(at::kCPU, at::kDouble).contiguous();
      return std::vector<double>(d.const_data_ptr<double>(), d.const_data_ptr<double>() + d.numel());
    };
    if (by_size) {
      const Ints want = sizes(f);
      double common = 0;
      for (size_t i = 0; i < named.size(); ++i) {
        const double s = static_cast<double>(want[i]) / static_cast<double>(axis_of(i).in);
        common = i == 0 ? s : r.policy == "not_larger" ? std::min(common, s) : std::max(common, s);
      }
      for (size_t i = 0; i < named.size(); ++i) {
        Axis& axis = axis_of(i);
        axis.scale = r.policy == "stretch" ? static_cast<double>(want[i]) / static_cast<double>(axis.in) : common;
        axis.out = r.policy == "stretch" ? want[i] : static_cast<int64_t>(std::floor(static_cast<double>(axis.in) * common + 0.5));
      }
    } else {
      const auto scale = doubles(f[2]);
      for (size_t i = 0; i < named.size(); ++i) {
        axis_of(i).scale = scale[i];
        axis_of(i).out = static_cast<int64_t>(std::floor(static_cast<double>(axis_of(i).in) * scale[i]));
      }
    }
    const bool crops = r.coordinates == "tf_crop_and_resize";
    if (crops && f.has(1)) {
      const auto roi = doubles(f[1]);
      for (size_t i = 0; i < named.size(); ++i) {
        axis_of(i).roi_begin = roi[i];
        axis_of(i).roi_end = roi[i + named.size()];
      }
    }
    if (has_kernel(r, x, axes)) {
      const at::DimVector out{axes[2].out, axes[3].out};
      const bool corners = r.coordinates == "align_corners";
      return f.set(0, r.mode == Mode::cubic ? at::upsample_bicubic2d(x, out, corners, axes[2].scale, axes[3].scale) : at::upsample_bilinear2d(x, out, corners, axes[2].scale, axes[3].scale));
    }
    const at::ScalarType type = x.scalar_type();
    if (r.mode != Mode::nearest && !at::isFloatingType(type)) x = x.to(at::kDouble);
    for (size_t i = 0; i < axes.size(); ++i) {
      const Axis& axis = axes[i];
      if (axis.in == axis.out && axis.scale == 1 && !crops) continue;
      const Tensor m = weights(r, axis);
      const auto d = static_cast<int64_t>(i);
      x = r.mode == Mode::nearest ? x.index_select(d, at::argmax(m, 1).to(x.device())) : along(x, d, m);
    }
    if (crops)  // whatever lies outside the input along any axis
      for (size_t i = 0; i < axes.size(); ++i) {
        std::vector<int64_t> outside;
        for (int64_t k = 0; k < axes[i].out; ++k)
          if (const double at_ = source(r.coordinates, axes[i], k); at_ < 0 || at_ > static_cast<double>(axes[i].in - 1)) outside.push_back(k);
        if (!outside.empty()) x = x.index_fill(static_cast<int64_t>(i), at::tensor(outside, at::kLong).to(x.device()), r.extrapolation);
      }
    f.set(0, x.to(type));
  });
}

Result<Step> lower_grid_sample(const Lowering& c) {
  const std::string_view mode = c.attrs().text("mode", "linear"), padding = c.attrs().text("padding_mode", "zeros");
  const int64_t how = mode == "nearest" ? 1 : mode == "cubic" || mode == "bicubic" ? 2 : 0, beyond = padding == "border" ? 1 : padding == "reflection" ? 2 : 0;
  return Step([how, beyond, corners = c.attrs().integer("align_corners", 0) != 0](Frame& f) { f.set(0, at::grid_sampler(f[0], f[1], how, beyond, corners)); });
}

Result<Step> lower_affine_grid(const Lowering& c) {
  return Step([size = IntsOperand(c, 1), corners = c.attrs().integer("align_corners", 0) != 0](Frame& f) { f.set(0, at::affine_grid_generator(f[0], size(f), corners)); });
}

}  // namespace

std::vector<LoweringDef> resize_lowerings() {
  return {{"Resize", lower_resize}, {"GridSample", lower_grid_sample}, {"AffineGrid", lower_affine_grid}};
}

}  // namespace hone::train
