// Convolution and batch norm in a row.
#pragma once

#include "layers/batch_norm.h"
#include "layers/convolution.h"

namespace py4cast {

// y = relu(norm(convolution(x))); the two paths are the modules' own, since originals name them in
// many ways.
class NormalisedConvolution {
 public:
  NormalisedConvolution(const Builder& convolution, const Builder& norm,
                        const ConvSettings& settings)
      : convolution_(convolution, settings), norm_(norm, settings.out, Activation::relu) {}
  Tensor operator()(Context& context, const Tensor& x) const {
    return norm_(context, convolution_(context, x));
  }

 private:
  Convolution convolution_;
  BatchNorm norm_;
};

}  // namespace py4cast
