// The report of a supernet run from what it is made of: events, archives, banks, members trained alone.
#include "search/supernet_report.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "zoo/space_draw.h"

namespace hone::search {
namespace {

using namespace space;
namespace fs = std::filesystem;

template <class T>
T cell(const Table* t, size_t row, const std::string& key) {
  for (size_t c = 0; c < t->columns.size(); ++c)
    if (t->columns[c].key == key) return std::get<T>(t->rows.at(row).at(c));
  throw std::out_of_range(key);
}

Cell fact(const Report& r, const std::string& key) {
  for (const auto& part : r.parts)
    if (const auto* facts = std::get_if<Facts>(&part))
      for (const Fact& f : facts->facts)
        if (f.key == key) return f.value;
  return {};
}

bool charted(const Report& r, const std::string& title) {
  for (const auto& part : r.parts)
    if (const auto* chart = std::get_if<Chart>(&part); chart && chart->title == title) return true;
  return false;
}

struct SupernetReport : testing::Test {
  Space s = *open_space("demo");
  Rng rng{7};
  SupernetStory story;
  void SetUp() override {
    story.run = "runs/net";
    story.space = s;
  }
  Entry entry(int64_t index, const Member& m, double accuracy) { return {index, m, {accuracy, 1 - accuracy, 100}, {(*CostTable::make(s))(m).value(), {}, {}}, 0, "drawn", {}}; }
};

TEST_F(SupernetReport, CountsLevelsAndFollowsBanks) {
  const double level = static_cast<double>(s.levels.at[1]) / 1e6;
  for (int64_t step = 10; step <= 50; step += 10) {
    story.events.push_back({step, "train", {{"loss", 1.0}, {"level", static_cast<double>(static_cast<float>(step <= 30 ? level : static_cast<double>(s.levels.at[0]) / 1e6))}}});   // as a tensor holds it
    story.events.push_back({step, "bank", {{"level", level}, {"entries", step / 10}, {"best", -1.0}, {"mean", -1.5}, {"worst", -2.0}, {"mmacs", level}}});
  }
  story.events.push_back({50, "bank", {{"level", level}}});   // incomplete: left out
  const CostTable costs = *CostTable::make(s);
  const Drawer in_level = *level_drawer(s, costs, s.levels.at[1]);
  for (int i = 0; i < 3; ++i) story.bank.push_back(in_level(rng));
  const Report r = supernet_report(story);
  const Table* levels = r.table("levels");
  ASSERT_TRUE(levels);
  ASSERT_EQ(levels->rows.size(), s.levels.at.size());
  EXPECT_EQ(cell<int64_t>(levels, 0, "steps"), 2);
  EXPECT_EQ(cell<int64_t>(levels, 1, "steps"), 3);
  EXPECT_EQ(cell<int64_t>(levels, 1, "entries"), 3);
  const Table* banks = r.table("banks");
  ASSERT_TRUE(banks);
  ASSERT_EQ(banks->rows.size(), 5u);
  EXPECT_EQ(cell<int64_t>(banks, 4, "entries"), 5);
  EXPECT_TRUE(charted(r, "Quality of the memory banks"));
  EXPECT_FALSE(to_html(r).empty());
}

TEST_F(SupernetReport, PutsSearchesTogetherAndComparesWithTrainingAlone) {
  const Member low = smallest(s), high = largest(s), middle = sample(s, rng);
  ArchiveFile first, second;
  first.header.space = second.header.space = s;
  first.header.split = second.header.split = "search";
  first.entries = {entry(0, low, 0.3), entry(1, high, 0.6)};
  second.entries = {entry(0, high, 0.6), entry(1, middle, 0.2)};
  story.archives = {first, second};
  story.alone = {{"runs/a", low, 0.40, 0.30, 100}, {"runs/b", middle, 0.50, 0.45, 100}, {"runs/c", high, 0.60, 0.35, 100}};
  const Report r = supernet_report(story);
  const Table* points = r.table("points");
  ASSERT_TRUE(points);
  EXPECT_EQ(points->rows.size(), 3u);   // a member that two searches met counts once
  const Table* front = r.table("front");
  ASSERT_TRUE(front);
  EXPECT_EQ(front->rows.size(), 2u);
  const Table* alone = r.table("alone");
  ASSERT_TRUE(alone);
  EXPECT_DOUBLE_EQ(cell<double>(alone, 2, "gap"), -25);
  EXPECT_DOUBLE_EQ(std::get<double>(fact(r, "points")), -13.3);
  EXPECT_DOUBLE_EQ(std::get<double>(fact(r, "rank_correlation")), 0.5);   // ranks 1 2 3 against 1 3 2
  EXPECT_TRUE(charted(r, "Accuracy against cost"));
  EXPECT_TRUE(charted(r, "Inherited weights against training alone"));
}

TEST_F(SupernetReport, SaysWhatIsMissing) {
  const Report r = supernet_report(story);
  std::string notes;
  for (const auto& part : r.parts)
    if (const auto* note = std::get_if<Note>(&part)) notes += note->text + "\n";
  EXPECT_NE(notes.find("no search yet"), std::string::npos) << notes;
  EXPECT_NE(notes.find("--alone"), std::string::npos) << notes;
  EXPECT_FALSE(r.table("levels"));
}

TEST_F(SupernetReport, LeavesOutArchivesThatDoNotCompare) {
  const std::string folder = (fs::temp_directory_path() / ("hone_supernet_report_" + std::to_string(::getpid()))).string();
  fs::create_directories(folder);
  const auto write = [&](const char* name, const std::string& weights) {
    ArchiveHeader h;
    h.space = s;
    h.method = "random";
    h.split = "search";
    h.weights = weights;
    auto archive = Archive::open(folder + "/" + name, h);
    ASSERT_TRUE(archive);
    ASSERT_TRUE(archive->append(entry(0, smallest(s), 0.5)));
  };
  write("old.jsonl", "before");
  fs::last_write_time(folder + "/old.jsonl", fs::file_time_type::clock::now() - std::chrono::hours(1));
  write("new.jsonl", "now");
  std::ofstream(folder + "/broken.jsonl") << "nonsense\n";
  const ComparableArchives newest = comparable_archives(folder, "");
  ASSERT_EQ(newest.files.size(), 1u);
  EXPECT_EQ(newest.files[0].header.weights, "now");
  EXPECT_EQ(newest.paths, (std::vector<std::string>{folder + "/new.jsonl"}));
  EXPECT_EQ(newest.left_out.size(), 2u);
  EXPECT_TRUE(newest.damaged);
  // An archive of other weights, laid beside the run's own, does not push them out, however new it is.
  const ComparableArchives own = comparable_archives(folder, "bef");
  ASSERT_EQ(own.files.size(), 1u);
  EXPECT_EQ(own.files[0].header.weights, "before");
  EXPECT_EQ(own.left_out.size(), 2u);
  // Where none is of the run's weights, it is said.
  const ComparableArchives none = comparable_archives(folder, "later");
  ASSERT_EQ(none.files.size(), 1u);
  EXPECT_EQ(none.files[0].header.weights, "now");
  ASSERT_EQ(none.left_out.size(), 3u);
  EXPECT_NE(none.left_out[1].find("new.jsonl is not of the weights that the run has now"), std::string::npos) << none.left_out[1];
  fs::remove_all(folder);
}

}  // namespace
}  // namespace hone::search
