#include "bench/training_step.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "engine/kept_values.h"
#include "kernels/fields/autoregressive_update.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/reduce.h"
#include "kernels/ops/views.h"
#include "kernels/training/adamw.h"
#include "kernels/training/loss.h"
#include "train/gradient_sums.h"
#include "train/network.h"

namespace py4cast {
namespace {

constexpr int64_t state_features = 21, others = 25;  // of the state; forcings and constant fields

Network network_of(const StepCase& which, int64_t side, Context& context) {
  Ports ports = field_ports(side, side, 2 * state_features + others, state_features);
  ports.geometry = even_geometry(side, side);
  return Network(built_in_models(), which.model, ports, which.settings, true, 42, context, true);
}

}  // namespace

struct TrainingStep::State {
  State(Machine& machine, const StepCase& which, Context& context)
      : network(network_of(which, machine.side(), context)) {
    const int64_t side = machine.side();
    ParameterSlab& slab = network.slab();
    first = slab.like_values(context.ledger);
    second = slab.like_values(context.ledger);
    before = machine.noise({1, side, side, state_features});
    now = machine.noise({1, side, side, state_features});
    forcing = machine.noise({1, side, side, others});
    target = machine.noise({1, side, side, state_features});
    mask = machine.constant({side, side, 1}, 1);
    weights = machine.constant({state_features}, 1);
    const Tensor factors = host_tensor({adamw_factor_count}, DataType::f64);
    write_adamw_factors({}, factors);
    optimiser = machine.placed(factors);
    if (machine.on_gpu() && context.precision == Precision::bf16)
      rounded.emplace(slab, context.ledger);
  }

  Network network;
  Tensor first, second;  // moments
  Tensor before, now, forcing, target, mask, weights, optimiser;
  std::optional<RoundedValues> rounded;
};

TrainingStep::TrainingStep(Machine& machine, const StepCase& which, Precision precision,
                           int64_t forecasts)
    : context_(machine.runtime().context()), forecasts_(forecasts) {
  context_.precision = precision;
  state_ = std::make_unique<State>(machine, which, context_);
}
TrainingStep::~TrainingStep() = default;

void TrainingStep::operator()(Context& context) const {
  State& s = *state_;
  ParameterSlab& slab = s.network.slab();
  Context plain = context;
  if (s.rounded) {
    cast_into(plain, s.rounded->values(), s.rounded->rounded());
    plain.rounded = &*s.rounded;
  }
  if (!plain.dry()) fill_bytes(slab.gradients(), 0, plain.stream);
  Tape tape(add);
  Context recorded = plain;
  recorded.tape = &tape;
  // What the backward pass does not need is gone when it begins, as in trainings.
  const Tensor loss = [&] {
    KeptValues values;
    const KeptValues::Keeping keeping(recorded, forecasts_ > 1 ? &values : nullptr);
    Tensor old = s.before, last = s.now, sum;
    for (int64_t k = 0; k < forecasts_; ++k) {
      const Tensor x = concat(recorded, {old, last, s.forcing}, -1);
      old = last;
      last = residual_update(recorded, last, s.network.model()(recorded, x));
      const Tensor part = mean_all(
          recorded, weighted_loss(recorded, last, s.target, s.mask, s.weights, LossKind::squared));
      sum = k ? add(recorded, sum, part) : part;
    }
    return sum;
  }();
  GradientSums sums(plain, slab);
  recorded.weight_gradients = sums.weights();
  tape.backward(recorded, {&loss, 1}, {full(plain, {}, DataType::f32, 1)},
                [&](Context&, const Parameter& parameter, Tensor gradient) {
                  sums.add(parameter, std::move(gradient));
                });
  sums.finish();
  adamw(plain, slab.values(), slab.gradients(), s.first, s.second, s.optimiser, {});
}

}  // namespace py4cast
