#include "train/forecast/variable_reasons.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "data/weather/dataset.h"
#include "engine/error.h"
#include "tests/train/built_in.h"
#include "tests/train/forecast/fake_source.h"
#include "train/forecast/init.h"

namespace py4cast {
namespace {

std::string guess_refused(FieldSource& source) {
  try {
    guess_configuration(source, "netcdf", {"a.nc"});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(VariableReasons, WhyNoVariableWithATimeIsLeft) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    std::map<std::string, std::string> left_out() const override { return reasons; }
    std::map<std::string, std::string> reasons;
  };
  Source source(16, 16, 12, {});
  source.add("orog", /*has_time=*/false);
  EXPECT_EQ(guess_refused(source), "a.nc: has no time axis, so there is nothing to forecast");
  source.reasons = {{"crs", "a.nc: it is not a field on the grid (y, x), but has no dimensions"},
                    {"t", "a.nc: the times of variable 'time' are not sorted"},
                    {"u", "b.nc: u"},
                    {"v", "a.nc: the times of variable 'time' are not sorted"}};
  EXPECT_EQ(guess_refused(source),
            "a.nc: has no variable with a time that can be used, so there is nothing to forecast; "
            "left out: t, v (the times of variable 'time' are not sorted); u (b.nc: u)");
  source.reasons["w"] = source.reasons["t"];
  source.reasons["x"] = source.reasons["t"];
  EXPECT_NE(guess_refused(source).find("left out: t, v, w and 1 more (the times"),
            std::string::npos);
}

// WRF writes relief and land mask at each time.
TEST(VariableReasons, WhatHasATimeButNeverChangesIsStatic) {
  FakeSource source(16, 16, 12, every(6 * 3600, 120));
  source.add("t2m");
  source.add("still");
  source.add("soil").levels = {1, 2};
  source.values["soil"] = [](const FieldRequest& request, int64_t point) {
    return static_cast<float>((request.level + 1) * point);
  };
  VariableInfo& rain = source.add("tp");
  rain.long_name = "Total precipitation";
  source.values["tp"] = [](const FieldRequest&, int64_t point) {
    return static_cast<float>(point);
  };
  FakeSource guessed = source;
  const Guess guess = guess_configuration(guessed, "netcdf", {"a.nc"});
  const Json& variables = guess.values.at("dataset").at("variables");
  EXPECT_EQ(variables.at("still").at("role"), "static");
  EXPECT_EQ(variables.at("soil").at("role"), "static");
  EXPECT_EQ(guess.reasons.at("dataset.variables.still"), "still: it has a time but never changes.");
  EXPECT_FALSE(variables.contains("tp")) << "no relief";
  const std::string file = testing::TempDir() + "static_guess.jsonc";
  std::ofstream(file) << guess_document(guess);
  DatasetSettings settings = resolve({.file = file}).dataset;
  settings.cache_folder.clear();
  const FieldStore store(settings, std::make_unique<FakeSource>(source));
  EXPECT_EQ(store.statics().feature_names(),
            (Texts{"x", "y", "border_mask", "still", "soil_1", "soil_2"}));
}

TEST(VariableReasons, LimitsThatMaskAreNamed) {
  FakeSource source(16, 16, 12, every(6 * 3600, 120));
  source.add("t2m");
  source.add("empty").limits = "valid_min = 300";
  source.add("sst").limits = "valid_max = 30";
  const Guess guess = guess_configuration(source, "netcdf", {"a.nc"});
  EXPECT_NE(guess.reasons.at("dataset.variables")
                .find("empty (has no values (those beyond its valid_min = 300 count as missing))"),
            std::string::npos)
      << guess.reasons.at("dataset.variables");
  EXPECT_EQ(guess.reasons.at("dataset.missing"),
            "There are missing values in sst (those beyond its valid_max = 30 count as missing).");
}

// Runs of 36 h every 12 h, given every 3 h; `rain` of a lead number.
std::string growth_said(const std::function<float(int64_t lead, int64_t point)>& rain) {
  FakeSource source(16, 16, 12, every(12 * 3600, 30));
  for (Time lead = 3; lead <= 36; lead += 3) source.change_times().leads.push_back(lead * 3600);
  source.add("t2m");
  source.add("tp");
  source.values["tp"] = [&](const FieldRequest& request, int64_t point) {
    return rain(request.lead, point + request.run);
  };
  return guess_configuration(source, "netcdf", {"a.nc"}).reasons.at("dataset.variables.tp");
}

TEST(VariableReasons, TotalsOfGribAreSaid) {
  struct Source : FakeSource {
    using FakeSource::FakeSource;
    SourceMessage message(const FieldRequest& request) const override {
      return {.bytes = "GRIB", .total = request.variable == "tp" && request.lead == 1};
    }
  };
  Source source(16, 16, 12, every(12 * 3600, 30));
  source.change_times().leads = {0, 10800, 21600, 32400};
  for (const char* name : {"t2m", "tp", "ssrd"}) source.add(name);
  source.lacks = [](const FieldRequest& request) { return request.lead == 3; };
  const auto reasons = guess_configuration(source, "grib", {"a.grib"}).reasons;
  EXPECT_NE(reasons.at("dataset.variables.tp").find("The intervals of its messages begin together"),
            std::string::npos);
  EXPECT_EQ(reasons.at("dataset.variables.ssrd").find("its messages"), std::string::npos);
}

TEST(VariableReasons, SumsOverTheLeadTimesAreSaid) {
  const auto amount = [](int64_t lead, int64_t point) {
    return static_cast<float>(lead) * (1.5f + std::sin(static_cast<float>(point)));
  };
  const std::string sum =
      ": they seem to be a sum whose interval depends on the lead time; the differences of its "
      "times are the amounts of a step.";
  const auto ends_with = [](const std::string& text, const std::string& end) {
    EXPECT_TRUE(text.ends_with(end)) << text;
  };
  ends_with(growth_said(amount), " Its values only grow within a run" + sum);
  // Those of 12 h each: the one at 15 h is of 3 h.
  ends_with(growth_said([&](int64_t lead, int64_t point) {
              return amount(lead == 0 ? 0 : (lead - 1) % 4 + 1, point);
            }),
            " Its values only grow within a run and begin anew before +15 h, +27 h" + sum);
  // Rates, and the sun's: it falls in the afternoon.
  for (const auto& rate : std::vector<std::function<float(int64_t, int64_t)>>{
           [&](int64_t lead, int64_t point) { return amount(1, point + 7 * lead); },
           [&](int64_t lead, int64_t point) {
             return amount(1, point) *
                    std::fmax(0.0f, std::sin(0.7854f * static_cast<float>(lead)));
           }})
    EXPECT_TRUE(growth_said(rate).ends_with("as state it would be forecast.")) << growth_said(rate);
}

}  // namespace
}  // namespace py4cast
