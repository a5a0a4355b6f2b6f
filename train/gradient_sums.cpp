#include "train/gradient_sums.h"

#include <utility>

namespace py4cast {
namespace {

// What may wait on a GPU: tensors, and bytes of the step's arena.
constexpr size_t most_pending = 96, most_bytes = size_t{4} << 20;

}  // namespace

GradientSums::GradientSums(const Context& context, const ParameterSlab& slab,
                           std::function<void(const Parameter&)> added)
    : context_(context.without_tape()), weights_(context, slab), added_(std::move(added)) {}

WeightGradients* GradientSums::weights() {
  return context_.device.kind == DeviceKind::cpu ? nullptr : &weights_;
}

void GradientSums::add(const Parameter& parameter, Tensor gradient) {
  parameters_.push_back(&parameter);
  if (gradient.defined()) {
    bytes_ += gradient.bytes();
    pending_.emplace_back(parameter.gradient(), std::move(gradient));
  }
  if (context_.device.kind == DeviceKind::cpu || parameters_.size() == most_pending ||
      bytes_ > most_bytes)
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
