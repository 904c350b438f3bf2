// Megabytes of text tokenized a second, on one thread: tokenizer [LINES]. bench/tokenizer.py runs it beside Hugging Face's
// tokenizers, on the same text with the same vocabularies.
//
// Without a file, text of the kinds that are asked of pictures is made: English questions with some names and numbers.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "core/file.h"
#include "data/questions_procedural.h"
#include "formats/tokenizer_train.h"

namespace {

using namespace hone;

double seconds(std::chrono::steady_clock::time_point since) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count(); }

void measure(const char* name, const Tokenizer& t, const std::vector<std::string>& lines, size_t bytes) {
  std::vector<int32_t> ids;
  double best = 1e9;
  size_t tokens = 0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    tokens = 0;
    for (const std::string& line : lines) {
      ids.clear();
      t.append(line, ids);
      tokens += ids.size();
    }
    best = std::min(best, seconds(start));
  }
  std::printf("%s\t%.1f MB/s\t%.1f M tokens/s\t%zu tokens\n", name, static_cast<double>(bytes) / best / 1e6, static_cast<double>(tokens) / best / 1e6, tokens);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenizer FOLDER   (lines.txt, and vocabularies in bert/ and roberta/; without them they are made)\n");
    return 2;
  }
  const std::string folder = argv[1];
  if (!std::filesystem::exists(folder + "/lines.txt")) {
    std::filesystem::create_directories(folder);
    std::ofstream out(folder + "/lines.txt");
    const auto set = procedural_questions({.images = 30000, .questions_per_image = 4});
    for (const Question& q : set->questions) out << q.text << '\n';
  }
  std::vector<std::string> lines;
  size_t bytes = 0;
  std::ifstream in(folder + "/lines.txt");
  for (std::string line; std::getline(in, line);) {
    bytes += line.size() + 1;
    lines.push_back(line);
  }
  const std::vector<std::string> some(lines.begin(), lines.begin() + static_cast<long>(std::min<size_t>(lines.size(), 20000)));
  if (!std::filesystem::exists(folder + "/bert"))
    if (auto made = train_wordpiece(some, {.size = 30522}); !made || !write_tokenizer(*made, folder + "/bert", false)) return 1;
  if (!std::filesystem::exists(folder + "/roberta"))
    if (auto made = train_byte_bpe(some, {.size = 50265}); !made || !write_tokenizer(*made, folder + "/roberta", false)) return 1;
  std::printf("%zu lines, %.1f MB\n", lines.size(), static_cast<double>(bytes) / 1e6);
  for (const char* kind : {"bert", "roberta"}) {
    const auto start = std::chrono::steady_clock::now();
    const auto t = open_tokenizer(folder + "/" + kind);
    if (!t) {
      std::fprintf(stderr, "%s\n", t.error().text().c_str());
      return 1;
    }
    std::printf("%s: opened in %.0f ms, %lld tokens\n", kind, 1e3 * seconds(start), static_cast<long long>((*t)->size()));
    measure(kind, **t, lines, bytes);
  }
}
