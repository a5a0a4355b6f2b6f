#include "train/forecast/source_summary.h"

#include <gtest/gtest.h>

#include "tests/train/forecast/fake_source.h"

namespace py4cast {
namespace {

TEST(SourceSummary, ObservationsWithAGap) {
  std::vector<Time> times = every(3600, 48);
  times.erase(times.begin() + 7);
  FakeSource source(4, 8, 16, times);
  VariableInfo& temperature = source.add("t");
  temperature.units = "degC";
  temperature.long_name = "Temperature";
  temperature.level_name = "level";
  temperature.levels = {500, 850};
  temperature.level_units = "hPa";
  source.add("relief", /*has_time=*/false).long_name = "Relief";
  EXPECT_EQ(
      source_summary(source),
      "grid       4 rows x 8 columns, latitude 47 ... 50, longitude 0 ... 14\n"
      "times      47 from 2019-03-01T00:00:00 to 2019-03-02T23:00:00, every 1 h (1 of another "
      "length) (standard calendar)\n"
      "variables  2\n"
      "  t       degC          Temperature on level 500, 850 hPa\n"
      "  relief  -             Relief (constant)\n");
}

TEST(SourceSummary, Reforecasts) {
  FakeSource source(4, 8, 16, every(86400, 3));
  source.change_times().leads = {0, 10800, 21600};
  source.change_times().members = 5;
  source.add("t2m");
  EXPECT_EQ(source_summary(source),
            "grid       4 rows x 8 columns, latitude 47 ... 50, longitude 0 ... 14\n"
            "runs       3 from 2019-03-01T00:00:00 to 2019-03-03T00:00:00, every 24 h (standard "
            "calendar)\n"
            "lead times 3 from 0 to 6 h\n"
            "members    5\n"
            "variables  1\n"
            "  t2m  -             \n");
}

}  // namespace
}  // namespace py4cast
