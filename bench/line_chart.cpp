#include "bench/line_chart.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "engine/error.h"

namespace py4cast {
namespace {

// The plot and what stands around it, in pixels.
constexpr double left = 72, top = 44, plot_width = 560, least_height = 300, most_height = 640;
constexpr double bottom = 56, slanted_bottom = 96;
// The legend's: of a row, of its line, of a letter at most.
constexpr double row_height = 20, sample_width = 40, letter_width = 7.5, least_legend_width = 268;
// Colours that people with any kind of colour vision tell apart (Okabe and Ito 2008), then grey ones.
constexpr std::array colours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
                                "#56b4e9", "#000000", "#777777", "#b0b0b0"};
// Of the lines that have a colour once more.
constexpr std::array dashes = {"", "8 4", "2 3", "10 3 2 3", "16 4"};

std::string escaped(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

// In pixels, to a tenth.
std::string pixels(double value) {
  return number(std::round(value * 10) / 10);
}

void check(const ChartLine& line) {
  const size_t count = line.x.size(), envelope = line.low.empty() ? 0 : count;
  if (line.y.size() != count || line.low.size() != envelope || line.high.size() != envelope)
    throw Error(ErrorKind::internal, "line '", line.name, "' of a chart has ", count, " x, ",
                line.y.size(), " y, ", line.low.size(), " low and ", line.high.size(), " high");
  for (const auto* values : {&line.x, &line.y, &line.low, &line.high})
    if (!std::ranges::all_of(*values, [](double value) { return std::isfinite(value); }))
      throw Error(ErrorKind::internal, "line '", line.name,
                  "' of a chart has a number that is not "
                  "finite");
}

// From numbers to pixels, with ticks at round numbers.
struct Axis {
  double from = 0, to = 1, tick = 1;

  // At least two and about five ticks.
  static Axis around(double from, double to) {
    if (!(to > from)) to = from + 1;
    const double rough = (to - from) / 5, power = std::pow(10, std::floor(std::log10(rough)));
    double tick = 10 * power;
    for (const double round : {5.0, 2.0, 1.0})
      if (round * power >= rough) tick = round * power;
    return {std::floor(from / tick) * tick, std::ceil(to / tick) * tick, tick};
  }
  double share(double value) const { return (value - from) / (to - from); }
};

class Chart {
 public:
  explicit Chart(const LineChart& chart) : chart_(chart) {
    double x_low = INFINITY, x_high = -INFINITY, y_low = 0, y_high = 0;
    for (const ChartLine& line : chart.lines) {
      check(line);
      for (const double x : line.x) x_low = std::min(x_low, x), x_high = std::max(x_high, x);
      for (const auto* values : {&line.y, &line.low, &line.high})
        for (const double y : *values) y_low = std::min(y_low, y), y_high = std::max(y_high, y);
    }
    legend_height_ = row_height * static_cast<double>(chart.lines.size());
    height_ = std::clamp(legend_height_, least_height, most_height);
    y_ = Axis::around(y_low, y_high);
    if (!chart.places.empty())
      x_ = {-0.5, static_cast<double>(chart.places.size()) - 0.5, 1};
    else if (x_low <= x_high)
      x_ = Axis::around(x_low, x_high);
  }

  std::string draw() {
    const double down = chart_.places.empty() ? bottom : slanted_bottom;
    size_t letters = 0;
    for (const ChartLine& line : chart_.lines) letters = std::max(letters, line.name.size());
    const double legend_width = std::max(
        least_legend_width, 32 + sample_width + letter_width * static_cast<double>(letters));
    svg_ = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" +
           pixels(left + plot_width + legend_width) + "\" height=\"" +
           pixels(top + std::max(height_ + down, legend_height_ + row_height)) +
           "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n"
           "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
    text(left, top - 20, chart_.title, "font-size=\"15\" font-weight=\"bold\"");
    draw_y_axis();
    draw_x_axis(top + height_ + down);
    for (size_t i = 0; i < chart_.lines.size(); ++i) draw_envelope(i);
    for (size_t i = 0; i < chart_.lines.size(); ++i) draw_line(i);
    for (size_t i = 0; i < chart_.lines.size(); ++i) draw_legend(i);
    return svg_ + "</svg>\n";
  }

 private:
  double x(double value) const { return left + plot_width * x_.share(value); }
  double y(double value) const { return top + height_ * (1 - y_.share(value)); }

  void text(double x, double y, const std::string& words, const std::string& style = "") {
    svg_ += "<text x=\"" + pixels(x) + "\" y=\"" + pixels(y) + "\" " + style + ">" +
            escaped(words) + "</text>\n";
  }
  void stroke(double x1, double y1, double x2, double y2, const std::string& style) {
    svg_ += "<line x1=\"" + pixels(x1) + "\" y1=\"" + pixels(y1) + "\" x2=\"" + pixels(x2) +
            "\" y2=\"" + pixels(y2) + "\" " + style + "/>\n";
  }

  void draw_y_axis() {
    const auto ticks = std::lround((y_.to - y_.from) / y_.tick);
    for (long i = 0; i <= ticks; ++i) {
      const double value = y_.from + static_cast<double>(i) * y_.tick;
      const bool zero = std::abs(value) < y_.tick / 2;
      stroke(left, y(value), left + plot_width, y(value),
             zero ? "stroke=\"#888\"" : "stroke=\"#e4e4e4\"");
      text(left - 8, y(value) + 4, number(zero ? 0 : value), "text-anchor=\"end\"");
    }
    const std::string middle = pixels(top + height_ / 2);
    text(16, top + height_ / 2, chart_.y_axis,
         "text-anchor=\"middle\" transform=\"rotate(-90 16 " + middle + ")\"");
  }

  void draw_x_axis(double end) {
    text(left + plot_width / 2, end - 14, chart_.x_axis, "text-anchor=\"middle\"");
    const double below = top + height_;
    if (chart_.places.empty()) {
      const auto ticks = std::lround((x_.to - x_.from) / x_.tick);
      for (long i = 0; i <= ticks; ++i) {
        const double value = x_.from + static_cast<double>(i) * x_.tick;
        stroke(x(value), below, x(value), below + 5, "stroke=\"#888\"");
        text(x(value), below + 20, number(value), "text-anchor=\"middle\"");
      }
      return;
    }
    // Slanted names take 16 pixels each.
    const size_t count = chart_.places.size();
    const auto every =
        static_cast<size_t>(std::ceil(16.0 * static_cast<double>(count) / plot_width));
    for (size_t i = 0; i < count; i += every) {
      const double at = x(static_cast<double>(i));
      stroke(at, below, at, below + 5, "stroke=\"#888\"");
      text(at, below + 16, chart_.places[i],
           "font-size=\"10\" text-anchor=\"end\" transform=\"rotate(-45 " + pixels(at) + " " +
               pixels(below + 16) + ")\"");
    }
  }

  static std::string colour(size_t i) { return colours[i % colours.size()]; }
  static std::string stroke_of(size_t i) {
    const std::string dash = dashes[i / colours.size() % dashes.size()];
    return "stroke=\"" + colour(i) + "\"" +
           (dash.empty() ? "" : " stroke-dasharray=\"" + dash + "\"");
  }

  // Points on one level with both of their neighbours are left out.
  std::string points(const std::vector<double>& xs, const std::vector<double>& ys) const {
    std::vector<std::string> levels;
    for (const double value : ys) levels.push_back(pixels(y(value)));
    std::string result;
    for (size_t i = 0; i < xs.size(); ++i) {
      const bool inside = i > 0 && i + 1 < xs.size();
      if (inside && levels[i] == levels[i - 1] && levels[i] == levels[i + 1]) continue;
      result += (result.empty() ? "" : " ") + pixels(x(xs[i])) + "," + levels[i];
    }
    return result;
  }

  void draw_envelope(size_t i) {
    const ChartLine& line = chart_.lines[i];
    if (line.low.empty()) return;
    const std::vector<double> back_x(line.x.rbegin(), line.x.rend());
    const std::vector<double> back_y(line.low.rbegin(), line.low.rend());
    svg_ += "<polygon points=\"" + points(line.x, line.high) + " " + points(back_x, back_y) +
            "\" fill=\"" + colour(i) + "\" fill-opacity=\"0.15\"/>\n";
  }

  void draw_line(size_t i) {
    const ChartLine& line = chart_.lines[i];
    svg_ += "<polyline points=\"" + points(line.x, line.y) + "\" fill=\"none\" " + stroke_of(i) +
            " stroke-width=\"2\" stroke-linejoin=\"round\"/>\n";
    if (line.x.size() > 60) return;
    for (size_t k = 0; k < line.x.size(); ++k)
      svg_ += "<circle cx=\"" + pixels(x(line.x[k])) + "\" cy=\"" + pixels(y(line.y[k])) +
              "\" r=\"2.5\" fill=\"" + colour(i) + "\"/>\n";
  }

  void draw_legend(size_t i) {
    const double from = left + plot_width + 16, at = top + 8 + row_height * static_cast<double>(i);
    stroke(from, at, from + sample_width, at, stroke_of(i) + " stroke-width=\"3\"");
    text(from + sample_width + 8, at + 4, chart_.lines[i].name);
  }

  const LineChart& chart_;
  Axis x_, y_;
  double height_ = least_height, legend_height_ = 0;  // of the plot, of its legend
  std::string svg_;
};

}  // namespace

std::string svg_of(const LineChart& chart) {
  return Chart(chart).draw();
}

}  // namespace py4cast
