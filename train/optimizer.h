// Optimisers: how one step changes the parameters of a network.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/context.h"
#include "engine/parameters.h"
#include "engine/settings/settings.h"
#include "kernels/training/adamw.h"
#include "kernels/training/sgd.h"
#include "train/schedule.h"

namespace py4cast {

// The arithmetic of a kind of optimiser. What changes from step to step goes through `factors`, which
// the device reads, so that a captured step can be replayed.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // Names of the slabs that it keeps, of the parameters' layout: "first_moment".
  virtual std::vector<std::string> state_names() const = 0;
  virtual int64_t factor_count() const = 0;
  // factors: f64 [factor_count()] in host memory. step counts from 1.
  virtual void write_factors(double lr, int64_t step, const Tensor& factors) const = 0;
  // values and state change in place; they do not where `norm` (kernels/training/gradient_norm.h) says
  // that the step cannot be used. factors: on the device.
  virtual void apply(Context& context, const Tensor& values, const Tensor& gradients,
                     std::span<const Tensor> state, const Tensor& factors,
                     const Tensor& norm) const = 0;
};

// kernels/training/adamw.h and sgd.h have the formulas; learning rate and step come from the schedule.
std::unique_ptr<UpdateRule> make_adamw(const AdamWSettings& settings);
std::unique_ptr<UpdateRule> make_sgd(const SgdSettings& settings);

// The keys of training.optimizer that every kind has.
struct OptimizerKeys : Settings {
  PY4CAST_SETTING(double, lr, 1e-3, "Learning rate.", .flags = {"lr"}, .minimum = 0);
};

// A kind of optimiser. Its settings build on OptimizerKeys and stand beside training.optimizer.name.
struct OptimizerKind {
  std::string name;
  const SettingsTable* settings;
  std::function<std::unique_ptr<UpdateRule>(const Json& settings)> make;
};
OptimizerKind adamw_kind();
OptimizerKind adam_kind();
OptimizerKind sgd_kind();

// Slabs of an optimiser by name, each made by ParameterSlab::like_values.
using OptimizerSlabs = std::vector<std::pair<std::string, Tensor>>;

// The optimiser of one slab: a learner. It owns the state of its rule and knows how many of its steps
// are done, which is all that a checkpoint needs of it.
class Optimizer {
 public:
  // `name`: of the learner, in checkpoints and messages ("critic"). clip_norm: largest norm of the
  // gradient; 0: any. The slab outlives the optimiser.
  Optimizer(std::string name, const Context& context, ParameterSlab& slab,
            std::unique_ptr<UpdateRule> rule, const Schedule& schedule, double clip_norm = 0);

  const std::string& name() const { return name_; }
  ParameterSlab& slab() const { return slab_; }
  int64_t factor_count() const { return rule_->factor_count(); }
  const OptimizerSlabs& state() const { return state_; }
  int64_t steps_done() const { return steps_done_; }
  void set_steps_done(int64_t steps) { steps_done_ = steps; }
  // The schedule's; the trainer knows it.
  void set_total_steps(int64_t steps) { schedule_.total_steps = steps; }

  // Begins the next step: writes its factors (host memory) and returns its learning rate.
  double begin_step(const Tensor& factors);
  // Puts the step's work on the device: norm and clipping of the gradients, the rule. losses: of the
  // step, any shape, looked at for what is not finite. norm: see gradient_norm.
  void apply(Context& context, const Tensor& losses, const Tensor& factors,
             const Tensor& norm) const;

 private:
  std::string name_;
  ParameterSlab& slab_;
  std::unique_ptr<UpdateRule> rule_;
  Schedule schedule_;
  double clip_norm_;
  OptimizerSlabs state_;
  std::vector<Tensor> state_tensors_;
  int64_t steps_done_ = 0;
};

}  // namespace py4cast
