// What a forecast must beat: four references that need no network.
//
// v(t): a state feature at one point, in physical units; l: the lead time; h(t): the time of day of
// t. All in double precision, point by point.
//
//   persistence          v(t0)
//   day_before           v(t0 + l - 24 h), for l <= 24 h
//   diurnal_persistence  v(t0) + D(h(t0 + l)) - D(h(t0)),
//                        D(h): mean of v over the training times with time of day h
//   hourly_regression    a + b v(t0),
//                        a, b: least squares of v(s + l) on v(s) over all s with s and s + l in the
//                        training period and h(s) = h(t0); b = 0 where all v(s) are equal
//
// Of diagnostics, which a start may lack, and where missing values are masked, the mean of v over the training times
// stands for a reference without a value, so that all are scored at the points at which the network is.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/weather/dataset.h"
#include "engine/communicator.h"
#include "engine/settings/json.h"

namespace py4cast {

struct BaselineSettings {
  int64_t memory_bytes = int64_t{1}
                         << 30;  // of fields, and of the regressions that are made at once
  double regression_limit =
      4e10;  // points x fields x leads x features beyond which the regression is left out
  // Of training times, for each hour and lead: with fewer the regression is left out; at a point it has no value.
  int64_t regression_pairs = 10;
};

struct BaselineScores {
  // {name: {"rmse": {feature: {lead: value}}}} over the samples of the data set and its interior points,
  // the root taken last. Left out: the last three where the step does not divide a day, the data are
  // reforecasts or the samples have members; the last one by the settings.
  Json scores = Json::object();
  std::vector<std::string> notes;  // what was left out and why
};

// All ranks call it: the features are dealt to them. Rank 0 keeps the result in the folder, by all that
// it depends on (empty: nowhere), and all take what is there. Memory: some fields of one feature, or all
// if they fit in memory_bytes, and as much for the regressions of some leads.
BaselineScores baseline_scores(const Dataset& samples, const BaselineSettings& settings,
                               Communicator& communicator, const std::string& folder = {});

}  // namespace py4cast
