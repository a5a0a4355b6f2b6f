// Everything that a configuration may name, registered from outside and used by its name.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "data/simulation/dummy.h"
#include "engine/error.h"
#include "engine/settings/documents.h"
#include "kernels/ops/arithmetic.h"
#include "kernels/training/loss.h"
#include "layers/convolution.h"
#include "tests/train/adversarial_task.h"
#include "tests/train/built_in.h"
#include "train/programs/commands.h"

namespace py4cast {
namespace {

struct PointwiseSettings : Settings {
  PY4CAST_SETTING(double, gain, 1, "Factor of the result.");
};
class Pointwise : public Model {
 public:
  Pointwise(const Builder& builder, const Ports& ports, double gain)
      : gain_(gain),
        layer_(
            builder.child("layer"),
            {.in = ports.inputs.at("x").back(), .out = ports.outputs.at("y").back(), .kernel = 1}) {
  }
  TensorMap forward(Context& context, const TensorMap& inputs) const override {
    return {{"y", scale(context, layer_(context, inputs.at("x")), gain_)}};
  }

 private:
  double gain_;
  Convolution layer_;
};

struct TinySettings : Settings {
  PY4CAST_SETTING(int64_t, size, 16, "Rows and columns.", .minimum = 1);
};
struct DampedSettings : Settings {
  PY4CAST_SETTING(double, damping, 1, "Factor of the network's result.");
};
struct FactorSettings : Settings {
  PY4CAST_SETTING(double, factor, 1, "Factor of the error.");
};
struct ExponentSettings : Settings {
  PY4CAST_SETTING(double, exponent, 1, "Of the absolute error.");
};
struct EverySettings : Settings {
  PY4CAST_SETTING(int64_t, every, 1, "Steps between two lines.", .minimum = 1);
};
struct PushSettings : OptimizerKeys {
  PY4CAST_SETTING(double, push, 0.5, "Share of the last step that is taken again.");
};
struct CriticSection : Settings {
  PY4CAST_SETTING(int64_t, moves, 2, "Moves of the critic in a round.", .flags = {"critic-moves"},
                  .minimum = 1);
};
struct GameSettings : Settings {
  PY4CAST_SECTION(CriticSection, critic, "One of two players.");
};

// Registries with one kind of each from outside; `lines` is what the observer writes.
struct PlugIns : TestRegistries {
  std::vector<std::string> lines;

  PlugIns() {
    general.models.add({.name = "Pointwise",
                        .settings = &table_of<PointwiseSettings>(),
                        .make = [](const Builder& builder, const Ports& ports, const Json& json) {
                          return std::make_unique<Pointwise>(
                              builder, ports, read_settings<PointwiseSettings>(json).gain);
                        }});
    general.optimizers.add({"pushed", &table_of<PushSettings>(), [](const Json& json) {
                              return make_sgd({.momentum = read_settings<PushSettings>(json).push});
                            }});
    general.observers.add({"lines", &table_of<EverySettings>(),
                           [this](const Json& json, const RunFolder*, Task&, Logger&) {
                             const int64_t every = read_settings<EverySettings>(json).every;
                             return TrainerObserver{
                                 .on_step = [this, every](const StepReport& report, int64_t step) {
                                   if (step % every == 0)
                                     lines.push_back(report.move + " " + std::to_string(step));
                                 }};
                           }});
    general.tasks.add(
        {.name = "game",
         .layout =
             [] {
               return Layout{{&table_of<GameSettings>()}, {}, {}};
             },
         .make = [](const TaskSource& source) -> std::shared_ptr<Task> {
           return std::make_shared<AdversarialTask>(
               source.runtime.context(), source.runtime.communicator(),
               AdversarialSettings{.critic_moves =
                                       source.configuration.read<GameSettings>().critic.moves});
         }});
    forecast.datasets.add({.name = "tiny",
                           .own_periods = true,
                           .open =
                               [](const DatasetSettings& given, MemoryLedger* ledger,
                                  std::optional<Statistics> statistics) {
                                 DatasetSettings settings = given;
                                 const int64_t size = read_settings<TinySettings>(*given.own).size;
                                 settings.subgrid = {0, size, 0, size};
                                 return dummy_dataset().open(settings, ledger,
                                                             std::move(statistics));
                               },
                           .settings = &table_of<TinySettings>()});
    forecast.strategies.add({.name = "damped",
                             .settings = &table_of<DampedSettings>(),
                             .make = [](const Json& json) -> Strategy {
                               const double damping = read_settings<DampedSettings>(json).damping;
                               return [damping](Context& context, const StrategyStep& step) {
                                 return add(context, step.last,
                                            scale(context, step.output, damping));
                               };
                             }});
    forecast.losses.add({.name = "scaled",
                         .settings = &table_of<FactorSettings>(),
                         .make = [](const Json& json) -> Loss {
                           const double factor = read_settings<FactorSettings>(json).factor;
                           return [factor](Context& context, const Tensor& prediction,
                                           const Tensor& target, const Tensor& mask,
                                           const Tensor& weights) {
                             return scale(context,
                                          weighted_loss(context, prediction, target, mask, weights,
                                                        LossKind::squared),
                                          factor);
                           };
                         }});
    forecast.metrics.add({.name = "power",
                          .settings = &table_of<ExponentSettings>(),
                          .make = [](const Json& json) -> Metric {
                            const double exponent = read_settings<ExponentSettings>(json).exponent;
                            return [exponent](const ErrorMeans& means, double scale) {
                              return std::pow(scale * means.absolute, exponent);
                            };
                          }});
  }

  // Runs a command of the tool with these flags in a folder of its own.
  void run(const std::string& name, std::vector<std::string> words) {
    const std::string root = testing::TempDir() + "plug_ins";
    std::filesystem::remove_all(root);
    words.insert(words.end(), {"--run.root", root, "--run.progress", "off", "--device", "cpu"});
    testing::internal::CaptureStdout();
    for (const Command& command : tool_commands(general)) {
      if (command.name != name) continue;
      EXPECT_EQ(command.run(parse_arguments(command, words)), 0);
    }
    output = testing::internal::GetCapturedStdout();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
      if (entry.path().filename() == "scores.json") {
        folder = entry.path().parent_path();
        scores = read_json_file(entry.path());
      }
  }

  std::string output;
  std::filesystem::path folder;
  Json scores;
};

std::vector<std::string> forecast_flags(std::vector<std::string> more = {}) {
  more.insert(more.begin(), {"--model",
                             "pointwise",
                             "--dataset",
                             "TINY",
                             "--strategy",
                             "damped",
                             "--loss",
                             "scaled",
                             "--optimizer",
                             "pushed",
                             "--epochs",
                             "1",
                             "--accumulate_batches",
                             "2",
                             "--limit_train_batches",
                             "4",
                             "--training.metrics",
                             "power,mae",
                             "--run.observers",
                             "lines"});
  return more;
}

TEST(PlugIns, OfAForecastAreUsedByTheirNames) {
  PlugIns plain, changed;
  plain.run("train", forecast_flags());
  EXPECT_EQ(plain.lines, (std::vector<std::string>{"train 1", "train 2"}));
  EXPECT_EQ(plain.folder.parent_path().filename(), "Pointwise");
  EXPECT_EQ(plain.folder.parent_path().parent_path().filename(), "tiny");
  EXPECT_FALSE(plain.scores["test"].contains("rmse"));
  EXPECT_EQ(plain.scores["test"]["power"], plain.scores["test"]["mae"]);
  const Json written = read_json_file((plain.folder / "config.json").string());
  EXPECT_EQ(written["training"]["optimizer"],
            Json({{"name", "pushed"}, {"lr", 1e-3}, {"push", 0.5}}));
  EXPECT_EQ(written["dataset"]["settings"], Json({{"size", 16}}));

  // Each setting arrives where it is used.
  changed.run("train", forecast_flags({"--training.metric_settings.power.exponent", "2",
                                       "--run.observer_settings.lines.every", "2"}));
  EXPECT_EQ(changed.lines, std::vector<std::string>{"train 2"});
  for (const auto& [feature, leads] : changed.scores["test"]["mae"].items())
    for (const auto& [lead, value] : leads.items()) {
      const double mae = value.get<double>();
      EXPECT_DOUBLE_EQ(changed.scores["test"]["power"][feature][lead].get<double>(),
                       std::pow(mae, 2));
    }
  for (const std::string key :
       {"model.settings.gain", "dataset.settings.size", "training.strategy_settings.damping",
        "training.loss_settings.factor", "training.optimizer.push"}) {
    changed.run("train", forecast_flags({"--" + key, "3"}));
    EXPECT_NE(changed.scores["test"], plain.scores["test"]) << key;
  }
}

TEST(PlugIns, ATaskIsTrainedTestedAndResumedByTheSamePrograms) {
  PlugIns plug_ins;
  plug_ins.run("train", {"--task", "Game", "--epochs", "1", "--run.observers", "lines",
                         "--critic-moves", "3"});
  ASSERT_GE(plug_ins.lines.size(), 4u);
  EXPECT_EQ(plug_ins.lines[2], "critic 3");
  EXPECT_EQ(plug_ins.lines[3], "generator 4");
  EXPECT_EQ(plug_ins.folder.parent_path(),
            testing::TempDir() + "plug_ins/camp0/vectors/adversarial");
  EXPECT_TRUE(plug_ins.scores.contains("test"));
  const Json written = read_json_file((plug_ins.folder / "config.json").string());
  EXPECT_EQ(written["task"], "game");
  EXPECT_EQ(written["critic"]["moves"], 3);
  EXPECT_FALSE(written.contains("model"));
}

// One line in a struct is all that a key needs.
TEST(PlugIns, TheirKeysAreInAllDocumentsAndMessages) {
  const PlugIns plug_ins;
  const Layout layout = plug_ins.general.layout();
  const std::string schema = configuration_schema(plug_ins.general).dump(), help = help_of(layout);
  for (const char* text :
       {"Factor of the result.", "Rows and columns.", "Factor of the network's result.",
        "Factor of the error.", "Of the absolute error.", "Steps between two lines.",
        "Share of the last step that is taken again.", "Moves of the critic in a round."}) {
    EXPECT_NE(schema.find(text), std::string::npos) << text;
    EXPECT_NE(help.find(text), std::string::npos) << text;
  }
  EXPECT_NE(help.find("--critic.moves, --critic-moves"), std::string::npos);
  // Choices stand in the example, and so do the keys of those that it makes.
  EXPECT_NE(configuration_example(plug_ins.general).find("'Pointwise'"), std::string::npos);
  const auto refusal = [&](const std::vector<FlagValue>& flags) -> std::string {
    try {
      plug_ins.general.resolve({.flags = flags});
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal({{"--model", "pointwise"}, {"--model.settings.gian", "2"}}),
            "command line: unknown flag 'model.settings.gian'; did you mean "
            "'model.settings.gain'?");
  EXPECT_EQ(refusal({{"--task", "game"}, {"--critic.moves", "0"}}),
            "command line: '--critic.moves' must be at least 1, not 0");
  EXPECT_EQ(refusal({{"--task", "game"}, {"--model", "halfunet"}}),
            "command line: unknown flag 'model'; it is a key of 'forecast'");
}

}  // namespace
}  // namespace py4cast
