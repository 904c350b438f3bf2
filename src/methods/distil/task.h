// Training of a sketch encoder as a Task of the loop: Siamese triplets, and a teacher's knowledge if there is one.
//
//   loss = mean over canvases of lambda * triplet + (1 - lambda) * knowledge            (spec of the sketch method, 2.1)
//
// The photos of a batch are embedded once, the sketches at every canvas. Everything random about a sample is a function of
// (seed, step, position in the batch).
#pragma once

#include <array>
#include <future>
#include <memory>
#include <optional>

#include "methods/distil/encoder.h"
#include "methods/distil/options.h"
#include "train/loop.h"

namespace hone::methods {

// Teacher's embeddings of the training split at full size, [mirrored] x rows, in the order of items and photos.
struct TeacherMemory {
  at::Tensor sketches[2], photos[2];  // rows by position in Splits::train, and by position in the photo list
};

// A teacher that looks at every step's own pictures, drawn in its own style and size.
struct WatchingTeacher {
  Encoder encoder;
  PhotoCache cache;                   // photos at its side
};

class SketchTask final : public train::Task {
 public:
  // `run` keeps the teacher's embeddings between processes; 
  static Result<std::unique_ptr<SketchTask>> make(const SketchOptions& options, const train::Compute& compute, const std::string& run);
  ~SketchTask() override;

  train::Params& params() override { return encoder_.params(); }
  int64_t steps_per_epoch() const override;
  int64_t samples_per_step() const override { return options_.batch; }
  Result<train::Losses> forward(int64_t step, int64_t micro, int64_t micros) override;
  Result<train::Metrics> validate(const train::Params& params) override;
  std::string watched() const override { return "mrr"; }
  std::string unit() const override { return "sketches"; }
  std::vector<DataFacts> data() const override;
  std::vector<std::string> notes() const override;

  const Encoder& encoder() const { return encoder_; }
  const SketchPhotoSet& set() const { return set_; }
  const Splits& splits() const { return splits_; }

 private:
  struct Batch {
    std::vector<uint32_t> photo;                    // of each row
    std::vector<int64_t> item, positive, negative;  // positions in the splits; `negative` is another photo's, or another row
    std::vector<bool> mirror;
    at::Tensor photos;                              // positives, then negatives where they are photos of their own
    std::vector<at::Tensor> sketches;               // by canvas
    at::Tensor teacher_pictures;                    // of a teacher that watches: photos as above, then sketches
  };
  // The teacher's vectors of a batch's rows; negatives where rows have photos of their own.
  struct Taught {
    at::Tensor sketches, photos, negatives;
  };
  SketchTask() = default;
  // Part `micro` of `micros` of a step's batch.
  using Key = std::array<int64_t, 3>;  // step, micro, micros
  Result<Batch> draw_batch(const Key& key) const;
  Status remember_teacher(const std::string& run);
  // Every photo of the batch counts for every sketch, in the loss and in what is learned from a teacher.
  bool all_pairs() const { return options_.negatives == Negatives::batch_all || options_.negatives == Negatives::softmax; }
  bool taught() const { return teacher_ || watching_; }
  Result<Taught> teach(const Batch& batch) const;
  at::Tensor knowledge(const at::Tensor& sketch, const at::Tensor& positive, const at::Tensor& negative, const Taught& taught, const Batch& batch) const;

  SketchOptions options_;
  train::Compute compute_;
  SketchPhotoSet set_;
  Splits splits_;
  std::vector<uint32_t> photos_;                 // of the training split
  std::map<uint32_t, int64_t> photo_position_;   // in photos_
  Encoder encoder_;
  PhotoCache cache_;
  std::optional<TeacherMemory> teacher_;         // either
  std::optional<WatchingTeacher> watching_;      // or
  std::future<Result<Batch>> next_;              // the batch after the last one, drawn while the network computes
  Key next_key_{-1, 0, 1};
};

}  // namespace hone::methods
