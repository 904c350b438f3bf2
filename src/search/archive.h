// Everything that a search has evaluated, as an append-only file of JSON lines.
//
//   first line   what the search is: space (as TOML), method, budget, seed, every number of it, the weights that were scored
//   other lines  one member each: encoding, score, costs, generation, where it comes from, parents (numbers of lines before)
//
// Every line ends with a checksum of itself. Lines are written whole and in the order in which the search asks, so a search that
// was killed goes on by asking again: what the file holds is answered from it, and the file grows as if nothing had happened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "methods/plugin_api.h"
#include "search/constraint.h"

namespace hone::search {

struct Entry {
  int64_t index = 0;  // of the members in the file, from 0
  space::Member member;
  methods::MemberScore score;
  MemberCost cost;
  int64_t generation = 0;
  std::string origin;  // "bank", "drawn", "mutation", "crossover", "all"
  std::vector<int64_t> parents;
};

// Which of two is the better network: accuracy, then loss.
bool better(const Entry& a, const Entry& b);

struct ArchiveHeader {
  space::Space space;
  std::string method, budget, split, weights;
  int64_t seed = 0, images = 0;
  std::vector<std::pair<std::string, double>> numbers;  // every other option by name, in order of names
  bool operator==(const ArchiveHeader&) const = default;
  // Letters that name the search: equal headers have equal names.
  std::string id() const;
};

struct ArchiveFile {
  ArchiveHeader header;
  std::vector<Entry> entries;
  bool torn = false;  // the last line was cut short, and is left out
};
// Errors name file and line: not an archive, a checksum that does not fit, a member outside the space, lines out of order.
Result<ArchiveFile> read_archive(const std::string& path);
Result<ArchiveFile> parse_archive(std::string_view text, const std::string& source);

// Archives of one folder whose scores are of the same weights, pictures and space, the newest first.
struct ComparableArchives {
  std::vector<ArchiveFile> files;
  std::vector<std::string> paths;     // of `files`
  std::vector<std::string> left_out;  // a sentence for each
  std::optional<Error> damaged;       // of the first that could not be read
};
// `weights` begins the text of the run's own ones (plugin_api.h); empty: not known. They come first: only where no archive is of
// them, the newest says whose scores are compared, and `left_out` says that it is of others.
ComparableArchives comparable_archives(const std::string& folder, const std::string& weights);

// An archive that is being written. Holds the file's lock.
class Archive {
 public:
  // Makes the file or goes on with it; a torn last line is cut off. A file of another search is an error, as is one that another
  // process writes.
  static Result<Archive> open(const std::string& path, const ArchiveHeader& header);
  Archive(Archive&& other) noexcept;
  Archive& operator=(Archive&&) = delete;
  ~Archive();

  const std::vector<Entry>& entries() const { return entries_; }
  size_t found() const { return found_; }  // entries that the file held when it was opened
  // The entry's index must be the number of entries so far.
  Status append(Entry entry);
  const std::string& path() const { return path_; }

 private:
  Archive(std::string path, int file, space::Space space) : path_(std::move(path)), file_(file), space_(std::move(space)) {}
  std::string path_;
  int file_ = -1;
  space::Space space_;
  std::vector<Entry> entries_;
  size_t found_ = 0;
};

}  // namespace hone::search
