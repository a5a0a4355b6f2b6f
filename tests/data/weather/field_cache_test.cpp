#include "data/weather/field_cache.h"

#include <gtest/gtest.h>

namespace py4cast {
namespace {

// Memory does not depend on when threads read: what is reserved is what they get.
TEST(FieldCache, ReservedBuffersAreThoseOfTheThreads) {
  MemoryLedger ledger;
  FieldCache cache(0, {}, &ledger);
  cache.reserve(2, 100);
  const auto held = [&] { return ledger.live_bytes(Owner::batches); };
  const size_t reserved = held();
  EXPECT_GE(reserved, 200u);
  for (int round = 0; round < 3; ++round) {
    const auto first = cache.spare(100), second = cache.spare(60);
    EXPECT_NE(first->data(), second->data());
    EXPECT_EQ(held(), reserved);
  }
  const auto first = cache.spare(100), second = cache.spare(100), third = cache.spare(100);
  EXPECT_GT(held(), reserved);
}

}  // namespace
}  // namespace py4cast
