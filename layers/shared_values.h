// What all micro-batches of an optimiser step have in common.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "engine/tape.h"

namespace py4cast {

// Functions of parameters and constants alone, such as the embedding of a graph's edges. A step over
// several micro-batches computes each at its first one and keeps it; every micro-batch takes the value
// as a leaf, whose gradients are added up (bf16 ones in f32); after the last one the function runs once
// more, with a tape, and takes their sum back to its parameters. A step over n micro-batches so costs
// two forward passes and one backward pass of the function instead of n of both, for the memory of
// value and gradient. Sums of gradients are made in another order than without it.
//
// In a micro-batch:
//   begin; forward pass (shared_value); backward pass of the tape for `leaves`; add; in the last: finish.
class SharedValues {
 public:
  using Function = std::function<Tensor(Context&)>;
  struct Key {
    const void* owner;
    DataType type;
    bool operator==(const Key&) const = default;
  };

  void begin(bool first);
  // A leaf of the context's tape. f has the same shape at each call, and lives as long as this object.
  Tensor value(Context& context, const Key& key, const Function& f);
  // Of the micro-batch at work, in the order of `add`.
  std::vector<Tensor> leaves() const;
  // Gradients may be undefined.
  void add(Context& context, std::span<const Tensor> gradients);
  size_t bytes() const;  // that are kept
  // The sums go to the sink by a tape as the given one (Tape::restriction).
  void finish(Context& context, const Tape& like, const GradientSink& sink);

 private:
  struct Entry {
    Key key;
    Function f;
    Tensor value, gradient;  // in memory of their own, for all steps
    Tensor leaf;             // of the micro-batch at work
  };
  std::vector<Entry> entries_;
  bool first_ = true;
};

// f(context), or its value for the whole step where the context has such values and a tape.
Tensor shared_value(Context& context, const SharedValues::Key& key,
                    const SharedValues::Function& f);

}  // namespace py4cast
