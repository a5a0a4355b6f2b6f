// Products with several weights at once.
#pragma once

#include <vector>

#include "engine/tape.h"

namespace py4cast {

struct RowsAndWeight {
  Tensor x, weight;
};

// y_i = linear(x_i, weight_i): x_i [..., in_i], weight_i [in_i, out_i] (linear.h). On a GPU, in f32 (also with
// operands in tf32) and bf16, up to 3 products of at most 64 features and 16384 rows (grouped_linear_cuda.h) are
// one launch, and so are the gradients of all x, where those of one x are added before they are rounded; else each
// product is a `linear` by itself. Differentiable in all x and weights. Error(shape): as linear.
std::vector<Tensor> grouped_linear(Context& context, const std::vector<RowsAndWeight>& products);

}  // namespace py4cast
