// How networks are held against the fixtures of the originals (tests/reference).
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/training/adamw.h"
#include "tests/models/golden_network.h"

namespace py4cast {

struct Sums {
  double sum = 0, absolute = 0;
};
inline Sums sums_of(const std::vector<double>& values) {
  Sums sums;
  for (double v : values) {
    sums.sum += v;
    sums.absolute += std::abs(v);
  }
  return sums;
}

// Of all gradients, absolute.
inline double gradient_sum(const Pass& pass) {
  double total = 0;
  for (const auto& [name, gradient] : pass.gradients) total += sums_of(gradient).absolute;
  return total;
}

// Mean, mean of the absolute values, first element and that of number `probe` of the output, and the
// loss.
inline void expect_statistics(const Pass& pass, const Json& expected, int64_t probe,
                              double tolerance) {
  const std::vector<double> y = values_of(pass.y);
  const Sums sums = sums_of(y);
  const double scale = expected["mean_abs"], n = static_cast<double>(y.size());
  EXPECT_NEAR(sums.sum / n, expected["mean"].get<double>(), tolerance * scale);
  EXPECT_NEAR(sums.absolute / n, scale, tolerance * scale);
  EXPECT_NEAR(y[0], expected["first"].get<double>(), 10 * tolerance * scale);
  EXPECT_NEAR(y.at(static_cast<size_t>(probe)), expected["probe"].get<double>(),
              10 * tolerance * scale);
  EXPECT_NEAR(pass.loss / expected["loss"].get<double>(), 1, 2 * tolerance);
}

// Against [sum, sum of absolute values, ...]. A tensor of `negligible` absolute sum is noise; `more` may
// come on top. Returns the allowed difference.
inline double expect_sums(const std::string& name, const std::vector<double>& found,
                          const Json& expected, double tolerance, double negligible,
                          double more = 0) {
  const Sums sums = sums_of(found);
  const double allowed = tolerance * (expected[1].get<double>() + negligible) + more;
  EXPECT_NEAR(sums.sum, expected[0].get<double>(), allowed) << name;
  EXPECT_NEAR(sums.absolute, expected[1].get<double>(), allowed) << name;
  return allowed;
}

// A training by AdamW as that of the fixtures, after each backward pass.
class GoldenTraining {
 public:
  GoldenTraining(Network& network, const Context& context)
      : network_(network),
        context_(context),
        first_(network.slab.like_values(nullptr)),
        second_(network.slab.like_values(nullptr)) {}

  void step() {
    adamw(context_, network_.slab.values(), network_.slab.gradients(), first_, second_,
          {.lr = 1e-3,
           .beta1 = 0.9,
           .beta2 = 0.95,
           .epsilon = 1e-8,
           .weight_decay = 0.01,
           .step = ++steps_});
  }

 private:
  Network& network_;
  Context context_;
  Tensor first_, second_;
  int64_t steps_ = 0;
};

// Names, shapes, types and order of a state dict, what of it is trained, and how many numbers.
inline void expect_state_dict(Network& network, const Json& variant) {
  EXPECT_EQ(network.slab.count(), variant["parameters"].get<int64_t>());
  const auto state = network.slab.state();
  ASSERT_EQ(state.size(), variant["table"].size());
  size_t row = 0;
  for (const Parameter& parameter : network.slab.parameters()) {
    const Json& expected = variant["table"][row];
    const auto& [name, tensor] = state[row++];
    EXPECT_EQ(name, expected[0].get<std::string>());
    const std::vector<int64_t> sizes = expected[1];
    EXPECT_EQ(tensor.shape(), Shape(sizes)) << name;
    EXPECT_EQ(name_of(tensor.type()), expected[2].get<std::string>()) << name;
    EXPECT_EQ(parameter.trainable(), expected[3].get<bool>()) << name;
  }
}

}  // namespace py4cast
