#include "cli/commands.h"

namespace hone::cli {

const std::vector<Entry>& commands() {
  static const std::vector<Entry> table = {
      {"profile", "what a network costs: MACs, parameters, activations, peak memory", profile_command},
      {"diff", "what differs between the costs of two networks", diff_command},
      {"zoo", "the networks that hone knows by name", zoo_command},
      {"scale", "a network grown or shrunk to a budget", scale_command},
      {"export", "a network as an ONNX file", export_command},
      {"check", "a network against recorded outputs", check_command},
      {"bench", "how long networks take on this machine, side by side", bench_command},
      {"bench scaling", "how well counts predict the time of scaled networks", bench_scaling_command},
      {"skip list", "the modules of a network that can be skipped", skip_list_command},
      {"skip apply", "a network without some of its modules, and what that saves", skip_apply_command},
      {"skip show", "what a search for a skip set has found", skip_show_command},
      {"search", "networks of a trained supernet that do well within a budget", search_command},
      {"pick", "the best network within a budget that searches of a run have met", pick_command},
      {"space list", "the search spaces that hone knows by name", space_list_command},
      {"space show", "a search space: size, range, how sampling spreads, levels", space_show_command},
      {"space sample", "members of a search space, drawn within a budget", space_sample_command},
      {"runs", "the run directories beneath a folder", runs_command},
      {"runs show", "one run: figures, sessions, data, curves", runs_show_command},
      {"runs compare", "what differs between two runs: recipes and results", runs_compare_command},
      {"data show", "what a set of sketches and photos, class folders or a file of strokes holds", data_show_command},
      {"data sheet", "photos with their sketches on one page", data_sheet_command},
      {"data convert", "a set of sketches and photos in hone's layout", data_convert_command},
      {"data questions", "what a set of questions about pictures holds", data_questions_command},
      {"data tokenize", "text as tokens of a vocabulary", data_tokenize_command},
      {"data vocabulary", "a vocabulary learnt from texts", data_vocabulary_command},
      {"train", "train by a recipe, or go on with a run", train_command},
      {"eval", "how well trained runs do on held-out data", eval_command},
      {"supernet eval", "accuracy of a supernet's members over the cost range", supernet_eval_command},
      {"supernet conflict", "how far the gradients of a supernet's members agree", supernet_conflict_command},
      {"supernet report", "a supernet run and its searches in one report", supernet_report_command},
      {"index", "photos as vectors, for sketches to search", index_command},
      {"retrieve", "photos that sketches show", retrieve_command},
      {"serve", "a page to draw on, and runs to watch, in a browser", serve_command},
      {"launch", "several processes of one training run on this machine", launch_command},
      {"device build", "what the blocks of a search space or of networks take on this machine", device_build_command},
      {"device show", "a device table: facts, coverage, how well it predicts", device_show_command},
      {"device check", "a device table against networks that it has not seen, measured now", device_check_command},
      {"device import", "other people's table of block latencies as a device table", device_import_command},
      {"completion", "the completion script for a shell", completion_command},
  };
  return table;
}

}  // namespace hone::cli
