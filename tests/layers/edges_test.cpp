// Edges as constants: they are where the parameters are, and in no file.
#include "layers/edges.h"

#include <gtest/gtest.h>

#include <numeric>

#include "engine/runtime.h"
#include "tests/devices.h"

namespace py4cast {
namespace {

Tensor index_of(const std::vector<int32_t>& senders, const std::vector<int32_t>& receivers) {
  Tensor result = host_tensor({2, static_cast<int64_t>(senders.size())}, DataType::i32);
  std::ranges::copy(senders, result.data<int32_t>());
  std::ranges::copy(receivers, result.data<int32_t>() + senders.size());
  return result;
}

TEST(Edges, GoToTheDeviceWithTheParameters) {
  for (const std::string& device : devices()) {
    Runtime runtime(device);
    Context context = runtime.context();
    ParameterSlab slab;
    const Edges edges(Builder(slab).child("g2m"), index_of({4, 0, 4, 2}, {0, 1, 1, 2}), 5, 3);
    slab.allocate(context.device, context.ledger, false);
    EXPECT_TRUE(edges.receivers().sorted());
    EXPECT_FALSE(edges.senders().sorted());
    EXPECT_EQ(edges.senders().nodes(), 5);
    EXPECT_EQ(edges.receivers().nodes(), 3);
    EXPECT_EQ(edges.senders().index().device(), context.device);
    EXPECT_TRUE(slab.state().empty());

    const Tensor nodes = host_tensor({1, 5, 1}, DataType::f32);
    std::iota(nodes.span<float>().begin(), nodes.span<float>().end(), 1.0f);
    const Tensor x = on_device_of(context, nodes, Owner::batches, "x");
    const Tensor brought = gather(context, x, edges.senders());
    const Tensor sums = on_host(segment_sum(context, brought, edges.receivers()));
    EXPECT_EQ(std::vector<float>(sums.span<float>().begin(), sums.span<float>().end()),
              (std::vector<float>{5, 1 + 5, 3}));
    const Tensor back = on_host(segment_sum(context, brought, edges.senders()));
    EXPECT_EQ(std::vector<float>(back.span<float>().begin(), back.span<float>().end()),
              (std::vector<float>{1, 0, 3, 0, 10}));
  }
}

TEST(Edges, RefuseNodesThatAreNotThere) {
  ParameterSlab slab;
  try {
    Edges(Builder(slab).child("g2m"), index_of({1, 5}, {0, 1}), 5, 3);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "g2m.senders: edge 1 has node 5 but there are 5 nodes");
  }
}

}  // namespace
}  // namespace py4cast
