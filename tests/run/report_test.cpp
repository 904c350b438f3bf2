// One report, every form: the numbers must be the same (and nothing from a file may break a form).
#include "run/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "run/format.h"

namespace hone {
namespace {

Report sample() {
  Report r;
  r.command = "profile";
  r.title = "tiny";
  r.subtitle = "x 1x3x8x8";
  r.parts.push_back(Facts{"", "", {{"network", "network", std::string("tiny"), Unit::none, "", kJson}}});
  r.parts.push_back(Facts{"totals", "", {{"macs", "MACs", int64_t{4089184256}, Unit::count, "multiply-adds"},
                                         {"peak_activation_bytes", "peak memory", int64_t{9633792}, Unit::bytes}},
                          true});
  Table t{"rows", "By operator", {{"name", "name"}, {"macs", "MACs", Unit::count}, {"macs_share", "share", Unit::share, true}, {"shape", "shape", Unit::shape, false, kJson | kCsv}}};
  t.rows.push_back({std::string("Conv"), int64_t{4087136256}, 0.9994991, std::vector<int64_t>{1, 64, 112, 112}});
  t.rows.push_back({std::string("Gemm"), int64_t{2048000}, 0.0005009, std::vector<int64_t>{1, 1000}});
  t.rows.push_back({std::string("Relu"), int64_t{0}, 0.0, std::monostate{}});
  r.parts.push_back(t);
  r.parts.push_back(Chart{Chart::Kind::bars, "Where the work is", "", "rows", "name", "", {"macs"}});
  r.parts.push_back(Note{Note::Level::warning, "2 operators are unknown"});
  return r;
}

TEST(Report, TextIsAlignedAndRoundedOnce) {
  EXPECT_EQ(to_text(sample()),
            "tiny  x 1x3x8x8\n"
            "\n"
            "  MACs          4.09 G  4,089,184,256  multiply-adds\n"
            "  peak memory  9.2 MiB      9,633,792\n"
            "\n"
            "By operator\n"
            "  name    MACs   share\n"
            "  Conv  4.09 G  99.9 % \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\n"
            "  Gemm  2.05 M   0.1 %\n"
            "  Relu       0   0.0 %\n"
            "\n"
            "warning: 2 operators are unknown\n");
}

TEST(Report, TextWithoutUnicodeOrColour) {
  const std::string text = to_text(sample(), {.color = false, .utf8 = false});
  for (char c : text) EXPECT_LT(static_cast<unsigned char>(c), 0x80);
  EXPECT_NE(text.find("##########"), std::string::npos);
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(to_text(sample(), {.color = true}).find("\x1b[1m"), std::string::npos);
}

TEST(Report, JsonHasTheContractsShape) {
  const std::string text = to_json(sample());
  const auto j = nlohmann::json::parse(text);
  EXPECT_EQ(j["command"], "profile");
  EXPECT_EQ(j["network"], "tiny");
  EXPECT_EQ(j["totals"]["macs"], 4089184256);
  EXPECT_EQ(j["rows"][0]["shape"], (std::vector<int64_t>{1, 64, 112, 112}));
  EXPECT_TRUE(j["rows"][2]["shape"].is_null());
  EXPECT_EQ(j["rows"].size(), 3u);
  // A row a line.
  EXPECT_NE(text.find("\n    {\"name\":\"Conv\",\"macs\":4087136256,"), std::string::npos) << text;
}

TEST(Report, CsvIsExactAndQuoted) {
  Report r = sample();
  std::get<Table>(r.parts[2]).rows[0][0] = std::string("a,\"b\"");
  EXPECT_EQ(*to_csv(r),
            "name,macs,macs_share,shape\n"
            "\"a,\"\"b\"\"\",4087136256,0.9994991,1x64x112x112\n"
            "Gemm,2048000,0.0005009,1x1000\n"
            "Relu,0,0.0,\n");
  r.parts.clear();
  EXPECT_EQ(to_csv(r).error().code, Code::usage);
}

// Property 10 of the reliability plan: same numbers in text, JSON, CSV and HTML.
TEST(Report, SameNumbersInEveryForm) {
  const Report r = sample();
  const auto json = nlohmann::json::parse(to_json(r));
  const std::string text = to_text(r), csv = *to_csv(r), html = to_html(r);
  std::vector<int64_t> numbers;
  for (const auto& row : json["rows"]) numbers.push_back(row["macs"]);
  for (int64_t n : numbers) {
    EXPECT_NE(csv.find("," + std::to_string(n) + ","), std::string::npos) << n;
    EXPECT_NE(html.find("data-value=\"" + std::to_string(n) + "\""), std::string::npos) << n;
    EXPECT_NE(text.find(format_cell(n, Unit::count)), std::string::npos) << n;
  }
  for (const auto& [key, value] : json["totals"].items())
    EXPECT_NE(html.find("data-value=\"" + value.dump() + "\""), std::string::npos) << key;
}

TEST(Report, NamesFromFilesCannotBreakOut) {
  Report r = sample();
  const std::string evil = "<script>alert(1)</script>\x1b[31m\xff\n\"'&";
  r.title = evil;
  std::get<Table>(r.parts[2]).rows[0][0] = evil;
  const std::string html = to_html(r);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(html.find("&lt;script&gt;alert(1)&lt;/script&gt; [31m? &quot;&#39;&amp;"), std::string::npos);
  EXPECT_EQ(to_text(r).find('\x1b'), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(to_json(r))["rows"].size(), 3u);  // broken UTF-8 replaced, so it parses
}

TEST(Report, HtmlIsOneFileThatFetchesNothing) {
  const std::string html = to_html(sample());
  for (const char* forbidden : {"<script", "<link", "@import", "url(", "src=", "<iframe"}) EXPECT_EQ(html.find(forbidden), std::string::npos) << forbidden;
  std::string rest = html;
  rest = std::regex_replace(rest, std::regex("xmlns=\"http://www.w3.org/2000/svg\""), "");
  EXPECT_EQ(rest.find("http"), std::string::npos);
  for (const char* needed : {"<html lang=\"en\">", "prefers-color-scheme:dark", "@media print", "role=\"img\"", "<th scope=\"col\"", "name=\"viewport\""})
    EXPECT_NE(html.find(needed), std::string::npos) << needed;
}

TEST(Report, LongNamesGiveWayNumbersDoNot) {
  Report r = sample();
  std::get<Table>(r.parts[2]).rows[0][0] = std::string(200, 'a') + "END";
  const std::string text = to_text(r, {.width = 60});
  size_t start = 0;
  for (size_t end; (end = text.find('\n', start)) != std::string::npos; start = end + 1)
    EXPECT_LE(display_width(std::string_view(text).substr(start, end - start)), 60u) << text;
  EXPECT_NE(text.find("\u2026"), std::string::npos);
  EXPECT_NE(text.find("END"), std::string::npos);
  EXPECT_NE(text.find("99.9 %"), std::string::npos);
}

TEST(Format, RoundsForPeopleAndKeepsTheExactValue) {
  EXPECT_EQ(format_cell(int64_t{-1500}, Unit::signed_count), "-1.50 k");
  EXPECT_EQ(format_cell(int64_t{1500}, Unit::signed_count), "+1.50 k");
  EXPECT_EQ(format_cell(0.125, Unit::share), "12.5 %");
  EXPECT_EQ(format_cell(-3.25, Unit::percent), "-3.2 %");
  EXPECT_EQ(format_cell(1.734, Unit::factor), "1.73x");
  EXPECT_EQ(format_cell(std::vector<int64_t>{}, Unit::shape), "scalar");
  EXPECT_EQ(format_cell(std::vector<int64_t>{1, 3}, Unit::none), "1, 3");
  EXPECT_EQ(exact_cell(int64_t{999}, Unit::count), "");
  EXPECT_EQ(exact_cell(int64_t{1000}, Unit::count), "1,000");
  EXPECT_EQ(shorten("layer1.0.conv1.weight", 11, "\u2026"), "layer\u2026eight");
  EXPECT_EQ(clean_text("a\tb\x7f\xc3\xa9\xc2\x9bz"), "a b \u00e9 z");
}

}  // namespace
}  // namespace hone
