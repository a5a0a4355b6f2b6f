#include "engine/work_counter.h"

#include <gtest/gtest.h>

#include "engine/context.h"

namespace py4cast {
namespace {

Tensor floats(const Shape& shape) {
  return host_tensor(shape, DataType::f32);
}

TEST(WorkCounter, AddsUpByOpAndByModule) {
  WorkCounter counter;
  Context context;
  context.observer = &counter;
  const Tensor a = floats({2, 3}), b = host_tensor({3}, DataType::f64), none;
  announce(context, {"outside", 1}, {a}, {});
  {
    const Scope encoder(context, "encoder");
    announce(context, {"product", 10}, {a, none}, {b});
    {
      const Scope first(context, "first");
      announce(context, {"product", 20}, {a, a}, {a});
    }
  }
  {
    const Scope other(context, "encoder2");  // not inside of "encoder"
    announce(context, {"sum", 5}, {b}, {b});
  }
  EXPECT_EQ(counter.total().calls, 4);
  EXPECT_EQ(counter.total().flops, 36);
  EXPECT_EQ(counter.total().bytes, 24 + (24 + 24) + 3 * 24 + 2 * 24);
  EXPECT_EQ(counter.by_op().at("product").calls, 2);
  EXPECT_EQ(counter.by_op().at("product").flops, 30);
  EXPECT_EQ(counter.by_op().at("product").bytes, 5 * 24);
  EXPECT_EQ(counter.inside("encoder").flops, 30);
  EXPECT_EQ(counter.inside("encoder.first").flops, 20);
  EXPECT_EQ(counter.inside("encoder2").flops, 5);
  EXPECT_EQ(counter.inside("encoder2").bytes, 48);
  EXPECT_EQ(counter.inside("").flops, 36);
  EXPECT_EQ(counter.inside("enc").calls, 0);
}

TEST(WorkCounter, AViewMovesNothing) {
  WorkCounter counter;
  Context context;
  context.observer = &counter;
  const Tensor a = floats({2, 3});
  announce(context, {"reshape"}, {a}, {a.viewed({6})});
  EXPECT_EQ(counter.total().calls, 1);
  EXPECT_EQ(counter.total().bytes, 0);
  announce(context, {"transpose"}, {a}, {floats({3, 2})});
  EXPECT_EQ(counter.total().bytes, 48);
  announce(context, {"relu", 6}, {a}, {a});  // in place, but it reads and writes
  EXPECT_EQ(counter.total().bytes, 96);
}

}  // namespace
}  // namespace py4cast
