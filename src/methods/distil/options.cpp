#include "methods/distil/options.h"

namespace hone::methods {

SketchOptions read_sketch_options(Recipe& r) {
  SketchOptions o;
  o.data = read_sketch_data(r);
  o.network = read_encoder(r, "network");
  o.freeze_norms = r.flag("network.freeze_norms", false, "BatchNorm uses its stored statistics in training, too");

  o.teacher = r.text("teacher.run", "", "run directory of the teacher; empty: no teacher");
  const std::string knowledge = r.text("distil.knowledge", o.teacher.empty() ? "none" : "relations", "what is learned from the teacher", {"none", "relations", "vectors", "rkd", "similarities"});
  o.knowledge = knowledge == "relations" ? Knowledge::relations : knowledge == "vectors" ? Knowledge::vectors : knowledge == "rkd" ? Knowledge::rkd : knowledge == "similarities" ? Knowledge::similarities : Knowledge::none;
  o.views = r.text("distil.views", "cached", "what the teacher looks at: every sketch and photo once; same: in each step what the student sees", {"cached", "same"}) == "same" ? TeacherViews::same : TeacherViews::cached;
  o.lambda = r.real("distil.lambda", 0.5, "total = lambda * triplet + (1 - lambda) * knowledge", 0, 1);
  o.huber_delta = r.real("distil.huber_delta", 1, "where the Huber loss turns linear", 1e-6);
  o.normalise_by_mean = r.flag("distil.normalise_by_mean", false, "relations: each side's distances by their own mean");
  o.distance_weight = r.real("distil.distance_weight", 1, "rkd: of the distance loss", 0);
  o.angle_weight = r.real("distil.angle_weight", 2, "rkd: of the angle loss", 0);
  o.vector_weight = r.real("distil.vector_weight", 1, "vectors: of the regression", 0);
  o.knowledge_temperature = r.real("distil.temperature", o.knowledge_temperature, "similarities: of the softmax over a batch's cosines", 1e-4, 100);

  o.batch = r.integer("sample.batch", 16, "triplets a step", 2, 4096);
  o.margin = r.real("sample.margin", 0.2, "of the triplet loss, on distances between 0 and 2", 0, 2);
  const std::string negatives = r.text("sample.negatives", "random", "the other photo of a triplet; softmax: all photos of the batch, by cross-entropy instead of triplets", {"random", "batch-random", "batch-hard", "batch-all", "softmax"});
  o.negatives = negatives == "random" ? Negatives::random : negatives == "batch-random" ? Negatives::batch_random : negatives == "batch-hard" ? Negatives::batch_hard : negatives == "batch-all" ? Negatives::batch_all : Negatives::softmax;
  if (o.negatives == Negatives::softmax) o.temperature = r.real("sample.temperature", o.temperature, "of the softmax over a batch's photos", 1e-4, 100);

  o.mirror = r.flag("augment.mirror", true, "sketch and photos together, half of the time");
  o.photo_crop = r.real("augment.photo_crop", 1, "photos show at least this share of their side", 0.1, 1);
  o.changes = read_sketch_changes(r);
  return o;
}

}  // namespace hone::methods
