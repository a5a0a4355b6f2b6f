// Two learners that play against each other, without a line of it in the trainer; and seeds side by side.
#include <gtest/gtest.h>

#include <cmath>
#include <optional>

#include "engine/runtime.h"
#include "tests/devices.h"
#include "tests/train/adversarial_task.h"
#include "tests/train/chain_task.h"
#include "train/checkpoint.h"

namespace py4cast {
namespace {

struct Game {
  explicit Game(const std::string& device, bool cuda_graph = true,
                const AdversarialSettings& settings = {}, int64_t epochs = 3)
      : runtime(device), task(runtime.context(), runtime.communicator(), settings) {
    trainer.emplace(runtime.context(), task, runtime.communicator(),
                    TrainerSettings{.step = {.cuda_graph = cuda_graph}, .epochs = epochs});
  }
  // What it ends with, and the losses on the way.
  std::pair<std::string, std::vector<double>> play(TrainerObserver observer = {}) {
    std::vector<double> losses;
    observer.on_step = [&, inner = observer.on_step](const StepReport& report, int64_t step) {
      losses.push_back(report.loss);
      if (inner) inner(report, step);
    };
    trainer->fit(observer);
    return {state_of(*trainer), losses};
  }
  Runtime runtime;
  AdversarialTask task;
  std::optional<Trainer> trainer;
};

class Adversarial : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Devices, Adversarial, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

// 9 batches: two rounds of 3 moves, and three more; the next epoch begins with the critic again.
TEST_P(Adversarial, MovesFollowTheRoundInEachEpoch) {
  Game game(GetParam(), true, {.samples = 14, .critic_moves = 2}, 2);
  std::string moves;
  std::vector<int64_t> numbers;
  TrainerObserver observer;
  observer.on_step = [&](const StepReport& report, int64_t step) {
    moves += report.move.substr(0, 1);
    numbers.push_back(step);
  };
  const auto [state, losses] = game.play(observer);
  EXPECT_EQ(moves, "ccgccccgcc");  // 5 batches an epoch
  EXPECT_EQ(numbers, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  for (double loss : losses) EXPECT_TRUE(std::isfinite(loss));
  ASSERT_EQ(game.trainer->learners().size(), 2u);
  EXPECT_EQ(game.trainer->learners()[0]->steps_done(), 8);
  EXPECT_EQ(game.trainer->learners()[1]->steps_done(), 2);
}

// The critic's slope comes near to 1 where the penalty looks, so the critic's loss falls.
TEST(Adversarial, TheCriticLearns) {
  Game game("cpu", true, {.critic_moves = 50}, 20);
  const std::vector<double> losses = game.play().second;
  EXPECT_GT(losses.front(), 1);
  EXPECT_LT(losses.back(), 0.3 * losses.front());
}

// A step of one learner neither changes nor computes anything of the other's.
TEST_P(Adversarial, AMoveReachesItsOwnLearnerOnly) {
  Game game(GetParam());
  StepRunner runner(game.runtime.context(), game.runtime.communicator(), {});
  game.task.begin_epoch(0, 0);
  const std::vector<Move> round = game.task.round();
  const auto bytes_of = [](const Tensor& slab) {
    const Tensor host = on_host(slab);
    return std::string(reinterpret_cast<const char*>(host.raw()), host.bytes());
  };
  for (const Move& move : {round.front(), round.back()}) {
    const bool critic = move.name == "critic";
    ParameterSlab &own = critic ? game.task.critic_slab() : game.task.generator_slab(),
                  &other = critic ? game.task.generator_slab() : game.task.critic_slab();
    fill_bytes(other.gradients(), 0xff, runner.context().stream);
    const std::string values = bytes_of(other.values()), gradients = bytes_of(other.gradients()),
                      before = bytes_of(own.values());
    runner.start(move, game.task, {});
    EXPECT_TRUE(runner.finish().finite);
    EXPECT_TRUE(bytes_of(other.values()) == values) << move.name;
    EXPECT_TRUE(bytes_of(other.gradients()) == gradients) << move.name;
    EXPECT_FALSE(bytes_of(own.values()) == before) << move.name;
  }
}

// Counted by the tape: as many gradients of parameters as the learner has, and no other is made.
TEST(Adversarial, NoGradientIsComputedForTheOther) {
  Game game("cpu");
  game.task.begin_epoch(0, 0);
  ASSERT_TRUE(game.task.next_batch());
  const auto count = [&](const ParameterSlab* slab, size_t& delivered) {
    Tape tape(add);
    tape.restrict_to(slab);
    Context context = game.runtime.context();
    context.tape = &tape;
    const Tensor loss = game.task.generator_loss(context);
    Context plain = context.without_tape();
    tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)},
                  [&](Context&, const Parameter& parameter, Tensor) {
                    EXPECT_TRUE(!slab || &parameter.slab() == slab) << parameter.name();
                    ++delivered;
                  });
    return tape.count();
  };
  size_t own = 0, all = 0;
  const Tape::Count restricted = count(&game.task.generator_slab(), own),
                    whole = count(nullptr, all);
  EXPECT_EQ(own, 4u);
  EXPECT_EQ(all, 8u);
  EXPECT_EQ(restricted.rules, whole.rules);
  EXPECT_EQ(restricted.gradients, whole.gradients - 4);
  EXPECT_EQ(restricted.unasked, 0);
}

// The gradient through the penalty's own gradient, against differences of the loss.
TEST(Adversarial, TheSecondDerivativeIsRight) {
  Game game("cpu");
  game.task.begin_epoch(0, 0);
  ASSERT_TRUE(game.task.next_batch());
  const auto loss_and_gradient = [&](bool backward) {
    Tape tape(add);
    Context context = game.runtime.context();
    context.tape = &tape;
    const Tensor loss = game.task.critic_loss(context);
    Context plain = context.without_tape();
    const auto keep = [&](Context& inner, const Parameter& parameter, Tensor gradient) {
      if (backward) add_into(inner, parameter.gradient(), gradient);
    };
    tape.backward(context, {&loss, 1}, {full(plain, {}, loss.type(), 1)}, keep);
    return static_cast<double>(*loss.data<float>());
  };
  fill_bytes(game.task.critic_slab().gradients(), 0, {});
  loss_and_gradient(true);
  for (const Parameter& parameter : game.task.critic_slab().parameters()) {
    const auto values = parameter.value().span<float>(),
               gradient = parameter.gradient().span<float>();
    for (const size_t i : {size_t{0}, values.size() - 1}) {
      const float there = values[i], step = 3e-3f;
      values[i] = there + step;
      const double above = loss_and_gradient(false);
      values[i] = there - step;
      const double below = loss_and_gradient(false);
      values[i] = there;
      EXPECT_NEAR(gradient[i], (above - below) / (2.0 * static_cast<double>(step)),
                  2e-3 * (1 + std::abs(static_cast<double>(gradient[i]))))
          << parameter.name() << " " << i;
    }
  }
}

// Cut after any step, and gone on with from a checkpoint.
TEST(Adversarial, ResumedEqualsUninterrupted) {
  struct Cut {};
  const auto whole = Game("cpu").play();
  const std::string folder = testing::TempDir() + "game";
  for (int64_t last : {1, 2, 3, 8, 9, 13}) {
    Position position;
    {
      Game cut("cpu");
      TrainerObserver observer;
      observer.on_step = [&](const StepReport&, int64_t step) {
        if (step != last) return;
        save_checkpoint(folder, cut.trainer->learners(), {});
        position = cut.trainer->position();
        throw Cut();
      };
      EXPECT_THROW(cut.play(observer), Cut);
    }
    Game resumed("cpu");
    load_checkpoint(folder, resumed.trainer->learners());
    resumed.trainer->set_position(position);
    const auto rest = resumed.play();
    EXPECT_EQ(rest.second, std::vector<double>(whole.second.begin() + last, whole.second.end()));
    EXPECT_TRUE(rest.first == whole.first) << last;
  }
}

#if PY4CAST_CUDA

// A captured step draws new numbers each time, those of a step that is not captured.
TEST(AdversarialOnGpu, CapturedStepsEqualPlainOnesBitForBit) {
  Game captured("cuda"), plain("cuda", false);
  const auto with = captured.play(), without = plain.play();
  EXPECT_GE(captured.trainer->runner().graphs().captured(), 4);
  EXPECT_EQ(plain.trainer->runner().graphs().captured(), 0);
  EXPECT_EQ(with.second, without.second);
  EXPECT_TRUE(with.first == without.first);
}

TEST(AdversarialOnGpu, LossesAreThoseOfTheCpu) {
  const std::vector<double> expected = Game("cpu").play().second,
                            found = Game("cuda").play().second;
  for (size_t step = 0; step < 4; ++step)
    EXPECT_NEAR(found.at(step), expected.at(step), 1e-4 * (1 + std::abs(expected.at(step))))
        << step;
}

TEST(AdversarialOnGpu, ResumedEqualsUninterrupted) {
  const auto whole = Game("cuda").play();
  const std::string folder = testing::TempDir() + "game";
  Position position;
  Game cut("cuda");
  TrainerObserver observer;
  observer.on_checkpoint = [&](const Position& reached) {
    if (reached.epoch != 2) return;
    save_checkpoint(folder, cut.trainer->learners(), {});
    position = reached;
  };
  cut.play(observer);
  Game resumed("cuda");
  load_checkpoint(folder, resumed.trainer->learners());
  resumed.trainer->set_position(position);
  EXPECT_TRUE(resumed.play().first == whole.first);
}

#endif

// A small network on data of its own: one of several seeds.
struct Seed : BatchSource {
  Seed(Runtime& runtime, uint64_t seed)
      : context(stream_of(runtime, stream)),
        network(Builder(slab), 3, 5, 2),
        random(RandomKey{17}.child(seed)) {
    slab.allocate(context.device, context.ledger, true);
    slab.initialise(RandomKey{seed});
    learner.emplace("seed", context, slab, make_adamw({}), Schedule{.lr = 0.05});
    runner.emplace(context, runtime.communicator(),
                   StepSettings{.seed = static_cast<int64_t>(seed)});
    const size_t bytes = 4 * 3 * sizeof(float);
    x = Tensor(allocate(bytes, context.device, context.ledger, Owner::batches, "x"), DataType::f32,
               {4, 3});
    staging = Tensor(context.device.kind == DeviceKind::cpu
                         ? allocate_host(bytes, context.ledger, Owner::batches, "x")
                         : allocate_pinned(bytes, context.ledger, Owner::batches, "x"),
                     DataType::f32, {4, 3});
    move = {.name = "fit", .learner = &*learner, .loss = [this](Context& c) {
              const Tensor blurred = add(c, x, uniform(c, x.shape(), x.type(), 0, -0.1, 0.1));
              const Tensor y = network(c, blurred);
              return mean_all(c, multiply(c, y, y));
            }};
  }
  static Context stream_of(Runtime& runtime, std::optional<CudaStream>& stream) {
    Context context = runtime.context();
    if (context.device.kind == DeviceKind::cpu) return context;
    stream.emplace(context.device);
    context.stream = stream->get();
    return context;
  }
  bool next_batch() override {
    if (context.device.kind != DeviceKind::cpu) synchronize(context.stream);  // of the staging
    for (float& value : staging.span<float>())
      value = static_cast<float>(2 * random.uniform(drawn++) - 1);
    copy(context, staging, x);
    return true;
  }
  std::string batch_key() const override { return "four"; }
  void start(int64_t step) { runner->start(move, *this, {0, step, 1}); }
  void finish() { losses.push_back(runner->finish().loss); }
  std::string state() const {
    std::string bytes;
    for (const Tensor& tensor : {slab.values(), learner->state()[0].second}) {
      const Tensor host = on_host(tensor);
      bytes.append(reinterpret_cast<const char*>(host.raw()), host.bytes());
    }
    return bytes;
  }

  std::optional<CudaStream> stream;
  Context context;
  ParameterSlab slab;
  TwoLayers network;
  RandomKey random;
  uint64_t drawn = 0;
  Tensor x, staging;
  Move move;
  std::optional<Optimizer> learner;
  std::optional<StepRunner> runner;
  std::vector<double> losses;
};

// Eight seeds in one process, a stream each, all of them under way at the same time: each is as if it
// were alone.
TEST_P(Adversarial, EightSeedsSideBySide) {
  constexpr uint64_t seeds = 8;
  constexpr int64_t steps = 6;
  Runtime runtime(GetParam());
  std::vector<std::unique_ptr<Seed>> all;
  for (uint64_t seed = 0; seed < seeds; ++seed)
    all.push_back(std::make_unique<Seed>(runtime, seed));
  for (int64_t step = 0; step < steps; ++step) {
    for (auto& seed : all) seed->start(step);
    for (auto& seed : all) seed->finish();
  }
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    Seed alone(runtime, seed);
    for (int64_t step = 0; step < steps; ++step) {
      alone.start(step);
      alone.finish();
    }
    EXPECT_EQ(all[seed]->losses, alone.losses) << seed;
    EXPECT_TRUE(all[seed]->state() == alone.state()) << seed;
    EXPECT_LT(alone.losses.back(), alone.losses.front()) << seed;
    EXPECT_EQ(alone.runner->graphs().captured(), GetParam() == "cuda" ? 2 : 0) << seed;
    EXPECT_EQ(all[seed]->losses == all[0]->losses, seed == 0);
  }
}

TEST_P(Adversarial, AStepMustBeFinishedBeforeTheThirdIsStarted) {
  Runtime runtime(GetParam());
  Seed seed(runtime, 1);
  seed.start(0);
  seed.start(1);
  EXPECT_THROW(seed.start(2), Error);
  seed.finish();
  seed.finish();
  EXPECT_THROW(seed.runner->finish(), Error);
}

}  // namespace
}  // namespace py4cast
