// Steps of several ranks from inside, and steps that cannot be used.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdio>
#include <optional>
#include <set>

#include "engine/runtime.h"
#include "tests/devices.h"
#include "tests/places.h"
#include "tests/train/chain_task.h"
#include "tests/train/twins.h"
#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast {
namespace {

struct Options {
  std::string device = "cpu";
  int64_t batches = 6, accumulate = 1, epochs = 2;
  bool cuda_graph = true;
  int64_t bucket_bytes = 600;
};

// A trainer with all that it needs; `communicator` null: one process.
struct Chain {
  explicit Chain(const Options& options, Communicator* communicator = nullptr)
      : runtime(options.device),
        all(communicator ? *communicator : runtime.communicator()),
        task(runtime.context(), options.batches, options.accumulate, all.rank(), all.size()) {
    settings = chain_settings(options, options.epochs);
    trainer.emplace(runtime.context(), task, all, settings);
  }
  std::string state() { return state_of(*trainer); }
  std::string train(const TrainerObserver& observer = {}) {
    trainer->fit(observer);
    return state();
  }
  Runtime runtime;
  Communicator& all;
  ChainTask task;
  TrainerSettings settings;
  std::optional<Trainer> trainer;
};

class UnusableSteps : public ::testing::TestWithParam<Way> {
 protected:
  Options options() const {
    return {.device = GetParam().device, .cuda_graph = GetParam().cuda_graph};
  }
};
INSTANTIATE_TEST_SUITE_P(Ways, UnusableSteps, ::testing::ValuesIn(ways()), [](const auto& test) {
  return test.param.device + (test.param.cuda_graph ? "_captured" : "_plain");
});

std::string message_of(Trainer& trainer) {
  try {
    trainer.fit({});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::numeric);
    return error.what();
  }
  return "no error";
}

// A step that cannot be used changes nothing, and neither does the one that was started before the
// host knew: parameters, moments and running statistics are those of the step before.
TEST_P(UnusableSteps, NothingChangesAfterALossThatIsNotFinite) {
  Options some = options();
  some.batches = 9;
  for (int64_t bad : {0, 1, 5, 8}) {
    Chain chain(some), until(some);
    const float good = chain.task.set(bad, std::nanf(""));
    const std::string message = message_of(*chain.trainer);
    EXPECT_NE(message.find("step " + std::to_string(bad + 1) + " (epoch 1): the loss is"),
              std::string::npos)
        << message;
    EXPECT_NE(message.find("batch " + std::to_string(bad) + "; x is not finite"), std::string::npos)
        << message;
    const Position position = chain.trainer->position();
    EXPECT_EQ(position, (Position{.batch = bad, .step = bad, .epoch_loss = position.epoch_loss}));
    std::string before = until.state();  // as after the last good step
    until.task.set(bad, std::nanf(""));
    TrainerObserver observer;
    observer.on_step = [&](const StepReport&, int64_t step) {
      if (step == bad) before = until.state();
    };
    EXPECT_THROW(until.trainer->fit(observer), Error);
    EXPECT_TRUE(chain.state() == before) << bad;

    // The host may go on once the batch is good: as if nothing had been.
    chain.task.set(bad, good);
    EXPECT_TRUE(chain.train() == Chain(some).train()) << bad;
  }
}

// With accumulation, several ranks, and gradients instead of losses that are not finite.
TEST_P(UnusableSteps, NothingChangesAfterGradientsThatAreNotFinite) {
  Options some = options();
  some.batches = 8;
  some.accumulate = 2;
  for (bool twins : {false, true}) {
    Twins communicator(some.device != "cpu");
    Chain chain(some, twins ? &communicator : nullptr);
    // y stays small, d y / d (what the last layer gets) does not.
    chain.task.scale("last.weight", 1e25);
    chain.task.scale("wide.weight", 1e-8);
    chain.task.scale("wide.bias", 1e-8);
    const std::string start = chain.state();
    EXPECT_EQ(message_of(*chain.trainer).substr(0, 77),
              "step 1 (epoch 1): the losses are finite but the gradients are not; a lower le");
    EXPECT_TRUE(chain.state() == start);
  }
}

#ifdef PY4CAST_MPI

// Trainings of several ranks against each other and against one rank, in all their ways
// (trainer_ranks_main.cpp): by MPI, and by NCCL where each rank has a GPU.
void trains_on_ranks(int ranks, const std::string& device, const std::string& way) {
  FILE* pipe = popen(("PY4CAST_EMULATED_DEVICES=" + std::to_string(ranks) + " " + mpirun(ranks) +
                      test_program_folder() + "/trainer_ranks " + device + " 2>&1 </dev/null")
                         .c_str(),
                     "r");
  std::string output;
  char part[4096];
  for (size_t size; (size = std::fread(part, 1, sizeof part, pipe)) > 0;) output.append(part, size);
  EXPECT_EQ(pclose(pipe), 0) << output;
  int good = 0;
  const std::string line = "good: " + way;
  for (size_t at = output.find(line); at != std::string::npos; at = output.find(line, at + 1))
    ++good;
  EXPECT_EQ(good, ranks) << output;
}

TEST(RanksOfTrainer, OnTheCpu) {
  trains_on_ranks(2, "cpu", "");
  trains_on_ranks(3, "cpu", "");
}

#if PY4CAST_CUDA
TEST(RanksOfTrainer, OnOneGpu) {
  trains_on_ranks(2, "cuda:0", "sums over ranks go through MPI: ranks share a GPU");
}
#endif
#if PY4CAST_CUDA_EMULATED
TEST(RanksOfTrainer, FromGpuToGpu) {
  trains_on_ranks(2, "cuda", "sums over ranks go from GPU to GPU by NCCL");
  trains_on_ranks(3, "cuda", "sums over ranks go from GPU to GPU by NCCL");
}
#endif
#endif

#if PY4CAST_CUDA

// Sums beside the backward pass have the bits of sums after it, for all sizes of the parts; and
// those of one rank with twice the micro-batches.
TEST(DataParallel, BucketsDoNotChangeBits) {
  for (int64_t accumulate : {1, 2})
    for (int64_t batches : {6, 7}) {  // 7: the last group is ragged
      Twins after(false);
      Options options{.device = "cuda", .batches = batches, .accumulate = accumulate};
      Chain simple(options, &after);
      const std::string expected = simple.train();
      EXPECT_EQ(simple.trainer->runner().buckets("train"), nullptr);
      std::set<size_t> numbers;
      for (int64_t bytes : {1, 600, 1 << 20})
        for (bool cuda_graph : {false, true}) {
          Twins beside(true);
          options.cuda_graph = cuda_graph;
          options.bucket_bytes = bytes;
          Chain chain(options, &beside);
          EXPECT_TRUE(chain.train() == expected)
              << accumulate << " of " << batches << ", " << bytes << ", " << cuda_graph;
          numbers.insert(chain.trainer->runner().buckets("train")->buckets().size());
          EXPECT_EQ(chain.trainer->runner().graphs().captured() > 0, cuda_graph);
        }
      EXPECT_EQ(numbers, (std::set<size_t>{1, 5, 12}));
    }
}

TEST(DataParallel, TwoRanksWithTheSameBatchesAreOneRankThatHasEachTwice) {
  Twins beside(true);
  Chain ranks({.device = "cuda", .batches = 6}, &beside),
      one({.device = "cuda", .batches = 6, .accumulate = 2});
  for (int64_t batch : {1, 3, 5}) one.task.set_all(batch, ranks.task.batch(batch - 1));
  EXPECT_TRUE(ranks.train() == one.train());
  // The gradients themselves too: of their last bits steps keep little.
  const Tensor of_ranks = on_host(ranks.task.slab().gradients()),
               of_one = on_host(one.task.slab().gradients());
  EXPECT_TRUE(std::ranges::equal(of_ranks.span<float>(), of_one.span<float>()));
}

// A rank without a micro-batch takes part in the sums, in every step.
TEST(DataParallel, ARankWithoutAMicroBatchTakesPart) {
  for (int rank : {0, 1}) {
    int sums = 0;
    Twins twins(true, rank, [&](const Context&, const Tensor&) { ++sums; });
    Chain chain({.device = "cuda", .batches = 5, .bucket_bytes = 1}, &twins);
    chain.train();
    EXPECT_EQ(sums,
              2 * 3 * static_cast<int>(chain.trainer->runner().buckets("train")->buckets().size()))
        << rank;
  }
}

TEST(DataParallel, MemoryIsConstantFromStepToStep) {
  Twins twins(true);
  Chain chain({.device = "cuda", .batches = 12, .accumulate = 2}, &twins);
  std::vector<MemoryLedger::Snapshot> snapshots;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t) {
    if (report.place.epoch == 1) snapshots.push_back(chain.runtime.ledger().snapshot());
  };
  chain.train(observer);
  ASSERT_EQ(snapshots.size(), 3u);
  for (const auto& snapshot : snapshots) EXPECT_EQ(snapshot, snapshots[0]);
  const int64_t events = chain.runtime.ledger().live(Resource::event),
                buckets = static_cast<int64_t>(
                    chain.trainer->runner().buckets("train")->buckets().size());
  chain.trainer.reset();
  EXPECT_EQ(events - chain.runtime.ledger().live(Resource::event), buckets + 2 + 2);
}

#if PY4CAST_CUDA_EMULATED

// Whatever the order of work, with the same bits; and where the order allows it the first part is
// summed when the last one has not yet been made.
TEST(DataParallel, SumsBeginBeforeTheEndOfTheBackwardPass) {
  using Settings = emulation::Settings;
  const Settings before = emulation::settings();
  for (bool cuda_graph : {false, true}) {
    std::set<std::string> results;
    int early = 0;
    for (auto streams :
         {Settings::Streams::minimal, Settings::Streams::others_first, Settings::Streams::random}) {
      emulation::settings() = {Settings::Threads::random, streams, 3};
      std::optional<Chain> chain;
      Twins twins(true, 0, [&](const Context& context, const Tensor& values) {
        const auto& buckets = chain->trainer->runner().buckets("train")->buckets();
        if (values.raw() != buckets.front().gradients.raw()) return;
        emulation::enqueue(static_cast<cudaStream_t>(context.stream.handle), "look",
                           [&early, last = buckets.back().gradients] {
                             const float* const first = emulation::device_bytes(last.data<float>());
                             early += std::all_of(first, first + last.numel(),
                                                  [](float x) { return x == 0; });
                           });
      });
      chain.emplace(Options{.device = "cuda", .cuda_graph = cuda_graph}, &twins);
      results.insert(chain->train());
    }
    EXPECT_GT(early, 0) << cuda_graph;
    EXPECT_EQ(results.size(), 1u) << cuda_graph;
  }
  emulation::settings() = before;
}

#endif
#endif

}  // namespace
}  // namespace py4cast
