#include "data/weather/missing_points.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace py4cast {
namespace {

template <typename T>
std::vector<T> marked(const Packing& packing, std::vector<T> numbers) {
  const bool good =
      make_missing(packing, {false, true, false}, reinterpret_cast<std::byte*>(numbers.data()));
  return good ? numbers : std::vector<T>();
}

TEST(MissingPoints, TakeANumberThatTheFileCallsMissing) {
  Packing packing{.type = NumberType::i16};
  packing.missing[1] = -32767;
  EXPECT_EQ(marked<int16_t>(packing, {1, 2, 3}), (std::vector<int16_t>{1, -32767, 3}));
  packing.missing[0] = 1e20;  // no 16 bits hold it
  EXPECT_EQ(marked<int16_t>(packing, {1, 2, 3}), (std::vector<int16_t>{1, -32767, 3}));
}

TEST(MissingPoints, OrOneOutsideTheValidRange) {
  Packing packing{.type = NumberType::u8};
  packing.minimum = 0;
  packing.maximum = 99.5;
  EXPECT_EQ(marked<uint8_t>(packing, {1, 2, 3}), (std::vector<uint8_t>{1, 100, 3}));
  packing.minimum = 2.5;
  EXPECT_EQ(marked<uint8_t>(packing, {3, 4, 5}), (std::vector<uint8_t>{3, 2, 5}));
}

TEST(MissingPoints, FloatingPointNumbersHaveNaN) {
  const std::vector<float> numbers = marked<float>({}, {1, 2, 3});
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_TRUE(std::isnan(numbers[1]));
  EXPECT_EQ(numbers[2], 3);
}

TEST(MissingPoints, AFileWithoutSuchANumberIsSaid) {
  Packing packing{.type = NumberType::u8};
  EXPECT_TRUE(marked<uint8_t>(packing, {1, 2, 3}).empty());
}

}  // namespace
}  // namespace py4cast
