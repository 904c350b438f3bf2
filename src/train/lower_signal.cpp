// Spectra. The last dimension holds real and imaginary parts.
#include <cmath>

#include "train/lower.h"

namespace hone::train {

namespace {

using at::Tensor;

// 1 or 2 numbers in the last dimension -> complex.
Tensor to_complex(const Tensor& x) { return x.size(-1) == 2 ? at::view_as_complex(x.contiguous()) : at::complex(x.select(-1, 0), at::zeros_like(x.select(-1, 0))); }

// x, [length], [axis]
Result<Step> lower_dft(const Lowering& c) {
  const bool inverse = c.attrs().integer("inverse", 0) != 0, onesided = c.attrs().integer("onesided", 0) != 0;
  return Step([inverse, onesided, length = IntsOperand(c, 1), axes = IntsOperand(c, 2)](Frame& f) {
    const Tensor& x = f[0];
    const Ints n = length(f), at_ = axes(f);
    const int64_t axis = wrap(at_.empty() ? -2 : at_[0], x.dim());
    int64_t size = x.size(axis);
    if (!n.empty()) size = n[0];
    else if (inverse && onesided) size = 2 * (size - 1);
    if (inverse && onesided) return f.set(0, at::fft_irfft(to_complex(x), size, axis).unsqueeze(-1));
    if (onesided && x.size(-1) == 1) return f.set(0, at::view_as_real(at::fft_rfft(x.select(-1, 0), size, axis)));
    Tensor y = inverse ? at::fft_ifft(to_complex(x), size, axis) : at::fft_fft(to_complex(x), size, axis);
    if (onesided) y = y.narrow(axis, 0, y.size(axis) / 2 + 1);
    f.set(0, at::view_as_real(y.contiguous()));
  });
}

// signal (batch x length x 1 or 2), step, [window], [frame length]
Result<Step> lower_stft(const Lowering& c) {
  const bool onesided = c.attrs().integer("onesided", 1) != 0;
  return Step([onesided, step = IntsOperand(c, 1), length = IntsOperand(c, 3)](Frame& f) {
    const Tensor x = f[0].dim() == 2 ? f[0].unsqueeze(-1) : f[0];
    const Ints given = length(f);
    const int64_t n = given.empty() ? f[2].size(0) : given[0];
    Tensor frames = x.unfold(1, n, step(f)[0]);  // batch x frames x parts x n
    if (f.has(2)) {
      // A window shorter than the frame stands in its middle.
      const int64_t more = n - f[2].size(0), before = more / 2;
      frames = frames * (more > 0 ? at::constant_pad_nd(f[2], {before, more - before}, 0) : f[2]);
    }
    const Tensor parts = frames.transpose(2, 3);
    Tensor y = onesided && x.size(-1) == 1 ? at::fft_rfft(parts.select(-1, 0), n, 2) : at::fft_fft(to_complex(parts), n, 2);
    if (onesided && x.size(-1) != 1) y = y.narrow(2, 0, n / 2 + 1);
    f.set(0, at::view_as_real(y.contiguous()));
  });
}

// Triangular filters equally spaced on the mel scale, 2595 log10(1 + f / 700); edges fall on whole bins, as ONNX has it.
// bands, transform length, sample rate, lowest and highest frequency -> bins x bands
Result<Step> lower_mel(const Lowering& c) {
  HONE_TRY_ASSIGN(const at::ScalarType type, c.dtype("output_datatype", DType::f32));
  return Step([type](Frame& f) {
    const int64_t bands = f[0].item<int64_t>(), length = f[1].item<int64_t>(), rate = f[2].item<int64_t>(), bins = length / 2 + 1;
    const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
    const double low = mel(f[3].to(at::kDouble).item<double>()), high = mel(f[4].to(at::kDouble).item<double>()), step = (high - low) / static_cast<double>(bands + 2);
    const auto edge = [&](int64_t i) {
      const double hertz = 700 * (std::pow(10.0, (low + step * static_cast<double>(i)) / 2595) - 1);
      return static_cast<int64_t>(std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate)));
    };
    Tensor y = at::zeros({bins, bands}, at::kDouble);
    auto v = y.accessor<double, 2>();
    const auto put = [&](int64_t bin, int64_t band, double value) {
      if (bin >= 0 && bin < bins) v[bin][band] = value;
    };
    for (int64_t b = 0; b < bands; ++b) {
      const int64_t begin = edge(b), centre = edge(b + 1), end = edge(b + 2);
      if (begin == centre) put(centre, b, 1);
      for (int64_t j = begin; begin != centre && j <= centre; ++j) put(j, b, static_cast<double>(j - begin) / static_cast<double>(centre - begin));
      for (int64_t j = centre; j < end; ++j) put(j, b, static_cast<double>(end - j) / static_cast<double>(end - centre));
    }
    f.set(0, y.to(type));
  });
}

}  // namespace

std::vector<LoweringDef> signal_lowerings() {
  return {{"DFT", lower_dft}, {"STFT", lower_stft}, {"MelWeightMatrix", lower_mel}};
}

}  // namespace hone::train
