// Resampling of one, two or three spatial axes to a given size, and its adjoint.
#pragma once

#include "engine/tape.h"

namespace py4cast {

enum class Interpolation { nearest, linear };

struct Upsampling {
  Interpolation interpolation = Interpolation::linear;
  bool align_corners = false;  // linear only
};

//   y[b, p, c] = base[b, p, c] + sum over both neighbours i on each axis of weight(p, i) x[b, i, c]
//
// The source coordinate of place p of an axis that goes from n to m points is
//   linear, align_corners:  p (n - 1) / (m - 1)   (0 for m = 1)
//   linear:                 max(0, (p + 1/2) n / m - 1/2)
//   nearest:                floor(p n / m)
// and the weights are linear between the neighbours. x [batch, spatial..., channels], size: the
// spatial sizes of y, any; base of y's shape or undefined (0); f32, f64, bf16 (rounded once; with
// three axes once for each pass). With two axes this is bilinear interpolation. Error(shape): sizes
// that do not fit.
Tensor upsample(Context& context, const Tensor& x, const Shape& size, const Upsampling& upsampling,
                Tensor base = {});

// The adjoint: dx of a resampling from `size` to the spatial sizes of dy.
Tensor upsample_gradient(Context& context, const Tensor& dy, const Shape& size,
                         const Upsampling& upsampling);

}  // namespace py4cast
