#include "train/gradient_sums.h"

#include <algorithm>
#include <utility>

namespace py4cast {
namespace {

constexpr size_t most_waiting = 96;

}  // namespace

GradientSums::GradientSums(const Context& context, const ParameterSlab& slab, bool apart,
                           std::function<void(const Parameter&)> added, size_t bytes)
    : context_(context.without_tape()),
      slab_(slab),
      apart_(apart),
      sums_(apart ? context_.zeros(slab.gradients().shape(), slab.type()) : slab.gradients()),
      weights_(context, slab, sums_),
      added_(std::move(added)),
      most_bytes_(bytes) {}

WeightGradients* GradientSums::weights() {
  return context_.device.kind == DeviceKind::cpu ? nullptr : &weights_;
}

void GradientSums::add(const Parameter& parameter, Tensor gradient) {
  const Tensor sum = slab_.slice(sums_, parameter);
  if (std::ranges::any_of(pending_, [&](const SumOfMany& other) {
        return other.first.offset_bytes() == sum.offset_bytes();
      }))
    add_pending();
  parameters_.push_back(&parameter);
  bytes_ += sum.bytes();
  if (gradient.defined()) pending_.emplace_back(sum, std::move(gradient));
  if (context_.device.kind == DeviceKind::cpu || pending_.size() == most_waiting ||
      bytes_ >= most_bytes_)
    add_pending();
}

void GradientSums::add_pending() {
  weights_.finish();
  add_into(context_, pending_);
  pending_.clear();
  bytes_ = 0;
  if (!apart_) tell();
}

void GradientSums::finish() {
  add_pending();
  if (!apart_) return;
  add_into(context_, slab_.gradients(), sums_);
  tell();
}

void GradientSums::tell() {
  for (const Parameter* parameter : std::exchange(parameters_, {}))
    if (added_) added_(*parameter);
}

}  // namespace py4cast
