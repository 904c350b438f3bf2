// Captions and pictures (Flickr30K, COCO; ViLT's and METER's "irtr"): a picture's own caption among captions of other pictures.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "methods/skip/recall.h"
#include "methods/skip/text_source.h"

namespace hone::methods {

namespace {

class RetrievalSource final : public TextSource {
 public:
  using TextSource::TextSource;

  Status shape(Arch& arch) const override {
    arch.head.classes = 1;
    return data_.shape(arch, o_.text_length);
  }
  Status fit(const Graph& g) override {
    HONE_TRY_ASSIGN(inputs_, QuestionInputs::of(g, set()));
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != 1) return fail(Code::invalid, fmt::format("gives {}, expected one score of a text and a picture", to_string(out)), g.name, "networks for captions are called -retrieval");
    return open_batches(static_cast<int>(o_.false_texts));
  }
  int64_t val_batch() const override { return std::max<int64_t>(1, o_.val_batch / (1 + o_.false_texts)); }
  std::string unit() const override { return "captions"; }

  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    HONE_TRY_ASSIGN(const int64_t size, part_size(micros));
    HONE_TRY_ASSIGN(const auto batch, learnt_->at(step));
    return examples(*batch, micro * size, size);
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    HONE_TRY_ASSIGN(const QuestionBatch batch, fixed(split, first, count));
    return examples(batch, 0, count);
  }
  Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const int64_t n, size(split));
    return train::Metrics{{fmt::format("caption among {}", 1 + o_.false_texts), static_cast<double>(std::ranges::count(chosen, 0)) / static_cast<double>(n)}};
  }
  Result<std::optional<PairSet>> pairs(const std::string& split) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, data_.named(split));
    PairSet out;
    std::map<uint32_t, uint32_t> places;
    auto pictures = std::make_shared<std::vector<uint32_t>>();  // a caption of each
    auto captions = std::make_shared<std::vector<uint32_t>>(found->questions);
    for (uint32_t q : *captions) {
      const auto [at, fresh] = places.emplace(set().questions[q].images[0], static_cast<uint32_t>(pictures->size()));
      if (fresh) pictures->push_back(q);
      out.picture_of.push_back(at->second);
    }
    out.pictures = static_cast<int64_t>(pictures->size());
    out.picture_inputs = {"pixel_values"};
    for (const std::string& n : inputs_.names)
      if (n != "pixel_values") out.text_inputs.push_back(n);
    out.load_pictures = [this, pictures](int64_t first, int64_t count) -> Result<std::vector<at::Tensor>> {
      at::Tensor x = at::empty({count, 3, inputs_.height, inputs_.width});
      for (int64_t i = 0; i < count; ++i) {
        HONE_TRY_ASSIGN(const Image image, set().images[set().questions[(*pictures)[static_cast<size_t>(first + i)]].images[0]].load());
        place(inputs_.transform, hone::fit(inputs_.transform, image), inputs_.width, inputs_.height, x.mutable_data_ptr<float>() + i * x.stride(0));
      }
      return std::vector<at::Tensor>{x};
    };
    out.load_texts = [this, captions](int64_t first, int64_t count) -> Result<std::vector<at::Tensor>> {
      std::vector<int32_t> ids(static_cast<size_t>(o_.text_length));
      std::vector<uint8_t> mask(ids.size());
      at::Tensor all = at::empty({count, o_.text_length}, at::kLong), ones = at::empty_like(all);
      for (int64_t i = 0; i < count; ++i) {
        data_.tokenizer->encode_row(set().questions[(*captions)[static_cast<size_t>(first + i)]].text, o_.text_length, ids.data(), mask.data());
        std::ranges::copy(ids, all.mutable_data_ptr<int64_t>() + i * o_.text_length);
        std::ranges::copy(mask, ones.mutable_data_ptr<int64_t>() + i * o_.text_length);
      }
      std::vector<at::Tensor> out;
      for (const std::string& n : inputs_.names)
        if (n != "pixel_values") out.push_back(n == "input_ids" ? all : ones);
      return out;
    };
    return out;
  }

 private:
  // Rows: the captions of the first picture, its own first, then those of the second ... A batch that is shorter than `first +
  // count` repeats its last picture.
  Examples examples(const QuestionBatch& b, int64_t first, int64_t count) const {
    const int64_t n = static_cast<int64_t>(b.questions.size()), texts = 1 + o_.false_texts;
    const at::Tensor which = (at::arange(count) + first).clamp_max(n - 1);
    const auto rows = [&](const at::Tensor& t) { return t.index_select(0, which).flatten(0, 1); };
    const at::Tensor images = images_of(b).index_select(0, which.repeat_interleave(texts));
    return {inputs_.order(rows(ids_of(b, o_.text_length)), rows(mask_of(b, o_.text_length)), images), at::zeros({count}, at::kLong), texts};
  }
};

}  // namespace

std::unique_ptr<ExampleSource> retrieval_source(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) {
  return std::make_unique<RetrievalSource>(o, std::move(data), seed);
}

}  // namespace hone::methods
