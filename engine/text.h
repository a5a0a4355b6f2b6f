// Texts.
#pragma once

#include <string>
#include <string_view>

namespace py4cast {

// Of the letters A to Z.
inline std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& letter : result)
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  return result;
}

}  // namespace py4cast
