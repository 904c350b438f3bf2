#include "methods/distil/trained.h"

namespace hone::methods {

Result<TrainedEncoder> open_trained(const std::string& path) {
  TrainedEncoder out;
  HONE_TRY_ASSIGN(out.run, open_sketch_run(path));
  EncoderOptions network = out.run.options;
  network.weights.clear();  // the checkpoint holds every tensor
  HONE_TRY_ASSIGN(out.encoder, Encoder::make(network, 0));
  HONE_TRY_ASSIGN(const auto report, out.encoder.params().load(out.encoder.graph(), out.run.tensors, true, false));
  (void)report;
  out.encoder.params() = out.encoder.params().clone();
  return out;
}

}  // namespace hone::methods
