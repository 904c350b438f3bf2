// A trained supernet, opened for search, export and analysis (methods/plugin_api.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "methods/plugin_api.h"
#include "methods/supernet/calibrate.h"
#include "methods/supernet/options.h"
#include "methods/supernet/task.h"

namespace hone::methods {

class TrainedSupernet : public Supernet {
 public:
  static Result<std::unique_ptr<TrainedSupernet>> open(const SupernetRequest& request);

  const space::Space& space() const override { return store_->space(); }
  Result<MemberScore> score(const space::Member& member, const std::string& split) override;
  Result<Network> network(const space::Member& member) override;
  std::string weights() const override;
  Result<std::vector<space::Member>> bank() const override;

  Store& store() { return *store_; }
  const SupernetOptions& options() const { return options_; }
  // The run's sampler as it was when the checkpoint was written: its banks. Nothing for a run without levels.
  Result<Sampler> sampler() const;
  // The pictures of the run; read when they are first asked for.
  Result<const train::TrainingBatches*> training();

 private:
  struct Hash {
    size_t operator()(const space::Member& m) const { return static_cast<size_t>(space::hash(m)); }
  };
  Status open_data();
  Result<Calibrated> calibrated(const space::Member& member);
  Result<train::Batch> calibration_batch(int64_t index);
  Result<train::Batch> split_batch(const std::string& split, const std::vector<int64_t>& indices, int64_t index);

  SupernetRequest request_;
  std::string checkpoint_, sha256_;
  SupernetOptions options_;
  int64_t batches_ = 0;                // of calibration
  std::optional<Store> store_;
  bool data_open_ = false;
  train::LabelledSet set_;
  PictureSplit pictures_;
  // Batches as they were read, as long as they take up little memory.
  std::unordered_map<std::string, train::Batch> kept_;
  int64_t kept_bytes_ = 0;
  std::unordered_map<space::Member, std::vector<at::Tensor>, Hash> statistics_;   // buffers of calibrated members
  std::unordered_map<std::string, MemberScore> scores_;
  train::TrainingBatches training_;    // last: it reads the set
};

}  // namespace hone::methods
