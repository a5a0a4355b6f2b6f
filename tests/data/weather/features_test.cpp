// Times of runs and leads.
#include "data/weather/features.h"

#include <gtest/gtest.h>

namespace py4cast {
namespace {

TEST(LeadsFillRunsTest, OnlyWhereEachTimeIsThereOnce) {
  const auto fill = [](std::vector<Time> runs, std::vector<Time> leads) {
    return leads_fill_runs({.runs = std::move(runs), .leads = std::move(leads)});
  };
  EXPECT_TRUE(fill({0, 6, 12, 18}, {0, 3}));
  EXPECT_TRUE(fill({0, 6, 18}, {3, 6}));        // a run is missing
  EXPECT_FALSE(fill({0, 24}, {0, 6, 12, 18}));  // a run has samples of its own
  EXPECT_FALSE(fill({0}, {0, 3}));
  EXPECT_FALSE(fill({0, 6}, {0}));
  EXPECT_FALSE(fill({0, 6}, {0, 3, 6}));           // overlap
  EXPECT_FALSE(fill({0, 24}, {6, 12, 18}));        // a gap each day
  EXPECT_FALSE(fill({0, 6, 12}, {0, 2}));          // uneven
  EXPECT_FALSE(fill({0, 24, 48}, {24, 36}));       // later runs know more
  EXPECT_FALSE(fill({0, 6, 12, 15, 18}, {0, 3}));  // one run between the others
}

}  // namespace
}  // namespace py4cast
