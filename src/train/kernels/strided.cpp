#include "train/kernels/strided.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>

#include "train/kernels/simd.h"

namespace hone::train {

namespace {

constexpr int kDims = 4;             // that are left after those that lie one behind the other are joined
constexpr int64_t kBlock = 1 << 14;  // numbers that one piece of work covers, unless a row of it has more

struct Loop {
  float* to = nullptr;
  const float* from = nullptr;
  std::array<int64_t, kDims> sizes{1, 1, 1, 1}, to_strides{}, from_strides{};  // outermost first
};

template <bool Add>
struct Row {
  static HONE_INLINE void run(float* to, const float* from, int64_t n) {
    HONE_VECTOR
    for (int64_t i = 0; i < n; ++i) to[i] = Add ? to[i] + from[i] : from[i];
  }
};

// The pair's dimensions, the widest steps of `to` first, those of one number left out and neighbours joined where both tensors
// allow it. False for more than kDims.
bool loop_of(const StridedPair& pair, Loop& loop) {
  struct Dim {
    int64_t size, to, from;
  };
  c10::SmallVector<Dim, 6> dims;
  for (int64_t d = 0; d < pair.to.dim(); ++d)
    if (pair.to.size(d) != 1) dims.push_back({pair.to.size(d), pair.to.stride(d), pair.from.stride(d)});
  std::stable_sort(dims.begin(), dims.end(), [](const Dim& a, const Dim& b) { return a.to > b.to; });
  size_t used = 0;
  for (const Dim& d : dims) {
    if (used > 0 && dims[used - 1].to == d.to * d.size && dims[used - 1].from == d.from * d.size) {
      dims[used - 1] = {dims[used - 1].size * d.size, d.to, d.from};
      continue;
    }
    dims[used++] = d;
  }
  if (used > kDims) return false;
  loop.to = pair.to.mutable_data_ptr<float>();
  loop.from = pair.from.const_data_ptr<float>();
  for (size_t d = 0; d < used; ++d) {
    const size_t at = kDims - used + d;
    loop.sizes[at] = dims[d].size;
    loop.to_strides[at] = dims[d].to;
    loop.from_strides[at] = dims[d].from;
  }
  if (used == 0) loop.to_strides[kDims - 1] = loop.from_strides[kDims - 1] = 1;
  return true;
}

// Cut along its outermost dimension of more than one element, or along the row that is all there is.
void cut(const Loop& loop, std::vector<Loop>& pieces) {
  const auto d = static_cast<size_t>(std::ranges::find_if(loop.sizes, [](int64_t n) { return n > 1; }) - loop.sizes.begin());
  if (d == kDims) return pieces.push_back(loop);
  int64_t inside = 1;
  for (size_t k = d + 1; k < kDims; ++k) inside *= loop.sizes[k];
  const int64_t step = std::max<int64_t>(1, kBlock / inside);
  for (int64_t i = 0; i < loop.sizes[d]; i += step) {
    Loop piece = loop;
    piece.to += i * loop.to_strides[d];
    piece.from += i * loop.from_strides[d];
    piece.sizes[d] = std::min(step, loop.sizes[d] - i);
    pieces.push_back(piece);
  }
}

template <bool Add>
void run(const Loop& l) {
  const bool rows = l.to_strides[3] == 1 && l.from_strides[3] == 1;
  for (int64_t i = 0; i < l.sizes[0]; ++i)
    for (int64_t j = 0; j < l.sizes[1]; ++j)
      for (int64_t k = 0; k < l.sizes[2]; ++k) {
        float* to = l.to + i * l.to_strides[0] + j * l.to_strides[1] + k * l.to_strides[2];
        const float* from = l.from + i * l.from_strides[0] + j * l.from_strides[1] + k * l.from_strides[2];
        if (rows && l.sizes[3] >= 16) {
          simd::run<Row<Add>>(to, from, l.sizes[3]);
          continue;
        }
        for (int64_t n = 0; n < l.sizes[3]; ++n, to += l.to_strides[3], from += l.from_strides[3]) *to = Add ? *to + *from : *from;
      }
}

template <bool Add>
void run_all(const std::vector<StridedPair>& pairs) {
  std::vector<Loop> pieces;
  pieces.reserve(pairs.size() * 2);
  for (const StridedPair& pair : pairs) {
    if (pair.to.numel() == 0) continue;
    if (Loop loop; loop_of(pair, loop)) cut(loop, pieces);
    else if constexpr (Add) pair.to.add_(pair.from);
    else pair.to.copy_(pair.from);
  }
  at::parallel_for(0, static_cast<int64_t>(pieces.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) run<Add>(pieces[static_cast<size_t>(i)]);
  });
}

}  // namespace

void copy_all(const std::vector<StridedPair>& pairs) { run_all<false>(pairs); }
void add_all(const std::vector<StridedPair>& pairs) { run_all<true>(pairs); }

}  // namespace hone::train
