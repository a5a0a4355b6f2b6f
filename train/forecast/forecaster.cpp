#include "train/forecast/forecaster.h"

#include <algorithm>
#include <string>
#include <utility>

#include "engine/kept_values.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

// Step i of [batch, steps, rows, columns, features] as [batch, rows, columns, features].
Tensor step_of(Context& context, const Tensor& x, int64_t i) {
  return reshape(context, narrow(context, x, 1, i, 1), x.shape().without(1));
}

// 1 where there are none.
Tensor product(Context& context, const std::vector<Tensor>& factors, const Shape& shape) {
  if (factors.empty()) return full(context, shape, context.floating(), 1);
  Tensor result = factors.front();
  for (size_t i = 1; i < factors.size(); ++i) result = multiply(context, result, factors[i]);
  return result;
}

// The coordinates of the grid's own axes, else longitude and latitude; null if it has neither.
std::shared_ptr<const Geometry> geometry_of(const FieldStore& store) {
  const Grid& grid = store.grid();
  const auto points = static_cast<size_t>(grid.rows * grid.columns);
  const bool plane = grid.x.size() == points && grid.y.size() == points;
  const std::vector<double>&x = plane ? grid.x : grid.longitude,
        &y = plane ? grid.y : grid.latitude;
  if (x.size() != points || y.size() != points) return nullptr;
  const Tensor coordinates = host_tensor({store.border_mask().numel(), 2}, DataType::f64);
  for (size_t i = 0; i < points; ++i) {
    coordinates.data<double>()[2 * i] = x[i];
    coordinates.data<double>()[2 * i + 1] = y[i];
  }
  return std::make_shared<const Geometry>(
      Geometry{coordinates, store.border_mask().viewed({coordinates.size(0), 1})});
}

}  // namespace

Tensor vector_tensor(const std::vector<double>& values, DataType type) {
  Tensor result = host_tensor({static_cast<int64_t>(values.size())}, DataType::f64);
  std::copy(values.begin(), values.end(), result.data<double>());
  return converted(result, type);
}

Forecaster::Forecaster(const Model& model, const FieldStore& store, ForecastRule rule,
                       const Context& context)
    : model_(model),
      rule_(std::move(rule)),
      states_(store.info().input_dim()),
      diagnostics_(store.info().diagnostics) {
  const auto constant = [&](const Tensor& x) {
    return on_device_of(context, converted(x, context.floating()), Owner::other, "constant fields");
  };
  const Tensor& statics = store.statics().tensor();
  statics_ = constant(statics.viewed(statics.shape().inserted(0, 1)));
  border_ = constant(store.border_mask());
  const auto of_states = [&](std::vector<double> values) {
    values.resize(static_cast<size_t>(states_));
    return constant(vector_tensor(values, context.floating()));
  };
  difference_mean_ = of_states(store.info().difference_mean());
  difference_std_ = of_states(store.info().difference_std());
}

Ports Forecaster::ports(const FieldStore& store, const Steps& steps) {
  const DatasetInfo& info = store.info();
  const int64_t features = steps.input * info.input_dim() +
                           static_cast<int64_t>(info.static_names.size()) + info.forcing_dim() +
                           (store.settings().missing == Missing::mask ? 1 : 0);
  Ports ports = field_ports(info.rows, info.columns, features, info.weather_dim());
  ports.geometry = geometry_of(store);
  return ports;
}

std::vector<Tensor> Forecaster::operator()(Context& context, const ForecastInput& given) const {
  const auto wide = [&](const Tensor& x) {
    return x.defined() ? cast(context, x, context.floating()) : x;
  };
  const ForecastInput input{.states = wide(given.states),
                            .forcing = wide(given.forcing),
                            .truth = wide(given.truth),
                            .truth_steps = given.truth_steps,
                            .state_valid = wide(given.state_valid),
                            .forcing_valid = wide(given.forcing_valid)};
  const bool masked = input.state_valid.defined();
  std::vector<Tensor> states, valid;  // of valid: of those that were given
  for (int64_t i = 0; i < rule_.steps.input; ++i) {
    states.push_back(step_of(context, input.states, i));
    if (masked) valid.push_back(step_of(context, input.state_valid, i));
  }
  const Tensor statics =
      broadcast(context, statics_, statics_.shape().with(0, input.states.size(0)));
  std::vector<Tensor> predictions;
  const RandomKey random = context.random;
  const int64_t count = input.forcing.size(1);
  KeptValues values;
  const KeptValues::Keeping keeping(context, count * rule_.steps.inter > 1 ? &values : nullptr);
  for (int64_t i = 0; i < count; ++i) {
    Scope scope(context, "prediction" + std::to_string(i + 1));
    const Tensor forcing = step_of(context, input.forcing, i);
    const bool known = input.truth.defined() && (input.truth_steps < 0 || i < input.truth_steps);
    const auto states_of = [&](const Tensor& x) {
      return diagnostics_ > 0 ? narrow(context, x, -1, 0, states_) : x;
    };
    const Tensor truth =
        known && rule_.given_border ? states_of(step_of(context, input.truth, i)) : Tensor();
    Tensor diagnostics;
    for (int64_t call = 0; call < rule_.steps.inter; ++call) {
      std::vector<Tensor> parts = states;
      parts.push_back(statics);
      if (forcing.shape().back() > 0) parts.push_back(forcing);
      if (masked) {
        std::vector<Tensor> all = valid;
        if (input.forcing_valid.defined()) all.push_back(step_of(context, input.forcing_valid, i));
        parts.push_back(product(context, all, forcing.shape().with(-1, 1)));
      }
      context.random = random.child(static_cast<uint64_t>(i * rule_.steps.inter + call));
      const Tensor y = model_(context, concat(context, parts, -1));
      Tensor next = rule_.strategy(context, {.last = states.back(),
                                             .output = states_of(y),
                                             .truth = truth,
                                             .border = border_,
                                             .difference_mean = difference_mean_,
                                             .difference_std = difference_std_});
      states.erase(states.begin());
      if (!valid.empty()) valid.erase(valid.begin());
      states.push_back(std::move(next));
      if (diagnostics_ > 0) diagnostics = narrow(context, y, -1, states_, diagnostics_);
    }
    predictions.push_back(diagnostics_ > 0 ? concat(context, {states.back(), diagnostics}, -1)
                                           : states.back());
  }
  context.random = random;
  return predictions;
}

}  // namespace py4cast
