#include "train/picture.h"

#include <png.h>

#include "engine/error.h"

namespace py4cast {

Picture picture_of(std::string tag, std::span<const unsigned char> rgb, int64_t height,
                   int64_t width) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  Picture picture{std::move(tag), height, width, {}};
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  picture.png.resize(bytes);
  if (static_cast<int64_t>(rgb.size()) != 3 * height * width ||
      !png_image_write_to_memory(&image, picture.png.data(), &bytes, 0, rgb.data(), 0, nullptr))
    throw Error(ErrorKind::internal, picture.tag, ": no picture of ", height, " x ", width,
                " points can be made: ", image.message);
  picture.png.resize(bytes);
  return picture;
}

}  // namespace py4cast
