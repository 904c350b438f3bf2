// Captions and pictures (Flickr30K, COCO; ViLT's and METER's "irtr"): a picture's own caption among captions of other pictures.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "methods/skip/recall.h"
#include "methods/skip/source.h"

namespace hone::methods {

namespace {

class RetrievalSource final : public ExampleSource {
 public:
  RetrievalSource(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) : o_(o), data_(std::move(data)), seed_(seed) {}

  void shape(Arch& arch) const override {
    arch.head.classes = 1;
    data_.shape(arch, o_.text_length);
  }
  Bindings bindings(int64_t batch) const override {
    Bindings b;
    b.batch = batch;
    return b;
  }
  Status fit(const Graph& g) override {
    HONE_TRY_ASSIGN(inputs_, QuestionInputs::of(g, *data_.set));
    const Shape& out = g.value(g.outputs[0]).type.shape;
    if (out.size() != 2 || out[1] != 1) return fail(Code::invalid, fmt::format("gives {}, expected one score of a text and a picture", to_string(out)), g.name, "networks for captions are called -retrieval");
    HONE_TRY_ASSIGN(QuestionBatches batches, inputs_.batches(data_, "learnt", o_, o_.batch, true, seed_, static_cast<int>(o_.false_texts)));
    learnt_.emplace(std::move(batches));
    return {};
  }
  int64_t steps_per_epoch() const override { return learnt_->steps_per_epoch(); }
  int64_t batch() const override { return o_.batch; }
  int64_t val_batch() const override { return std::max<int64_t>(1, o_.val_batch / (1 + o_.false_texts)); }
  std::string unit() const override { return "captions"; }

  Result<Examples> next(int64_t step, int64_t micro, int64_t micros) override {
    if (o_.batch % micros) return fail(Code::usage, fmt::format("a batch of {} cannot be cut into {} equal micro-batches", o_.batch, micros), "data.batch", "choose a multiple of ranks and train.accumulate");
    HONE_TRY_ASSIGN(const auto batch, learnt_->at(step));
    const int64_t size = o_.batch / micros;
    return examples(*batch, micro * size, size);
  }
  Result<int64_t> size(const std::string& split) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    return static_cast<int64_t>(found->questions.size());
  }
  Result<Examples> of(const std::string& split, int64_t first, int64_t count) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    auto at = fixed_.find({found->name, count});
    if (at == fixed_.end()) {
      HONE_TRY_ASSIGN(QuestionBatches made, inputs_.batches(data_, found->name, o_, count, false, 0, static_cast<int>(o_.false_texts)));
      at = fixed_.emplace(std::pair(found->name, count), std::move(made)).first;
    }
    QuestionBatch batch;
    HONE_TRY(at->second(first / count % at->second.steps_per_epoch(), batch));  // the same false captions whenever it is asked for
    return examples(batch, 0, count);
  }
  Result<train::Metrics> measures(const std::string& split, const std::vector<int64_t>& chosen) override {
    HONE_TRY_ASSIGN(const int64_t n, size(split));
    return train::Metrics{{fmt::format("caption among {}", 1 + o_.false_texts), static_cast<double>(std::ranges::count(chosen, 0)) / static_cast<double>(n)}};
  }
  Result<std::optional<PairSet>> pairs(const std::string& split) override {
    HONE_TRY_ASSIGN(const QuestionSet::Split* found, named(split));
    PairSet out;
    std::map<uint32_t, uint32_t> places;
    auto pictures = std::make_shared<std::vector<uint32_t>>();  // a caption of each
    auto captions = std::make_shared<std::vector<uint32_t>>(found->questions);
    for (uint32_t q : *captions) {
      const auto [at, fresh] = places.emplace(data_.set->questions[q].images[0], static_cast<uint32_t>(pictures->size()));
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
        HONE_TRY_ASSIGN(const Image image, data_.set->images[data_.set->questions[(*pictures)[static_cast<size_t>(first + i)]].images[0]].load());
        place(inputs_.transform, hone::fit(inputs_.transform, image), inputs_.width, inputs_.height, x.mutable_data_ptr<float>() + i * x.stride(0));
      }
      return std::vector<at::Tensor>{x};
    };
    out.load_texts = [this, captions](int64_t first, int64_t count) -> Result<std::vector<at::Tensor>> {
      std::vector<int32_t> ids(static_cast<size_t>(o_.text_length));
      std::vector<uint8_t> mask(ids.size());
      at::Tensor all = at::empty({count, o_.text_length}, at::kLong), ones = at::empty_like(all);
      for (int64_t i = 0; i < count; ++i) {
        data_.tokenizer->encode_row(data_.set->questions[(*captions)[static_cast<size_t>(first + i)]].text, o_.text_length, ids.data(), mask.data());
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

  DataFacts facts() const override { return data_.facts(o_); }
  Status agree(const std::string& weights, const NamedTensors& tensors) const override { return data_.agree(weights, tensors); }
  int64_t begin_token() const override { return data_.tokenizer->special().begin; }
  std::vector<std::string> notes() const override { return data_.notes(); }
  std::vector<std::pair<std::string, std::string>> files() const override { return data_.files(); }

 private:
  Result<const QuestionSet::Split*> named(const std::string& split) const { return data_.named(split); }

  // Rows: the captions of the first picture, its own first, then those of the second ... A batch that is shorter than `first +
  // count` repeats its last picture.
  Examples examples(const QuestionBatch& b, int64_t first, int64_t count) const {
    const int64_t n = static_cast<int64_t>(b.questions.size()), texts = 1 + o_.false_texts;
    const at::Tensor which = (at::arange(count) + first).clamp_max(n - 1);
    const auto rows = [&](const at::Tensor& t) { return t.index_select(0, which).flatten(0, 1); };
    const at::Tensor images = images_of(b).index_select(0, which.repeat_interleave(texts));
    return {inputs_.order(rows(ids_of(b, o_.text_length)), rows(mask_of(b, o_.text_length)), images), at::zeros({count}, at::kLong), texts};
  }

  QuestionTrainOptions o_;
  QuestionData data_;
  uint64_t seed_;
  QuestionInputs inputs_;
  std::map<std::pair<std::string, int64_t>, QuestionBatches> fixed_;
  std::optional<QuestionFeed> learnt_;
};

}  // namespace

std::unique_ptr<ExampleSource> retrieval_source(const QuestionTrainOptions& o, QuestionData data, uint64_t seed) {
  return std::make_unique<RetrievalSource>(o, std::move(data), seed);
}

}  // namespace hone::methods
