// Maximum over windows of one, two or three spatial axes.
#pragma once

#include "engine/tape.h"

namespace py4cast {

// One number for each spatial axis.
struct PoolGeometry {
  Shape window, stride = {}, padding = {};  // stride: the window's size if empty; padding: 0
};

//   y[b, p, c] = max over k in the window of x[b, p stride + k - padding, c]
//
// x [batch, spatial..., channels] f32, f64, bf16; the spatial sizes of y are
//   (spatial + 2 padding - window) / stride + 1
// rounded down. Places outside x do not compete; of equal elements the first one
// counts; not a number wins, of several the last one. The derivative flows to the winner alone.
// Error(shape): numbers that do not fit the axes, padding above half the window, a window larger
// than x.
Tensor max_pool(Context& context, const Tensor& x, const PoolGeometry& geometry);

// The two linear maps that the winners of x define: y = v at the winners (v has the shape of x),
// and its adjoint dx = dy at the winners, 0 elsewhere (sums where windows overlap). x is a constant
// to the tape.
Tensor max_pool_gather(Context& context, const Tensor& x, const Tensor& v,
                       const PoolGeometry& geometry);
Tensor max_pool_scatter(Context& context, const Tensor& x, const Tensor& dy,
                        const PoolGeometry& geometry);

// The shape of y.
Shape max_pool_shape(const Context& context, const Shape& x, const PoolGeometry& geometry);

}  // namespace py4cast
