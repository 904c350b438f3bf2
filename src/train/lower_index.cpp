// Reading and writing by position.
#include <algorithm>
#include <numeric>

#include "train/kernels/columns.h"
#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

// Positions as libtorch wants them: 64-bit, on x's device, counted from the front of `size` elements.
Tensor positions(const Tensor& index, int64_t size, const Tensor& x) {
  const Tensor i = index.to(x.device(), at::kLong);
  return at::where(i < 0, i + size, i);
}

Result<Step> lower_slice(const Lowering& c) {
  return Step([begins = IntsOperand(c, 1), ends = IntsOperand(c, 2), axes = IntsOperand(c, 3), steps = IntsOperand(c, 4), some = c.has_input(3), stepped = c.has_input(4)](Frame& f) {
    Tensor x = f[0];
    const Ints b = begins(f), e = ends(f), a = axes(f), s = steps(f);
    for (size_t i = 0; i < b.size(); ++i) {
      const int64_t axis = some ? wrap(a[i], x.dim()) : static_cast<int64_t>(i), size = x.size(axis), step = stepped ? s[i] : 1;
      // As numpy clamps (ir/ops/index.cpp); libtorch has no negative steps, so those are cut out forwards and turned.
      const auto clamped = [&](int64_t v) {
        if (v < 0) v = v < -size ? -1 : v + size;
        return step > 0 ? std::clamp<int64_t>(v, 0, size) : std::clamp<int64_t>(v, -1, size - 1);
      };
      const int64_t from = clamped(b[i]), to = clamped(e[i]), span = step > 0 ? to - from : from - to, stride = step > 0 ? step : -step;
      const int64_t count = span <= 0 ? 0 : (span - 1) / stride + 1;
      if (count == 0) x = x.narrow(axis, 0, 0);
      else if (step > 0) x = x.slice(axis, from, to, step);
      else x = x.slice(axis, from - (count - 1) * stride, from + 1, stride).flip(axis);
    }
    f.set(0, x);
  });
}

Result<Step> lower_gather(const Lowering& c) {
  const int64_t axis = c.attrs().integer("axis", 0);
  // One constant position is a view.
  if (const auto one = constant_number(c, 1); one && c.constant(1).dim() == 0)
    return Step([axis, at_ = static_cast<int64_t>(*one)](Frame& f) { f.set(0, f[0].select(axis, at_)); });
  // Positions of a matrix's columns that are known and right: tables of position biases.
  if (const Tensor index = c.constant(1); c.options().fuse && index.defined() && index.numel() > 0 && axis == 1 && c.input(0).type.ranked && c.input(0).type.shape.size() == 2) {
    const int64_t width = c.input(0).type.shape[1];
    const Tensor flat = index.to(at::kLong).reshape({-1}).contiguous();
    if (flat.min().item<int64_t>() >= 0 && flat.max().item<int64_t>() < width)
      return Step([flat, sizes = index.sizes().vec()](Frame& f) {
        at::DimVector shape{f[0].size(0)};
        shape.append(sizes.begin(), sizes.end());
        f.set(0, columns(f[0], flat.to(f[0].device())).view(shape));
      });
  }
  return Step([axis](Frame& f) {
    const Tensor &x = f[0], &index = f[1];
    const int64_t a = wrap(axis, x.dim());
    const Tensor rows = x.index_select(a, positions(index, x.size(a), x).reshape({-1}));
    at::DimVector shape(x.sizes().begin(), x.sizes().begin() + a);
    shape.append(index.sizes().begin(), index.sizes().end());
    shape.append(x.sizes().begin() + a + 1, x.sizes().end());
    f.set(0, rows.reshape(shape));
  });
}

Result<Step> lower_gather_elements(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", 0)](Frame& f) { f.set(0, at::gather(f[0], axis, positions(f[1], f[0].size(axis), f[0]))); });
}

// Rows of x seen as (prod of the indexed dimensions) x rest: the flat number of each row that `index` names in its last
// dimension, after `batch` common leading dimensions.
struct Rows {
  Tensor flat;       // 1-d
  int64_t count = 1, rest = 1;
};
Rows rows_of(const Tensor& x, const Tensor& index, int64_t batch) {
  const int64_t named = index.size(-1);
  const Tensor i = index.to(x.device(), at::kLong);
  Rows r;
  Tensor flat;
  for (int64_t d = 0; d < batch + named; ++d) {
    const int64_t size = x.size(d);
    r.count *= size;
    Tensor part;
    if (d < batch) {
      Ints shape(static_cast<size_t>(index.dim() - 1), 1);
      shape[static_cast<size_t>(d)] = size;
      part = at::arange(size, i.options()).reshape(shape);
    } else {
      part = positions(i.select(-1, d - batch), size, x);
    }
    flat = flat.defined() ? flat * size + part : part;
  }
  for (int64_t d = batch + named; d < x.dim(); ++d) r.rest *= x.size(d);
  r.flat = (named + batch ? flat.expand(index.sizes().slice(0, static_cast<size_t>(index.dim() - 1))) : at::zeros(index.sizes().slice(0, static_cast<size_t>(index.dim() - 1)), i.options())).reshape({-1});
  return r;
}

Result<Step> lower_gather_nd(const Lowering& c) {
  return Step([batch = c.attrs().integer("batch_dims", 0)](Frame& f) {
    const Tensor &x = f[0], &index = f[1];
    const Rows r = rows_of(x, index, batch);
    at::DimVector shape(index.sizes().begin(), index.sizes().end() - 1);
    shape.append(x.sizes().begin() + batch + index.size(-1), x.sizes().end());
    f.set(0, x.reshape({r.count, r.rest}).index_select(0, r.flat).reshape(shape));
  });
}

Result<Step> lower_scatter_elements(const Lowering& c) {
  const std::string how(c.attrs().text("reduction", "none"));
  return Step([axis = c.attrs().integer("axis", 0), how](Frame& f) {
    const Tensor &x = f[0], &updates = f[2], index = positions(f[1], x.size(axis), x);
    if (how == "none") f.set(0, x.scatter(axis, index, updates));
    else if (how == "add") f.set(0, x.scatter_add(axis, index, updates));
    else f.set(0, x.scatter_reduce(axis, index, updates, how == "mul" ? "prod" : how == "max" ? "amax" : "amin"));
  });
}

Result<Step> lower_scatter_nd(const Lowering& c) {
  const std::string how(c.attrs().text("reduction", "none"));
  return Step([how](Frame& f) {
    const Tensor& x = f[0];
    const Rows r = rows_of(x, f[1], 0);
    const Tensor flat = x.reshape({r.count, r.rest}), updates = f[2].reshape({-1, r.rest});
    Tensor y;
    if (how == "none") y = flat.index_copy(0, r.flat, updates);
    else if (how == "add") y = flat.index_add(0, r.flat, updates);
    else y = flat.scatter_reduce(0, r.flat.unsqueeze(1).expand(updates.sizes()), updates, how == "mul" ? "prod" : how == "max" ? "amax" : "amin");
    f.set(0, y.reshape(x.sizes()));
  });
}

// cache, update, [first position of each batch element]: a cache written in place of positions along `axis`.
Result<Step> lower_tensor_scatter(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", -2), circular = c.attrs().text("mode", "linear") == "circular"](Frame& f) {
    const Tensor &cache = f[0], &update = f[1];
    const int64_t a = wrap(axis, cache.dim());
    Ints along(static_cast<size_t>(cache.dim()), 1), by_batch = along;
    along[static_cast<size_t>(a)] = update.size(a);
    by_batch[0] = cache.size(0);
    Tensor index = at::arange(update.size(a), update.options().dtype(at::kLong)).reshape(along);
    if (f.has(2)) index = index + f[2].to(update.device(), at::kLong).reshape(by_batch);
    if (circular) index = at::remainder(index, cache.size(a));
    f.set(0, cache.scatter(a, index.expand(update.sizes()), update));
  });
}

// indices, depth, (off, on)
Result<Step> lower_one_hot(const Lowering& c) {
  return Step([axis = c.attrs().integer("axis", -1), depth = IntsOperand(c, 1)](Frame& f) {
    const int64_t n = depth(f)[0], a = wrap(axis, f[0].dim() + 1);
    const Tensor index = positions(f[0], n, f[0]).unsqueeze(a);
    Ints shape(static_cast<size_t>(index.dim()), 1);
    shape[static_cast<size_t>(a)] = n;
    const Tensor values = f[2].to(index.device());
    f.set(0, at::where(index == at::arange(n, index.options()).reshape(shape), values[1], values[0]));
  });
}

// Ties go to the lower position, as ONNX asks: a stable sort.
Result<Step> lower_top_k(const Lowering& c) {
  const bool largest = c.attrs().integer("largest", 1) != 0;
  return Step([axis = c.attrs().integer("axis", -1), largest, k = IntsOperand(c, 1)](Frame& f) {
    const int64_t n = k(f)[0];
    const Tensor x = widened(f[0]);
    const auto [values, index] = at::sort(x, std::optional(true), axis, largest);
    f.set(0, values.narrow(axis, 0, n).to(f[0].scalar_type()));
    f.set(1, index.narrow(axis, 0, n));
  });
}

// Running sum or product along the axis that operand 1 names; `exclusive` leaves out the element itself.
template <bool product>
Result<Step> lower_cumulative(const Lowering& c) {
  const bool exclusive = c.attrs().integer("exclusive", 0) != 0, reverse = c.attrs().integer("reverse", 0) != 0;
  return Step([exclusive, reverse, axis = IntsOperand(c, 1)](Frame& f) {
    const int64_t a = wrap(axis(f)[0], f[0].dim());
    const Tensor x = reverse ? f[0].flip(a) : f[0];
    Tensor y = (product ? at::cumprod(x, a) : at::cumsum(x, a)).to(x.scalar_type());
    if (exclusive && x.size(a) > 0) {
      const Tensor first = x.narrow(a, 0, 1);
      y = at::cat({product ? at::ones_like(first) : at::zeros_like(first), y.narrow(a, 0, x.size(a) - 1)}, a);
    }
    f.set(0, reverse ? y.flip(a) : y);
  });
}

Result<Step> lower_trilu(const Lowering& c) {
  const bool upper = c.attrs().integer("upper", 1) != 0;
  return Step([upper, k = IntsOperand(c, 1)](Frame& f) {
    const Ints diagonal = k(f);
    const int64_t d = diagonal.empty() ? 0 : diagonal[0];
    f.set(0, upper ? at::triu(f[0], d) : at::tril(f[0], d));
  });
}

// Turns the first `length` steps of each batch element round.
Result<Step> lower_reverse_sequence(const Lowering& c) {
  return Step([time = c.attrs().integer("time_axis", 0), batch = c.attrs().integer("batch_axis", 1)](Frame& f) {
    const Tensor& x = f[0];
    Ints along_time(static_cast<size_t>(x.dim()), 1), along_batch = along_time;
    along_time[static_cast<size_t>(time)] = x.size(time);
    along_batch[static_cast<size_t>(batch)] = x.size(batch);
    const Tensor length = f[1].to(x.device(), at::kLong).reshape(along_batch), step = at::arange(x.size(time), length.options()).reshape(along_time);
    f.set(0, at::gather(x, time, at::where(step < length, length - 1 - step, step).expand(x.sizes())));
  });
}

Result<Step> lower_compress(const Lowering& c) {
  const bool flat = !c.attrs().has("axis");
  return Step([flat, axis = c.attrs().integer("axis", 0)](Frame& f) {
    const Tensor x = flat ? f[0].reshape({-1}) : f[0];
    f.set(0, x.index_select(flat ? 0 : axis, at::nonzero(f[1].to(x.device())).reshape({-1})));
  });
}

// Distinct elements (or slices along `axis`), the position of each one's first occurrence, where each element went, and
// how often each occurs.
Result<Step> lower_unique(const Lowering& c) {
  const bool flat = !c.attrs().has("axis"), sorted = c.attrs().integer("sorted", 1) != 0;
  return Step([flat, sorted, axis = c.attrs().integer("axis", 0)](Frame& f) {
    const Tensor x = flat ? f[0].reshape({-1}) : f[0];
    const int64_t a = flat ? 0 : wrap(axis, x.dim());
    auto [y, inverse, counts] = at::unique_dim(x, a, true, true, true);
    const int64_t n = y.size(a);
    Tensor first = at::full({n}, x.size(a), inverse.options()).scatter_reduce(0, inverse, at::arange(x.size(a), inverse.options()), "amin");
    if (!sorted) {
      const Tensor order = at::argsort(first);
      Tensor rank = at::empty_like(order);
      rank.scatter_(0, order, at::arange(n, order.options()));
      y = y.index_select(a, order);
      first = first.index_select(0, order);
      counts = counts.index_select(0, order);
      inverse = rank.index_select(0, inverse);
    }
    f.set(0, y);
    f.set(1, first);
    f.set(2, inverse);
    f.set(3, counts);
  });
}

// Greedy suppression by overlap, per batch element and class: boxes, scores, [most boxes], [overlap], [lowest score].
Result<Step> lower_nms(const Lowering& c) {
  return Step([centre = c.attrs().integer("center_point_box", 0) != 0](Frame& f) {
    const Tensor boxes = f[0].detach().to(at::kCPU, at::kDouble).contiguous(), scores = f[1].detach().to(at::kCPU, at::kDouble).contiguous();
    const int64_t most = f.has(2) ? f[2].item<int64_t>() : 0;
    const double overlap = f.has(3) ? f[3].item<double>() : 0;
    const auto b = boxes.accessor<double, 3>();
    const auto s = scores.accessor<double, 3>();
    struct Box {
      double y1, x1, y2, x2;
      double area() const { return (y2 - y1) * (x2 - x1); }
    };
    const auto box = [&](int64_t n, int64_t i) {
      const double v0 = b[n][i][0], v1 = b[n][i][1], v2 = b[n][i][2], v3 = b[n][i][3];
      if (centre) return Box{v1 - v3 / 2, v0 - v2 / 2, v1 + v3 / 2, v0 + v2 / 2};
      return Box{std::min(v0, v2), std::min(v1, v3), std::max(v0, v2), std::max(v1, v3)};
    };
    const auto shared = [](const Box& p, const Box& q) {
      const double h = std::min(p.y2, q.y2) - std::max(p.y1, q.y1), w = std::min(p.x2, q.x2) - std::max(p.x1, q.x1);
      if (h <= 0 || w <= 0) return 0.0;
      return h * w / (p.area() + q.area() - h * w);
    };
    std::vector<int64_t> out;
    for (int64_t n = 0; n < scores.size(0); ++n)
      for (int64_t k = 0; k < scores.size(1); ++k) {
        std::vector<int64_t> order(static_cast<size_t>(scores.size(2)));
        std::iota(order.begin(), order.end(), 0);
        if (f.has(4)) std::erase_if(order, [&](int64_t i) { return !(s[n][k][i] > f[4].item<double>()); });
        std::ranges::stable_sort(order, [&](int64_t i, int64_t j) { return s[n][k][i] > s[n][k][j]; });
        std::vector<int64_t> kept;
        for (const int64_t i : order) {
          if (static_cast<int64_t>(kept.size()) >= most) break;
          if (std::ranges::any_of(kept, [&](int64_t j) { return shared(box(n, i), box(n, j)) > overlap; })) continue;
          kept.push_back(i);
          out.insert(out.end(), {n, k, i});
        }
      }
    f.set(0, at::tensor(out, at::kLong).reshape({-1, 3}));
  });
}

Result<Step> lower_center_crop_pad(const Lowering& c) {
  return Step([axes = c.attrs().integers("axes"), sizes = IntsOperand(c, 1)](Frame& f) {
    Tensor x = f[0];
    const Ints want = sizes(f);
    for (size_t i = 0; i < want.size(); ++i) {
      const int64_t a = axes.empty() ? static_cast<int64_t>(i) : wrap(axes[i], x.dim()), more = want[i] - x.size(a);
      if (more <= 0) {
        x = x.narrow(a, -more / 2, want[i]);
        continue;
      }
      Ints pads(static_cast<size_t>(x.dim()) * 2, 0);
      const auto from_last = static_cast<size_t>(x.dim() - 1 - a);
      pads[2 * from_last] = more / 2;
      pads[2 * from_last + 1] = more - more / 2;
      x = at::constant_pad_nd(x, pads, 0);
    }
    f.set(0, x);
  });
}

// n x c*prod(block) x positions -> n x c x image: overlapping blocks add up. Every element goes to the flat position it has
// in the padded image.
Result<Step> lower_col2im(const Lowering& c) {
  return Step([dilations = c.attrs().integers("dilations"), pads = c.attrs().integers("pads"), strides = c.attrs().integers("strides"), image = IntsOperand(c, 1),
               block = IntsOperand(c, 2)](Frame& f) {
    const Tensor& x = f[0];
    const Ints size = image(f), kernel = block(f);
    const size_t n = size.size();
    Tensor flat = at::zeros({1, 1}, at::kLong);  // block elements x positions
    Ints padded_size;
    int64_t blocks = 1;
    for (size_t i = 0; i < n; ++i) {
      const int64_t begin = pads.empty() ? 0 : pads[i], end = pads.empty() ? 0 : pads[n + i], d = dilations.empty() ? 1 : dilations[i], s = strides.empty() ? 1 : strides[i];
      const int64_t whole = size[i] + begin + end, count = (whole - d * (kernel[i] - 1) - 1) / s + 1;
      padded_size.push_back(whole);
      blocks *= kernel[i];
      const Tensor offset = at::arange(kernel[i]).mul(d).unsqueeze(1) + at::arange(count).mul(s).unsqueeze(0);
      flat = (flat.unsqueeze(1).unsqueeze(3) * whole + offset.unsqueeze(0).unsqueeze(2)).reshape({flat.size(0) * kernel[i], flat.size(1) * count});
    }
    const int64_t channels = x.size(1) / blocks;
    int64_t total = 1;
    at::DimVector shape{x.size(0), channels};
    for (const int64_t d : padded_size) {
      total *= d;
      shape.push_back(d);
    }
    Tensor y = at::zeros({x.size(0), channels, total}, x.options()).index_add(2, flat.reshape({-1}).to(x.device()), x.reshape({x.size(0), channels, -1})).reshape(shape);
    for (size_t i = 0; i < n; ++i) y = y.narrow(static_cast<int64_t>(i) + 2, pads.empty() ? 0 : pads[i], size[i]);
    f.set(0, y);
  });
}

}  // namespace

std::vector<LoweringDef> index_lowerings() {
  return {
      {"Slice", lower_slice},
      {"Gather", lower_gather},
      {"GatherElements", lower_gather_elements},
      {"GatherND", lower_gather_nd},
      {"Scatter", lower_scatter_elements},
      {"ScatterElements", lower_scatter_elements},
      {"ScatterND", lower_scatter_nd},
      {"TensorScatter", lower_tensor_scatter},
      {"OneHot", lower_one_hot},
      {"NonZero", lower_unary<[](const Tensor& x) { return at::nonzero(x).t(); }>},
      {"TopK", lower_top_k},
      {"CumSum", lower_cumulative<false>},
      {"CumProd", lower_cumulative<true>},
      {"Trilu", lower_trilu},
      {"ReverseSequence", lower_reverse_sequence},
      {"Compress", lower_compress},
      {"Unique", lower_unique},
      {"NonMaxSuppression", lower_nms},
      {"CenterCropPad", lower_center_crop_pad},
      {"Col2Im", lower_col2im},
  };
}

}  // namespace hone::train
