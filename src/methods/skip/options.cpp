#include "methods/skip/options.h"

namespace hone::methods {

namespace {

// What a recipe need not say: the settings of DAS for ViLT and METER, or those of its ports to language models (DoubtedSteam/DAS).
struct Defaults {
  int64_t compare = 3, every = 10;
  double warmup = 1, rate = 1, ramp = 0;
  const char* keep = "das";
  Adapters adapters;
};
Defaults defaults_of(const std::string& port) {
  if (port == "lavin") return {.warmup = 5, .rate = 0.05, .keep = "linear", .adapters = {.zero_up = true, .hidden = 8, .replace_hidden = 32, .xavier = true, .relu = false, .attention_only = true, .module_norm = true, .groups = 2, .dropout = 0.1}};
  if (port == "llava") return {.compare = 5, .every = 3, .rate = 0.1, .ramp = 0.5, .keep = "before", .adapters = {.hidden = 64, .replace_hidden = 256, .xavier = true, .module_norm = true}};
  return {};
}

}  // namespace

SkipOptions read_skip_options(Recipe& r, const train::Compute& compute) {
  SkipOptions o;
  o.network = r.text("network.name", "timm/mobilenetv2_100", "a network as in hone profile: name, .onnx, arch.toml or .hone");
  o.resolution = r.integer("network.resolution", 0, "side of its input; 0: the network's own", 0, 4096);
  o.weights = r.files("network.weights", "its pre-trained checkpoint (.safetensors or .pth), or the run that trained it; a list: checkpoints that each hold a part of it; empty: fresh weights");
  o.init = r.real("network.init", 0, "standard deviation of fresh dense layers; 0: the network's own, 0.02, which suits widths of several hundred", 0, 1);
  o.classifier_token = r.flag("network.classifier_token", false, "METER: a learnt vector in place of the first encoded token, as in the official code of DAS; starts as RoBERTa's embedding of the token that begins a text");

  o.search = r.text("skip.phase", "search", "search: find a skip set; train: adapt the network with one, from its pre-trained weights", {"search", "train"}) == "search";
  const Defaults d = defaults_of(r.text("skip.port", "", "defaults of [skip] and [adapters]: of DAS for ViLT and METER, or of its ports to LaVIN or LLaVA", {"", "lavin", "llava"}));
  o.variant = r.text("skip.variant", "", "candidates, as in hone skip list", {"", "fusion", "global", "attention"});
  BanditOptions& b = o.bandit;
  b.skip = r.integer("skip.count", 4, "candidates left out (k)", 0, 10000);
  b.seed = compute.seed;
  o.held = r.real("skip.held", 0.05, "share of the training examples that is kept for rewards and never trained on", 0.0001, 0.9);
  if (o.search) {
    o.method = r.text("skip.method", "bandit", "how the set is found: the bandit of DAS, or on the same supernet the smallest rise of the loss when one is dropped, greedily, by size of weights, or all sets",
                      {"bandit", "drop-one", "greedy", "magnitude", "exhaustive"});
    b.compare = r.integer("skip.compare", d.compare, "sub-networks compared in an event (m)", 2, 1000);
    b.every = r.integer("skip.every", d.every, "micro-batches from event to event", 1, 1 << 20);
    o.warmup = r.real("skip.warmup", d.warmup, "epochs before the first event; sets are drawn uniformly in them", 0);
    b.rate = r.real("skip.rate", d.rate, "step of the scores (eta)", 0);
    b.reward = r.text("skip.reward", "exponential", "exponential: exp(-loss), as published; standard: losses of an event standardised, so that the rate does not depend on their scale", {"exponential", "standard"}) == "standard"
                   ? Reward::standard
                   : Reward::exponential;
    o.ramp = r.real("skip.ramp", d.ramp, "epochs in which the number of skipped candidates grows from 1; 0: none", 0);
    o.reward_batch = r.integer("skip.reward_batch", 64, "held-out examples in a batch that an event is measured on", 1, 1 << 16);
    o.reward_batches = r.integer("skip.reward_batches", 1, "such batches an event; the next event takes the next ones", 1, 10000);
    o.choose_batches = r.integer("skip.choose_batches", 8, "batches that drop-one, greedy and exhaustive measure a set on", 1, 10000);
  } else {
    o.set = r.text("skip.set", "", "what is left out: a search's run directory, a skip-set file, numbers as in \"2,4\", random (count of them, from the seed), or nothing");
  }
  o.trainable = r.texts("skip.trainable", {}, "patterns of trained parameters; empty: adapters and heads, by the rule of the method; [\"*\"]: full tuning");

  Adapters& a = o.adapters;
  const std::string keep = r.text("adapters.keep", d.keep, "adapters of kept candidates", {"none", "das", "houlsby", "scaled", "lora", "linear", "before", "prompt", "deep-prompt"});
  const std::string replace = r.text("adapters.replace", "adapter", "what stands in place of skipped ones", {"adapter", "identity", "propagate"});
  a.keep = parse_keep(keep).value_or(Keep::das);
  a.replace = parse_replace(replace).value_or(Replace::adapter);
  a.reduction = r.integer("adapters.reduction", 8, "bottleneck: the width over this", 1, 1 << 16);
  a.hidden = r.integer("adapters.hidden", d.adapters.hidden, "bottleneck of kept modules' adapters; 0: by reduction", 0, 1 << 16);
  a.replace_hidden = r.integer("adapters.replace_hidden", d.adapters.replace_hidden, "bottleneck in place of skipped ones; 0: as wide as what it displaces", 0, 1 << 16);
  a.attention_only = r.text("adapters.branches", d.adapters.attention_only ? "attention" : "all", "of kept modules that das, houlsby, linear and before adapt", {"all", "attention"}) == "attention";
  a.module_norm = r.text("adapters.norm", d.adapters.module_norm ? "module" : "own", "in front of the adapter in place of a skipped module: its own, or the module's first one (frozen)", {"own", "module"}) == "module";
  a.groups = r.integer("adapters.groups", d.adapters.groups, "parts of the up-projection: each reaches its channels from its part of the bottleneck", 1, 1 << 16);
  a.relu = r.text("adapters.activation", d.adapters.relu ? "relu" : "none", "between down- and up-projection", {"relu", "none"}) == "relu";
  a.dropout = r.real("adapters.dropout", d.adapters.dropout, "in training, in front of the up-projection; of lora in front of A (published 0.1)", 0, 0.99);
  a.xavier = r.text("adapters.init", d.adapters.xavier ? "xavier" : "normal", "start of dense layers: a normal distribution (0.02; houlsby 0.01), or Xavier's uniform one", {"normal", "xavier"}) == "xavier";
  a.rank = r.integer("adapters.rank", 4, "of lora", 1, 1 << 16);
  a.prompts = r.integer("adapters.prompts", 200, "learnt tokens of prompt and deep-prompt", 1, 1 << 16);
  a.zero_up = r.flag("adapters.zero_up", d.adapters.zero_up, "up-projections start at zero: the network starts as it was");

  o.sketches = read_sketches(r, o.network);
  const bool sketches = !o.sketches.data.path.empty();
  if (!sketches) o.questions = read_questions(r, false);
  if (!sketches && o.questions.path.empty()) o.pictures = train::read_pictures(r);
  o.label_smoothing = r.real("loss.label_smoothing", 0, "share of the target spread over all classes", 0, 1);
  o.matching_weight = o.questions.path.empty() ? 0 : r.real("loss.matching", 0, "captions: weight of image-text matching by the network's second output; published 1 for METER, 0 for ViLT", 0);
  o.bn_freeze = r.flag("batch_norm.freeze", true, "normalise by the pre-trained statistics in training too, and leave them");
  o.bn_momentum = r.real("batch_norm.momentum", 0.1, "share of a batch in the running statistics, where they are not frozen", 0, 1);
  return o;
}

}  // namespace hone::methods
