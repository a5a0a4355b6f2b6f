// Text tables with box-drawing lines, no lines between the rows.
#pragma once

#include <string>
#include <vector>

namespace py4cast {

struct TextTable {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;  // cells; numbers are aligned to the right
  std::string to_string() const;
};

// "%g": six significant digits.
std::string general_number(double value);

}  // namespace py4cast
