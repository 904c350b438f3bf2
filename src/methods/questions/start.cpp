#include "methods/questions/start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <unordered_map>

#include "formats/tokenizer_models.h"
#include "retrieval/trained.h"

namespace hone::methods {

namespace {

namespace fs = std::filesystem;

Status use_weights_of_run(std::string& weights, std::string& tokenizer) {
  std::error_code ec;
  std::string run;
  if (fs::is_directory(weights, ec)) {
    run = weights;
    HONE_TRY_ASSIGN(const RunDir dir, RunDir::open(run));
    HONE_TRY_ASSIGN(weights, checkpoint_of(dir));
  } else if (const fs::path folder = fs::path(weights).parent_path(); folder.filename() == "checkpoints") {
    run = folder.parent_path().string();
    if (run.empty()) run = ".";
  }
  const std::string vocabulary = run + "/vocab.txt";
  if (run.empty() || !fs::exists(vocabulary, ec)) return {};
  if (tokenizer.empty()) {
    tokenizer = vocabulary;
    return {};
  }
  HONE_TRY_ASSIGN(const auto given, open_tokenizer(tokenizer));
  HONE_TRY_ASSIGN(const auto own, open_tokenizer(vocabulary));
  const auto differs = std::ranges::mismatch(given->vocabulary(), own->vocabulary());
  if (given->size() == own->size() && differs.in1 == given->vocabulary().end()) return {};
  const auto at = differs.in1 - given->vocabulary().begin();
  return fail(Code::usage, fmt::format("is another vocabulary than the weights were trained with ({}): they part at token {}", vocabulary, at), tokenizer, "leave questions.tokenizer out");
}

}  // namespace

Status use_weights_of_runs(std::vector<std::string>& weights, std::string& tokenizer) {
  for (std::string& w : weights) HONE_TRY(use_weights_of_run(w, tokenizer));
  return {};
}

void set_dense_start(Graph& graph, double deviation) {
  for (ValueId v : graph.state())
    if (Value& p = graph.values[v]; deviation > 0 && p.init.kind == Init::Kind::truncated_normal && p.type.shape.size() == 2 && p.name.find("embeddings") == std::string::npos) p.init.a = static_cast<float>(deviation);
}

Result<Start> start_from(const std::vector<std::string>& files, const Graph& graph, train::Params& params, const Prepare& prepare) {
  Start start;
  std::unordered_map<std::string, const std::string*> giver;
  std::vector<std::string> missing;
  for (const std::string& file : files) {
    HONE_TRY_ASSIGN(NamedTensors tensors, read_checkpoint(file));
    HONE_TRY(prepare(file, tensors));
    HONE_TRY_ASSIGN(auto report, params.load(graph, std::move(tensors), /*strict=*/false, /*resize=*/true));
    if (report.loaded.empty()) return fail(Code::invalid, "nothing of the checkpoint fits the network: " + report.text(), file);
    for (const std::string& name : report.loaded)
      if (const auto [first, own] = giver.emplace(name, &file); !own)
        return fail(Code::usage, fmt::format("{} is in {} too: which one counts is not said", name, *first->second), file, "give files that each hold another part of the network, or one file");
    start.loaded.insert(start.loaded.end(), report.loaded.begin(), report.loaded.end());
    if (files.size() > 1) {  // what one file lacks, another may have
      if (&file == &files[0]) missing = report.missing;
      std::erase_if(missing, [&](const std::string& name) { return std::ranges::find(report.missing, name) == report.missing.end(); });
      report.missing.clear();
    }
    start.notes.push_back(file + ": " + report.text());
  }
  if (!missing.empty()) {
    const size_t shown = std::min<size_t>(3, missing.size());
    start.notes.push_back(fmt::format("{} tensors are in none of the {} files and start fresh ({}{})", missing.size(), files.size(), fmt::join(missing.begin(), missing.begin() + static_cast<ptrdiff_t>(shown), ", "),
                                      shown < missing.size() ? ", ..." : ""));
  }
  return start;
}

}  // namespace hone::methods
