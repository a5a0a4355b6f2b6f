// Values of scikit-image 0.26: resize(image, shape, anti_aliasing=True) with
// image[i, j] = sin(0.7 i) + 2 cos(0.9 j) + 0.05 i j.
#include "data/weather/resize.h"

#include <gtest/gtest.h>

#include <cmath>

namespace py4cast {
namespace {

std::vector<float> image(int64_t rows, int64_t columns) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      const auto x = static_cast<double>(i), y = static_cast<double>(j);
      values.push_back(
          static_cast<float>(std::sin(0.7 * x) + 2 * std::cos(0.9 * y) + 0.05 * x * y));
    }
  return values;
}

void expect_near(const std::vector<float>& values, const std::vector<double>& expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 2e-6) << i;
}

TEST(Resize, ToMorePoints) {
  const std::vector<float> more = resize(image(4, 5), 4, 5, 6, 8);
  expect_near({more.begin(), more.begin() + 16},
              {1.967036, 1.779924, 1.253342, 0.197535, -0.750808, -1.591687, -1.662859, -1.657119,
               2.184900, 2.001955, 1.485790, 0.440400, -0.497527, -1.327989, -1.388745, -1.378838});
  expect_near({more.end() - 8, more.end()},
              {2.768249, 2.614471, 2.171222, 1.198749, 0.333739, -0.423807, -0.411646, -0.372573});
}

TEST(Resize, ToFewerPoints) {
  const std::vector<float> fewer = resize(image(20, 30), 20, 30, 6, 7);
  expect_near({fewer.begin(), fewer.begin() + 7},
              {0.792745, 1.396765, 0.693305, 2.124499, 1.659010, 1.952481, 3.234686});
  expect_near({fewer.end() - 7, fewer.end()},
              {1.617282, 5.482162, 8.271712, 13.196001, 16.223606, 20.010087, 24.553153});
  expect_near(resize(image(12, 12), 12, 12, 4, 4),
              {1.475420, -0.388172, 2.310816, -0.161921, 1.316704, -0.134041, 2.995970, 0.936080,
               0.454507, -0.565215, 3.014796, 1.385929, 1.887519, 1.280643, 5.291677, 4.075657});
}

TEST(Resize, ToFewerRowsAndMoreColumns) {
  const std::vector<float> both = resize(image(9, 4), 9, 4, 4, 7);
  expect_near({both.begin(), both.begin() + 7},
              {2.304140, 2.201518, 1.791029, 0.910118, -0.013432, -0.765041, -0.952943});
  expect_near({both.end() - 7, both.end()},
              {1.069884, 1.013426, 0.787595, 0.091341, -0.647552, -1.214504, -1.356241});
}

TEST(Resize, SameNumberIsTheSameField) {
  EXPECT_EQ(resize(image(3, 4), 3, 4, 3, 4), image(3, 4));
  EXPECT_EQ(resize({5}, 1, 1, 2, 2), std::vector<float>(4, 5));
}

TEST(Resize, MissingValuesSpreadToWhatTheyTakePartIn) {
  std::vector<float> values = image(4, 4);
  values[0] = std::nanf("");
  const std::vector<float> more = resize(values, 4, 4, 8, 8);
  EXPECT_TRUE(std::isnan(more[0]) && std::isnan(more[9]));
  EXPECT_FALSE(std::isnan(more[7]));
  EXPECT_FALSE(std::isnan(more[63]));
}

}  // namespace
}  // namespace py4cast
