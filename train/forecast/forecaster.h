// Auto-regressive forecasts with a network.
#pragma once

#include "data/weather/field_store.h"
#include "models/model.h"
#include "train/forecast/steps.h"

namespace py4cast {

// What a forecast starts from and is led by; f32 (computed in context.floating()), standardised,
// leading axis: samples.
struct ForecastInput {
  Tensor
      states;  // [batch, num_input_steps, rows, columns, state], oldest first; without diagnostics
  Tensor forcing;  // [batch, predictions, rows, columns, forcing]; may have 0 features
  Tensor truth;    // [batch, predictions, rows, columns, state]: of the border; undefined: none
  int64_t truth_steps = -1;  // truth is known for so many predictions; -1: for all
  // 0 where a value is missing, else 1: [batch, num_input_steps, rows, columns, 1] and [batch, predictions,
  // rows, columns, 1]. With the first one the network has one channel more; the other may be undefined.
  Tensor state_valid, forcing_valid;
};

// How a forecast goes on.
struct ForecastRule {
  Steps steps;
  Strategy strategy;
  bool given_border = false;  // the strategy looks at the truth
};

// For each prediction i and each of num_inter_steps network calls:
//   x   = [states..., statics, forcing_i, valid]           on the feature axis; valid is 1 where the
//         given ones among the states and forcing_i have all values
//   new = strategy(last, network(x), truth_i, ...)         train/forecast/registries.h
// and new replaces the oldest state. Diagnostics are the last features of network(x), as they are, of the
// last call. Gradients flow through the whole loop. Each call of the network
// has a random key of its own.
class Forecaster {
 public:
  // Constant fields are copied to the context's device.
  Forecaster(const Model& model, const FieldStore& store, ForecastRule rule,
             const Context& context);

  // One tensor [batch, rows, columns, state and diagnostics] per prediction.
  std::vector<Tensor> operator()(Context& context, const ForecastInput& input) const;

  // What the network takes and gives.
  static Ports ports(const FieldStore& store, const Steps& steps);

 private:
  const Model& model_;
  ForecastRule rule_;
  Tensor statics_;                           // [1, rows, columns, statics]
  Tensor border_;                            // [rows, columns, 1]
  Tensor difference_mean_, difference_std_;  // [state]
  int64_t states_, diagnostics_;             // features
};

// A host vector as a tensor [n].
Tensor vector_tensor(const std::vector<double>& values, DataType type);

}  // namespace py4cast
