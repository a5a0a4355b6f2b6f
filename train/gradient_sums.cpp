#include "train/gradient_sums.h"

#include <utility>

namespace py4cast {
namespace {

constexpr size_t most_waiting = 96;

}  // namespace

GradientSums::GradientSums(const Context& context, const ParameterSlab& slab,
                           std::function<void(const Parameter&)> added, size_t bytes)
    : context_(context.without_tape()),
      weights_(context, slab),
      added_(std::move(added)),
      most_bytes_(bytes) {}

WeightGradients* GradientSums::weights() {
  return context_.device.kind == DeviceKind::cpu ? nullptr : &weights_;
}

void GradientSums::add(const Parameter& parameter, Tensor gradient) {
  parameters_.push_back(&parameter);
  bytes_ += parameter.gradient().bytes();
  if (gradient.defined()) {
    pending_.emplace_back(parameter.gradient(), std::move(gradient));
  }
  if (context_.device.kind == DeviceKind::cpu || parameters_.size() == most_waiting ||
      bytes_ >= most_bytes_)
    finish();
}

void GradientSums::finish() {
  weights_.finish();
  add_into(context_, pending_);
  pending_.clear();
  bytes_ = 0;
  for (const Parameter* parameter : std::exchange(parameters_, {}))
    if (added_) added_(*parameter);
}

}  // namespace py4cast
