#include "data/samples/loader.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <new>
#include <set>

#include "data/weather/calendar.h"
#include "data/weather/weather_batches.h"
#include "engine/error.h"
#include "tests/data/weather/fake_source.h"
#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast {
namespace {

std::shared_ptr<const Dataset> dataset_of(int64_t samples, FakeSource::Value value = coded,
                                          int64_t cache_bytes = 0) {
  auto source = std::make_unique<FakeSource>(2, 3, samples + 1);
  source->add("t");
  source->value_ = std::move(value);
  DatasetSettings settings = fake_settings();
  settings.standardize = false;
  settings.periods.train = {.start = "2020-02-28", .end = "2020-12-31"};
  settings.periods.valid = settings.periods.test = {};
  settings.cache_bytes = cache_bytes;
  const Statistics statistics = {{.name = "t", .maximum = 1}};
  return std::make_shared<Dataset>(
      std::make_shared<FieldStore>(settings, std::move(source), nullptr, statistics), Split::train,
      1, 1);
}

struct Copy {
  std::vector<int64_t> samples;
  std::vector<float> inputs, outputs;
  int64_t index;
  bool operator==(const Copy&) const = default;
};

std::vector<Copy> all_batches(Loader& loader, int64_t epoch, int64_t first = 0) {
  std::vector<Copy> result;
  loader.start(epoch, first);
  while (const Batch* batch = loader.next()) {
    const WeatherBatch weather(*batch);
    const auto inputs = weather.inputs.span<float>(), outputs = weather.outputs.span<float>();
    EXPECT_EQ(weather.inputs.shape(), (Shape{batch->count, 1, 2, 3, 1}));
    EXPECT_EQ(batch->samples.size(), static_cast<size_t>(batch->count));
    for (size_t k = 0; k < batch->samples.size(); ++k) {
      EXPECT_EQ(inputs[k * 6], coded_time(batch->samples[k]));
      EXPECT_EQ(outputs[k * 6 + 5], coded_time(batch->samples[k] + 1) + 12);
      EXPECT_EQ(loader.samples().describe(batch->samples[k]),
                format_time(Calendar::standard, FakeSource::first_time + 3600 * batch->samples[k]));
    }
    result.push_back({batch->samples,
                      {inputs.begin(), inputs.end()},
                      {outputs.begin(), outputs.end()},
                      batch->index});
  }
  EXPECT_EQ(loader.next(), nullptr);
  EXPECT_EQ(static_cast<int64_t>(result.size()), loader.batches() - first);
  return result;
}

TEST(Loader, WithoutShufflingTheOrderIsThatOfTheDataSet) {
  Loader loader(dataset_of(10), {.batch_size = 4});
  const auto batches = all_batches(loader, 0);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_EQ(batches[0].samples, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(batches[2].samples, (std::vector<int64_t>{8, 9}));
}

TEST(Loader, WhatComesDoesNotDependOnTheWorkers) {
  const auto dataset = dataset_of(23);
  std::vector<Copy> expected;
  for (const int64_t workers : {0, 1, 2, 5})
    for (const int64_t prefetch : {1, 4}) {
      Loader loader(dataset, {.batch_size = 3,
                              .num_workers = workers,
                              .prefetch_factor = prefetch,
                              .shuffle = true,
                              .key = {7}});
      for (const int64_t epoch : {0, 3}) {
        const auto batches = all_batches(loader, epoch);
        if (epoch == 3) continue;
        if (expected.empty()) expected = batches;
        EXPECT_EQ(batches, expected) << workers << " workers, " << prefetch << " ahead";
      }
    }
}

TEST(Loader, EpochsAreShuffledByTheirNumber) {
  Loader loader(dataset_of(30), {.batch_size = 30, .shuffle = true, .key = {7}});
  const auto first = all_batches(loader, 0)[0].samples, second = all_batches(loader, 1)[0].samples;
  EXPECT_NE(first, second);
  EXPECT_EQ(first, (RandomKey{7}.child(0).permutation(30)));
  EXPECT_EQ(all_batches(loader, 0)[0].samples, first) << "again";
  EXPECT_TRUE(std::ranges::is_permutation(first, second));
}

TEST(Loader, RanksShareTheOrderOfOneRank) {
  const auto dataset = dataset_of(29);
  for (const int64_t ranks : {2, 3}) {
    Loader one(dataset, {.batch_size = 2, .shuffle = true, .key = {5}});
    const auto expected = all_batches(one, 4);
    std::vector<std::vector<Copy>> parts;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      Loader loader(dataset,
                    {.batch_size = 2, .shuffle = true, .key = {5}, .rank = rank, .ranks = ranks});
      parts.push_back(all_batches(loader, 4));
      EXPECT_EQ(parts.back().size(), parts.front().size()) << "the same number of micro-steps";
    }
    std::multiset<int64_t> seen;
    for (size_t m = 0; m < parts[0].size() * static_cast<size_t>(ranks); ++m) {
      const Copy& part = parts[m % static_cast<size_t>(ranks)][m / static_cast<size_t>(ranks)];
      seen.insert(part.samples.begin(), part.samples.end());
      if (m >= expected.size()) {
        EXPECT_TRUE(part.samples.empty());
        continue;
      }
      EXPECT_EQ(part.samples, expected[m].samples);
      EXPECT_EQ(part.index, expected[m].index);
    }
    EXPECT_EQ(seen.size(), 29u);
    EXPECT_EQ(std::set<int64_t>(seen.begin(), seen.end()).size(), 29u);
  }
}

TEST(Loader, ARankWithoutSamplesGetsEmptyBatches) {
  Loader loader(dataset_of(2), {.batch_size = 2, .rank = 2, .ranks = 3});
  const auto batches = all_batches(loader, 0);
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_TRUE(batches[0].samples.empty());
}

TEST(Loader, TheNumberOfBatchesCanBeLimited) {
  Loader loader(dataset_of(50), {.batch_size = 3, .ranks = 2, .limit_batches = 4});
  const auto batches = all_batches(loader, 0);
  ASSERT_EQ(batches.size(), 4u);
  EXPECT_EQ(batches[3].samples, (std::vector<int64_t>{18, 19, 20}));
  Loader generous(dataset_of(5), {.batch_size = 3, .limit_batches = 4});
  EXPECT_EQ(generous.batches(), 2);
}

TEST(Loader, StartsInTheMiddleAndStartsAgain) {
  const auto dataset = dataset_of(40);
  Loader loader(dataset, {.batch_size = 3, .num_workers = 3, .shuffle = true, .key = {1}});
  const auto whole = all_batches(loader, 2);
  const auto rest = all_batches(loader, 2, 5);
  EXPECT_TRUE(std::equal(rest.begin(), rest.end(), whole.begin() + 5, whole.end()));
  loader.start(0);
  loader.next();
  loader.next();
  EXPECT_EQ(all_batches(loader, 2), whole) << "after an epoch that was left early";
}

TEST(Loader, ABatchStaysUntilTheNextIsAsked) {
  Loader loader(dataset_of(40), {.batch_size = 2, .num_workers = 4, .prefetch_factor = 1});
  loader.start(0);
  const Batch* batch = loader.next();
  const auto now = tensor_of(batch->tensors, "inputs").span<float>();
  const std::vector<float> before(now.begin(), now.end());
  Loader other(dataset_of(40), {.batch_size = 2, .num_workers = 0});
  all_batches(other, 0);
  EXPECT_TRUE(std::ranges::equal(now, before));
  EXPECT_EQ(batch->samples, (std::vector<int64_t>{0, 1}));
}

TEST(Loader, ErrorsOfWorkersComeWithTheirBatch) {
  const auto dataset = dataset_of(20, [](const FieldRequest& r, int64_t row, int64_t column) {
    if (r.run == 9 || r.run == 11) throw Error(ErrorKind::data, "broken at ", r.run);
    return coded(r, row, column);
  });
  for (const int64_t workers : {0, 1, 4}) {
    Loader loader(dataset, {.batch_size = 4, .num_workers = workers});
    loader.start(0);
    EXPECT_EQ(loader.next()->samples[3], 3);
    EXPECT_EQ(loader.next()->samples[3], 7);
    try {
      loader.next();
      FAIL() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::data);
      EXPECT_STREQ(error.what(), "broken at 9");
    }
    EXPECT_EQ(loader.next()->samples[0], 12) << "the epoch can go on";
  }
}

TEST(Loader, MemoryIsTakenOnce) {
  MemoryLedger ledger;
  {
    Loader loader(dataset_of(40), {.batch_size = 4, .num_workers = 2, .prefetch_factor = 2},
                  &ledger);
    // Three times inputs, up to a multiple of 64 bytes, and outputs; there are no forcings.
    EXPECT_EQ(ledger.live_bytes(Owner::batches), 3u * 2 * 128) << "of 4 * 6 * sizeof(float)";
    EXPECT_EQ(ledger.live(Resource::thread), 2);
    const uint64_t allocations = ledger.allocations();
    const auto before = ledger.snapshot();
    all_batches(loader, 0);
    all_batches(loader, 1);
    EXPECT_EQ(ledger.allocations(), allocations);
    EXPECT_EQ(ledger.snapshot(), before);
  }
  EXPECT_EQ(ledger.snapshot(), MemoryLedger::Snapshot());
}

// Threads share the samples of a batch; of batches of one sample there must be one for each.
TEST(Loader, EachThreadHasASampleToLoad) {
  for (const auto& [batch_size, workers, batches] :
       {std::tuple(int64_t{1}, int64_t{5}, 6u), std::tuple(int64_t{4}, int64_t{5}, 3u),
        std::tuple(int64_t{4}, int64_t{9}, 4u)}) {
    MemoryLedger ledger;
    const Loader loader(dataset_of(40),
                        {.batch_size = batch_size, .num_workers = workers, .prefetch_factor = 2},
                        &ledger);
    const auto one = static_cast<size_t>(loader.layout().words(batch_size)) * sizeof(int64_t);
    EXPECT_EQ(ledger.live_bytes(Owner::batches), batches * one);
  }
}

TEST(Loader, ConcurrentWorkersReadEachFieldOnce) {
  auto source = std::make_unique<FakeSource>(2, 3, 60);
  source->add("t");
  const auto reads = source->reads_;
  DatasetSettings settings = fake_settings();
  settings.periods.train = {.start = "2020-02-28", .end = "2020-12-31"};
  const Statistics statistics = {{.name = "t", .maximum = 1}};
  const auto dataset = std::make_shared<Dataset>(
      std::make_shared<FieldStore>(settings, std::move(source), nullptr, statistics), Split::train,
      3, 5);
  const int64_t opening = *reads;  // a field was compared with the statistics
  Loader loader(dataset,
                {.batch_size = 4, .num_workers = 4, .prefetch_factor = 4, .shuffle = true});
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    loader.start(epoch);
    while (loader.next()) {
    }
  }
  EXPECT_EQ(*reads - opening, 60);
}

TEST(Loader, ImpossibleSettingsAreRefused) {
  for (const LoaderSettings& settings :
       {LoaderSettings{.batch_size = 0}, LoaderSettings{.num_workers = -1},
        LoaderSettings{.prefetch_factor = 0}, LoaderSettings{.rank = 2, .ranks = 2}})
    EXPECT_THROW(Loader(dataset_of(4), settings), Error);
}

#if PY4CAST_CUDA_EMULATED
// Where the device fails, the error that says so reaches the caller: what is undone on its way
// meets the broken device again, and must not end the program.
TEST(DeviceBatches, AFailedDeviceIsToldByItsFirstError) {
  const Device gpu{DeviceKind::cuda, 0};
  const CudaStream stream(gpu), other(gpu);
  Context context;
  context.device = gpu;
  context.stream = stream.get();
  const auto before = emulation::settings();
  emulation::settings().streams = emulation::Settings::Streams::others_first;
  std::string message;
  try {
    WeatherBatches batches(dataset_of(8), {.batch_size = 2, .pinned = true}, context);
    batches.start(0);
    emulation::enqueue(static_cast<cudaStream_t>(other.get().handle), "a kernel",
                       [] { throw Error(ErrorKind::internal, "a fault of the device"); });
    throw Error(ErrorKind::numeric, "the first error");
  } catch (const Error& error) {
    message = error.what();
  }
  emulation::settings() = before;
  EXPECT_EQ(message, "the first error");
}
#endif

TEST(Loader, AbsurdNumbersAreRefused) {
  const auto data = dataset_of(3);
  const auto refusal = [&](const LoaderSettings& settings) -> std::string {
    try {
      Loader loader(data, settings);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::configuration);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(
      refusal({.num_workers = 100000}),
      "loader: num_workers 100000 and prefetch_factor 2 are more than any machine needs (1024 "
      "and 4096)");
  EXPECT_EQ(
      refusal({.prefetch_factor = int64_t{1} << 40}),
      "loader: num_workers 1 and prefetch_factor 1099511627776 are more than any machine needs "
      "(1024 and 4096)");
}

// Without memory for what the threads need, none is started.
TEST(Loader, NoThreadIsLeftBehindWhenThereIsNoRoomForThem) {
  struct NoRoom : Samples {
    int64_t size() const override { return 4; }
    std::vector<BufferSpec> buffers() const override { return {{"x", {1}}}; }
    void load(int64_t, std::span<std::byte* const>) const override {}
    void expect_threads(int64_t) const override { throw std::bad_alloc(); }
  };
  EXPECT_THROW(Loader(std::make_shared<NoRoom>(), {.num_workers = 3}), std::bad_alloc);
}

TEST(Loader, AnyLimitIsALimit) {
  const auto batches = [](int64_t limit) {
    return Loader(dataset_of(10), {.batch_size = 2, .ranks = 2, .limit_batches = limit}).batches();
  };
  EXPECT_EQ(batches(1), 1);
  EXPECT_EQ(batches(2), 2);
  EXPECT_EQ(batches(3), 3) << "five batches of two samples for two ranks";
  EXPECT_EQ(batches(std::numeric_limits<int64_t>::max()), 3);
}

// In a process that may have no thread beside its first one; root always may, nobody may not.
TEST(Loader, AThreadThatCannotBeStartedIsASentence) {
  const auto data = dataset_of(3);
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t nobody = 65534;
    const rlimit limit{1, 1};
    if ((::getuid() == 0 && ::setuid(nobody) != 0) || ::setrlimit(RLIMIT_NPROC, &limit) != 0)
      ::_exit(3);
    try {
      Loader loader(data, {.num_workers = 1000});
    } catch (const Error& error) {
      const std::string text = error.what();
      ::_exit(text.starts_with("only 0 of 1000 reading threads (num_workers) can be started: ")
                  ? 0
                  : 1);
    }
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status)) << status;
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace py4cast
