#include "train/forecast/field_picture.h"

#include <gtest/gtest.h>
#include <png.h>

#include <array>
#include <limits>
#include <vector>

namespace py4cast {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// As libpng reads it again.
struct Pixels {
  explicit Pixels(const Picture& picture) : width(picture.width) {
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    EXPECT_TRUE(png_image_begin_read_from_memory(&image, picture.png.data(), picture.png.size()));
    image.format = PNG_FORMAT_RGB;
    EXPECT_EQ(image.width, picture.width);
    EXPECT_EQ(image.height, picture.height);
    bytes.resize(PNG_IMAGE_SIZE(image));
    EXPECT_TRUE(png_image_finish_read(&image, nullptr, bytes.data(), 0, nullptr));
  }
  std::array<int, 3> at(int64_t line, int64_t column) const {
    const auto* pixel = bytes.data() + 3 * (line * width + column);
    return {pixel[0], pixel[1], pixel[2]};
  }
  int64_t width;
  std::vector<unsigned char> bytes;
};

Grid grid_of(int64_t rows, int64_t columns, bool from_south) {
  Grid grid{.rows = rows, .columns = columns};
  for (int64_t row = 0; row < rows; ++row)
    grid.latitude.insert(grid.latitude.end(), static_cast<size_t>(columns),
                         static_cast<double>(from_south ? row : -row));
  return grid;
}

using Color = std::array<int, 3>;
constexpr Color lowest = {13, 8, 135}, highest = {240, 249, 33}, grey = {128, 128, 128},
                white = {255, 255, 255}, no_error = {247, 247, 247}, too_low = {33, 102, 172},
                too_high = {178, 24, 43};

// 2 x 2 points are magnified to 256 x 256 each, with four white columns between.
TEST(FieldPicture, ShowsTruthForecastAndDifference) {
  const std::vector<float> truth = {1, 2, 3, 5}, forecast = {2, 2, nan, 4.5F}, inside(4, 1);
  for (const bool from_south : {false, true}) {
    const Picture picture =
        comparison_picture("t", grid_of(2, 2, from_south), truth, forecast, inside);
    EXPECT_EQ(picture.tag, "t");
    EXPECT_EQ(picture.height, 256);
    EXPECT_EQ(picture.width, 3 * 256 + 8);
    const Pixels pixels(picture);
    const int64_t first = from_south ? 200 : 0, second = from_south ? 0 : 200;
    EXPECT_EQ(pixels.at(first, 0), lowest);
    EXPECT_EQ(pixels.at(second, 255), highest);
    EXPECT_EQ(pixels.at(0, 256), white);
    EXPECT_EQ(pixels.at(first, 260), pixels.at(first, 200)) << "2, as in the truth";
    EXPECT_EQ(pixels.at(second, 260), grey);
    EXPECT_EQ(pixels.at(first, 520), too_high) << "1 is the largest difference";
    EXPECT_EQ(pixels.at(first, 720), no_error);
    EXPECT_EQ(pixels.at(second, 520), grey);
    EXPECT_EQ(pixels.at(second, 720), (Color{146, 197, 222})) << "half of it";
  }
  const std::vector<float> colder = {0, 2, 3, 5};
  EXPECT_EQ(Pixels(comparison_picture("t", grid_of(2, 2, false), truth, colder, inside)).at(0, 520),
            too_low);
}

// Of 257 x 514 points 3 x 3 are averaged; the border is paler.
TEST(FieldPicture, LargeFieldsAreAveraged) {
  const int64_t rows = 257, columns = 514;
  std::vector<float> truth(static_cast<size_t>(rows * columns)), inside(truth.size(), 1);
  for (size_t i = 0; i < truth.size(); ++i)
    truth[i] = (i / 514 + i % 514) % 2 == 0 ? 0.0F : 2.0F;  // a chessboard
  for (size_t i = 0; i < truth.size(); i += 514) inside[i] = inside[i + 1] = inside[i + 2] = 0;
  const Picture picture =
      comparison_picture("t", grid_of(rows, columns, false), truth, truth, inside);
  EXPECT_EQ(picture.height, 86);
  EXPECT_EQ(picture.width, 3 * 172 + 8);
  const Pixels pixels(picture);
  // 4 of 9 or 5 of 9 are 2: 4 and 5 ninths of the way, between the colours 189 55 134 and 216 87 107 ...
  EXPECT_EQ(pixels.at(0, 1), (Color{216, 87, 107}));
  EXPECT_EQ(pixels.at(0, 2), (Color{189, 55, 134}));
  const Color pale = pixels.at(1, 0);
  EXPECT_EQ(pale, (Color{232, 154, 166})) << "0.6 of it on white";
}

TEST(FieldPicture, OfNothingIsGrey) {
  const std::vector<float> none(4, nan), inside(4, 1);
  const Pixels pixels(comparison_picture("t", grid_of(2, 2, false), none, none, inside));
  for (const int64_t column : {0, 300, 700}) EXPECT_EQ(pixels.at(0, column), grey);
  const std::vector<float> same(4, 3);
  EXPECT_EQ(Pixels(comparison_picture("t", grid_of(2, 2, false), same, same, inside)).at(0, 0),
            lowest);
}

}  // namespace
}  // namespace py4cast
