#include "data/simulation/simulate.h"

#include <omp.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "data/netcdf/netcdf_dataset.h"
#include "data/simulation/shallow_water.h"
#include "data/weather/calendar.h"
#include "tests/data/netcdf/test_files.h"

namespace py4cast {
namespace {

class SimulateTest : public NetcdfFolder {
 protected:
  std::string run(const std::string& name, int64_t grid, int64_t hours, uint64_t seed,
                  int64_t spin_up = 24) {
    SimulationSettings settings;
    settings.grid = grid;
    settings.hours = hours;
    settings.seed = seed;
    settings.spin_up_hours = spin_up;
    settings.out = path(name);
    simulate(settings);
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::vector<float> field(FieldSource& source, const std::string& name, int64_t hour) {
    const Region region = {0, source.grid().rows, 0, source.grid().columns};
    std::vector<float> values(static_cast<size_t>(region.rows() * region.columns()));
    source.read({name, 0, hour, 0, 0}, region, values.data());
    return values;
  }
};

TEST_F(SimulateTest, TheSameSettingsGiveTheSameFile) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(1);
  const std::string one = run("a.nc", 168, 2, 3, 0);  // large enough for threads
  omp_set_num_threads(3);
  const std::string three = run("a.nc", 168, 2, 3, 0);
  omp_set_num_threads(threads);
  EXPECT_TRUE(one == three);
  EXPECT_FALSE(one == run("a.nc", 168, 2, 4, 0));
}

TEST_F(SimulateTest, IsADataSet) {
  std::vector<int64_t> progress;
  SimulationSettings settings;
  settings.grid = 20;
  settings.hours = 5;
  settings.spin_up_hours = 2;
  settings.out = path("s.nc");
  settings.progress = [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 5);
    progress.push_back(done);
  };
  simulate(settings);
  EXPECT_EQ(progress, (std::vector<int64_t>{1, 2, 3, 4, 5}));
  const auto source = open_netcdf({path("s.nc")});
  const Grid& grid = source->grid();
  EXPECT_EQ(grid.rows, 20);
  EXPECT_EQ(grid.columns, 20);
  EXPECT_TRUE(grid.separable);
  EXPECT_NEAR(grid.latitude.front() + grid.latitude.back(), 2 * 47, 1e-9);
  EXPECT_GT(grid.latitude.front(), grid.latitude.back());
  EXPECT_LT(grid.longitude.front(), grid.longitude.back());
  ASSERT_EQ(source->times().runs.size(), 5u);
  EXPECT_EQ(format_time(source->times().calendar, source->times().runs[4]), "2020-03-01T04:00:00");
  EXPECT_FALSE(source->variable("orography").has_time);
  EXPECT_FALSE(source->variable("lsm").has_time);
  EXPECT_EQ(source->variable("t2m").units, "K");
  const std::pair<const char*, std::pair<float, float>> ranges[] = {
      {"t2m", {200, 330}}, {"u10", {-60, 60}}, {"v10", {-60, 60}},      {"q", {0, 0.04f}},
      {"z", {300, 1700}},  {"lsm", {0, 1}},    {"orography", {0, 2600}}};
  for (const auto& [name, range] : ranges) {
    const std::vector<float> values = field(*source, name, 3);
    const auto [low, high] = std::minmax_element(values.begin(), values.end());
    EXPECT_GE(*low, range.first) << name;
    EXPECT_LE(*high, range.second) << name;
    EXPECT_LT(*low, *high) << name;
  }
}

TEST_F(SimulateTest, RunsOnWithoutBlowingUpAndHasADayOverLand) {
  run("s.nc", 32, 480, 1, 48);
  const auto source = open_netcdf({path("s.nc")});
  const std::vector<float> land = field(*source, "lsm", 0);
  std::vector<double> by_hour(24, 0.0), by_hour_sea(24, 0.0);
  double points = 0, sea = 0;
  for (float share : land) points += share > 0.9f, sea += share < 0.1f;
  ASSERT_GT(points, 20);
  ASSERT_GT(sea, 20);
  double change = 0;
  std::vector<float> before;
  for (int64_t hour = 0; hour < 480; ++hour) {
    const std::vector<float> t = field(*source, "t2m", hour);
    for (size_t k = 0; k < t.size(); ++k) {
      ASSERT_TRUE(std::isfinite(t[k]) && t[k] > 200 && t[k] < 330) << hour;
      if (land[k] > 0.9f) by_hour[static_cast<size_t>(hour % 24)] += t[k] / points / 20;
      if (land[k] < 0.1f) by_hour_sea[static_cast<size_t>(hour % 24)] += t[k] / sea / 20;
      if (!before.empty()) change += std::abs(t[k] - before[k]) / (479.0 * 1024);
    }
    before = t;
    for (float u : field(*source, "u10", hour)) ASSERT_LT(std::abs(u), 70) << hour;
  }
  const auto warmest = std::max_element(by_hour.begin(), by_hour.end());
  EXPECT_GE(warmest - by_hour.begin(), 12);  // universal time, near the meridian
  EXPECT_LE(warmest - by_hour.begin(), 17);
  EXPECT_GT(*warmest - *std::min_element(by_hour.begin(), by_hour.end()), 2);
  EXPECT_LT(*std::max_element(by_hour_sea.begin(), by_hour_sea.end()) -
                *std::min_element(by_hour_sea.begin(), by_hour_sea.end()),
            2);
  EXPECT_GT(change, 0.1);  // K per hour: the weather moves ...
  EXPECT_LT(change, 3);    // ... and can be followed
}

TEST_F(SimulateTest, RefusesSettingsWithoutSense) {
  SimulationSettings settings;
  settings.out = path("s.nc");
  settings.grid = 8;
  expect_contains(error_of([&] { simulate(settings); }, ErrorKind::configuration), {"8 points"});
  settings.grid = 20;
  settings.hours = 0;
  expect_contains(error_of([&] { simulate(settings); }, ErrorKind::configuration), {"0 hours"});
  settings.hours = 1;
  settings.out = path("none/s.nc");
  expect_contains(error_of([&] { simulate(settings); }, ErrorKind::input_output), {"no folder"});
  EXPECT_EQ(files_in_folder(), 0u);
}

ShallowWaterSettings calm_water(int64_t size) {
  ShallowWaterSettings settings;
  settings.size = size;
  settings.spacing = 20000;
  settings.coriolis = 1e-4;
  settings.steps = 15;
  return settings;
}

Flow rest(int64_t size, float depth) {
  const size_t points = static_cast<size_t>(size * size);
  return {Plane(points, 0.0f), Plane(points, 0.0f), Plane(points, depth)};
}

TEST(ShallowWater, WaterAtRestOverReliefStaysAtRest) {
  constexpr int64_t n = 24;
  Flow flow = rest(n, 1000);
  Plane relief(n * n, 0.0f);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const size_t k = static_cast<size_t>(j * n + i);
      relief[k] =
          static_cast<float>(100 * std::exp(-0.05 * ((i - 12) * (i - 12) + (j - 9) * (j - 9))));
      flow.h[k] -= relief[k];
    }
  ShallowWater water(calm_water(n), relief, Plane(n * n, 0.0f));
  water.flow() = flow;
  for (int k = 0; k < 20; ++k) water.advance(flow, flow, 0, 1);
  for (size_t k = 0; k < flow.u.size(); ++k) {
    EXPECT_LT(std::abs(water.flow().u[k]), 2e-3f);
    EXPECT_NEAR(water.flow().h[k], flow.h[k], 0.02f);
  }
}

// A small hump in still water without rotation spreads as a wave with speed sqrt(g h), and no water
// is lost before it reaches the rim.
TEST(ShallowWater, WavesTravelAtTheirSpeedAndKeepTheirMass) {
  constexpr int64_t n = 101;
  ShallowWaterSettings settings = calm_water(n);
  settings.coriolis = 0;
  const Flow still = rest(n, 1000);
  ShallowWater water(settings, Plane(n * n, 0.0f), Plane(n * n, 0.0f));
  water.flow() = still;
  double mass_before = 0, mass_after = 0;
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const double r2 = static_cast<double>((i - 50) * (i - 50) + (j - 50) * (j - 50));
      float& h = water.flow().h[static_cast<size_t>(j * n + i)];
      h += static_cast<float>(std::exp(-r2 / 18));
      mass_before += h - 1000;
    }
  for (int k = 0; k < 7; ++k) water.advance(still, still, 0, 1);  // 6300 s
  const float* row = water.flow().h.data() + 50 * n;
  int64_t crest = 50;
  for (int64_t i = 50; i < n; ++i)
    if (row[i] > row[crest]) crest = i;
  const double expected = std::sqrt(9.81 * 1000) * 6300 / 20000;  // cells
  EXPECT_NEAR(static_cast<double>(crest - 50), expected, 2.5);
  for (float h : water.flow().h) mass_after += h - 1000;
  EXPECT_NEAR(mass_after, mass_before, 0.01 * mass_before + 0.3);
}

// A straight flow in balance with its pressure stays.
TEST(ShallowWater, GeostrophicFlowStays) {
  constexpr int64_t n = 40;
  Flow flow = rest(n, 1000);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const size_t k = static_cast<size_t>(j * n + i);
      flow.u[k] = 10;
      flow.h[k] -= static_cast<float>(1e-4 * 10 / 9.81 * 20000) * static_cast<float>(j);
    }
  ShallowWater water(calm_water(n), Plane(n * n, 0.0f), Plane(n * n, 0.0f));
  water.flow() = flow;
  for (int k = 0; k < 40; ++k) water.advance(flow, flow, 0, 1);
  for (size_t k = 0; k < flow.u.size(); ++k) {
    EXPECT_NEAR(water.flow().u[k], 10, 0.1);
    EXPECT_NEAR(water.flow().v[k], 0, 0.1);
  }
}

TEST(ShallowWater, TheReferenceIsFollowedAtTheGivenRate) {
  constexpr int64_t n = 20;
  ShallowWater water(calm_water(n), Plane(n * n, 0.0f), Plane(n * n, 1.0f / 3600));
  water.flow() = rest(n, 1010);
  const Flow raised = rest(n, 1020);
  for (int k = 0; k < 4; ++k) water.advance(raised, raised, 0, 1);  // one hour
  EXPECT_NEAR(water.flow().h[0], 1020, 1e-3);                       // the ring is the reference
  EXPECT_GT(water.flow().h[n * n / 2 + n / 2], 1010 + 10 * (1 - std::exp(-1.0)) - 1);
}

TEST(ShallowWater, TracersAreCarriedWithTheWind) {
  constexpr int64_t n = 64;
  Plane u(n * n, 20.0f), v(n * n, -10.0f), tracer(n * n, 0.0f);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i)
      tracer[static_cast<size_t>(j * n + i)] =
          static_cast<float>(std::exp(-0.02 * ((i - 20) * (i - 20) + (j - 40) * (j - 40))));
  std::vector<Plane> scratch;
  for (int k = 0; k < 20; ++k) carry_along(n, 20000, 900, u, v, {&tracer}, scratch);  // 5 h
  double mass = 0, x = 0, y = 0;
  for (int64_t j = 0; j < n; ++j)
    for (int64_t i = 0; i < n; ++i) {
      const double value = tracer[static_cast<size_t>(j * n + i)];
      EXPECT_GE(value, 0);
      EXPECT_LE(value, 1);
      mass += value;
      x += value * static_cast<double>(i);
      y += value * static_cast<double>(j);
    }
  EXPECT_NEAR(x / mass, 20 + 20 * 18000 / 20000.0, 0.3);
  EXPECT_NEAR(y / mass, 40 - 10 * 18000 / 20000.0, 0.3);
  EXPECT_NEAR(mass, 157, 8);
}

}  // namespace
}  // namespace py4cast
