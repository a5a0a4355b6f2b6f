#include "engine/settings/registry.h"

#include <cctype>

namespace py4cast {

std::string plain_name(const std::string& name) {
  std::string result;
  for (const unsigned char letter : name)
    if (std::isalnum(letter)) result += static_cast<char>(std::tolower(letter));
  return result;
}

}  // namespace py4cast
