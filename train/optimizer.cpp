#include "train/optimizer.h"

#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "kernels/training/gradient_norm.h"

namespace py4cast {
namespace {

class AdamW : public UpdateRule {
 public:
  explicit AdamW(const AdamWSettings& settings) : settings_(settings) {}
  std::vector<std::string> state_names() const override {
    return {"first_moment", "second_moment"};
  }
  int64_t factor_count() const override { return adamw_factor_count; }
  void write_factors(double lr, int64_t step, const Tensor& factors) const override {
    AdamWSettings settings = settings_;
    settings.lr = lr;
    settings.step = step;
    write_adamw_factors(settings, factors);
  }
  void apply(Context& context, const Tensor& values, const Tensor& gradients,
             std::span<const Tensor> state, const Tensor& factors,
             const Tensor& norm) const override {
    adamw(context, values, gradients, state[0], state[1], factors, norm);
  }

 private:
  AdamWSettings settings_;
};

class Sgd : public UpdateRule {
 public:
  explicit Sgd(const SgdSettings& settings) : settings_(settings) {}
  std::vector<std::string> state_names() const override { return {"velocity"}; }
  int64_t factor_count() const override { return sgd_factor_count; }
  void write_factors(double lr, int64_t, const Tensor& factors) const override {
    SgdSettings settings = settings_;
    settings.lr = lr;
    write_sgd_factors(settings, factors);
  }
  void apply(Context& context, const Tensor& values, const Tensor& gradients,
             std::span<const Tensor> state, const Tensor& factors,
             const Tensor& norm) const override {
    sgd(context, values, gradients, state[0], factors, norm);
  }

 private:
  SgdSettings settings_;
};

struct AdamWKeys : OptimizerKeys {
  PY4CAST_SETTING(Numbers, betas, (Numbers{0.9, 0.95}), "Decay of AdamW's two running means.",
                  .minimum = 0, .lengths = {2});
  PY4CAST_SETTING(double, weight_decay, 0.01, "Weight decay of AdamW.", .minimum = 0);
  PY4CAST_SETTING(double, epsilon, 1e-8, "Guard of AdamW's division.", .minimum = 0);
};

struct AdamKeys : OptimizerKeys {
  PY4CAST_SETTING(Numbers, betas, (Numbers{0.9, 0.999}), "Decay of Adam's two running means.",
                  .minimum = 0, .lengths = {2});
  PY4CAST_SETTING(double, weight_decay, 0, "Weight decay, added to the gradient.", .minimum = 0);
  PY4CAST_SETTING(double, epsilon, 1e-8, "Guard of Adam's division.", .minimum = 0);
  PY4CAST_SETTING(
      EpsilonForm, form, EpsilonForm::pytorch,
      "Where epsilon is added: to the corrected root, as PyTorch does, or to the root as "
      "it is, as Keras does (whose epsilon is 1e-7).",
      .choices = {"pytorch", "keras"});
};

struct SgdKeys : OptimizerKeys {
  PY4CAST_SETTING(double, momentum, 0, "Share of the last step that is taken again.", .minimum = 0);
  PY4CAST_SETTING(double, weight_decay, 0, "Weight decay, added to the gradient.", .minimum = 0);
  PY4CAST_SETTING(bool, nesterov, false, "Nesterov's form of momentum.");
};

// Beyond these the running means grow without end, or nothing guards the division.
template <typename Keys>
Keys read_adam(const Json& json) {
  const Keys keys = read_settings<Keys>(json);
  for (const double beta : keys.betas)
    if (beta >= 1)
      throw Error(ErrorKind::configuration, "optimizer.betas must be below 1, not ", beta);
  if (keys.epsilon <= 0) throw Error(ErrorKind::configuration, "optimizer.epsilon must be above 0");
  return keys;
}

}  // namespace

OptimizerKind adamw_kind() {
  return {"adamw", &table_of<AdamWKeys>(), [](const Json& json) {
            const auto keys = read_adam<AdamWKeys>(json);
            return make_adamw({.beta1 = keys.betas[0],
                               .beta2 = keys.betas[1],
                               .epsilon = keys.epsilon,
                               .weight_decay = keys.weight_decay});
          }};
}

OptimizerKind adam_kind() {
  return {"adam", &table_of<AdamKeys>(), [](const Json& json) {
            const auto keys = read_adam<AdamKeys>(json);
            return make_adamw({.beta1 = keys.betas[0],
                               .beta2 = keys.betas[1],
                               .epsilon = keys.epsilon,
                               .weight_decay = keys.weight_decay,
                               .decay = WeightDecay::gradient,
                               .form = keys.form});
          }};
}

OptimizerKind sgd_kind() {
  return {"sgd", &table_of<SgdKeys>(), [](const Json& json) {
            const auto keys = read_settings<SgdKeys>(json);
            if (keys.nesterov && keys.momentum == 0)
              throw Error(ErrorKind::configuration,
                          "optimizer.nesterov needs optimizer.momentum above 0");
            return make_sgd({.momentum = keys.momentum,
                             .weight_decay = keys.weight_decay,
                             .nesterov = keys.nesterov});
          }};
}

std::unique_ptr<UpdateRule> make_adamw(const AdamWSettings& settings) {
  return std::make_unique<AdamW>(settings);
}
std::unique_ptr<UpdateRule> make_sgd(const SgdSettings& settings) {
  return std::make_unique<Sgd>(settings);
}

Optimizer::Optimizer(std::string name, const Context& context, ParameterSlab& slab,
                     std::unique_ptr<UpdateRule> rule, const Schedule& schedule, double clip_norm)
    : name_(std::move(name)),
      slab_(slab),
      rule_(std::move(rule)),
      schedule_(schedule),
      clip_norm_(clip_norm) {
  for (const std::string& state_name : rule_->state_names()) {
    state_tensors_.push_back(slab.like_values(context.ledger));
    state_.emplace_back(state_name, state_tensors_.back());
  }
}

double Optimizer::begin_step(const Tensor& factors) {
  const double lr = schedule_.at(steps_done_);
  rule_->write_factors(lr, ++steps_done_, factors);
  return lr;
}

void Optimizer::apply(Context& context, const Tensor& losses, const Tensor& factors,
                      const Tensor& norm) const {
  gradient_norm(context, slab_.gradients(), losses, clip_norm_, norm);
  rule_->apply(context, slab_.values(), slab_.gradients(), state_tensors_, factors, norm);
}

}  // namespace py4cast
