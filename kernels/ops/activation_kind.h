// The element-wise functions that follow a layer: one line for each.
#pragma once

#include <cstdint>

// entry(kind, name, saved, operations, f, slope)
//   name        of torch.nn, whose defaults the constants are
//   saved       what the derivative is computed from: `output` where y determines it (then x is not
//               kept), else `input`
//   operations  of one element of f, for OpNote::flops
//   f           of x, in a type T (float or double), with the functions of vector_math.h
//   slope       f'(x), of x or y as `saved` says
// The same from ops, for second derivatives, is composite_of in activation.cpp.
// clang-format off
#define PY4CAST_ACTIVATIONS(entry)                                                                 \
  entry(identity, "Identity", output, 0,                                                           \
        x,                                                                                         \
        1)                                                                                         \
  entry(relu, "ReLU", output, 1,                                                                   \
        x < 0 ? T(0) : x,                                                                          \
        y > 0 ? T(1) : T(0))                                                                       \
  entry(leaky_relu, "LeakyReLU", output, 2,                                                        \
        x > 0 ? x : T(leak) * x,                                                                   \
        y > 0 ? T(1) : T(leak))                                                                    \
  entry(elu, "ELU", output, 3,                                                                     \
        x > 0 ? x : exponential(x) - 1,                                                            \
        y > 0 ? T(1) : y + 1)                                                                      \
  entry(selu, "SELU", output, 5,                                                                   \
        T(selu_scale) * (x > 0 ? x : T(selu_alpha) * (exponential(x) - 1)),                        \
        y > 0 ? T(selu_scale) : y + T(selu_scale) * T(selu_alpha))                                 \
  entry(gelu, "GELU", input, 5,                                                                    \
        T(0.5) * x * (1 + error_function(x * T(0.70710678118654752440))),                          \
        T(0.5) * (1 + error_function(x * T(0.70710678118654752440))) +                             \
            x * T(0.39894228040143267794) * exponential(T(-0.5) * x * x))                          \
  entry(silu, "SiLU", input, 5,                                                                    \
        x * logistic(x),                                                                           \
        logistic(x) * (1 + x * (1 - logistic(x))))                                                 \
  entry(sigmoid, "Sigmoid", output, 4,                                                             \
        logistic(x),                                                                               \
        y * (1 - y))                                                                               \
  entry(tanh, "Tanh", output, 1,                                                                   \
        hyperbolic_tangent(x),                                                                     \
        1 - y * y)                                                                                 \
  entry(softplus, "Softplus", input, 4,                                                            \
        x > 20 ? x : (x > 0 ? x : T(0)) + log_one_plus(exponential(-magnitude(x))),                \
        x > 20 ? T(1) : logistic(x))                                                               \
  entry(hardtanh, "Hardtanh", output, 2,                                                           \
        clamped<T>(x, -1, 1),                                                                      \
        y > -1 && y < 1 ? T(1) : T(0))                                                             \
  entry(relu6, "ReLU6", output, 2,                                                                 \
        clamped<T>(x, 0, 6),                                                                       \
        y > 0 && y < 6 ? T(1) : T(0))
// clang-format on

namespace py4cast {

#define PY4CAST_ENTRY(kind, ...) kind,
enum class Activation : uint8_t { PY4CAST_ACTIVATIONS(PY4CAST_ENTRY) };
#undef PY4CAST_ENTRY

constexpr double leak = 0.01, selu_scale = 1.0507009873554804934193349852946,
                 selu_alpha = 1.6732632423543772848170429916717;

}  // namespace py4cast
