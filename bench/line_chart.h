// Line charts as SVG.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

struct ChartLine {
  std::string name;  // in the legend
  std::vector<double> x, y;
  std::vector<double> low, high;  // of an envelope around y; empty: none
};

struct LineChart {
  std::string title;
  std::string x_axis, y_axis;  // what they show, with its unit
  std::vector<ChartLine> lines;
  // Names of the places 0, 1, ... on the x axis, written as far as there is room; empty: numbers.
  std::vector<std::string> places;
};

// A picture of its own with a legend, readable on white. The y axis holds 0. Error(internal): a line
// with other numbers of x, y, low and high, or with a number that is not finite.
std::string svg_of(const LineChart& chart);

}  // namespace py4cast
