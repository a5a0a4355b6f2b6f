#include "train/forecast/steps.h"

#include <cmath>

#include "engine/error.h"

namespace py4cast {
namespace {

std::string in_words(double seconds) {
  std::ostringstream stream;
  if (seconds >= 3600)
    stream << seconds / 3600 << " h";
  else if (seconds >= 60)
    stream << seconds / 60 << " min";
  else
    stream << seconds << " s";
  return stream.str();
}

void check_count(int64_t count, const char* key) {
  constexpr int64_t most = 1000000;
  if (count < 1 || count > most)
    throw Error(ErrorKind::configuration, "training.", key, " must be between 1 and ", most,
                ", not ", count);
}

}  // namespace

Steps make_steps(const ForecastTraining& training, const StrategyKind& strategy) {
  check_count(training.num_input_steps, "num_input_steps");
  check_count(training.num_inter_steps, "num_inter_steps");
  check_count(training.num_pred_steps_train, "num_pred_steps_train");
  check_count(training.num_pred_steps_val_test, "num_pred_steps_val_test");
  if (training.num_inter_steps > 1 && training.num_input_steps > 1)
    throw Error(ErrorKind::configuration, "training.num_input_steps ", training.num_input_steps,
                " cannot go with training.num_inter_steps ", training.num_inter_steps,
                ": between two steps of the data there is only one earlier state; set one of the "
                "two to 1");
  if (!strategy.inner_steps && training.num_inter_steps > 1)
    throw Error(ErrorKind::configuration, "training.strategy '", strategy.name,
                "' cannot go with training.num_inter_steps ", training.num_inter_steps,
                "; set training.num_inter_steps 1, or strategy "
                "'scaled_ar'");
  return {training.num_input_steps, training.num_inter_steps, training.num_pred_steps_train,
          training.num_pred_steps_val_test};
}

void check_model_step(const Steps& trained, double trained_data_step, const Steps& forecast,
                      double forecast_data_step) {
  const double trained_step = trained_data_step / static_cast<double>(trained.inter);
  const double forecast_step = forecast_data_step / static_cast<double>(forecast.inter);
  if (std::abs(trained_step - forecast_step) <= 1e-9 * trained_step) return;
  throw Error(ErrorKind::configuration, "one call of the network advances by ",
              in_words(trained_step), " in training but by ", in_words(forecast_step),
              " in this forecast (data step ", in_words(forecast_data_step),
              ", training.num_inter_steps ", forecast.inter, ")");
}

}  // namespace py4cast
