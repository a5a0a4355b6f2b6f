#include "engine/memory.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/context.h"

namespace py4cast {
namespace {

Context context_in(StepArena& arena, MemoryLedger& ledger) {
  Context context;
  context.arena = &arena;
  context.ledger = &ledger;
  return context;
}

TEST(MemoryLedger, KnowsEveryByteByOwnerAndPath) {
  MemoryLedger ledger;
  ledger.begin_step(3);
  auto block = allocate_host(100, &ledger, Owner::parameters, "encoder");
  auto other = allocate_host(28, &ledger, Owner::batches, "");
  EXPECT_EQ(ledger.live_bytes(Space::host), 128u);
  EXPECT_EQ(ledger.live_bytes(Owner::parameters), 100u);
  const auto snapshot = ledger.snapshot();
  EXPECT_EQ(snapshot.blocks.begin()->second,
            (MemoryLedger::Block{Space::host, Owner::parameters, 100, "encoder", 3}));
  block.reset();
  EXPECT_EQ(ledger.live_bytes(Space::host), 28u);
  EXPECT_EQ(ledger.peak_bytes(Space::host), 128u);
  EXPECT_NE(ledger.snapshot(), snapshot);
}

TEST(MemoryLedger, CountsOtherResources) {
  MemoryLedger ledger;
  const auto before = ledger.snapshot();
  ledger.count(Resource::thread, "loader", 1);
  ledger.count(Resource::thread, "loader", 1);
  ledger.count(Resource::thread, "progress", 1);
  ledger.count(Resource::file, "netcdf", 1);
  EXPECT_EQ(ledger.live(Resource::thread), 3);
  EXPECT_EQ(ledger.live(Resource::stream), 0);
  const auto held = ledger.snapshot();
  EXPECT_EQ(held.resources.at({Resource::thread, "loader"}), 2);
  EXPECT_NE(held, before);
  ledger.count(Resource::thread, "progress", -1);
  EXPECT_NE(ledger.snapshot(), held);
  ledger.count(Resource::thread, "loader", -2);
  ledger.count(Resource::file, "netcdf", -1);
  EXPECT_EQ(ledger.snapshot(), before);
}

// Two tensors of which the first dies before the third is born: two places suffice.
void small_step(Context& context, std::vector<std::byte*>* addresses = nullptr) {
  Tensor a = context.empty({100}, DataType::f32);
  const Tensor b = context.empty({50}, DataType::f32);
  if (addresses) addresses->assign({a.raw(), b.raw()});
  a = Tensor();
  const Tensor c = context.empty({90}, DataType::f32);
  if (addresses) addresses->push_back(c.raw());
  if (!context.dry()) c.data<float>()[89] = 1;
}

TEST(StepArena, PlansReusesAndRepeats) {
  MemoryLedger ledger;
  StepArena arena(ledger);
  Context context = context_in(arena, ledger);
  std::vector<std::byte*> first, second;
  arena.run("step", [&] { small_step(context, &first); });
  const StepPlan& plan = arena.plans().at("step");
  ASSERT_EQ(plan.requests.size(), 3u);
  EXPECT_EQ(plan.requests[2].offset, plan.requests[0].offset);
  EXPECT_EQ(plan.bytes, plan.live_bytes);
  const uint64_t allocations = ledger.allocations();
  const auto snapshot = ledger.snapshot();
  arena.run("step", [&] { small_step(context, &second); });
  EXPECT_EQ(first, second);
  EXPECT_EQ(ledger.allocations(), allocations);
  EXPECT_EQ(ledger.snapshot(), snapshot);
}

TEST(StepArena, BlocksAliveTogetherNeverOverlap) {
  StepPlan plan;
  for (uint64_t i = 0; i < 200; ++i) {
    const uint64_t birth = i * 7 % 101, length = 1 + i * 13 % 29;
    plan.requests.push_back({64 * (1 + i * 31 % 17), 0, birth, birth + length, "", {}});
  }
  pack(plan);
  for (size_t i = 0; i < plan.requests.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const auto &a = plan.requests[i], &b = plan.requests[j];
      const bool together = a.birth < b.death && b.birth < a.death;
      const bool overlap = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
      EXPECT_FALSE(together && overlap) << i << " " << j;
    }
}

TEST(StepArena, RefusesAStepThatDiffersFromItsDryRun) {
  MemoryLedger ledger;
  StepArena arena(ledger);
  Context context = context_in(arena, ledger);
  int64_t size = 10;
  const auto step = [&] { context.empty({size}, DataType::f32); };
  arena.run("step", step);
  size = 1000;
  EXPECT_THROW(arena.run("step", step), Error);
  size = 10;
  arena.run("step", step);  // and goes on after it
  EXPECT_THROW(arena.run("step", [] {}), Error);
}

TEST(StepArena, RefusesATensorThatLivesLongerThanPlanned) {
  MemoryLedger ledger;
  StepArena arena(ledger);
  Context context = context_in(arena, ledger);
  bool keep = false;
  const auto step = [&] {
    Tensor a = context.empty({64}, DataType::f32), kept;
    if (keep) kept = a;
    a = Tensor();
    context.empty({64}, DataType::f32);
  };
  arena.run("step", step);
  keep = true;
  EXPECT_THROW(arena.run("step", step), Error);
}

TEST(StepArena, LimitAndEscapeAreErrors) {
  MemoryLedger ledger;
  StepArena limited(ledger, StepArena::Mode::plan, 1000);
  Context context = context_in(limited, ledger);
  try {
    limited.run("big", [&] { context.empty({1000}, DataType::f32); });
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::memory);
  }
  StepArena arena(ledger);
  Context other = context_in(arena, ledger);
  Tensor escaped;
  EXPECT_THROW(arena.run("escape", [&] { escaped = other.empty({4}, DataType::f32); }), Error);
}

TEST(StepArena, DebugModeGivesPoisonedMemory) {
  MemoryLedger ledger;
  StepArena arena(ledger, StepArena::Mode::debug);
  Context context = context_in(arena, ledger);
  arena.run("step", [&] {
    const Tensor x = context.empty({5}, DataType::f32);
    EXPECT_TRUE(context.dry() || std::isnan(x.data<float>()[4]));
  });
  EXPECT_EQ(ledger.live_bytes(Space::host), 0u);
}

}  // namespace
}  // namespace py4cast
