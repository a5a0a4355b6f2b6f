// The next state of an auto-regressive forecast from the network's output.
#pragma once

#include "engine/tape.h"
#include "kernels/ops/arithmetic.h"

namespace py4cast {

// new[.., s, f] = border[s] truth[.., s, f]
//                 + (1 - border[s]) (last[.., s, f] + y[.., s, f] scale[f] + shift[f])
//
// last, y, truth [leading..., points..., features]; border [points..., 1] of 0 and 1 (blends in
// between are allowed); scale, shift [features] (deviation and mean of the differences); all of one
// type, f32 or f64. Where border is 0 truth does not matter, even if it is NaN; where it is 1 the
// rest does not. Truth may be undefined: no border is imposed (border may be undefined too).
// Differentiable in last, y and truth; border, scale and shift are constants. y's memory is reused
// if it is given away with std::move. Observers are told of 3 operations for each element, what the
// border is blended with not counted. Error(shape): shapes that do not fit. (`scaled_ar`)
Tensor scaled_update(Context& context, const Tensor& last, Tensor y, const Tensor& scale,
                     const Tensor& shift, const Tensor& truth, const Tensor& border);

// The same from elementary ops (finite numbers only).
Tensor scaled_update_composite(Context& context, const Tensor& last, const Tensor& y,
                               const Tensor& scale, const Tensor& shift, const Tensor& truth,
                               const Tensor& border);

// new = last + y (`diff_ar`)
inline Tensor residual_update(Context& context, Tensor last, Tensor y) {
  return add(context, std::move(last), std::move(y));
}

}  // namespace py4cast
