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
#pragma once

#include <functional>

#include "data/weather/dataset.h"
#include "engine/settings/json.h"

namespace py4cast {

struct BaselineSettings {
  int64_t memory_bytes = int64_t{1} << 30;  // fields of one feature are kept if they fit in so much
  double regression_limit =
      4e10;  // points x fields x leads x features beyond which the regression is left out
};

// {name: {"rmse": {feature: {lead: value}}}} over the samples of the data set and its interior
// points, the root taken last. Left out: the last three where the step does not divide a day, the
// data are reforecasts or the samples have members; notes say what was left out and why.
Json baseline_scores(const Dataset& samples, const BaselineSettings& settings,
                     std::vector<std::string>& notes,
                     const std::function<void(double)>& progress = {});

}  // namespace py4cast
