#include "train/configuration.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/error.h"
#include "engine/settings/documents.h"
#include "tests/engine/error_of.h"
#include "tests/train/built_in.h"

namespace py4cast {
namespace {

template <typename Action>
std::string configuration_error(const Action& action) {
  return error_of(action, ErrorKind::configuration);
}

std::string configuration_file(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

Resolved from_file(const std::string& text) {
  return resolve({.file = configuration_file("config.json", text)});
}

std::string file_error(const std::string& text) {
  const std::string message = configuration_error([&] { from_file(text); });
  EXPECT_TRUE(message.starts_with(testing::TempDir())) << message;
  return message.substr(std::min(message.size(), testing::TempDir().size()));
}

TEST(Configuration, DefaultsAreThoseOfTheOriginal) {
  const Resolved configuration = resolve({});
  EXPECT_EQ(configuration.all.document, Keys::chosen(built_in().general.layout(), {}).values());
  EXPECT_EQ(configuration.all.task, "forecast");
  EXPECT_EQ(configuration.seed, 42);
  EXPECT_EQ(configuration.model.name, "halfunet");
  EXPECT_EQ(configuration.dataset.name, "titan");
  EXPECT_EQ(configuration.training.epochs, 200);
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 5);
  EXPECT_EQ(configuration.training.strategy, "diff_ar");
  EXPECT_EQ(configuration.training.optimizer.lr, 1e-3);
}

TEST(Configuration, FileWithComments) {
  const Resolved configuration = from_file(R"({
    "$schema": "schema.json",
    // one line
    "precision": 32,
    "model": {"settings": {"num_filters": 32}}, /* and
    several */
    "dataset": {"name": "netcdf", "files": "a.nc", "subgrid": [0, 8, 0, 8],
                "periods": {"train": {"start": "2019-03-01", "end": "2019-03-21", "step": 3}},
                "variables": {"t2m": {"role": "state", "weight": 2},
                              "a": {"role": "forcing", "levels": 500}}}})");
  EXPECT_EQ(configuration.precision, "fp32");
  // As the original spells them.
  for (const auto& [spelling, precision] :
       {std::pair("32-true", "fp32"), std::pair("bf16-true", "bf16"), std::pair("64-true", "fp64")})
    EXPECT_EQ(from_file(R"({"precision": ")" + std::string(spelling) + "\"}").precision, precision);
  EXPECT_EQ(configuration.model.settings["num_filters"], 32);
  EXPECT_EQ(configuration.dataset.files, std::vector<std::string>{"a.nc"});
  EXPECT_EQ(configuration.dataset.periods.train,
            (DatasetPeriod{.start = "2019-03-01", .end = "2019-03-21", .step = 3}));
  EXPECT_FALSE(configuration.dataset.periods.valid.given());
  ASSERT_EQ(configuration.dataset.variables.size(), 2u);
  EXPECT_EQ(configuration.dataset.variables[0], (DatasetVariable{.name = "t2m", .weight = 2.0}));
  EXPECT_EQ(configuration.dataset.variables[1],
            (DatasetVariable{.name = "a", .role = Role::forcing, .levels = {500}}));
}

TEST(Configuration, DummyHasTheBorderAndTheForcingsOfTheOriginal) {
  const Resolved configuration = resolve({.flags = {{"--dataset", "dummy"}}});
  EXPECT_EQ(configuration.dataset.border, 10);
  EXPECT_TRUE(configuration.dataset.time_forcings.empty());
}

TEST(Configuration, FileThenEnvironmentThenFlags) {
  ConfigurationSources sources;
  sources.file = configuration_file("config.json", R"({"training": {"epochs": 1, "batch_size": 1,
                                               "val_interval": 5}})");
  sources.environment = {{"PY4CAST_TRAINING_EPOCHS", "2"},
                         {"PY4CAST_TRAINING_BATCH_SIZE", "2"},
                         {"PY4CAST_ROOTDIR", "/scratch"},
                         {"PY4CAST_TITAN_PATH", "not ours"}};
  sources.flags = {{"--training.epochs", "3"}};
  const Resolved configuration = resolve(sources);
  EXPECT_EQ(configuration.training.val_interval, 5);
  EXPECT_EQ(configuration.training.batch_size, 2);
  EXPECT_EQ(configuration.training.epochs, 3);
  EXPECT_EQ(configuration.run.root, "/scratch");
}

TEST(Configuration, AnEmptyFolderIsNone) {
  EXPECT_EQ(
      resolve({.environment = {{"PY4CAST_ROOTDIR", ""}, {"PY4CAST_TRAINING_EPOCHS", ""}}}).run.root,
      "runs");
  EXPECT_EQ(resolve({.flags = {{"--run.root", ""}}}).run.root_folder(), "runs");
}

TEST(Configuration, AnyKeyIsAFlag) {
  const Resolved configuration = resolve({.flags = {{"--dataset", "netcdf"},
                                                    {"--dataset.files", "a.nc,b.nc"},
                                                    {"--dataset.subgrid", "[0, 4, 0, 4]"},
                                                    {"--model.settings.num_filters", "32"},
                                                    {"--dataset.variables.t2m.role", "state"},
                                                    {"--dataset.variables.t.levels", "500,850"},
                                                    {"--training.optimizer.betas", "0.9,0.999"},
                                                    {"--run.tensorboard", "false"},
                                                    {"--no-model.autopad", std::nullopt}}});
  EXPECT_EQ(configuration.dataset.files, (std::vector<std::string>{"a.nc", "b.nc"}));
  EXPECT_EQ(configuration.dataset.subgrid, (std::vector<int64_t>{0, 4, 0, 4}));
  EXPECT_EQ(configuration.model.settings["num_filters"], 32);
  EXPECT_EQ(configuration.model.settings["dilation"], 1);
  EXPECT_EQ(configuration.dataset.variables[0].name, "t2m");
  EXPECT_EQ(configuration.dataset.variables[1].levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(configuration.training.optimizer.betas[1], 0.999);
  EXPECT_FALSE(configuration.run.tensorboard);
  EXPECT_FALSE(configuration.model.autopad);
}

TEST(Configuration, UnknownKeyNamesTheNearest) {
  EXPECT_EQ(file_error(R"({"training": {"epoch": 3}})"),
            "config.json: unknown key 'training.epoch'; did you mean 'training.epochs'?");
  EXPECT_EQ(file_error(R"({"epochs": 3})"),
            "config.json: unknown key 'epochs'; did you mean 'training.epochs'?");
  EXPECT_EQ(file_error(R"({"trainnig": {}})"),
            "config.json: unknown key 'trainnig'; did you mean 'training'?");
  EXPECT_EQ(file_error(R"({"dataset": {"variables": {"t2m": {"rol": "state"}}}})"),
            "config.json: unknown key 'dataset.variables.t2m.rol'; did you mean "
            "'dataset.variables.t2m.role'?");
  EXPECT_EQ(configuration_error([] {
              resolve({.flags = {{"--epoch", "3"}}});
            }),
            "command line: unknown flag 'epoch'; did you mean 'epochs'?");
  EXPECT_EQ(configuration_error([] {
              resolve({.environment = {{"PY4CAST_TRAINING_EPOCH", "3"}}});
            }),
            "environment: unknown variable 'PY4CAST_TRAINING_EPOCH'; did you mean "
            "'PY4CAST_TRAINING_EPOCHS'?");
}

TEST(Configuration, WrongTypesInWords) {
  EXPECT_EQ(file_error(R"({"training": {"epochs": "ten"}})"),
            "config.json: 'training.epochs' must be an integer, not 'ten'");
  EXPECT_EQ(file_error(R"({"training": {"epochs": 1.5}})"),
            "config.json: 'training.epochs' must be an integer, not 1.5");
  EXPECT_EQ(file_error(R"({"training": 3})"),
            "config.json: 'training' must be an object ({...}), not 3");
  EXPECT_EQ(file_error(R"({"training": {"batch_size": 0}})"),
            "config.json: 'training.batch_size' must be at least 1, not 0");
  EXPECT_EQ(file_error(R"({"dataset": {"subgrid": [1, 2]}})"),
            "config.json: 'dataset.subgrid' must have 0 or 4 values, not 2");
  EXPECT_EQ(file_error(R"({"dataset": {"variables": {"t2m": "state"}}})"),
            "config.json: 'dataset.variables.t2m' must be an object such as {\"role\": \"state\"}, "
            "not 'state'");
  EXPECT_EQ(file_error(R"({"training": {"loss": "msa"}})"),
            "config.json: 'training.loss' must be 'mse' or 'mae', not 'msa'; did you mean 'mse'?");
  EXPECT_EQ(file_error(R"({"dataset": {"statics": ["x", "why"]}})").substr(0, 62),
            "config.json: 'dataset.statics' must be a list of 'x', 'y', 'ge");
  EXPECT_EQ(configuration_error([] {
              resolve({.flags = {{"--epochs", "ten"}}});
            }),
            "command line: '--epochs' must be an integer, not 'ten'");
  EXPECT_EQ(configuration_error([] {
              resolve({.flags = {{"--epochs", std::nullopt}}});
            }),
            "command line: '--epochs' needs a value");
  EXPECT_EQ(configuration_error([] {
              resolve({.environment = {{"PY4CAST_RUN_NO_LOG", "maybe"}}});
            }),
            "environment: 'PY4CAST_RUN_NO_LOG' must be true or false, not 'maybe'");
}

TEST(Configuration, BrokenFiles) {
  EXPECT_EQ(file_error("{\n  \"seed\": ,\n}").substr(0, 43),
            "config.json: not valid JSON at line 2, colu");
  EXPECT_EQ(file_error("[1]"), "config.json: must be an object ({...})");
  EXPECT_EQ(configuration_error([] { resolve({.file = testing::TempDir() + "absent.json"}); }),
            testing::TempDir() + "absent.json: no such file, or it cannot be read");
}

TEST(Configuration, ResolvedConfigurationReadsBackEqual) {
  const Resolved configuration = resolve({.flags = {{"--dataset.variables.t2m.weight", "2"},
                                                    {"--dataset.variables.a.levels", "500"},
                                                    {"--dataset.periods.test.step", "3"},
                                                    {"--lr", "1e-4"}}});
  const Resolved again = from_file(configuration.all.document.dump(2));
  EXPECT_EQ(again.all.document, configuration.all.document);
  EXPECT_EQ(again.dataset.variables, configuration.dataset.variables);
}

TEST(Configuration, RefusedStepsAreRefusedHere) {
  EXPECT_THROW(resolve({.flags = {{"--num_inter_steps", "4"}}}), Error);
}

TEST(Configuration, PeriodsAreTimes) {
  auto period = [](const std::string& start, const std::string& end) {
    return configuration_error([&] {
      resolve({.flags = {{"--dataset", "netcdf"},
                         {"--dataset.periods.test.start", start},
                         {"--dataset.periods.test.end", end}}});
    });
  };
  EXPECT_EQ(period("2019-03-01", "2019-03-31T23:30"), "no error");
  EXPECT_EQ(period("2019-02-30", "2019-03-01"), "no error");  // in a calendar of 30-day months
  EXPECT_EQ(period("March", "2019-03-31"),
            "dataset.periods.test.start: 'March' is not a time; write it as 2019-03-27 or "
            "2019-03-27T06:00");
  EXPECT_EQ(period("2019-03-01", ""), "no error");  // to the end of the data
}

TEST(Configuration, DeviceMayHaveANumber) {
  EXPECT_EQ(resolve({.flags = {{"--device", "cuda:1"}}}).device, "cuda:1");
  EXPECT_EQ(resolve({.flags = {{"--device", "gpu"}}}).device, "cuda");
  for (const char* wrong : {"cuda:", "cuda:one", "cuda:-1", "cpu:1", "tpu"})
    EXPECT_TRUE(configuration_error([&] {
                  resolve({.flags = {{"--device", wrong}}});
                })
                    .starts_with("command line: '--device' must be 'auto', 'cpu', 'cuda' or "
                                 "'cuda:N', not '" +
                                 std::string(wrong) + "'; did you mean 'c"))
        << wrong;
}

TEST(Configuration, RanksAreChecked) {
  Configuration configuration;
  EXPECT_NO_THROW(check_ranks(configuration, 3));
  configuration.run.gpu = 4;
  EXPECT_NO_THROW(check_ranks(configuration, 4));
  EXPECT_EQ(configuration_error([&] { check_ranks(configuration, 1); }),
            "run.gpu (--gpu) asks for 4 ranks but the program runs on 1; start it with 'mpirun "
            "-np 4 ...'");
}

TEST(Configuration, NamesHaveOneSpellingFromHereOn) {
  for (const char* name : {"HalfUNet", "half_unet", "HALFUNET"}) {
    EXPECT_EQ(resolve({.flags = {{"--model", name}}}).model.name, "halfunet");
    EXPECT_EQ(from_file(R"({"model": {"name": ")" + std::string(name) + R"("}})").model.name,
              "halfunet");
  }
  EXPECT_EQ(resolve({.flags = {{"--dataset", "NetCDF"}, {"--loss", "MAE"}}}).training.loss, "mae");
  const std::string error = configuration_error([] {
    resolve({.flags = {{"--model", "halfunit"}}});
  });
  EXPECT_TRUE(error.starts_with("command line: '--model' must be '")) << error;
  EXPECT_TRUE(error.ends_with(", not 'halfunit'; did you mean 'halfunet'?")) << error;
}

TEST(Configuration, SettingsOfTheNetworkAreChecked) {
  EXPECT_EQ(file_error(R"({"model": {"settings": {"num_filter": 3}}})"),
            "config.json: unknown key 'model.settings.num_filter'; did you mean "
            "'model.settings.num_filters'?");
  EXPECT_EQ(configuration_error([] {
              resolve({.flags = {{"--model.settings", R"({"num_filters": "many"})"}}});
            }),
            "command line: 'model.settings.num_filters' must be an integer, not 'many'");
  EXPECT_EQ(resolve({.flags = {{"--model.settings", R"({"num_filters": 4})"}}})
                .model.settings["num_filters"],
            4);
}

TEST(Configuration, AnOptimiserBringsItsKeys) {
  const Resolved configuration =
      resolve({.flags = {{"--optimizer", "SGD"}, {"--training.optimizer.momentum", "0.9"}}});
  EXPECT_EQ(configuration.all.section("training.optimizer").dump(),
            R"({"name":"sgd","lr":0.001,"momentum":0.9,"weight_decay":0.0,"nesterov":false})");
  EXPECT_EQ(configuration_error([] {
              resolve({.flags = {{"--training.optimizer.momentum", "0.9"}}});
            }),
            "command line: unknown flag 'training.optimizer.momentum'; it is a key of 'sgd'");
}

TEST(Configuration, EveryKeyHasADescriptionAndItsOwnFlags) {
  const Keys keys = Keys::all(built_in().general.layout());
  std::map<std::string, std::string> owner;
  for (const Setting& key : keys.settings()) {
    EXPECT_GT(key.description.size(), 10u) << key.path;
    std::vector<std::string> names = key.flags;
    names.push_back(key.path);
    for (const std::string& name : names)
      EXPECT_EQ(owner.emplace(name, key.path).first->second, key.path) << name;
    if (!key.example.empty()) {
      EXPECT_NO_THROW(checked_value(key, Json::parse(key.example), "example", key.path))
          << key.path;
    }
  }
  for (const FlagGroup& group : keys.groups()) EXPECT_EQ(owner.count(group.flag), 0u);
}

TEST(Configuration, ProfiledSteps) {
  using Steps = std::pair<int64_t, int64_t>;
  EXPECT_EQ(profiled_steps("10:19"), Steps(10, 19));
  EXPECT_EQ(profiled_steps("3-3"), Steps(3, 3));
  EXPECT_EQ(profiled_steps(""), Steps(0, -1));
  for (const char* wrong : {"10", "4:3", "0:2", "1:2x", "a", "1,2", "1--2"})
    EXPECT_THROW(profiled_steps(wrong), Error) << wrong;
}

TEST(Configuration, CheckpointsComeEverySoManyStepsOrMinutes) {
  EXPECT_EQ(checkpoint_every("").steps, 0);
  EXPECT_EQ(checkpoint_every("").minutes, 0);
  EXPECT_EQ(checkpoint_every("500 steps").steps, 500);
  EXPECT_EQ(checkpoint_every("20 minutes").minutes, 20);
  EXPECT_EQ(checkpoint_every("0.5min").minutes, 0.5);
  for (const char* text :
       {"500", "0 steps", "-1 minutes", "1.5 steps", "2 hours", "1 min x", "nan min"})
    EXPECT_EQ(configuration_error([&] { checkpoint_every(text); }),
              "run.checkpoint_every '" + std::string(text) +
                  "' is neither a number of steps, as \"500 steps\", nor of minutes, as "
                  "\"20 minutes\"");
}

}  // namespace
}  // namespace py4cast
