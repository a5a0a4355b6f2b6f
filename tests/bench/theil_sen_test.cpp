#include "bench/theil_sen.h"

#include <gtest/gtest.h>

#include <vector>

#include "engine/random.h"

namespace py4cast {
namespace {

TEST(TheilSen, IsTheMedianSlopeOfPairs) {
  // By hand: the slopes of the pairs are 2, 4, 5, and 2, 1.5, 1.
  EXPECT_DOUBLE_EQ(theil_sen(std::vector<double>{0, 1, 3}, std::vector<double>{0, 2, 12}).value, 4);
  EXPECT_DOUBLE_EQ(theil_sen(std::vector<double>{0, 1, 2}, std::vector<double>{0, 2, 3}).value,
                   1.5);
  // scipy.stats.theilslopes: 1.0416666666666665.
  const std::vector<double> x = {0, 1, 2, 4, 7, 8, 9, 12}, y = {1, 3, 2, 6, 5, 30, 11, 14};
  EXPECT_DOUBLE_EQ(theil_sen(x, y).value, 1.0416666666666665);
}

TEST(TheilSen, LeavesOutPairsWithEqualX) {
  const std::vector<double> x = {1, 1, 2}, y = {0, 5, 6};
  EXPECT_DOUBLE_EQ(theil_sen(x, y).value, (6.0 + 1.0) / 2);
  EXPECT_EQ(theil_sen(std::vector<double>{1, 1}, std::vector<double>{3, 4}).value, 0);
}

TEST(TheilSen, BoundOfAnExactLineIsItsSlope) {
  std::vector<double> x, y;
  for (int i = 0; i < 30; ++i) x.push_back(10 * i), y.push_back(7 - 0.5 * x.back());
  const Slope slope = theil_sen(x, y);
  EXPECT_DOUBLE_EQ(slope.value, -0.5);
  EXPECT_DOUBLE_EQ(slope.upper, -0.5);
}

// Normal noise of deviation 1 on 100 points: the least-squares slope has the deviation
// 1 / sqrt(sum (x - mean)^2) = 1 / sqrt(83325) = 0.0035, that of Theil and Sen some 5 % more; 95 % lie
// below the mean + 1.645 deviations, 0.006.
TEST(TheilSen, BoundOfNoiseIsThatOfItsDeviation) {
  std::vector<double> x, y;
  const RandomKey key{3};
  for (uint64_t i = 0; i < 100; ++i) {
    x.push_back(static_cast<double>(i));
    y.push_back(2 * x.back() + key.normal(i));
  }
  const Slope slope = theil_sen(x, y);
  EXPECT_NEAR(slope.value, 2, 0.01);
  EXPECT_GT(slope.upper - slope.value, 0.003);
  EXPECT_LT(slope.upper - slope.value, 0.012);
  EXPECT_EQ(theil_sen(x, y).upper, slope.upper);
}

// Noise that stays the same for ten points says as much as a tenth of the points.
TEST(TheilSen, NeighboursThatAreAlikeWidenTheBound) {
  const auto width = [](uint64_t same) {
    double all = 0;
    for (uint64_t seed = 1; seed < 8; ++seed) {
      std::vector<double> x, y;
      for (uint64_t i = 0; i < 100; ++i) {
        x.push_back(static_cast<double>(i));
        y.push_back(RandomKey{seed}.normal(i / same));
      }
      const Slope slope = theil_sen(x, y);
      all += slope.upper - slope.value;
    }
    return all;
  };
  EXPECT_GT(width(10), 1.5 * width(1));
}

}  // namespace
}  // namespace py4cast
