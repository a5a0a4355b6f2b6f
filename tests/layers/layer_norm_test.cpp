// Values of torch in f64, channels last.
#include "layers/layer_norm.h"

#include <gtest/gtest.h>

#include "tests/layers/numbered.h"

namespace py4cast {
namespace {

TEST(PixelNorm, HasTheValuesOfTheReference) {
  ParameterSlab slab(DataType::f64);
  const PixelNorm norm(Builder(slab, "norm"), 3);
  number(slab);
  EXPECT_EQ(names(slab), "norm.g [1, 3, 1, 1], norm.b [1, 3, 1, 1]");
  Context context;
  expect_near(norm(context, numbered({1, 2, 2, 3}, 99)),
              {-0.7959334075400166, 0.07547876725169383, -0.5556833093528664, 1.7161108475284623,
               -0.058042564917067385, -0.9529765008516439, 0.11083436202734348, -0.8570440032318014,
               -0.5025740566629503, -0.7988481921332191, 0.08222420381941031, -0.5566868971592657});
  slab.initialise(RandomKey{7});
  EXPECT_EQ(slab.state()[0].second.data<double>()[1], 1);
  EXPECT_EQ(slab.state()[1].second.data<double>()[1], 0);
}

}  // namespace
}  // namespace py4cast
