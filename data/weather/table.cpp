#include "data/weather/table.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace py4cast {
namespace {

// Characters, not bytes, of UTF-8.
size_t width_of(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

bool is_number(const std::string& text) {
  if (text.empty()) return true;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  return *end == '\0';
}

std::string rule(const std::vector<size_t>& widths, const char* left, const char* middle,
                 const char* right) {
  std::string line = left;
  for (size_t column = 0; column < widths.size(); ++column) {
    if (column) line += middle;
    for (size_t i = 0; i < widths[column] + 2; ++i) line += "─";
  }
  return line + right + "\n";
}

}  // namespace

std::string TextTable::to_string() const {
  std::vector<size_t> widths;
  std::vector<bool> right;
  for (size_t column = 0; column < header.size(); ++column) {
    widths.push_back(width_of(header[column]));
    right.push_back(!rows.empty());
    for (const auto& row : rows) {
      widths[column] = std::max(widths[column], width_of(row[column]));
      right[column] = right[column] && is_number(row[column]);
    }
  }
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t column = 0; column < cells.size(); ++column) {
      const std::string space(widths[column] - width_of(cells[column]), ' ');
      text += "│ " + (right[column] ? space + cells[column] : cells[column] + space) + " ";
    }
    return text + "│\n";
  };
  std::string text = rule(widths, "┌", "┬", "┐") + line(header) + rule(widths, "├", "┼", "┤");
  for (const auto& row : rows) text += line(row);
  return text + rule(widths, "└", "┴", "┘");
}

std::string general_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace py4cast
