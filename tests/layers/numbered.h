// Modules with numbers that a reference can repeat.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "engine/parameters.h"

namespace py4cast {

// cos(0.7 i + k) for i = 0, 1, ...
inline Tensor numbered(const Shape& shape, int k) {
  Tensor x = host_tensor(shape, DataType::f64);
  for (int i = 0; double& value : x.span<double>()) value = std::cos(0.7 * i++ + k);
  return x;
}

// Parameter k gets the numbers k, in the order of the file.
inline void number(ParameterSlab& slab) {
  slab.allocate({}, nullptr, true);
  std::map<std::string, Tensor> state;
  for (int k = 0; const auto& [name, tensor] : slab.state())
    state[name] = numbered(tensor.shape(), k++);
  slab.load(state, "numbers");
}

inline void expect_near(const Tensor& x, const std::vector<double>& expected) {
  ASSERT_EQ(x.numel(), static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(x.data<double>()[i], expected[i], 1e-10) << i;
}

// Names and shapes as files have them: "weight [2, 3], bias [2]".
inline std::string names(const ParameterSlab& slab) {
  std::ostringstream text;
  for (const Parameter& parameter : slab.parameters())
    text << (text.str().empty() ? "" : ", ") << parameter.name() << " "
         << parameter.spec().file_shape;
  return text.str();
}

// Of a uniform distribution in +-bound: no number is outside, the greatest comes close to it, and
// the mean square is bound^2 / 3.
inline void expect_uniform(const Tensor& x, double bound) {
  const Tensor wide = converted(x, DataType::f64);
  double largest = 0, squares = 0;
  for (double value : wide.span<double>()) {
    largest = std::max(largest, std::abs(value));
    squares += value * value;
  }
  const auto count = static_cast<double>(x.numel());
  EXPECT_LE(largest, bound * (1 + 1e-6));
  EXPECT_GE(largest, bound * (1 - 10 / count));
  EXPECT_NEAR(squares / count, bound * bound / 3, bound * bound * 1.2 / std::sqrt(count));
}

}  // namespace py4cast
