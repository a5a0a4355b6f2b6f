#include "engine/gradient_buckets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <sstream>
#include <utility>

#include "engine/error.h"
#if PY4CAST_CUDA_EMULATED
#include "engine/emulation/cuda_emulation.h"
#endif

namespace py4cast {
namespace {

// Padded to 16, 16, 112, 16, 16 elements; the buffer is not in the slab.
void add_parameters(ParameterSlab& slab) {
  const auto add = [&](const char* name, int64_t size, bool trainable = true) {
    slab.add({.name = name, .file_shape = {size}, .trainable = trainable});
  };
  add("a", 3);
  add("b", 16);
  add("large", 100);
  add("buffer", 40, false);
  add("d", 1);
  add("e", 5);
}

std::string names_of(const std::vector<GradientBucket>& buckets) {
  std::ostringstream text;
  for (const GradientBucket& bucket : buckets) {
    for (const Parameter* parameter : bucket.parameters) text << parameter->name() << " ";
    text << "(" << bucket.gradients.numel() << ") ";
  }
  return text.str();
}

TEST(GradientBuckets, AreCutFromTheEndAndOrderedByTime) {
  ParameterSlab slab;
  add_parameters(slab);
  slab.allocate(Device{}, nullptr, true);
  const std::vector<int64_t> reverse{4, 3, 2, -1, 1, 0}, mixed{0, 4, 1, -1, -1, 3}, none(6, -1);
  EXPECT_EQ(names_of(cut_gradients(slab, reverse, 128)), "e d (32) large (112) b a (32) ");
  EXPECT_EQ(names_of(cut_gradients(slab, mixed, 128)), "large (112) e d (32) b a (32) ");
  EXPECT_EQ(names_of(cut_gradients(slab, none, 128)), "e d (32) large (112) b a (32) ");
  EXPECT_EQ(names_of(cut_gradients(slab, reverse, 1)), "e (16) d (16) large (112) b (16) a (16) ");
  EXPECT_EQ(names_of(cut_gradients(slab, reverse, 127)),
            "e (16) d (16) large (112) b (16) a (16) ");
  EXPECT_EQ(names_of(cut_gradients(slab, reverse, 576)), "e d large (144) b a (32) ");
  EXPECT_EQ(names_of(cut_gradients(slab, reverse, 1 << 20)), "e d large b a (176) ");
  EXPECT_THROW(cut_gradients(slab, {}, 128), Error);
}

TEST(GradientBuckets, AreSlicesThatCoverTheSlab) {
  ParameterSlab slab(DataType::f64);
  add_parameters(slab);
  slab.allocate(Device{}, nullptr, true);
  for (int64_t bytes : {1, 200, 1000, 100000}) {
    for (const GradientBucket& bucket :
         cut_gradients(slab, std::vector<int64_t>{0, 4, 1, -1, 2, 3}, bytes))
      for (double& element : bucket.gradients.span<double>()) element += 1;
    for (double& element : slab.gradients().span<double>()) EXPECT_EQ(std::exchange(element, 0), 1);
  }
}

#if PY4CAST_CUDA_EMULATED

// Which waits a broken transport leaves out; the sums then run on a stream of its own.
enum class Missing { nothing, wait_for_gradients, wait_for_sums };

// Two ranks with the same numbers: sums are twice the own numbers.
class Twins : public Communicator {
 public:
  Twins(Missing missing, std::vector<std::string>& log)
      : missing_(missing),
        log_(log),
        stream_(Device{DeviceKind::cuda, 0}),
        own_stream_(Device{DeviceKind::cuda, 0}) {}
  int rank() const override { return 0; }
  int size() const override { return 2; }
  std::string transport() const override { return "twins"; }
  void barrier() override {}
  void broadcast(std::span<std::byte>, int) override {}
  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    return {Block(block.begin(), block.end()), Block(block.begin(), block.end())};
  }
  void sum_in_rank_order(std::span<float>) override {}
  void sum_in_rank_order(std::span<double>) override {}
  void abort(const std::string&, int exit_code) override { std::_Exit(exit_code); }
  Stream stream() const override { return stream_.get(); }

  void sum_in_rank_order(const Context& context, const Tensor& values) override {
    Stream stream = context.stream;
    CudaEvent event(context.device);
    if (missing_ != Missing::nothing) stream = own_stream_.get();
    if (missing_ == Missing::wait_for_sums) {
      event.record(context.stream);
      event.wait(stream);
    }
    emulation::enqueue(static_cast<cudaStream_t>(stream.handle), "sum", [this, values] {
      log_.push_back("sum");
      float* const numbers = emulation::device_bytes(values.data<float>());
      for (int64_t i = 0; i < values.numel(); ++i) numbers[i] *= 2;
    });
    if (missing_ == Missing::wait_for_gradients) {
      event.record(stream);
      event.wait(context.stream);
    }
  }
  void all_gather(const Context& context, const Tensor& own, const Tensor& all) override {
    const Shape half = own.shape();
    copy_async(own, all.viewed(half, row_major_strides(half), 0), context.stream);
    copy_async(own, all.viewed(half, row_major_strides(half), own.numel()), context.stream);
  }

 private:
  Missing missing_;
  std::vector<std::string>& log_;
  CudaStream stream_, own_stream_;
};

// Steps as a trainer makes them, of tasks on the emulated streams: the gradients of all parameters
// are made one after another, exchanged, and read by an optimiser.
struct Steps {
  explicit Steps(Missing missing = Missing::nothing) : communicator(missing, log) {
    context.device = device;
    context.stream = stream.get();
    context.ledger = &ledger;
    add_parameters(slab);
    slab.allocate(device, &ledger, true);
    own = Tensor(allocate(4, device, &ledger, Owner::other, "own"), DataType::f32, {1});
    all = Tensor(allocate(8, device, &ledger, Owner::other, "all"), DataType::f32, {2, 1});
    for (const Parameter& parameter : slab.parameters())
      if (parameter.trainable()) order.insert(order.begin(), &parameter);
    buckets.emplace(context, communicator,
                    cut_gradients(slab, std::vector<int64_t>{4, 3, 2, -1, 1, 0}, 128));
  }

  void enqueue(std::function<void()> work) {
    emulation::enqueue(static_cast<cudaStream_t>(context.stream.handle), "work", std::move(work));
  }
  // The k-th parameter gets the gradient count + k, and the record is the count.
  void backward(bool captured) {
    buckets->begin(order, captured);
    buckets->pass_empty();
    for (size_t k = 0; k < order.size(); ++k) {
      enqueue([this, k, gradient = order[k]->gradient()] {
        if (k == 0) ++count;
        log.push_back(order[k]->name());
        std::fill_n(emulation::device_bytes(gradient.data<float>()), gradient.numel(),
                    count + static_cast<float>(k));
      });
      buckets->passed(*order[k]);
    }
    enqueue([this] { *emulation::device_bytes(own.data<float>()) = count; });
  }
  // Captured after two steps. What the optimiser saw in each, and what it should have seen.
  void run(int steps, bool capture) {
    std::optional<CudaGraph> graph;
    for (int step = 1; step <= steps; ++step) {
      if (capture && step == 3) graph.emplace(context.stream, [&] { backward(true); });
      if (graph)
        graph->launch(context.stream);
      else
        backward(false);
      buckets->exchange(own, all);
      enqueue([this] {
        log.push_back("optimiser");
        for (const Parameter* parameter : order)
          for (int64_t i = 0; i < parameter->gradient().numel(); ++i)
            seen.push_back(emulation::device_bytes(parameter->gradient().data<float>())[i]);
        const float* const records = emulation::device_bytes(all.data<float>());
        seen.insert(seen.end(), records, records + 2);
      });
      for (size_t k = 0; k < order.size(); ++k)
        expected.insert(expected.end(), static_cast<size_t>(order[k]->gradient().numel()),
                        2 * (static_cast<float>(step) + static_cast<float>(k)));
      expected.insert(expected.end(), 2, static_cast<float>(step));
    }
    synchronize(device);
  }

  Device device{DeviceKind::cuda, 0};
  std::vector<std::string> log;  // in the order in which the device worked
  std::vector<float> seen, expected;
  float count = 0;
  MemoryLedger ledger;
  CudaStream stream{device};
  Context context;
  ParameterSlab slab;
  Tensor own, all;
  std::vector<const Parameter*> order;
  Twins communicator;
  std::optional<GradientBuckets> buckets;
};

// Calls f for many orders in which the emulated device may work.
void for_each_order(const std::function<void(const emulation::Settings&)>& f) {
  using Settings = emulation::Settings;
  const Settings before = emulation::settings();
  for (uint64_t seed = 1; seed <= 8; ++seed)
    for (auto streams :
         {Settings::Streams::minimal, Settings::Streams::others_first, Settings::Streams::random}) {
      emulation::settings() = {Settings::Threads::random, streams, seed};
      f(emulation::settings());
    }
  emulation::settings() = before;
}

TEST(GradientBuckets, AreSummedWhileTheOthersAreMade) {
  for (bool capture : {false, true}) {
    int early = 0;  // steps in which a sum was made before the last gradient
    for_each_order([&](const emulation::Settings&) {
      Steps steps;
      steps.run(6, capture);
      EXPECT_EQ(steps.seen, steps.expected);
      ASSERT_EQ(std::ranges::count(steps.log, "sum"), 6 * 3);
      bool summed = false;
      for (const std::string& entry : steps.log) {
        if (entry == "sum") summed = true;
        if (entry == "a") early += summed;  // the last one
        if (entry == "optimiser") summed = false;
      }
    });
    EXPECT_GT(early, 20) << "captured: " << capture;
  }
}

TEST(GradientBuckets, WithoutAMicroBatchAllAreSummedAllTheSame) {
  Steps steps;
  fill_bytes(steps.slab.gradients(), 0, steps.context.stream);
  fill_bytes(steps.own, 0, steps.context.stream);
  steps.buckets->begin({}, false);
  steps.buckets->pass_empty();
  steps.buckets->exchange(steps.own, steps.all);
  synchronize(steps.device);
  EXPECT_EQ(steps.log, std::vector<std::string>(3, "sum"));
}

// What is added to the whole slab after the backward pass reaches parameters that were not passed.
TEST(GradientBuckets, EmptyOnesAreFinalWhenTheyArePassed) {
  for (const bool early : {false, true}) {
    int wrong = 0;
    for_each_order([&](const emulation::Settings&) {
      Steps steps;
      fill_bytes(steps.slab.gradients(), 0, steps.context.stream);
      fill_bytes(steps.own, 0, steps.context.stream);
      steps.buckets->begin({}, false);
      if (early) steps.buckets->pass_empty();
      const Tensor all = steps.slab.gradients();
      const auto fields = [&] {
        return std::span(emulation::device_bytes(all.data<float>()),
                         static_cast<size_t>(all.numel()));
      };
      steps.enqueue([&] { std::ranges::fill(fields(), 3.0f); });
      if (!early) steps.buckets->pass_empty();
      steps.buckets->exchange(steps.own, steps.all);
      synchronize(steps.device);
      wrong += std::ranges::any_of(fields(), [](float sum) { return sum != 6; });
    });
    EXPECT_EQ(wrong > 0, early);
  }
}

TEST(GradientBuckets, AMissingWaitIsSeen) {
  for (Missing missing : {Missing::wait_for_gradients, Missing::wait_for_sums})
    for (bool capture : {false, true}) {
      int wrong = 0;
      for_each_order([&](const emulation::Settings&) {
        Steps steps(missing);
        steps.run(6, capture);
        wrong += steps.seen != steps.expected;
      });
      EXPECT_GT(wrong, 0) << static_cast<int>(missing) << ", captured: " << capture;
    }
}

TEST(GradientBuckets, GiveBackWhatTheyHold) {
  Steps steps;
  EXPECT_EQ(steps.ledger.live(Resource::event), 3 + 2);
  steps.buckets.reset();
  EXPECT_EQ(steps.ledger.live(Resource::event), 0);
}

#endif

}  // namespace
}  // namespace py4cast
