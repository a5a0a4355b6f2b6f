// Pictures for those who look at a training.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace py4cast {

struct Picture {
  std::string tag;
  int64_t height = 0, width = 0;
  std::string png;
};

// rgb: [height][width][3], from the top. By libpng.
Picture picture_of(std::string tag, std::span<const unsigned char> rgb, int64_t height,
                   int64_t width);

}  // namespace py4cast
