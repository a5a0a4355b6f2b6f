// Forecasts from files that lack what the network gives beyond its input.
#include <cmath>

#include "data/netcdf/netcdf_dataset.h"
#include "data/netcdf/netcdf_writer.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

constexpr size_t rows = 16, columns = 16, levels = 2;

// Hourly t2m, and rain on two heights if asked for.
void write_hours(const std::string& path, size_t hours, bool with_rain) {
  NetcdfWriter writer(path);
  const auto axis = [&](const char* name, size_t count, const char* units) {
    const int dimension = writer.dimension(name, count);
    const int variable = writer.variable(name, NetcdfWriter::Type::float64, {dimension});
    writer.attribute(variable, "units", units);
    std::vector<double> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<double>(i + 1);
    writer.write(variable, {0}, {count}, values.data());
    return dimension;
  };
  const int time = axis("time", hours, "hours since 2020-01-01"),
            y = axis("lat", rows, "degrees_north"), x = axis("lon", columns, "degrees_east");
  const auto add = [&](const char* name, const char* units, const std::vector<int>& dimensions,
                       const std::vector<size_t>& counts) {
    const int variable = writer.variable(name, NetcdfWriter::Type::float32, dimensions);
    writer.attribute(variable, "units", units);
    size_t count = 1;
    for (const size_t each : counts) count *= each;
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>((i * i + 7 * i) % 101);
    writer.write(variable, std::vector<size_t>(counts.size()), counts, values.data());
  };
  if (with_rain)
    add("rain", "mm", {time, axis("height", levels, "m"), y, x}, {hours, levels, rows, columns});
  add("t2m", "K", {time, y, x}, {hours, rows, columns});
  writer.finish();
}

std::vector<float> field(const std::string& file, const std::string& variable, int64_t level) {
  std::vector<float> values(rows * columns);
  open_netcdf({file})->read({variable, level, 1}, {0, rows, 0, columns}, values.data());
  return values;
}

TEST_F(Programs, ForecastsNeedNoDiagnostics) {
  const auto file = [&](const char* name) { return (root_ / name).string(); };
  write_hours(file("all.nc"), 60, true);
  write_hours(file("start.nc"), 2, false);
  std::ofstream(root_ / "config.json")
      << Json{{"dataset",
               {{"name", "netcdf"},
                {"files", {file("all.nc")}},
                {"variables", {{"rain", {{"role", "diagnostic"}}}, {"t2m", {{"role", "state"}}}}},
                {"periods",
                 {{"train", {{"start", "2020-01-01"}, {"end", "2020-01-01T20"}}},
                  {"valid", {{"start", "2020-01-01T21"}, {"end", "2020-01-02T12"}}},
                  {"test", {{"start", "2020-01-02T13"}, {"end", "2020-01-03T12"}}}}}}}};
  Outcome outcome = run(train() + file("config.json") +
                        " --model.settings '{\"num_filters\": 4}' --epochs 1 --batch_size 4 "
                        "--num_pred_steps_val_test 2 --device cpu --run_name run");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  const std::string folder = (root_ / "camp0/netcdf/halfunet/run_0").string();
  const std::string predict =
      tool() + "predict " + folder + " --start 2020-01-01T02 --steps 3 --out ";
  outcome = run(predict + file("whole.nc"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(predict + file("lacking.nc") + " --dataset.files " + file("start.nc"));
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("the diagnostic 'rain' is forecast although the files lack it"),
            std::string::npos)
      << outcome.output;
  EXPECT_EQ(contents(root_ / "lacking.nc"), contents(root_ / "whole.nc"));
  for (const int64_t level : {0, 1}) {
    const std::vector<float> rain = field(file("lacking.nc"), "rain", level);
    EXPECT_TRUE(std::ranges::all_of(rain, [](float x) { return std::isfinite(x); }));
    EXPECT_GT(std::ranges::max(rain), 1);
  }
  EXPECT_NE(field(file("lacking.nc"), "rain", 0), field(file("lacking.nc"), "rain", 1));
  // What is scored must be there.
  outcome = run(tool() + "test " + folder + " --dataset.files " + file("start.nc"));
  EXPECT_NE(outcome.exit_code, 0);
}

}  // namespace
}  // namespace py4cast
