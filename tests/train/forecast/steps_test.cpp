#include "train/forecast/steps.h"

#include <gtest/gtest.h>

#include "engine/error.h"

namespace py4cast {
namespace {

constexpr double minute = 60, hour = 3600;

ForecastTraining section(int64_t input, int64_t inter, int64_t predictions) {
  ForecastTraining training;
  training.num_input_steps = input;
  training.num_inter_steps = inter;
  training.num_pred_steps_train = predictions;
  return training;
}

std::string steps_refusal(const ForecastTraining& training,
                          const StrategyKind& strategy = scaled_ar()) {
  try {
    make_steps(training, strategy);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(Steps, SeveralInputsWithInnerStepsAreRefused) {
  EXPECT_EQ(steps_refusal(section(2, 4, 1)),
            "training.num_input_steps 2 cannot go with training.num_inter_steps 4: between two "
            "steps of the data there is only one earlier state; set one of the two to 1");
}

TEST(Steps, DifferenceStrategyHasNoInnerSteps) {
  EXPECT_EQ(steps_refusal(section(1, 4, 1), diff_ar()),
            "training.strategy 'diff_ar' cannot go with training.num_inter_steps 4; set "
            "training.num_inter_steps 1, or strategy 'scaled_ar'");
  EXPECT_EQ(steps_refusal(section(1, 1, 1), diff_ar()), "accepted");
}

TEST(Steps, Counts) {
  EXPECT_EQ(steps_refusal(section(0, 1, 1)),
            "training.num_input_steps must be between 1 and 1000000, not 0");
  EXPECT_EQ(steps_refusal(section(1, 0, 1)),
            "training.num_inter_steps must be between 1 and 1000000, not 0");
  EXPECT_EQ(steps_refusal(section(1, 1, 0)),
            "training.num_pred_steps_train must be between 1 and 1000000, not 0");
}

// Training with hourly data and 4 inner steps, then a forecast on 15-minute data with 1.
TEST(Steps, ForecastKeepsTheModelStep) {
  const Steps trained = make_steps(section(1, 4, 1), scaled_ar());
  const Steps forecast = make_steps(section(1, 1, 4), scaled_ar());
  EXPECT_NO_THROW(check_model_step(trained, hour, forecast, 15 * minute));
  EXPECT_THROW(check_model_step(trained, hour, forecast, hour), Error);
}

}  // namespace
}  // namespace py4cast
