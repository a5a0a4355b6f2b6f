#include "train/optimizer.h"

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

}  // namespace

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
