#include "bench/compare.h"

#include <gtest/gtest.h>

#include "tests/engine/error_of.h"

namespace py4cast {
namespace {

TEST(Compare, IsSlowerOnlyWhereNoRunIsAsFastAsTheSlowestBefore) {
  EXPECT_EQ(compare_times({10, 12, 11}, {12.1, 15, 13}), Verdict::slower);
  EXPECT_EQ(compare_times({10, 12, 11}, {12, 15, 13}), Verdict::same);
  EXPECT_EQ(compare_times({10, 12, 11}, {9.9, 2, 9}), Verdict::faster);
  EXPECT_EQ(compare_times({10, 12, 11}, {10, 2, 9}), Verdict::same);
}

TEST(Compare, TableTellsMediansRangesAndWhatOneLacks) {
  const Times before = {{"a", {10, 30, 20}}, {"b", {1, 2, 3}}, {"gone", {1}}};
  const Times after = {{"a", {40, 50, 60}}, {"b", {1, 2, 3}}, {"new", {1}}};
  EXPECT_EQ(comparison_table(before, after),
            "| case | old ms (least-most) | new ms | new / old | verdict |\n"
            "|---|---|---|---|---|\n"
            "| a | 20 (10-30) | 50 (40-60) | 2.500 | SLOWER |\n"
            "| b | 2 (1-3) | 2 (1-3) | 1.000 | same |\n"
            "only in the old build: gone\n"
            "only in the new build: new\n");
  EXPECT_TRUE(any_worse(before, after));
  EXPECT_FALSE(any_worse(before, before));
}

TEST(Compare, CaseThatIsGoneOrFailsIsWorse) {
  const Times before = {{"a", {1, 2, 3}}, {"b", {1, 2, 3}}}, without = {{"a", {1, 2, 3}}},
              once = {{"a", {1, 2, 3}}, {"b", {1, 2}}};
  EXPECT_TRUE(any_worse(before, without));
  EXPECT_TRUE(any_worse(before, once));
  EXPECT_FALSE(any_worse(without, before));
  EXPECT_TRUE(comparison_table(before, once).ends_with("in more runs of the old build: b\n"));
  EXPECT_EQ(error_of(
                [&] {
                  any_worse(before, {{"c", {1}}});
                },
                ErrorKind::data),
            "the two builds have no case in common");
}

}  // namespace
}  // namespace py4cast
