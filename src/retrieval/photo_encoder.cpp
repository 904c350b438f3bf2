#include "retrieval/photo_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "data/archive.h"
#include "data/resize.h"
#include "retrieval/parts.h"

namespace hone {

namespace {

class Encoder final : public PhotoEncoder {
 public:
  Encoder(InputStyle style, int64_t side, int64_t batch, int threads, std::unique_ptr<EngineSession> session)
      : style_(std::move(style)), side_(side), batch_(batch), threads_(threads), session_(std::move(session)), dim_(session_->outputs()[0].type.shape.back()) {}

  int64_t batch() const override { return batch_; }
  int64_t dim() const override { return dim_; }

  Result<std::vector<float>> embed(std::span<const Image> photos) override {
    if (static_cast<int64_t>(photos.size()) > batch_) return fail(Code::usage, fmt::format("{} photos at once, the session takes {}", photos.size(), batch_));
    HONE_TRY_ASSIGN(void* const input, session_->input_buffer(0));
    auto* const pictures = static_cast<float*>(input);
    // Rows that are left over keep what was in them: each row's answer is its own.
    in_parts(static_cast<int64_t>(photos.size()), threads_, [&](int, int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        const Image& photo = photos[static_cast<size_t>(i)];
        float* const out = pictures + i * 3 * side_ * side_;
        if (photo.width == side_ && photo.height == side_) photo_input(photo, false, style_, out, Layout::nchw);
        else photo_input(resize(photo, static_cast<int>(side_), static_cast<int>(side_)), false, style_, out, Layout::nchw);
      }
    }, 1);
    HONE_TRY(session_->again());
    HONE_TRY_ASSIGN(const void* const output, session_->output_buffer(0));
    const auto* const rows = static_cast<const float*>(output);
    return std::vector<float>(rows, rows + static_cast<int64_t>(photos.size()) * dim_);
  }

 private:
  InputStyle style_;
  int64_t side_, batch_;
  int threads_;
  std::unique_ptr<EngineSession> session_;
  int64_t dim_;
};

bool is_photo(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name.ends_with(".png") || name.ends_with(".jpg") || name.ends_with(".jpeg");
}

}  // namespace

StoreFacts facts_of(const SketchRun& run, const std::string& photos) {
  return {run.graph.value(run.graph.outputs[0]).type.shape.back(), run.path, run.sha256, run.net, photos, run.side()};
}

Result<std::vector<Photo>> open_gallery(const std::string& photos, const SketchData& data) {
  std::vector<Photo> out;
  if (photos.starts_with("data:")) {
    const std::string wanted = photos.substr(5);
    HONE_TRY_ASSIGN(const SketchPhotoSet set, open_set(data));
    const Splits splits = split(set, data.validation, data.split_seed);
    if (wanted == "all") return set.photos;
    const auto* items = wanted == "train" ? &splits.train : wanted == "validation" ? &splits.validation : wanted == "test" ? &splits.test : nullptr;
    if (!items) return fail(Code::usage, fmt::format("there is no split '{}'", wanted), photos, "train, validation, test or all");
    for (uint32_t p : set.gallery(*items)) out.push_back(set.photos[p]);
    return out;
  }
  HONE_TRY_ASSIGN(const std::shared_ptr<const Archive> files, Archive::open(photos));
  for (size_t f = 0; f < files->files().size(); ++f) {
    const std::string& name = files->files()[f].name;
    if (!is_photo(name)) continue;
    out.push_back({name, "", [files, f]() -> Result<Image> {
                     HONE_TRY_ASSIGN(const Bytes bytes, files->read(f));
                     return decode_image({bytes.data, bytes.size}, files->full_name(f));
                   }});
  }
  if (out.empty()) return fail(Code::invalid, "there is no .png or .jpg photo in it", photos);
  return out;
}

Result<std::unique_ptr<PhotoEncoder>> PhotoEncoder::open(const SketchRun& run, Engine& engine, int64_t batch, int threads) {
  if (batch < 1 || batch > 1024) return fail(Code::usage, fmt::format("{} photos at once cannot be", batch), {}, "1 to 1024");
  HONE_TRY_ASSIGN(const Graph graph, run.at(run.side(), batch));
  EngineOptions options;
  options.threads = threads;
  HONE_TRY_ASSIGN(std::unique_ptr<EngineSession> session, engine.load(graph, options));
  return std::make_unique<Encoder>(run.options.style, run.side(), batch, threads, std::move(session));
}

}  // namespace hone
