// What the tests start with mpirun: trainings of several ranks, compared with each other and with
// one rank. Prints "good" and how sums travel on each rank on which all is as it should be.
#include <iostream>
#include <optional>

#include "engine/runtime.h"
#include "tests/train/adversarial_task.h"
#include "tests/train/chain_task.h"

namespace py4cast {
namespace {

void expect(bool condition, const std::string& what) {
  if (!condition) throw Error(ErrorKind::internal, "not so: ", what);
}

struct Options {
  int64_t batches, accumulate;
  bool cuda_graph = true;
  int64_t bucket_bytes = 600;
};

// The same ranks and tensors, but sums follow the backward pass.
class Simple : public Communicator {
 public:
  using Communicator::broadcast;
  explicit Simple(Communicator& real) : real_(real) {}
  int rank() const override { return real_.rank(); }
  int size() const override { return real_.size(); }
  std::string transport() const override { return real_.transport(); }
  void barrier() override { real_.barrier(); }
  void broadcast(std::span<std::byte> bytes, int from) override { real_.broadcast(bytes, from); }
  std::vector<Block> all_gather(std::span<const std::byte> block) override {
    return real_.all_gather(block);
  }
  void sum_in_rank_order(std::span<float> values) override { real_.sum_in_rank_order(values); }
  void sum_in_rank_order(std::span<double> values) override { real_.sum_in_rank_order(values); }
  void sum_in_rank_order(const Context& context, const Tensor& values) override {
    real_.sum_in_rank_order(context, values);
  }
  void all_gather(const Context& context, const Tensor& own, const Tensor& all) override {
    real_.all_gather(context, own, all);
  }
  void abort(const std::string& message, int exit_code) override {
    real_.abort(message, exit_code);
  }

 private:
  Communicator& real_;
};

struct Chain {
  Chain(Runtime& runtime, Communicator& all, const Options& options)
      : Chain(runtime, all, options, chain_settings(options, 3)) {}
  Chain(Runtime& runtime, Communicator& all, const Options& options,
        const TrainerSettings& settings)
      : task(runtime.context(), options.batches, options.accumulate, all.rank(), all.size()) {
    trainer.emplace(runtime.context(), task, all, settings);
  }
  std::string train(const TrainerObserver& observer = {}) {
    trainer->fit(observer);
    return state_of(*trainer);
  }
  ChainTask task;
  std::optional<Trainer> trainer;
};

// What a checkpoint holds, but the position.
void move_state(Chain& from, Chain& to) {
  const auto move = [](Tensor here, Tensor there) { copy(on_host(here), there); };
  for (size_t i = 0; i < from.task.slab().parameters().size(); ++i)
    move(from.task.slab().parameters()[i].value(), to.task.slab().parameters()[i].value());
  Optimizer &own = *from.trainer->learners()[0], &other = *to.trainer->learners()[0];
  for (size_t i = 0; i < own.state().size(); ++i)
    move(own.state()[i].second, other.state()[i].second);
  other.set_steps_done(own.steps_done());
}

// Stops after an epoch, and goes on in another trainer with what a checkpoint holds.
std::string interrupted(Runtime& runtime, Communicator& all, const Options& options) {
  Chain first(runtime, all, options), second(runtime, all, options);
  TrainerObserver observer;
  observer.on_checkpoint = [&](const Position& position) {
    if (position.epoch != 2) return;
    move_state(first, second);
    second.trainer->set_position(position);
  };
  first.train(observer);
  return second.train();
}

void compare(Runtime& runtime) {
  Communicator& all = runtime.communicator();
  Simple simple(all);
  const auto one = single_process();
  for (int64_t accumulate : {1, 2})
    for (int64_t batches : {7, 9}) {  // with ranks that have none in the last group
      const std::string what = std::to_string(accumulate) + " of " + std::to_string(batches);
      const std::string expected = Chain(runtime, simple, {batches, accumulate, false}).train();
      if (accumulate == 1)
        expect(Chain(runtime, *one, {batches, all.size()}).train() == expected, what + " alone");
      for (const auto& [bytes, cuda_graph] :
           {std::pair{1, true}, {600, false}, {600, true}, {1 << 20, true}}) {
        Chain chain(runtime, all, {batches, accumulate, cuda_graph, bytes});
        expect(chain.train() == expected, what + " in parts of " + std::to_string(bytes));
        expect(!chain.trainer->runner().buckets("train") == !all.asynchronous(), "parts");
      }
      expect(interrupted(runtime, all, {batches, accumulate}) == expected, what + " resumed");
    }
}

// The last rank is asked to stop: all stop after the same step, and go on as if nothing had been.
void stop(Runtime& runtime, const Options& options) {
  Communicator& all = runtime.communicator();
  const std::string expected = Chain(runtime, all, options).train();
  for (int64_t at = 1; at <= 9; ++at) {
    int64_t asked = 0;
    TrainerSettings settings = chain_settings(options, 3);
    if (all.rank() == all.size() - 1) settings.stop = [&] { return ++asked >= at; };
    Chain cut(runtime, all, options, settings), rest(runtime, all, options);
    expect(!cut.trainer->fit({}), "stopped");
    const Position position = cut.trainer->position();
    for (const Position& other : all.all_gather_values(position))
      expect(other == position, "the same step on all ranks");
    move_state(cut, rest);
    rest.trainer->plan();  // the first step may have no micro-batch for this rank
    rest.trainer->set_position(position);
    expect(rest.train() == expected, "stopped after step " + std::to_string(position.step));
  }
}

// One rank's batch is bad: all say the same, and none has changed anything.
void refuse(Runtime& runtime) {
  Communicator& all = runtime.communicator();
  for (int64_t bad : {0, 3, 7}) {
    Chain chain(runtime, all, {9, 1});
    chain.task.set(bad, std::numeric_limits<float>::infinity());
    std::string before = state_of(*chain.trainer), message;
    TrainerObserver observer;
    observer.on_step = [&](const StepReport&, int64_t) { before = state_of(*chain.trainer); };
    try {
      chain.train(observer);
    } catch (const Error& error) {
      message = error.what();
    }
    expect(message.find("for batch " + std::to_string(bad)) != std::string::npos, message);
    expect(state_of(*chain.trainer) == before, "nothing changed");
  }
}

// Two learners: several ranks are one rank that accumulates as many batches.
void play(Runtime& runtime) {
  const auto trained = [&](Communicator& all, int64_t accumulate) {
    AdversarialTask task(runtime.context(), all, {.accumulate = accumulate});
    Trainer trainer(runtime.context(), task, all, {.epochs = 2});
    trainer.fit({});
    return state_of(trainer);
  };
  const auto one = single_process();
  Communicator& all = runtime.communicator();
  expect(trained(all, 1) == trained(*one, all.size()), "two learners");
}

int run(const std::string& device) {
  Runtime runtime(device);
  return runtime.guard([&] {
    const std::string way = runtime.connect_devices(add_into);
    compare(runtime);
    for (const Options& options : {Options{7, 1}, Options{9, 2}}) stop(runtime, options);
    refuse(runtime);
    play(runtime);
    std::cout << "good: " + way + "\n" << std::flush;
    return 0;
  });
}

}  // namespace
}  // namespace py4cast

int main(int count, char** words) {
  try {
    return py4cast::run(count > 1 ? words[1] : "cpu");
  } catch (const py4cast::Error& error) {
    std::cerr << "py4cast: " << error.what() << std::endl;
    return error.exit_code();
  }
}
