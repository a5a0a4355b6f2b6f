// Second derivatives of fused ops.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// The rule of a fused op under create_graph: its composite is recorded on the context's tape, and
// differentiated there. `composite` maps the inputs (with their variables) to the op's outputs.
template <typename Composite>
Gradients composite_gradients(Context& context, Composite&& composite,
                              const std::vector<Tensor>& inputs, Gradients output_gradients) {
  const size_t from = context.tape->size();
  const std::vector<Tensor> outputs = composite(context);
  return context.tape->gradient(context, outputs, std::move(output_gradients), inputs, true, from);
}

}  // namespace py4cast
