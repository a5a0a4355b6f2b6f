// A whole training by the program, in numbers that were worked out by hand.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/train/built_in.h"
#include "tests/train/product_task.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

struct NoSettings : Settings {};

// w is 1 before the first epoch, and an epoch of the batches (1, 2), (3, 4), (5) takes 0.1 * (3 + 7 + 5) / 2 = 0.75 off. So the
// validation's |w + 0.4| is 0.65, 0.1, 0.85 after the epochs: the second one is the best.
class ByHand : public testing::Test {
 protected:
  ByHand() : root_(testing::TempDir() + "by_hand") {
    std::filesystem::remove_all(root_);
    registries_.general.tasks.add({.name = "product",
                                   .layout =
                                       [] {
                                         return Layout{{&table_of<NoSettings>()}, {}, {}};
                                       },
                                   .make = [](const TaskSource& source) -> std::shared_ptr<Task> {
                                     return std::make_shared<Product>(source.runtime.context(), 5,
                                                                      0, 1);
                                   }});
  }
  ~ByHand() override { std::filesystem::remove_all(root_); }

  void train(std::vector<std::string> words) {
    words.insert(words.end(), {"--task", "product", "--run.root", root_, "--run.progress", "off",
                               "--device", "cpu"});
    testing::internal::CaptureStdout();
    const Command command = train_command(registries_.general, "");
    EXPECT_EQ(command.run(parse_arguments(command, words)), 0);
    testing::internal::GetCapturedStdout();
  }
  std::string folder() const { return root_ + "/camp0/run_0"; }
  std::vector<Json> metrics() const {
    std::ifstream stream(folder() + "/metrics.jsonl");
    std::vector<Json> lines;
    for (std::string line; std::getline(stream, line);) lines.push_back(Json::parse(line));
    return lines;
  }
  void expect_all_of_three_epochs() const {
    EXPECT_NEAR(read_json_file(folder() + "/scores.json")["test"]["weight"].get<double>(), -0.5,
                1e-6);
    std::vector<double> losses;
    std::vector<int64_t> steps, epochs;
    for (const Json& line : metrics()) {
      if (!line.contains("train_loss")) continue;
      losses.push_back(line["train_loss"]);
      steps.push_back(line["step"]);
      epochs.push_back(line["epoch"]);
    }
    EXPECT_EQ(steps, (std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
    EXPECT_EQ(epochs, (std::vector<int64_t>{1, 1, 1, 2, 2, 2, 3, 3, 3}));
    const double expected[] = {1.5, 3.5 * 0.85,
                               5 * 0.5};  // of the first epoch; w is 0.75 less in each one after it
    const double sums[] = {1.5, 3.5, 5};
    ASSERT_EQ(losses.size(), 9u);
    for (size_t epoch = 0; epoch < 3; ++epoch)
      for (size_t i = 0; i < 3; ++i)
        EXPECT_NEAR(losses[3 * epoch + i],
                    expected[i] - 0.75 * static_cast<double>(epoch) * sums[i], 1e-5)
            << epoch << ' ' << i;
  }

  const std::string root_;
  TestRegistries registries_;
};

TEST_F(ByHand, TheBestWeightsAreTested) {
  train({"--epochs", "3"});
  expect_all_of_three_epochs();
}

// The best of the first two epochs stays the best of all three.
TEST_F(ByHand, AResumedTrainingKnowsItsBest) {
  train({"--epochs", "2"});
  EXPECT_NEAR(read_json_file(folder() + "/scores.json")["test"]["weight"].get<double>(), -0.5,
              1e-6);
  train({"--epochs", "3", "--resume", folder()});
  expect_all_of_three_epochs();
}

}  // namespace
}  // namespace py4cast
