// hone supernet eval, conflict, report: what a trained supernet's members are worth, and how far their gradients agree.
#include <memory>

#include "cli/commands.h"
#include "core/plugin.h"
#include "methods/plugin_api.h"
#include "retrieval/trained.h"
#include "run/run_summary.h"
#include "search/supernet_report.h"

namespace hone::cli {

namespace {

struct Options {
  std::vector<std::string> runs, settings, archs;
  std::optional<int64_t> members, images, batches, calibration, threads;
  std::string split = "val";
  Output output;
};

Status positive(const std::optional<int64_t>& value, const char* option) {
  if (value && *value < 1) return fail(Code::usage, std::to_string(*value) + " is too few", option, "it starts at 1");
  return {};
}

// How a run is opened.
template <class O>
void add_opening(Command& c, O& o) {
  c.options.push_back({"--set", "KEY=VALUE", &o.settings, "over the run's recipe, such as data.path=WHERE"});
  c.options.push_back({"--threads", "N", &o.threads, "of libtorch, 1 unless told"});
}

// What eval and conflict ask in the same words.
template <class Request>
Result<Request> request_of(const Options& o) {
  for (const auto& [value, name] : {std::pair{&o.members, "--members"}, std::pair{&o.images, "--images"}, std::pair{&o.batches, "--batches"}, std::pair{&o.calibration, "--calibration"}, std::pair{&o.threads, "--threads"}}) HONE_TRY(positive(*value, name));
  Request r;
  r.runs = o.runs;
  r.settings = o.settings;
  r.threads = static_cast<int>(o.threads.value_or(1));
  r.members = o.members.value_or(r.members);
  return r;
}

void add_common(Command& c, Options& o) {
  c.arguments = {{"RUN", &o.runs, "run directories of supernets of one space"}};
  add_opening(c, o);
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
  c.options.push_back({"--arch", "FILE", &o->archs, "these members instead: an encoding (.json) or a stage table (.toml)"});
  c.options.push_back({"--split", "NAME", &o->split, "val (default), or search: training pictures that the run kept back", {"val", "search"}});
  c.options.push_back({"--images", "N", &o->images, "of the split; all unless told"});
  c.options.push_back({"--calibration", "N", &o->calibration, "training batches to measure statistics on; what the run's recipe says unless told"});
  add_output(c, o->output, true, true);
  c.examples = {{"hone supernet eval runs/walk-0 runs/walk-1 runs/uniform-0 runs/uniform-1 --html accuracy.html", "two methods, two seeds each"}};
  c.run = [o](const TextStyle& style) -> Result<Outcome> {
    HONE_TRY_ASSIGN(auto r, request_of<methods::SupernetEvalRequest>(*o));
    if (o->members && !o->archs.empty()) return fail(Code::usage, "draws members, and --arch names them", "--members", "take one of them");
    r.archs = o->archs;
    r.split = o->split;
    r.images = o->images.value_or(0);
    r.calibration_batches = o->calibration.value_or(-1);
    HONE_TRY_ASSIGN(const Report report, ask_plugin<methods::SupernetEval>("hone_train", "hone_supernet_eval", r));
    return present(report, o->output, style);
  };
  return c;
}

namespace {

struct ReportOptions {
  std::string run;
  std::vector<std::string> alone, settings;
  std::optional<int64_t> threads;
  bool conflict = false;
  Output output;
};

// A classifier's run as a member of the space, with its accuracy.
Result<search::Alone> alone_of(const std::string& run, const space::Space& space) {
  HONE_TRY_ASSIGN(const Network network, open_net(run));
  if (!network.arch) return fail(Code::usage, "was not trained from a stage table", run, "hone train recipes/classify/cifar.toml RUN --set network.name=member.toml");
  HONE_TRY_ASSIGN(const RunDir dir, RunDir::open(run));
  HONE_TRY_ASSIGN(const RunSummary summary, summarise(dir));
  search::Alone out{run, {}, 0, 0, 0};
  auto member = space::member_of(space, *network.arch);
  if (!member) return fail(member.error().code, member.error().message, run, "--alone takes runs of members of the supernet's space");
  out.member = *member;
  for (const auto& [name, value] : summary.last)
    if (name == "top1") out.accuracy = value;
  return out;
}

Result<Outcome> run_report(const ReportOptions& o, const TextStyle& style) {
  HONE_TRY(positive(o.threads, "--threads"));
  HONE_TRY_ASSIGN(const RunDir run, RunDir::open(o.run));
  const int threads = static_cast<int>(o.threads.value_or(1));
  HONE_TRY_ASSIGN(const auto opened, ask_plugin<methods::SupernetOpen>("hone_train", "hone_supernet_open", {o.run, threads, -1, 0, o.settings}));
  methods::Supernet& supernet = *opened;
  search::SupernetStory story;
  story.run = o.run;
  story.space = supernet.space();
  HONE_TRY_ASSIGN(story.events, run.events());
  HONE_TRY_ASSIGN(story.bank, supernet.bank());
  const std::string weights = supernet.weights();
  search::ComparableArchives archives = search::comparable_archives(o.run + "/search", weights.substr(0, weights.find(',')));
  story.archives = std::move(archives.files);
  for (const std::string& path : o.alone) {
    HONE_TRY_ASSIGN(search::Alone alone, alone_of(path, story.space));
    HONE_TRY_ASSIGN(const methods::MemberScore score, supernet.score(alone.member, "val"));
    alone.inherited = score.accuracy;
    alone.images = score.images;
    story.alone.push_back(std::move(alone));
  }
  Report report = search::supernet_report(story);
  if (o.conflict) {
    methods::SupernetConflictRequest request;
    request.runs = {o.run};
    request.threads = threads;
    request.settings = o.settings;
    HONE_TRY_ASSIGN(Report made, ask_plugin<methods::SupernetConflict>("hone_train", "hone_supernet_conflict", request));
    for (auto& part : made.parts) report.parts.push_back(std::move(part));
  }
  for (const std::string& note : archives.left_out) report.parts.push_back(Note{Note::Level::warning, note});
  return present(report, o.output, style);
}

}  // namespace

Command supernet_report_command() {
  auto o = std::make_shared<ReportOptions>();
  Command c;
  c.name = "supernet report";
  c.summary = "A supernet run and its searches in one report";
  c.about = "Accuracy against cost over all that was searched, with the memory banks; inherited weights against members that other runs trained alone; the banks over time; the levels that steps trained.";
  c.arguments = {{"RUN", &o->run, "directory of a supernet run"}};
  c.options.push_back({"--alone", "RUN", &o->alone, "a classifier's run that trained a member from its stage table"});
  c.options.push_back({"--conflict", "", &o->conflict, "measure the cosine between members' gradients, too (hone supernet conflict)"});
  add_opening(c, *o);
  add_output(c, o->output, false, true);
  c.examples = {{"hone supernet report runs/supernet --html supernet.html", "what training and searches left behind"},
                {"hone supernet report runs/supernet --alone runs/alone-0 --alone runs/alone-1 --conflict --html supernet.html", "with the gap to training alone and the conflict of gradients"}};
  c.run = [o](const TextStyle& style) { return run_report(*o, style); };
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
    HONE_TRY_ASSIGN(auto r, request_of<methods::SupernetConflictRequest>(*o));
    r.batches = o->batches.value_or(r.batches);
    HONE_TRY_ASSIGN(const Report report, ask_plugin<methods::SupernetConflict>("hone_train", "hone_supernet_conflict", r));
    return present(report, o->output, style);
  };
  return c;
}

}  // namespace hone::cli
