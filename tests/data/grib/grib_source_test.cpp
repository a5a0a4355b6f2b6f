// Messages as one data set.
#include "data/grib/grib_source.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include <cmath>
#include <thread>

#include "data/grib/grib_dataset.h"
#include "data/weather/calendar.h"
#include "tests/data/grib/grib_test_files.h"
#include "tests/places.h"

namespace py4cast {
namespace {

using GribSourceTest = GribFolder;

constexpr Time one_hour = 3600;

Time march_first() {
  return to_time(Calendar::standard, {2019, 3, 1});
}

// Temperature on a pressure level.
std::string on_pressure(int64_t level, double first, int64_t step = 0) {
  GribTestMessage message("regular_ll_pl_grib2");
  return message.set("level", level).set("step", step).counting(12, first).bytes();
}

// What edition 1 calls an accumulation, from hour 0 to the end of the step.
std::string accumulated(int64_t date, int64_t end, double first) {
  GribTestMessage message("regular_ll_sfc_grib1");
  message.set("shortName", "tp").set("dataDate", date);
  message.set("stepType", "accum").set("stepRange", "0-" + std::to_string(end));
  return message.counting(12, first).bytes();
}

TEST_F(GribSourceTest, VariablesHaveTheNamesThatUsersKnow) {
  const auto surface = [](const char* name, const char* level_type, int64_t level) {
    GribTestMessage message;
    message.set("shortName", name).set("typeOfLevel", level_type).set("level", level);
    return message.counting(12).bytes();
  };
  GribTestMessage unknown;
  unknown.set("parameterCategory", 19).set("parameterNumber", 222);
  GribSource source(
      {write("a.grib", surface("2t", "heightAboveGround", 2) +
                           surface("10u", "heightAboveGround", 10) + surface("msl", "meanSea", 0) +
                           unknown.counting(12).bytes() + on_pressure(500, 7))});
  expect_list(names(source), {"t2m", "u10", "msl", "parameter_0_19_222", "t"});
  EXPECT_EQ(source.variable("t2m").units, "K");
  EXPECT_EQ(source.variable("t2m").long_name, "2 metre temperature");
  EXPECT_EQ(source.variable("t2m").standard_name, "air_temperature");
  EXPECT_TRUE(source.variable("t2m").levels.empty());
  EXPECT_EQ(source.variable("t2m").only_level, 2);
  EXPECT_EQ(source.variable("t2m").level_units, "m");
  EXPECT_FALSE(source.variable("msl").only_level) << "of the mean sea";
  expect_list(source.variable("t").levels, {500});
  EXPECT_EQ(source.variable("t").level_units, "hPa");
  EXPECT_EQ(source.variable("t").level_standard_name, "air_pressure");
}

TEST_F(GribSourceTest, LevelsAreAnAxisAndTypesOfLevelAreVariables) {
  GribTestMessage above;
  above.set("shortName", "t").set("typeOfLevel", "heightAboveGround").set("level", 100);
  GribTestMessage thin("regular_ll_pl_grib2");  // 50 Pa
  thin.set("typeOfLevel", "isobaricInPa").set("level", 50).counting(12, 40);
  GribTestMessage fraction("regular_ll_pl_grib2");  // 15 * 10 Pa
  fraction.set("typeOfLevel", "isobaricInhPa").set("scaleFactorOfFirstFixedSurface", -1);
  fraction.set("scaledValueOfFirstFixedSurface", 15).counting(12, 50);
  GribSource source({write("a.grib", on_pressure(850, 20) + on_pressure(250, 10) + thin.bytes() +
                                         fraction.bytes() + above.counting(12, 30).bytes())});
  expect_list(names(source), {"t_isobaricInhPa", "t_heightAboveGround"});
  expect_list(source.variable("t_isobaricInhPa").levels, {0.5, 1.5, 250, 850});
  EXPECT_EQ(first_value(source, {"t_isobaricInhPa", 0}), 40);
  EXPECT_EQ(first_value(source, {"t_isobaricInhPa", 1}), 50);
  EXPECT_EQ(first_value(source, {"t_isobaricInhPa", 3}), 20);
  EXPECT_EQ(first_value(source, {"t_heightAboveGround"}), 30);
}

TEST_F(GribSourceTest, BothEditionsInOneFile) {
  std::string bytes;
  for (int64_t day = 1; day <= 4; ++day) {
    GribTestMessage message(day % 2 ? "regular_ll_sfc_grib1" : "regular_ll_sfc_grib2");
    message.set("dataDate", 20190300 + day).set("dataTime", 630);
    bytes += message.counting(12, 100.0 * static_cast<double>(day)).bytes();
  }
  GribSource source({write("a.grib", bytes)});
  ASSERT_EQ(source.times().runs.size(), 4);
  EXPECT_EQ(source.times().runs[1], march_first() + 24 * one_hour + 390 * 60);
  for (int64_t run = 0; run < 4; ++run)
    EXPECT_EQ(first_value(source, {"t2m", 0, run}), static_cast<float>(100 * (run + 1)));
}

TEST_F(GribSourceTest, MissingValuesAndRegions) {
  const double nan = std::nan("");
  GribTestMessage message;
  message.values({9999, 1, 2, nan, 4, 5, 6, 7, nan, 9, 10, 11});
  GribSource source({write("a.grib", message.bytes())});
  const std::vector<float> values = field(source, {"t2m"});
  EXPECT_NEAR(values[0], 9999, 0.2);  // the number that ecCodes gives for missing values by itself
  EXPECT_TRUE(std::isnan(values[3]) && std::isnan(values[8]));
  float part[4];
  source.read({"t2m"}, {1, 3, 1, 3}, part);
  EXPECT_NEAR(part[0], 5, 0.1);
  EXPECT_NEAR(part[3], 10, 0.1);
  EXPECT_THROW(source.read({"t2m"}, {1, 4, 1, 3}, part), Error);
}

TEST_F(GribSourceTest, StepsOfOneRunAreTimesOfValidity) {
  GribTestMessage minutes;
  minutes.set("indicatorOfUnitOfTimeRange", 0).set("forecastTime", 45);
  std::string bytes = minutes.counting(12, 45).bytes();
  for (const int64_t step : {0, 6, 12}) {
    GribTestMessage message;
    bytes += message.set("step", step).counting(12, static_cast<double>(step)).bytes();
  }
  GribSource source({write("a.grib", bytes)});
  expect_list(source.times().runs, {march_first(), march_first() + 45 * 60,
                                    march_first() + 6 * one_hour, march_first() + 12 * one_hour});
  expect_list(source.times().leads, {0});
  EXPECT_EQ(first_value(source, {"t2m", 0, 1}), 45);
  EXPECT_EQ(first_value(source, {"t2m", 0, 3}), 12);
}

TEST_F(GribSourceTest, RunsAndLeads) {
  std::string bytes;
  for (const int64_t day : {1, 2})
    for (const int64_t end : {24, 36})
      bytes += accumulated(20190300 + day, end, static_cast<double>(100 * day + end));
  GribSource source({write("a.grib", bytes)});
  EXPECT_EQ(source.times().runs.size(), 2);
  expect_list(source.times().leads, {24 * one_hour, 36 * one_hour});
  EXPECT_EQ(first_value(source, {"tp", 0, 1, 1}), 236);
  EXPECT_FALSE(source.exists({"tp", 0, 1, 2}));
}

// Hourly analyses, and the precipitation of the hour that ends then, from the run before.
TEST_F(GribSourceTest, AccumulationsLieBesideAnalyses) {
  std::string bytes;
  for (int64_t at = 0; at < 4; ++at) {
    GribTestMessage analysis("regular_ll_sfc_grib1"), rain("regular_ll_sfc_grib1");
    analysis.set("dataTime", 100 * at);
    rain.set("shortName", "tp").set("dataTime", 100 * at);
    rain.set("stepType", "accum").set("stepRange", "0-1");
    bytes += analysis.counting(12, static_cast<double>(at)).bytes() +
             rain.counting(12, static_cast<double>(at + 50)).bytes();
  }
  GribSource source({write("a.grib", bytes)});
  EXPECT_EQ(source.times().runs.size(), 5);
  expect_list(source.times().leads, {0});
  EXPECT_EQ(first_value(source, {"t2m", 0, 2}), 2);
  EXPECT_EQ(first_value(source, {"tp", 0, 2}), 51);
  EXPECT_FALSE(source.exists({"tp", 0, 0}));
}

TEST_F(GribSourceTest, Ensembles) {
  const auto member = [](int64_t number, int64_t at) {
    GribTestMessage message;
    message.set("productDefinitionTemplateNumber", 1).set("dataTime", 100 * at);
    message.set("perturbationNumber", number);
    return message.counting(12, static_cast<double>(10 * number + at)).bytes();
  };
  GribTestMessage relief;  // without a number: of all members
  relief.set("shortName", "z").set("typeOfLevel", "surface").set("level", 0);
  std::string bytes = relief.counting(12, 77).bytes();
  for (const int64_t number : {0, 3, 7})
    for (const int64_t at : {0, 1})
      if (number < 7 || at == 0) bytes += member(number, at);
  for (const int64_t at : {0, 1}) {
    GribTestMessage sea;  // without a number, too, but with a time
    sea.set("shortName", "sst").set("typeOfLevel", "surface").set("level", 0);
    bytes += sea.set("dataTime", 100 * at).counting(12, static_cast<double>(280 + at)).bytes();
  }
  GribSource source({write("a.grib", bytes)});
  EXPECT_EQ(source.times().members, 3);
  expect_list(source.times().member_numbers, {0, 3, 7});
  EXPECT_EQ(first_value(source, {"t2m", 0, 1, 0, 1}), 31);
  EXPECT_EQ(first_value(source, {"t2m", 0, 0, 0, 2}), 70);
  EXPECT_FALSE(source.exists({"t2m", 0, 1, 0, 2}));
  EXPECT_FALSE(source.exists({"t2m", 0, 1, 0, 3}));
  EXPECT_FALSE(source.variable("z").has_time);
  EXPECT_EQ(first_value(source, {"z", 0, 1, 0, 2}), 77);
  EXPECT_EQ(first_value(source, {"sst", 0, 1, 0, 2}), 281);
}

// As GFS has relative humidity between sigma levels.
TEST_F(GribSourceTest, LayersThatShareTheirTopAreVariables) {
  const auto layer = [](const char* type, int64_t hundredths, int64_t bottom, double first) {
    GribTestMessage message;
    message.set("shortName", "r").set("typeOfLevel", type);
    message.set("scaleFactorOfFirstFixedSurface", 2).set("scaleFactorOfSecondFixedSurface", 2);
    message.set("scaledValueOfFirstFixedSurface", hundredths);
    message.set("scaledValueOfSecondFixedSurface", bottom);
    return message.counting(12, first).bytes();
  };
  GribSource source(
      {write("a.grib", layer("sigmaLayer", 33, 100, 10) + layer("sigmaLayer", 44, 100, 20) +
                           layer("sigmaLayer", 44, 72, 30))});
  expect_list(names(source), {"r_to_1", "r_to_0.72"});
  ASSERT_EQ(source.variable("r_to_1").levels.size(), 2);
  EXPECT_NEAR(source.variable("r_to_1").levels[0], 0.33, 1e-9);
  EXPECT_EQ(first_value(source, {"r_to_1", 1}), 20);
  EXPECT_EQ(first_value(source, {"r_to_0.72"}), 30);
  GribSource soil({write("b.grib", layer("depthBelowLandLayer", 0, 10, 40) +
                                       layer("depthBelowLandLayer", 10, 40, 50))});
  expect_list(names(soil), {"r"});
  expect_list(soil.variable("r").levels, {0, 0.1});
}

TEST_F(GribSourceTest, WhatIsDerivedOfAnEnsembleIsNoMember) {
  std::string bytes;
  const auto add = [&](int64_t product, const char* key, int64_t value, double first,
                       int64_t at = 0) {
    GribTestMessage message;
    message.set("dataTime", 100 * at);
    message.set("productDefinitionTemplateNumber", product).set(key, value);
    bytes += message.counting(12, first).bytes();
  };
  for (const int64_t at : {0, 6})
    for (const int64_t number : {1, 2})
      add(1, "perturbationNumber", number, static_cast<double>(10 * number), at);
  add(2, "derivedForecast", 0, 30);
  add(2, "derivedForecast", 4, 40);
  add(2, "derivedForecast", 7, 50);
  add(6, "percentileValue", 90, 60);
  for (const int64_t kelvin : {273, 280})
    add(5, "scaledValueOfUpperLimit", kelvin, static_cast<double>(kelvin));
  GribTestMessage old("regular_ll_sfc_grib1");  // of ECMWF
  old.set("setLocalDefinition", 1).set("localDefinitionNumber", 1).set("type", "es");
  bytes += old.set("dataTime", 600).counting(12, 70).bytes();
  GribSource source({write("a.grib", bytes)});
  expect_list(names(source),
              {"t2m", "t2m_mean", "t2m_spread", "t2m_derived_7", "t2m_percentile_90"});
  expect_list(source.times().member_numbers, {1, 2});
  EXPECT_EQ(first_value(source, {"t2m", 0, 0, 0, 1}), 20);
  EXPECT_EQ(first_value(source, {"t2m_mean", 0, 0, 0, 1}), 30);
  EXPECT_EQ(first_value(source, {"t2m_spread", 0, 1, 0, 0}), 70);
  expect_says(source.left_out().at("t2m_probability"), " both hold variable 't2m_probability' of ");
}

// All parts of the date are 255 in a mask of MeteoNet.
TEST_F(GribSourceTest, WithoutDateConstant) {
  GribTestMessage mask("regular_ll_sfc_grib1");
  std::string bytes = mask.set("shortName", "lsm").counting(12, 3).bytes();
  for (const size_t part : {12, 13, 14, 15}) bytes[8 + part] = '\xff';
  for (const int64_t at : {0, 1, 2})
    bytes += GribTestMessage().set("dataTime", 100 * at).counting(12).bytes();
  GribSource source({write("a.grib", bytes)});
  EXPECT_FALSE(source.variable("lsm").has_time);
  EXPECT_EQ(first_value(source, {"lsm", 0, 2}), 3);
  EXPECT_EQ(source.times().runs.size(), 3);
}

TEST_F(GribSourceTest, FieldsOnOtherGridsAreLeftOut) {
  const auto on_grid = [](const char* name, int64_t rows, int64_t at) {
    GribTestMessage message;
    message.set("shortName", name).set("dataTime", 100 * at);
    message.region(rows, 4, 50, -1, static_cast<double>(51 - rows), 2);
    return message.counting(4 * rows, static_cast<double>(at)).bytes();
  };
  std::string bytes = GribTestMessage("reduced_gg_sfc_grib2").set("shortName", "msl").bytes();
  for (const int64_t at : {0, 1, 2}) bytes += on_grid("2t", 3, at) + on_grid("2d", 3, at);
  for (const int64_t at : {0, 1}) bytes += on_grid("sp", 2, at) + on_grid("2d", 2, at);
  const std::string file = write("a.grib", bytes);
  GribSource source({file});
  EXPECT_EQ(source.grid().rows, 3);
  expect_list(names(source), {"t2m", "d2m"});
  const auto reasons = source.left_out();
  expect_says(reasons.at("msl"), "'reduced_gg', which is not read");
  expect_says(reasons.at("sp"),
              "it is on another grid (2 x 4 points, regular_ll) than the "
              "data set (3 x 4 points)");
  EXPECT_EQ(reasons.count("d2m (2 x 4 points, regular_ll)"), 1);
  expect_says(sentence_of([&] { source.variable("sp"); }), "variable 'sp' cannot be used: ");
  // What is asked for decides.
  GribSource pressure({file}, {"sp"});
  EXPECT_EQ(pressure.grid().rows, 2);
  expect_list(names(pressure), {"d2m", "sp"});
}

TEST_F(GribSourceTest, AMessageTwice) {
  const std::string message = GribTestMessage().counting(12).bytes(),
                    other = GribTestMessage().counting(12, 5).bytes();
  GribSource source({write("a.grib", message + message)});
  EXPECT_EQ(source.times().runs.size(), 1);
  expect_says(refusal(message + other),
              " both hold variable 't2m' of 2019-03-01T00:00:00, level 2, and differ");
}

// As GFS sums precipitation from the start of the run and of the last hours.
TEST_F(GribSourceTest, ADoubtfulVariableIsLeftOut) {
  std::string bytes;
  for (const int64_t at : {0, 6, 12}) {
    GribTestMessage message, relief;
    bytes += message.set("dataTime", 100 * at).counting(12, static_cast<double>(at)).bytes();
    for (const int64_t begin : {0, 6}) {
      GribTestMessage rain("regular_ll_sfc_grib1");
      rain.set("shortName", "tp").set("dataTime", 100 * at).set("stepType", "accum");
      rain.set("stepRange", std::to_string(begin) + "-12");
      bytes += rain.counting(12, static_cast<double>(begin)).bytes();
    }
    relief.set("shortName", "z").set("typeOfLevel", "surface").set("level", 0);  // of each member
    relief.set("productDefinitionTemplateNumber", 1).set("perturbationNumber", at);
    bytes += relief.counting(12, static_cast<double>(at)).bytes();
  }
  const std::string file = write("a.grib", bytes);
  for (const auto& wanted : {std::vector<std::string>(), {"t2m"}, {"tp"}}) {
    GribSource source({file}, wanted);
    expect_list(names(source), {"t2m"});
    expect_list(source.times().runs,
                {march_first(), march_first() + 6 * one_hour, march_first() + 12 * one_hour});
    EXPECT_EQ(first_value(source, {"t2m", 0, 2}), 12);
    expect_says(source.left_out().at("z"), " both hold variable 'z' of 2019-03-01T00:00:00");
    expect_says(sentence_of([&] { source.variable("tp"); }), "variable 'tp' cannot be used: ");
    expect_says(source.left_out().at("tp"),
                " both hold variable 'tp' of 2019-03-01T12:00:00, level 0, and differ: one is of "
                "12 h, the other of 6 h");
  }
}

// ECMWF counts precipitation in metres, Meteo-France in kg m-2.
TEST_F(GribSourceTest, UnitsMustAgreeAndDatesExist) {
  GribTestMessage metres("regular_ll_sfc_grib1"), water("regular_ll_sfc_grib1");
  metres.set("shortName", "tp").set("stepType", "accum").set("dataTime", 100);
  water.set("centre", 85).set("table2Version", 1).set("indicatorOfParameter", 61);
  water.set("stepType", "accum");
  expect_says(refusal(metres.counting(12).bytes() + water.counting(12).bytes()),
              "variable 'tp' has the unit 'm' in ");
  std::string impossible = GribTestMessage().counting(12).bytes();
  impossible[16 + 14] = 2;  // month
  impossible[16 + 15] = 31;
  expect_says(refusal(impossible), "refused.grib: the message at byte 0: ");
}

TEST_F(GribSourceTest, FoldersStandForTheGribFilesInThem) {
  std::filesystem::create_directories(folder_ / "data" / "2");
  write("data/b.grib", GribTestMessage().set("dataTime", 100).counting(12, 1).bytes());
  write("data/2/a.grb", GribTestMessage().counting(12).bytes());
  write("data/b.grib.idx", "an index");
  GribSource source({path("data")});
  EXPECT_EQ(source.times().runs.size(), 2);
  EXPECT_EQ(source.file_of({"t2m", 0, 1}), path("data/b.grib"));
  std::filesystem::create_directories(folder_ / "empty");
  EXPECT_THROW(GribSource({path("empty")}), Error);
}

TEST_F(GribSourceTest, WhatIsMissingIsNamed) {
  const std::string file = write("a.grib", on_pressure(500, 0) + on_pressure(850, 1, 6));
  GribSource source({file});
  std::vector<float> values(12);
  EXPECT_EQ(sentence_of([&] {
              source.read({"t", 1, 0}, {0, 3, 0, 4}, values.data());
            }),
            file + ": variable 't' of 2019-03-01T00:00:00, level 850 is not there");
  try {
    source.variable("u");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), file + ": variable 'u' is missing; the nearest is 't'");
  }
}

TEST_F(GribSourceTest, AFileThatChangesIsRefused) {
  const std::string file = write("a.grib", GribTestMessage().counting(12).bytes());
  GribSource source({file});
  write("a.grib", GribTestMessage().counting(12, 9).bytes() + "longer");
  EXPECT_THROW(first_value(source, {"t2m"}), Error);
}

// The lengths of its groups add up to more numbers than the field has: ecCodes 2.28 would abort.
TEST_F(GribSourceTest, AnAssertionOfEcCodesIsAnError) {
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler lost;  // what ecCodes had allocated when it asserted
#endif
  const std::string file = repository() + "/tests/fuzz/corpus/grib/second_order_lengths.grib";
  GribSource source({file});
  const std::string name = source.variables().at(0).name;
  const std::string said = sentence_of([&] { first_value(source, {name}); });
  EXPECT_TRUE(said.starts_with(file)) << said;
  EXPECT_NE(said.find("ecCodes finds the message damaged"), std::string::npos) << said;
}

TEST_F(GribSourceTest, ManyThreadsReadTheSameAsOne) {
  std::string bytes;
  for (int64_t at = 0; at < 24; ++at)
    bytes += GribTestMessage()
                 .set("dataTime", 100 * at)
                 .counting(12, 10.0 * static_cast<double>(at))
                 .bytes();
  GribSource source({write("a.grib", bytes)});
  std::vector<std::thread> threads;
  std::vector<int> wrong(8, 0);
  for (size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      for (int64_t i = 0; i < 96; ++i) {
        const int64_t run = (i * 7 + static_cast<int64_t>(t)) % 24;
        wrong[t] +=
            std::abs(first_value(source, {"t2m", 0, run}) - static_cast<float>(10 * run)) > 1e-3f;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<int>(wrong.size(), 0));
}

}  // namespace
}  // namespace py4cast
