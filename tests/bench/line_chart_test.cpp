#include "bench/line_chart.h"

#include <gtest/gtest.h>

#include <limits>
#include <regex>
#include <set>

#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

// What is wrong with it as XML: tags that do not match, an attribute without quotes; empty: nothing.
std::string xml_problem(const std::string& text) {
  static const std::regex tag(R"(<(/?)([a-z]+)((?: [a-z0-9-]+="[^"<>&]*")* ?)(/?)>)");
  std::vector<std::string> open;
  std::string rest;
  auto begin = text.begin();
  for (std::sregex_iterator each(text.begin(), text.end(), tag), none; each != none; ++each) {
    const std::smatch& match = *each;
    rest.append(begin, match[0].first);
    begin = match[0].second;
    if (match[1].length()) {
      if (open.empty() || open.back() != match[2]) return "closes " + match[2].str();
      open.pop_back();
    } else if (!match[4].length()) {
      open.push_back(match[2]);
    }
  }
  rest.append(begin, text.end());
  if (!open.empty()) return "leaves " + open.back() + " open";
  return std::regex_search(rest, std::regex("[<>]|&(?!(amp|lt|gt|quot);)")) ? "bare: " + rest : "";
}

LineChart small_chart() {
  return {.title = "a < b & \"c\"",
          .x_axis = "steps",
          .y_axis = "kB",
          .lines = {{.name = "one", .x = {0, 5, 10}, .y = {0, 4, 5}, .low = {}, .high = {}},
                    {.name = "two", .x = {0, 10}, .y = {1, 1}, .low = {0, 0}, .high = {2, 3}}},
          .places = {}};
}

TEST(LineChart, IsWellFormed) {
  const std::string svg = svg_of(small_chart());
  EXPECT_EQ(xml_problem(svg), "");
  EXPECT_NE(svg.find("a &lt; b &amp; &quot;c&quot;"), std::string::npos);
  for (const char* text : {">steps<", ">kB<", ">one<", ">two<"})
    EXPECT_NE(svg.find(text), std::string::npos) << text;
}

// The plot is 560 x 300 pixels, its corner at (72, 44); x from 0 to 10, y from 0 to 5.
TEST(LineChart, PutsPointsWhereTheyBelong) {
  const std::string svg = svg_of(small_chart());
  EXPECT_NE(svg.find("points=\"72,344 352,104 632,44\""), std::string::npos) << svg;
  EXPECT_NE(svg.find("<polygon points=\"72,224 632,164 632,344 72,344\""), std::string::npos)
      << svg;
}

TEST(LineChart, LevelPointsAreLeftOut) {
  LineChart chart = small_chart();
  chart.lines = {
      {.name = "level", .x = {0, 1, 2, 3, 10}, .y = {5, 5, 5, 5, 5}, .low = {}, .high = {}}};
  EXPECT_NE(svg_of(chart).find("<polyline points=\"72,44 632,44\""), std::string::npos);
}

TEST(LineChart, NamesThePlacesAsFarAsThereIsRoom) {
  LineChart chart = small_chart();
  chart.lines = {{.name = "rate", .x = {}, .y = {}, .low = {}, .high = {}}};
  for (int i = 0; i < 100; ++i) {
    chart.places.push_back("commit" + std::to_string(i));
    chart.lines[0].x.push_back(i);
    chart.lines[0].y.push_back(i % 7);
  }
  const std::string svg = svg_of(chart);
  EXPECT_EQ(xml_problem(svg), "");
  EXPECT_NE(svg.find(">commit0<"), std::string::npos);
  EXPECT_NE(svg.find(">commit3<"), std::string::npos);  // 35 of them fit
  EXPECT_EQ(svg.find(">commit1<"), std::string::npos);
}

// The first numbers of this pattern in the text.
std::vector<double> numbers_of(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::smatch match;
  std::vector<double> numbers;
  if (std::regex_search(text, match, expression))
    for (size_t i = 1; i < match.size(); ++i) numbers.push_back(std::stod(match[i]));
  return numbers;
}

TEST(LineChart, ManyLinesAreToldApartAndTheLegendHoldsTheirNames) {
  LineChart chart = small_chart();
  chart.lines.clear();
  for (int i = 0; i < 45; ++i)
    chart.lines.push_back(
        {.name =
             "step/halfunet128_ghost/512/bf16/1/iterations:5/real_time, AMD " + std::to_string(i),
         .x = {0, 1},
         .y = {1.0 * i, 2.0 * i},
         .low = {},
         .high = {}});
  const std::string svg = svg_of(chart);
  EXPECT_EQ(xml_problem(svg), "");
  static const std::regex sample("<line [^>]*(stroke=.*) stroke-width=\"3\"/>");
  std::set<std::string> styles;
  for (std::sregex_iterator each(svg.begin(), svg.end(), sample), none; each != none; ++each)
    styles.insert((*each)[1]);
  EXPECT_EQ(styles.size(), 45u);
  const std::vector<double> size =
      numbers_of(svg, "<svg .*width=\"([0-9.]+)\" height=\"([0-9.]+)\"");
  const std::vector<double> last =
      numbers_of(svg, "<text x=\"([0-9.]+)\" y=\"([0-9.]+)\" >step/.*AMD 44<");
  ASSERT_EQ(size.size() + last.size(), 4u);
  EXPECT_GT(size[0], last[0] + 7 * static_cast<double>(chart.lines[44].name.size()));
  EXPECT_GT(size[1], last[1]);
}

TEST(LineChart, NothingAndOnePointCanBeDrawn) {
  LineChart chart = small_chart();
  chart.lines = {};
  EXPECT_EQ(xml_problem(svg_of(chart)), "");
  chart.lines = {{.name = "point", .x = {3}, .y = {-2}, .low = {}, .high = {}}};
  EXPECT_EQ(xml_problem(svg_of(chart)), "");
}

TEST(LineChart, RefusesWhatCannotBeDrawn) {
  LineChart chart = small_chart();
  chart.lines[0].y.pop_back();
  EXPECT_NE(error_of([&] { svg_of(chart); }).find("'one' of a chart has 3 x, 2 y"),
            std::string::npos);
  chart.lines[0].y.push_back(std::numeric_limits<double>::quiet_NaN());
  EXPECT_NE(error_of([&] { svg_of(chart); }).find("not finite"), std::string::npos);
}

}  // namespace
}  // namespace py4cast
