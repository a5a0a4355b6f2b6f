// The element-wise functions that follow a layer (formulas in kernels/ops/activation.h).
#pragma once

#include <cstdint>

namespace py4cast {

enum class Activation : uint8_t {
  identity,
  relu,
  leaky_relu,
  elu,
  selu,
  gelu,
  silu,
  sigmoid,
  tanh,
  softplus,
  hardtanh,
  relu6
};

}  // namespace py4cast
