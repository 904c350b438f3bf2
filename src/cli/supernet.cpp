// hone supernet eval, hone supernet conflict: what a trained supernet's members are worth, and how far their gradients agree.
#include <memory>

#include "cli/commands.h"
#include "core/plugin.h"
#include "methods/plugin_api.h"

namespace hone::cli {

namespace {

struct Options {
  std::vector<std::string> runs, settings, archs;
  std::optional<int64_t> members, images, batches, calibration, threads;
  std::string split = "val";
  Output output;
};

template <class Request, class Function>
Result<Outcome> report_of(const char* name, const Request& request, const Output& output, const TextStyle& style) {
  HONE_TRY_ASSIGN(void* symbol, plugin_symbol("hone_train", name));
  Result<Report> report;
  reinterpret_cast<Function*>(symbol)(request, report);
  if (!report) return fail(std::move(report).error());
  return present(*report, output, style);
}

Status positive(const std::optional<int64_t>& value, const char* option) {
  if (value && *value < 1) return fail(Code::usage, std::to_string(*value) + " is too few", option, "it starts at 1");
  return {};
}

void add_common(Command& c, Options& o) {
  c.arguments = {{"RUN", &o.runs, "run directories of supernets of one space"}};
  c.options.push_back({"--set", "KEY=VALUE", &o.settings, "over the run's recipe, such as data.path=WHERE; may be repeated"});
  c.options.push_back({"--threads", "N", &o.threads, "of libtorch, 1 unless told"});
}

}  // namespace

Command supernet_eval_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "supernet eval";
  c.summary = "Accuracy of a supernet's members over the cost range";
  c.about = "Members are drawn of every complexity level, the same for all runs, and evaluated with inherited weights after their BatchNorm statistics were measured anew. Runs whose names differ only in a number at the end are one method with several seeds.";
  add_common(c, *o);
  c.options.push_back({"--members", "N", &o->members, "drawn of each level, 20 unless told"});
  c.options.push_back({"--arch", "FILE", &o->archs, "these members instead: an encoding (.json) or a stage table (.toml); may be repeated"});
  c.options.push_back({"--split", "NAME", &o->split, "val (default), or search: training pictures that the run kept back", {"val", "search"}});
  c.options.push_back({"--images", "N", &o->images, "of the split; all unless told"});
  c.options.push_back({"--calibration", "N", &o->calibration, "training batches to measure statistics on; what the run's recipe says unless told"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone supernet eval runs/walk-0 runs/walk-1 runs/uniform-0 runs/uniform-1 --html accuracy.html", "two methods, two seeds each"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    for (const auto& [value, name] : {std::pair{&o->members, "--members"}, std::pair{&o->images, "--images"}, std::pair{&o->calibration, "--calibration"}, std::pair{&o->threads, "--threads"}}) HONE_TRY(positive(*value, name));
    methods::SupernetEvalRequest r;
    r.runs = o->runs;
    if (o->members && !o->archs.empty()) return fail(Code::usage, "draws members, and --arch names them", "--members", "take one of them");
    r.members = o->members.value_or(20);
    r.archs = o->archs;
    r.split = o->split;
    r.images = o->images.value_or(0);
    r.calibration_batches = o->calibration.value_or(-1);
    r.threads = static_cast<int>(o->threads.value_or(1));
    r.settings = o->settings;
    return report_of<methods::SupernetEvalRequest, methods::SupernetEval>("hone_supernet_eval", r, o->output, style);
  };
  return c;
}

Command supernet_conflict_command() {
  auto o = std::make_shared<Options>();
  Command c;
  c.name = "supernet conflict";
  c.summary = "Cosine between the gradients of a supernet's members";
  c.about = "Pairs of members see the same batch; their gradients are compared on the weights that both use: the leading block of every tensor, the centre of kernels and position tables, the blocks of a stage that both have.";
  add_common(c, *o);
  c.options.push_back({"--members", "N", &o->members, "drawn of each level, and as many of its bank; 4 unless told"});
  c.options.push_back({"--batches", "N", &o->batches, "that each pair's cosine is the mean over, 2 unless told"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone supernet conflict runs/both-0 --html conflict.html", "by difference of cost, by bank, by stage"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    for (const auto& [value, name] : {std::pair{&o->members, "--members"}, std::pair{&o->batches, "--batches"}, std::pair{&o->threads, "--threads"}}) HONE_TRY(positive(*value, name));
    methods::SupernetConflictRequest r;
    r.runs = o->runs;
    r.members = o->members.value_or(4);
    r.batches = o->batches.value_or(2);
    r.threads = static_cast<int>(o->threads.value_or(1));
    r.settings = o->settings;
    return report_of<methods::SupernetConflictRequest, methods::SupernetConflict>("hone_supernet_conflict", r, o->output, style);
  };
  return c;
}

}  // namespace hone::cli
