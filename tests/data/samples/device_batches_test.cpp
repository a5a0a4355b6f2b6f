// Samples that are no weather, through the loader and the device's ring.
#include "data/samples/device_batches.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "engine/error.h"
#include "engine/parameters.h"

namespace py4cast {
namespace {

// Trajectories of points on a line, in f64, and a label of each: sizes and types that a block must
// align.
class Trajectories : public Samples {
 public:
  static constexpr int64_t steps = 5, broken = 17;

  Trajectories(int64_t size, bool breaks) : size_(size), breaks_(breaks) {}
  int64_t size() const override { return size_; }
  std::vector<BufferSpec> buffers() const override {
    return {{"label", {}, DataType::i32}, {"path", {steps, 1}, DataType::f64}};
  }
  void load(int64_t index, std::span<std::byte* const> buffers) const override {
    if (breaks_ && index == broken) throw Error(ErrorKind::data, describe(index), " is broken");
    const int32_t own = label(index);
    std::memcpy(buffers[0], &own, sizeof own);
    for (int64_t t = 0; t < steps; ++t) {
      const double x = position(index, t);
      std::memcpy(buffers[1] + t * 8, &x, sizeof x);
    }
  }
  std::string describe(int64_t index) const override {
    return "trajectory " + std::to_string(index);
  }
  static int32_t label(int64_t index) { return static_cast<int32_t>(index % 7); }
  static double position(int64_t index, int64_t t) {
    return 0.1 * static_cast<double>(index) + 1e-9 * static_cast<double>(t * t);
  }

 private:
  int64_t size_;
  bool breaks_;
};

std::shared_ptr<const Samples> trajectories(int64_t size, bool breaks = false) {
  return std::make_shared<Trajectories>(size, breaks);
}

Tensor here(const Tensor& tensor) {
  const Tensor result = host_tensor(tensor.shape(), tensor.type());
  copy(tensor, result);
  return result;
}

// Checks the values of a batch.
void check_batch(const Batch& batch) {
  const Tensor labels = here(tensor_of(batch.tensors, "label")),
               paths = here(tensor_of(batch.tensors, "path"));
  ASSERT_EQ(labels.shape(), Shape{batch.count});
  ASSERT_EQ(paths.shape(), (Shape{batch.count, Trajectories::steps, 1}));
  ASSERT_EQ(static_cast<int64_t>(batch.samples.size()), batch.count);
  for (int64_t k = 0; k < batch.count; ++k) {
    const int64_t sample = batch.samples[static_cast<size_t>(k)];
    EXPECT_EQ(labels.data<int32_t>()[k], Trajectories::label(sample));
    for (int64_t t = 0; t < Trajectories::steps; ++t)
      EXPECT_EQ(paths.data<double>()[k * Trajectories::steps + t],
                Trajectories::position(sample, t));
  }
}

// The samples of each batch of an epoch, whose values are right and, on a GPU, at one place.
std::vector<std::vector<int64_t>> epoch_of(DeviceBatches& batches, int64_t epoch, bool gpu,
                                           int64_t first = 0) {
  std::vector<std::vector<int64_t>> result;
  const std::byte *labels = nullptr, *paths = nullptr;
  batches.start(epoch, first);
  while (const Batch* batch = batches.next()) {
    check_batch(*batch);
    const std::byte *now_labels = tensor_of(batch->tensors, "label").raw(),
                    *now_paths = tensor_of(batch->tensors, "path").raw();
    if (gpu && labels) {
      EXPECT_EQ(now_labels, labels);
      EXPECT_EQ(now_paths, paths);
    }
    labels = now_labels;
    paths = now_paths;
    result.push_back(batch->samples);
  }
  return result;
}

// On the CPU and, where there is one, on a GPU with pinned memory and without.
template <typename Check>
void on_every_device(Check&& check) {
  check(Context(), false);
#if PY4CAST_CUDA
  for (const bool pinned : {true, false}) {
    MemoryLedger ledger;
    Context context;
    context.device = {DeviceKind::cuda, 0};
    context.ledger = &ledger;
    const CudaStream stream(context.device);
    context.stream = stream.get();
    check(context, pinned);
    EXPECT_EQ(ledger.snapshot(), MemoryLedger::Snapshot());
  }
#endif
}

TEST(DeviceBatches, RanksShareTheShuffledSamplesOfAnyKind) {
  for (const int64_t workers : {0, 3}) {
    on_every_device([&](const Context& context, bool pinned) {
      const bool gpu = context.device.kind == DeviceKind::cuda;
      std::vector<int64_t> seen;
      for (const int64_t rank : {0, 1}) {
        DeviceBatches batches(trajectories(23),
                              {.batch_size = 3,
                               .num_workers = workers,
                               .shuffle = true,
                               .key = {5},
                               .rank = rank,
                               .ranks = 2,
                               .pinned = pinned},
                              context);
        EXPECT_EQ(batches.loader().samples().describe(4), "trajectory 4");
        const auto before = context.ledger ? context.ledger->snapshot() : MemoryLedger::Snapshot();
        const auto all = epoch_of(batches, 0, gpu);
        ASSERT_EQ(all.size(), 4u);
        EXPECT_EQ(all.back().size(), rank == 0 ? 3u : 2u) << "a smaller batch";
        EXPECT_NE(epoch_of(batches, 1, gpu), all);
        const auto rest = epoch_of(batches, 0, gpu, 2);
        EXPECT_TRUE(std::equal(rest.begin(), rest.end(), all.begin() + 2, all.end()));
        for (const auto& samples : all) seen.insert(seen.end(), samples.begin(), samples.end());
        const auto after = context.ledger ? context.ledger->snapshot() : MemoryLedger::Snapshot();
        EXPECT_EQ(after, before) << "memory is taken once";
      }
      EXPECT_TRUE(std::ranges::is_permutation(seen, RandomKey{5}.child(0).permutation(23)));
    });
  }
}

TEST(DeviceBatches, AnErrorComesWithItsBatchAndTheEpochGoesOn) {
  for (const int64_t workers : {0, 2}) {
    on_every_device([&](const Context& context, bool pinned) {
      DeviceBatches batches(trajectories(30, true),
                            {.batch_size = 4, .num_workers = workers, .pinned = pinned}, context);
      batches.start(0);
      std::vector<int64_t> first_samples;
      std::vector<std::string> errors;
      for (;;) {
        try {
          const Batch* batch = batches.next();
          if (!batch) break;
          check_batch(*batch);
          first_samples.push_back(batch->samples.front());
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::data);
          errors.push_back(error.what());
          first_samples.push_back(-1);
        }
      }
      EXPECT_EQ(first_samples, (std::vector<int64_t>{0, 4, 8, 12, -1, 20, 24, 28}));
      EXPECT_EQ(errors, (std::vector<std::string>{"trajectory 17 is broken"}));
    });
  }
}

TEST(DeviceBatches, MayBeDecodedInThePlaceWhereTheyCame) {
  on_every_device([&](const Context& context, bool pinned) {
    const Tensor kept(
        allocate(4 * sizeof(int32_t), context.device, context.ledger, Owner::batches, "test"),
        DataType::i32, {4});
    const auto decode = [&](Batch& batch) {
      const Tensor labels = tensor_of(batch.tensors, "label");
      batch.tensors = {{"answer", first_of(kept, batch.count)}};
      if (context.device.kind == DeviceKind::cpu)
        copy(labels, batch.tensors["answer"]);
      else
        copy_async(labels, batch.tensors["answer"], context.stream);
    };
    DeviceBatches batches(trajectories(10), {.batch_size = 4, .pinned = pinned}, context, decode);
    batches.start(0);
    std::vector<int32_t> answers;
    while (const Batch* batch = batches.next()) {
      EXPECT_FALSE(batch->tensors.contains("path"));
      const Tensor answer = here(tensor_of(batch->tensors, "answer"));
      answers.insert(answers.end(), answer.span<int32_t>().begin(), answer.span<int32_t>().end());
    }
    EXPECT_EQ(answers, (std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 0, 1, 2}));
  });
}

TEST(BatchLayout, OnePieceUpToTheLastSampleOfTheLastBuffer) {
  const BatchLayout layout(Trajectories(1, false).buffers(), 20);
  EXPECT_EQ(layout.words(0), 16) << "20 labels of 4 bytes, up to a multiple of 64 bytes";
  EXPECT_EQ(layout.words(3), 16 + 3 * Trajectories::steps);
  const Tensor block = host_tensor({layout.words(20)}, DataType::i64);
  const TensorMap tensors = layout.tensors(block, 3);
  EXPECT_EQ(tensor_of(tensors, "path").shape(), (Shape{3, Trajectories::steps, 1}));
  EXPECT_EQ(layout.places(block, 2)[0], block.raw() + 8);
  EXPECT_EQ(layout.places(block, 2)[1], tensor_of(tensors, "path").raw() + 2 * 40);
  EXPECT_THROW(BatchLayout({{"x", {1}}, {"x", {2}}}, 1), Error);
  try {
    tensor_of(tensors, "paths");
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "there is no tensor 'paths'; the nearest is 'path'");
  }
}

}  // namespace
}  // namespace py4cast
