#include "layers/shared_values.h"

#include <algorithm>

#include "engine/cuda.h"
#include "engine/parameters.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/ops/views.h"

namespace py4cast {
namespace {

Tensor kept_place(const Context& context, const Shape& shape, DataType type, const char* name) {
  const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(type);
  return Tensor(allocate(bytes, context.device, context.ledger, Owner::activations, name), type,
                shape);
}

}  // namespace

void SharedValues::begin(bool first) {
  first_ = first;
  for (Entry& entry : entries_) entry.leaf = {};
}

Tensor SharedValues::value(Context& context, const Key& key, const Function& f) {
  auto entry =
      std::ranges::find_if(entries_, [&key](const Entry& each) { return each.key == key; });
  const bool fresh = entry == entries_.end();
  if (fresh) entry = entries_.insert(entry, {.key = key, .f = f});
  if (entry->leaf.defined()) return entry->leaf;
  if (first_ || fresh) {
    Context plain = context.without_tape();
    const Tensor value = f(plain);
    if (fresh) {
      entry->value = kept_place(context, value.shape(), value.type(), "values of a step");
      entry->gradient =
          kept_place(context, value.shape(), context.floating(), "gradients of a step's values");
    }
    if (!context.dry()) copy(context, value, entry->value);
  }
  entry->leaf = context.tape->watch(entry->value);
  return entry->leaf;
}

std::vector<Tensor> SharedValues::leaves() const {
  std::vector<Tensor> result;
  for (const Entry& entry : entries_) result.push_back(entry.leaf);
  return result;
}

void SharedValues::add(Context& context, std::span<const Tensor> gradients) {
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Tensor& sum = entries_[i].gradient;
    if (first_ && !context.dry()) fill_bytes(sum, 0, context.stream);
    if (gradients[i].defined()) add_into(context, sum, cast(context, gradients[i], sum.type()));
  }
}

size_t SharedValues::bytes() const {
  size_t result = 0;
  for (const Entry& entry : entries_) result += entry.value.bytes() + entry.gradient.bytes();
  return result;
}

void SharedValues::finish(Context& context, const Tape& like, const GradientSink& sink) {
  for (const Entry& entry : entries_) {
    Tape tape(like.accumulator());
    tape.restrict_to(like.restriction());
    Context inner = context;
    inner.tape = &tape;
    const Tensor value = entry.f(inner);
    tape.backward(inner, {&value, 1}, {cast(context, entry.gradient, value.type())}, sink);
  }
}

Tensor shared_value(Context& context, const SharedValues::Key& key,
                    const SharedValues::Function& f) {
  return context.shared_values && context.tape ? context.shared_values->value(context, key, f)
                                               : f(context);
}

}  // namespace py4cast
