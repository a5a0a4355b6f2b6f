#include "data/weather/field_cache.h"

#include <gtest/gtest.h>

namespace py4cast {
namespace {

// Memory does not depend on when threads read, nor on how often readers come and go.
TEST(FieldCache, HasABufferForEachThread) {
  MemoryLedger ledger;
  FieldCache cache(0, {}, &ledger);
  cache.expect(2, 100);
  const auto held = [&] { return ledger.live_bytes(Owner::batches); };
  const size_t reserved = held();
  EXPECT_GE(reserved, 200u);
  for (int round = 0; round < 3; ++round) {
    const auto first = cache.spare(100), second = cache.spare(60);
    EXPECT_NE(first->data(), second->data());
    EXPECT_EQ(held(), reserved);
  }
  for (int loader = 0; loader < 3; ++loader) {
    cache.expect(-2, 100);
    cache.expect(2, 100);
    EXPECT_EQ(held(), reserved);
  }
  const auto first = cache.spare(100), second = cache.spare(100), third = cache.spare(100);
  EXPECT_GT(held(), reserved);
}

}  // namespace
}  // namespace py4cast
