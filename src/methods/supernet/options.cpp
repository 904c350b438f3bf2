#include "methods/supernet/options.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone::methods {

namespace {

constexpr double kMega = 1e6;

SamplerOptions read_sampler(Recipe& r, uint64_t seed) {
  SamplerOptions o;
  o.seed = seed;
  o.levels = r.text("step.kind", "levels", "levels: members of one complexity level and its smallest; sandwich: largest, uniform draws, smallest", {"levels", "sandwich"}) == "levels";
  o.members = r.integer("step.members", o.levels ? 3 : 2, "draws of a step, besides the largest or smallest", 1, 64);
  if (!o.levels) return o;
  const std::string walk = r.text("levels.walk", "adjacent_step", "adjacent_step: one level a step, next to the last; adjacent: a move before every member; random; cyclic", {"adjacent_step", "adjacent", "random", "cyclic"});
  o.mode = walk == "adjacent" ? LevelMode::adjacent : walk == "random" ? LevelMode::random : walk == "cyclic" ? LevelMode::cyclic : LevelMode::adjacent_step;
  o.banks = r.flag("banks.use", true, "remember each level's best members, and draw them again");
  if (!o.banks) return o;
  o.small_capacity = r.integer("banks.capacity", 150, "entries of a level's bank", 2, 1 << 20);
  o.large_from = static_cast<int64_t>(r.real("banks.large_from", 500, "MMACs from which a level counts as large", 0) * kMega);
  o.large_capacity = r.integer("banks.large_capacity", 50, "entries of a large level's bank", 2, 1 << 20);
  o.exploit.start = r.real("banks.q", 0.2, "probability of drawing from the bank, once it is more than half full", 0);
  o.exploit.increment = r.real("banks.q_increment", 0.15, "what it rises by at every mark", 0);
  o.exploit.marks = r.reals("banks.q_marks", {99, 199, 299, 399, 499, 599}, "epochs");
  const std::string draw = r.text("banks.draw", "weighted", "weighted: by softmax of quality / temperature", {"weighted", "uniform", "best"});
  o.draw = draw == "uniform" ? BankDraw::uniform : draw == "best" ? BankDraw::best : BankDraw::weighted;
  o.temperature = r.real("banks.temperature", 1, "of the weighted draw; qualities differ by tenths, so that 1 is nearly uniform", 1e-6);
  o.prefer_width = r.text("banks.preference", "width", "width: of several candidates the one that spends its cost on width rather than depth; none", {"width", "none"}) == "width";
  o.candidates = o.prefer_width ? r.integer("banks.candidates", 5, "that are compared", 1, 1000) : 1;
  return o;
}

// What the authors train with.
train::PictureOptions published_pictures() {
  train::PictureOptions o;
  o.batch = 96;
  o.augment.rand_augment.operations = 1;
  o.augment.rand_augment.magnitude = 1;
  o.augment.rand_augment.magnitude_std = 0.5;
  o.augment.rand_augment.list = RandAugmentList::timm;
  o.augment.erase = 0.01;
  o.augment.erase_with_noise = true;
  o.augment.filter = o.evaluate.filter = Filter::bicubic;
  o.mixup = o.cutmix = 0.01;
  return o;
}

}  // namespace

Result<space::Space> supernet_space(const SupernetOptions& o, int64_t classes) {
  HONE_TRY_ASSIGN(space::Space space, space::open_space(o.space_name));
  space.classes = classes;
  if (!o.levels.empty()) space.levels.at = o.levels;
  if (o.window > 0) space.levels.window = static_cast<int64_t>(o.window * kMega);
  HONE_TRY(space::check_space(space));
  return space;
}

Result<SupernetOptions> read_supernet_options(Recipe& r, const train::Compute& compute) {
  SupernetOptions o;
  o.compute = compute;
  o.space_name = r.text("space.name", "elasticvit", "a search space: a preset's name or a TOML file (hone space)");
  o.pictures = read_pictures(r, published_pictures());
  o.side = o.pictures.kind == "patterns" ? o.pictures.side : r.integer("data.side", 224, "of the pictures, which members resize to their own resolution", 8, 1024);
  o.search_share = r.real("data.search", 0.05, "share of the training pictures that no step sees: the search split", 0, 0.9);
  o.sampler = read_sampler(r, compute.seed);
  for (const double level : r.reals("levels.mmacs", {}, "ascending, in the space's counter; empty: the space's own")) o.levels.push_back(static_cast<int64_t>(level * kMega));
  o.window = r.real("levels.window", 0, "a member belongs to a level t when its cost is in [t, t + window] MMACs; 0: the space's own", 0);
  if (!std::is_sorted(o.levels.begin(), o.levels.end())) return fail(r.error("levels.mmacs", "levels are not ascending"));
  o.teachers = r.texts("teacher.networks", {}, "frozen networks whose mean softmax is the target: names or run directories");
  if (!o.teachers.empty()) {
    o.teacher_weights = r.texts("teacher.weights", {}, "their checkpoints, in the same order; \"\" for a run directory");
    o.sharpening = r.real("teacher.sharpening", 5, "multiplies their logits", 0);
    if (!o.teacher_weights.empty() && o.teacher_weights.size() != o.teachers.size()) return fail(r.error("teacher.weights", fmt::format("{} checkpoints for {} teachers", o.teacher_weights.size(), o.teachers.size())));
  }
  o.label_smoothing = r.real("loss.label_smoothing", 0.1, "share of the target spread over all classes; teachers' targets stay as they are", 0, 1);
  read_mixing(r, o.pictures);
  o.divergence.lower = r.real("loss.alpha_min", -1, "alpha-divergence of the members that follow others");
  o.divergence.upper = r.real("loss.alpha_max", 1, "its other end");
  o.divergence.clip = r.real("loss.alpha_clip", 5, "largest importance weight", 0);
  if (!o.sampler.levels) {
    o.project_from = r.integer("step.project_from", -1, "epoch from which the small members' gradient is projected off the largest's (NASViT: 101); -1: never", -1);
    o.small_clip = r.real("step.small_clip", 0, "largest norm of the small members' gradient (NASViT: 1); 0: off", 0);
  }
  o.bn_momentum = r.real("batch_norm.momentum", 0.1, "share of a batch in the running statistics", 0, 1);
  o.calibration = r.integer("batch_norm.calibration", 64, "training batches whose mean statistics a member is evaluated with", 1, 1 << 20);
  if (o.sampler.banks && o.sampler.levels) {
    using Score = SupernetOptions::Score;
    const std::string score = r.text("banks.score", "fixed", "pictures that quality is measured on. fixed: the same every time; step: the step's own, as published; relative: the step's own, less the smallest member's quality on them",
                                     {"fixed", "step", "relative"});
    o.score = score == "step" ? Score::step : score == "relative" ? Score::relative : Score::fixed;
    if (o.score == Score::fixed) o.score_images = r.integer("banks.score_images", 256, "how many", 2, 1 << 20);
    o.refresh = r.reals("banks.refresh", o.refresh, "parts of an epoch at which all entries are scored anew");
    for (const double part : o.refresh)
      if (!(part >= 0 && part < 1)) return fail(r.error("banks.refresh", fmt::format("{} is no part of an epoch", part), "0 <= part < 1"));
  }
  o.watch_points = r.integer("validate.members", 3, "members over the cost range that are validated, the smallest among them", 1, 100);
  o.watch_images = r.integer("validate.images", 0, "of the validation split, the first of a seeded order; 0: all", 0);
  return o;
}

}  // namespace hone::methods
