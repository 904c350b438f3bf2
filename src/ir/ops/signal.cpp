// Spectra: Fourier transforms of whole signals and of frames, and the matrix that maps a spectrum to mel bands.
#include "ir/ops/common.h"

namespace hone::ops {

namespace {

// The one number of input i; nothing when it is left out or not known.
std::optional<int64_t> number(const InferContext& c, size_t i) {
  if (!c.has_input(i)) return std::nullopt;
  const auto v = known_ints(c, i);
  return v && v->size() == 1 ? std::optional((*v)[0]) : std::nullopt;
}

// Bins of a transform of n real numbers that are not mirrored.
Dim one_sided(Dim n) { return n < 0 ? kUnknown : n / 2 + 1; }

// x: signal dimensions, then 1 (real) or 2 (complex). One-sided: n / 2 + 1 bins forwards; back from those, a real
// signal of 2 (bins - 1) numbers unless dft_length says otherwise.
Status infer_dft(InferContext& c) {
  HONE_TRY_ASSIGN(Shape out, ranked(c, 0, 2));
  const bool inverse = c.attrs().integer("inverse", 0) != 0, onesided = c.attrs().integer("onesided", 0) != 0;
  const auto axis_given = c.has_input(2) ? number(c, 2) : std::optional<int64_t>(-2);
  const Dim parts = onesided && inverse ? 1 : 2;
  if (!axis_given) {
    out.assign(out.size(), kUnknown);
    out.back() = parts;
    c.set_output(0, {c.input(0).dtype, std::move(out)});
    return {};
  }
  HONE_TRY_ASSIGN(const int64_t axis, axis_in(c, *axis_given, out.size()));
  if (axis + 1 == static_cast<int64_t>(out.size())) return c.fail("the last dimension holds real and imaginary parts, it is no axis to transform");
  Dim& d = out[static_cast<size_t>(axis)];
  Dim length = d;
  if (c.has_input(1)) length = number(c, 1).value_or(kUnknown);
  else if (onesided && inverse && d >= 1) {
    const auto twice = checked_mul(d - 1, 2);
    if (!twice) return c.fail("the signal's length does not fit 64 bits");
    length = *twice;
  }
  if (length < kUnknown) return c.fail(fmt::format("dft_length is {}", length));
  d = onesided && !inverse ? one_sided(length) : length;
  out.back() = parts;
  c.set_output(0, {c.input(0).dtype, std::move(out)});
  return {};
}

// signal [batch, length, 1 or 2], frame_step, [window], [frame_length] -> [batch, frames, bins, 2]
Status infer_stft(InferContext& c) {
  HONE_TRY_ASSIGN(const Shape x, ranked(c, 0, 2));
  if (x.size() > 3) return c.fail(fmt::format("the signal is {}, expected batch x length x 1 or 2", to_string(x)));
  const auto step = number(c, 1);
  if (step && *step < 1) return c.fail(fmt::format("frame_step is {}", *step));
  Dim length = x[1];
  if (c.has_input(3)) length = number(c, 3).value_or(kUnknown);
  else if (c.has_input(2)) length = c.input(2).ranked && c.input(2).shape.size() == 1 ? c.input(2).shape[0] : kUnknown;
  if (length == 0 || length < kUnknown) return c.fail(fmt::format("frames of {} samples", length));
  Dim frames = kUnknown;
  if (step && length > 0 && x[1] >= 0) {
    if (x[1] < length) return c.fail(fmt::format("a frame of {} samples is longer than the signal, {}", length, x[1]));
    frames = (x[1] - length) / *step + 1;
  }
  c.set_output(0, {c.input(0).dtype, {x[0], frames, c.attrs().integer("onesided", 1) ? one_sided(length) : length, 2}});
  return {};
}

// num_mel_bins, dft_length, sample_rate, lower_edge_hertz, upper_edge_hertz -> [dft_length / 2 + 1, num_mel_bins]
Status infer_mel(InferContext& c) {
  const auto bands = number(c, 0), length = number(c, 1);
  if ((bands && *bands < 0) || (length && *length < 0)) return c.fail("a negative size");
  const int64_t type = c.attrs().integer("output_datatype", 1);
  if (type < 1 || type >= kDTypeCount) return c.fail(fmt::format("{} is not an element type", type));
  c.set_output(0, {static_cast<DType>(type), {one_sided(length.value_or(kUnknown)), bands.value_or(kUnknown)}});
  return {};
}

std::vector<Sample> dft_samples() {
  Sample s{.label = "real, one-sided", .inputs = {f32({2, 10, 1})}};
  s.attrs = {{"onesided", int64_t{1}}};
  s.outputs = {f32({2, 6, 2})};
  Sample back{.label = "back to real", .inputs = {f32({2, 6, 2})}};
  back.attrs = {{"inverse", int64_t{1}}, {"onesided", int64_t{1}}};
  back.outputs = {f32({2, 10, 1})};
  Sample padded{.label = "padded to 16 along axis 0", .inputs = {f32({10, 3, 2}), i64({}), i64({})}, .contents = {std::nullopt, whole(16), whole(0)}};
  padded.outputs = {f32({16, 3, 2})};
  return {s, back, padded};
}
std::vector<Sample> stft_samples() {
  Sample s{.label = "frames of 16 every 8", .inputs = {f32({1, 128, 1}), i64({}), none(), i64({})}, .contents = {std::nullopt, whole(8), std::nullopt, whole(16)}};
  s.outputs = {f32({1, 15, 9, 2})};
  return {s};
}
std::vector<Sample> mel_samples() {
  Sample s{.label = "8 bands", .inputs = {i64({}), i64({}), i64({}), f32({}), f32({})}, .contents = {whole(8), whole(16)}};
  s.outputs = {f32({9, 8})};
  return {s};
}

}  // namespace

std::vector<OpDef> signal_ops() {
  return {
      {"DFT", 1, 3, 1, 1, {{"inverse", AttrKind::integer}, {"onesided", AttrKind::integer}}, infer_dft, nullptr, dft_samples},
      {"STFT", 2, 4, 1, 1, {{"onesided", AttrKind::integer}}, infer_stft, nullptr, stft_samples},
      {"MelWeightMatrix", 5, 5, 1, 1, {{"output_datatype", AttrKind::integer}}, infer_mel, nullptr, mel_samples},
  };
}

}  // namespace hone::ops
