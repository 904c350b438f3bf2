// Pools. Symmetric paddings go to the kernels; everything else is padded first (max: with the lowest value) or counted out
// (average: the sum of a window over the number of its elements).
#include <limits>

#include "train/lower.h"
#include "train/window.h"

namespace hone::train {

namespace {

using at::Tensor;

bool half_kernel(const WindowSpec::Padding& p, at::IntArrayRef kernel) {  // what libtorch's pools accept
  for (size_t i = 0; i < kernel.size(); ++i)
    if (p.begin[i] < 0 || p.begin[i] > kernel[i] / 2) return false;
  return true;
}

bool none(at::IntArrayRef v) {
  return std::ranges::all_of(v, [](int64_t n) { return n == 0; });
}

at::DimVector sum(at::IntArrayRef a, at::IntArrayRef b) {
  at::DimVector out(a.begin(), a.end());
  for (size_t i = 0; i < b.size(); ++i) out[i] += b[i];
  return out;
}

std::tuple<Tensor, Tensor> max_pool(const Tensor& x, const WindowSpec& w, at::IntArrayRef padding) {
  switch (w.rank()) {
    case 1: return at::max_pool1d_with_indices(x, w.kernel, w.stride, padding, w.dilation);
    case 2: return at::max_pool2d_with_indices(x, w.kernel, w.stride, padding, w.dilation);
    default: return at::max_pool3d_with_indices(x, w.kernel, w.stride, padding, w.dilation);
  }
}

// Indices within a padded plane -> ONNX's: positions in the whole, unpadded input; `columns` first when column-major.
Tensor flat_indices(const Tensor& in_plane, const Tensor& x, at::IntArrayRef begin, at::IntArrayRef padded_sizes, bool column_major) {
  const size_t n = begin.size();
  Tensor rest = in_plane, position = at::zeros_like(in_plane);
  std::vector<Tensor> coordinate(n);
  for (size_t i = n; i-- > 0;) {
    coordinate[i] = at::remainder(rest, padded_sizes[i]) - begin[i];
    rest = at::div(rest, padded_sizes[i], "floor");
  }
  const auto spatial = x.sizes().slice(2);
  int64_t plane = 1;
  for (const int64_t s : spatial) plane *= s;
  int64_t step = 1;
  for (size_t k = 0; k < n; ++k) {
    const size_t i = column_major ? k : n - 1 - k;
    position = position + coordinate[i] * step;
    step *= spatial[i];
  }
  at::DimVector shape(n + 2, 1);
  shape[0] = x.size(0);
  shape[1] = x.size(1);
  return position + at::arange(x.size(0) * x.size(1), in_plane.options()).reshape(shape) * plane;
}

Result<Step> lower_max_pool(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 0));
  if (n > 3) return c.unsupported("more than 3 spatial dimensions");
  const WindowSpec spec = WindowSpec::of(c.attrs(), n);
  const bool indices = c.has_output(1), column_major = c.attrs().integer("storage_order", 0) != 0;
  return Step([spec, indices, column_major](Frame& f) {
    const Tensor& x = f[0];
    const bool real = at::isFloatingType(x.scalar_type());
    Tensor in = real ? x : x.to(at::kDouble);
    const WindowSpec::Padding p = spec.padding(x.sizes().slice(2), spec.kernel);
    const bool native = p.symmetric() && half_kernel(p, spec.kernel) && none(p.extra);
    at::DimVector padding(spec.rank(), 0), begin(spec.rank(), 0);
    if (native) padding = p.begin;
    else in = padded(in, begin = p.begin, sum(p.end, p.extra), -std::numeric_limits<double>::infinity());
    if (!indices && spec.rank() == 2) return f.set(0, at::max_pool2d(in, spec.kernel, spec.stride, padding, spec.dilation).to(x.scalar_type()));
    auto [y, where] = max_pool(in, spec, padding);
    f.set(0, y.to(x.scalar_type()));
    if (indices) f.set(1, flat_indices(where, x, begin, in.sizes().slice(2), column_major));
  });
}

// Sums over windows of a padded tensor, in any number of dimensions.
Tensor window_sum(const Tensor& x, const WindowSpec& w) {
  at::DimVector one_channel{x.size(0) * x.size(1), 1}, kernel{1, 1};
  for (const int64_t s : x.sizes().slice(2)) one_channel.push_back(s);
  for (const int64_t k : w.kernel) kernel.push_back(k);
  const at::DimVector zeros(w.rank(), 0);
  const Tensor y = at::convolution(x.reshape(one_channel), at::ones(kernel, x.options()), {}, w.stride, zeros, w.dilation, false, zeros, 1);
  at::DimVector shape{x.size(0), x.size(1)};
  for (const int64_t s : y.sizes().slice(2)) shape.push_back(s);
  return y.reshape(shape);
}

Tensor average(const Tensor& x, const WindowSpec& w, bool count_padding) {
  const WindowSpec::Padding p = w.padding(x.sizes().slice(2), w.kernel);
  const bool dense = std::ranges::all_of(w.dilation, [](int64_t d) { return d == 1; });
  if (w.rank() <= 3 && dense && p.symmetric() && half_kernel(p, w.kernel)) {
    switch (w.rank()) {
      case 1: return at::avg_pool1d(x, w.kernel, w.stride, p.begin, w.ceil_mode, count_padding);
      case 2: return at::avg_pool2d(x, w.kernel, w.stride, p.begin, w.ceil_mode, count_padding);
      default: return at::avg_pool3d(x, w.kernel, w.stride, p.begin, w.ceil_mode, count_padding);
    }
  }
  const Tensor sums = window_sum(padded(x, p.begin, sum(p.end, p.extra), 0), w);
  at::DimVector one{1, 1};
  for (const int64_t s : x.sizes().slice(2)) one.push_back(s);
  // What the last window of ceil_mode reaches beyond the padding never counts.
  const Tensor ones = at::ones(one, x.options());
  const at::DimVector zeros(w.rank(), 0);
  const Tensor counted = padded(padded(ones, p.begin, p.end, count_padding ? 1 : 0), zeros, p.extra, 0);
  return sums / window_sum(counted, w);
}

Result<Step> lower_average_pool(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 0));
  return Step([spec = WindowSpec::of(c.attrs(), n), count = c.attrs().integer("count_include_pad", 0) != 0](Frame& f) { f.set(0, average(f[0], spec, count)); });
}

Result<Step> lower_lp_pool(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 0));
  return Step([spec = WindowSpec::of(c.attrs(), n), power = static_cast<double>(c.attrs().integer("p", 2))](Frame& f) {
    const WindowSpec::Padding p = spec.padding(f[0].sizes().slice(2), spec.kernel);
    const Tensor powers = at::pow(at::abs(f[0]), power);
    f.set(0, at::pow(window_sum(padded(powers, p.begin, sum(p.end, p.extra), 0), spec), 1 / power));
  });
}

std::vector<int64_t> spatial_dims(const Tensor& x) {
  std::vector<int64_t> dims;
  for (int64_t i = 2; i < x.dim(); ++i) dims.push_back(i);
  return dims;
}

Result<Step> lower_global_average(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor& x = f[0];
    if (x.dim() == 4) return f.set(0, at::adaptive_avg_pool2d(x, {1, 1}));
    f.set(0, x.dim() == 2 ? x : x.mean(spatial_dims(x), true));
  });
}

Result<Step> lower_global_max(const Lowering&) {
  return Step([](Frame& f) {
    const Tensor& x = f[0];
    f.set(0, x.dim() == 2 ? x : at::amax(x, spatial_dims(x), true));
  });
}

Result<Step> lower_global_lp(const Lowering& c) {
  return Step([p = static_cast<double>(c.attrs().integer("p", 2))](Frame& f) { f.set(0, at::pow(at::pow(at::abs(f[0]), p).sum(spatial_dims(f[0]), true), 1 / p)); });
}

// x, positions in the whole output, [output_shape].
Result<Step> lower_max_unpool(const Lowering& c) {
  HONE_TRY_ASSIGN(const size_t n, spatial_rank(c, 0));
  return Step([spec = WindowSpec::of(c.attrs(), n), asked = IntsOperand(c, 2), has_shape = c.has_input(2)](Frame& f) {
    const Tensor& x = f[0];
    at::DimVector natural{x.size(0), x.size(1)};
    for (size_t i = 0; i < spec.rank(); ++i)
      natural.push_back((x.size(static_cast<int64_t>(i) + 2) - 1) * spec.stride[i] + spec.kernel[i] - spec.begin[i] - spec.end[i]);
    // Positions count in the natural size; a bigger output_shape only adds zeros around, as onnx's own reference has it.
    int64_t total = 1;
    for (const int64_t d : natural) total *= d;
    Tensor y = at::zeros({total}, x.options()).scatter(0, f[1].reshape({-1}), x.reshape({-1})).reshape(natural);
    if (has_shape) {
      const Ints out = asked(f);
      at::DimVector zeros(spec.rank(), 0), more;
      for (size_t i = 0; i < spec.rank(); ++i) more.push_back(out[i + 2] - natural[i + 2]);
      y = padded(y, zeros, more, 0);
    }
    f.set(0, y);
  });
}

// Rows of (batch index, x1, y1, x2, y2) in image coordinates; every bin is the maximum of the whole pixels it covers.
Result<Step> lower_max_roi_pool(const Lowering& c) {
  const auto size = c.attrs().integers("pooled_shape");
  return Step([size, scale = static_cast<double>(c.attrs().real("spatial_scale", 1))](Frame& f) {
    const Tensor &x = f[0], rois = f[1].detach().to(at::kCPU, at::kDouble).contiguous();
    const int64_t h = x.size(2), w = x.size(3);
    std::vector<Tensor> rows;
    for (int64_t r = 0; r < rois.size(0); ++r) {
      const double* roi = rois.const_data_ptr<double>() + r * 5;
      const auto edge = [&](int i) { return static_cast<int64_t>(std::round(roi[i] * scale)); };
      const int64_t x1 = edge(1), y1 = edge(2), rw = std::max<int64_t>(edge(3) - x1 + 1, 1), rh = std::max<int64_t>(edge(4) - y1 + 1, 1);
      const Tensor image = x.select(0, static_cast<int64_t>(roi[0]));
      std::vector<Tensor> bins;
      for (int64_t i = 0; i < size[0]; ++i)
        for (int64_t j = 0; j < size[1]; ++j) {
          const auto bound = [](double v, int64_t start, int64_t limit) { return std::clamp<int64_t>(static_cast<int64_t>(v) + start, 0, limit); };
          const double bh = static_cast<double>(rh) / static_cast<double>(size[0]), bw = static_cast<double>(rw) / static_cast<double>(size[1]);
          const int64_t top = bound(std::floor(static_cast<double>(i) * bh), y1, h), bottom = bound(std::ceil(static_cast<double>(i + 1) * bh), y1, h);
          const int64_t left = bound(std::floor(static_cast<double>(j) * bw), x1, w), right = bound(std::ceil(static_cast<double>(j + 1) * bw), x1, w);
          if (bottom <= top || right <= left) bins.push_back(at::zeros({x.size(1)}, x.options()));
          else bins.push_back(at::amax(image.slice(1, top, bottom).slice(2, left, right), {1, 2}));
        }
      rows.push_back(at::stack(bins, 1).reshape({x.size(1), size[0], size[1]}));
    }
    f.set(0, rows.empty() ? at::zeros({0, x.size(1), size[0], size[1]}, x.options()) : at::stack(rows));
  });
}

// RoIAlign (He et al. 2017): each bin averages, or takes the maximum of, samples read bilinearly at a regular grid.
Result<Step> lower_roi_align(const Lowering& c) {
  const Attrs& a = c.attrs();
  const bool max = a.text("mode", "avg") == "max", half = a.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  return Step([=, oh = a.integer("output_height", 1), ow = a.integer("output_width", 1), ratio = a.integer("sampling_ratio", 0), scale = static_cast<double>(a.real("spatial_scale", 1))](Frame& f) {
    const Tensor &x = f[0], rois = f[1].detach().to(at::kCPU, at::kDouble).contiguous();
    const Ints batch = IntsOperand::read(f[2]);
    const int64_t h = x.size(2), w = x.size(3);
    // Interpolation along one axis as a matrix (samples x pixels); samples beyond [-1, size] read nothing.
    const auto weights = [&](double start, double bin, int64_t bins, int64_t grid, int64_t size) {
      Tensor m = at::zeros({bins * grid, size}, at::kDouble);
      auto v = m.accessor<double, 2>();
      for (int64_t s = 0; s < bins * grid; ++s) {
        const int64_t b = s / grid, g = s % grid;
        double at = start + static_cast<double>(b) * bin + (static_cast<double>(g) + 0.5) * bin / static_cast<double>(grid);
        if (at < -1 || at > static_cast<double>(size)) continue;
        at = std::max(at, 0.0);
        const auto low = static_cast<int64_t>(at);
        if (low >= size - 1) {
          v[s][size - 1] = 1;
          continue;
        }
        v[s][low + 1] = at - static_cast<double>(low);
        v[s][low] = 1 - v[s][low + 1];
      }
      return m.to(x.options());
    };
    std::vector<Tensor> rows;
    for (int64_t r = 0; r < rois.size(0); ++r) {
      const double* roi = rois.const_data_ptr<double>() + r * 4;
      const double offset = half ? 0.5 : 0, x1 = roi[0] * scale - offset, y1 = roi[1] * scale - offset;
      double rw = roi[2] * scale - offset - x1, rh = roi[3] * scale - offset - y1;
      if (!half) rw = std::max(rw, 1.0), rh = std::max(rh, 1.0);
      const double bh = rh / static_cast<double>(oh), bw = rw / static_cast<double>(ow);
      const int64_t gh = ratio > 0 ? ratio : static_cast<int64_t>(std::ceil(bh)), gw = ratio > 0 ? ratio : static_cast<int64_t>(std::ceil(bw));
      if (gh < 1 || gw < 1) {  // a region turned inside out holds no sample
        rows.push_back(at::zeros({x.size(1), oh, ow}, x.options()));
        continue;
      }
      const Tensor wy = weights(y1, bh, oh, gh, h), wx = weights(x1, bw, ow, gw, w), image = x.select(0, batch[static_cast<size_t>(r)]);
      if (!max) {
        const Tensor samples = at::matmul(at::matmul(wy, image), wx.t());
        rows.push_back(samples.reshape({x.size(1), oh, gh, ow, gw}).mean({2, 4}));
        continue;
      }
      // Mode "max" takes the largest of the four weighted neighbours of every sample, as onnx's reference does.
      const Tensor terms = wy.unsqueeze(1).unsqueeze(3) * wx.unsqueeze(0).unsqueeze(2);  // sy, sx, h, w
      const Tensor weighted = image.reshape({x.size(1), 1, 1, h, w}) * terms;
      const Tensor best = at::amax(at::where(terms == 0, at::full_like(weighted, -std::numeric_limits<double>::infinity()), weighted), {3, 4});
      rows.push_back(at::amax(best.reshape({x.size(1), oh, gh, ow, gw}), {2, 4}));
    }
    f.set(0, rows.empty() ? at::zeros({0, x.size(1), oh, ow}, x.options()) : at::stack(rows));
  });
}

}  // namespace

std::vector<LoweringDef> pool_lowerings() {
  return {
      {"MaxPool", lower_max_pool},           {"AveragePool", lower_average_pool}, {"LpPool", lower_lp_pool},
      {"GlobalAveragePool", lower_global_average}, {"GlobalMaxPool", lower_global_max}, {"GlobalLpPool", lower_global_lp},
      {"MaxUnpool", lower_max_unpool},       {"MaxRoiPool", lower_max_roi_pool},  {"RoiAlign", lower_roi_align},
  };
}

}  // namespace hone::train
