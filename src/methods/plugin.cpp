// The entry of libhone_train.so for `hone train` (train/plugin_api.h).
#include "methods/tasks.h"
#include "train/plugin_api.h"

namespace hone::methods {

namespace {

Result<train::TrainReply> run(const train::TrainRequest& request) {
  train::TrainReply reply;
  if (request.frozen_only) {
    HONE_TRY_ASSIGN(reply.frozen, train::frozen_recipe(request.recipe, request.settings, tasks()));
    return reply;
  }
  HONE_TRY_ASSIGN(train::Trained trained, train::run_training(request.recipe, request.run, request.settings, tasks()));
  const train::Finished& f = trained.finished;
  return train::TrainReply{"", f.steps, f.best_step, f.stopped_early, trained.rank, trained.watched, f.best, f.last};
}

}  // namespace

}  // namespace hone::methods

extern "C" __attribute__((visibility("default"))) void hone_train_run(const hone::train::TrainRequest& request, hone::Result<hone::train::TrainReply>& reply) {
  reply = hone::methods::run(request);
}
