#include "engine/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace py4cast {
namespace {

// Known answers of the authors' Random123 library (kat_vectors, philox4x32 10).
TEST(Random, PhiloxKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
            (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, MomentsOfUniformAndNormal) {
  const RandomKey key{7, 3};
  const int n = 200000;
  double mean = 0, square = 0, fourth = 0, uniform = 0;
  for (int i = 0; i < n; ++i) {
    const double x = key.normal(static_cast<uint64_t>(i));
    mean += x / n;
    square += x * x / n;
    fourth += x * x * x * x / n;
    uniform += key.uniform(static_cast<uint64_t>(i)) / n;
  }
  EXPECT_NEAR(mean, 0, 0.01);
  EXPECT_NEAR(square, 1, 0.015);
  EXPECT_NEAR(fourth, 3, 0.1);
  EXPECT_NEAR(uniform, 0.5, 0.003);
}

// The distribution function of the normal gives back the uniform.
TEST(Random, NormalIsTheInverseOfItsDistribution) {
  const RandomKey key{1, 0};
  for (uint64_t i = 0; i < 5000; ++i) {
    const double p = (static_cast<double>(key.bits(i) >> 11) + 0.5) * 0x1p-53;
    EXPECT_NEAR(0.5 * std::erfc(-key.normal(i) / std::sqrt(2.0)), p, 1e-14);
  }
}

TEST(Random, ChildrenDiffer) {
  const RandomKey key{42, 0};
  std::set<uint64_t> seen;
  for (uint64_t child = 0; child < 100; ++child)
    for (uint64_t i = 0; i < 10; ++i) seen.insert(key.child(child).bits(i));
  for (uint64_t i = 0; i < 10; ++i) seen.insert(key.bits(i));
  EXPECT_EQ(seen.size(), 1010u);
}

TEST(Random, PermutationHoldsEachNumberOnce) {
  auto order = RandomKey{5, 5}.permutation(1000);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(Random, PermutationsOfFourNumbersAreAll24) {
  std::set<std::vector<int64_t>> seen;
  for (uint64_t child = 0; child < 500; ++child)
    seen.insert(RandomKey{5, 5}.child(child).permutation(4));
  EXPECT_EQ(seen.size(), 24u);
}

}  // namespace
}  // namespace py4cast
