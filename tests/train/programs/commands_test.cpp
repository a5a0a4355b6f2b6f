// The command lines of the original, and what each resolves to.
#include "train/forecast/commands.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <new>
#include <sstream>
#include <stdexcept>

#include "engine/error.h"
#include "tests/places.h"
#include "tests/train/built_in.h"
#include "train/programs/commands.h"
#include "train/run_configuration.h"

namespace py4cast {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

std::string file_with(const std::string& name, const std::string& text) {
  const std::filesystem::path path = testing::TempDir() + name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
  return path;
}

const Registries& registries() {
  static const auto* all = new TestRegistries();  // NOLINT: lives as long as the tests
  return all->general;
}

struct Request {
  std::string kind;
  Resolved configuration;
  TestRequest test;
  PredictRequest predict;
  ForwardRequest forward;
};

// What the command that the line names would do.
Request request_of(const std::string& line) {
  Request request;
  std::vector<std::string> words = split(line);
  for (const Command& command : tool_commands(registries())) {
    const std::vector<std::string> name = split(command.name);
    if (!std::equal(name.begin(), name.end(), words.begin(),
                    words.begin() + static_cast<long>(std::min(name.size(), words.size()))))
      continue;
    words.erase(words.begin(), words.begin() + static_cast<long>(name.size()));
    const Arguments arguments = parse_arguments(command, words);
    request.kind = command.name;
    if (request.kind == "train" && !run_to_test(arguments).empty()) {
      request.kind = "test";
      request.test = test_request(registries(), run_to_test(arguments), arguments);
    } else if (request.kind == "test") {
      request.test = test_request(registries(), test_run(arguments), arguments);
    } else if (request.kind == "predict") {
      request.predict = predict_request(registries(), arguments);
    } else if (request.kind == "model forward") {
      request.forward = forward_request(arguments);
    } else {
      if (arguments.has("dry-run")) request.kind = "dry run";
      request.configuration = Resolved(train_configuration(registries(), arguments));
    }
    return request;
  }
  ADD_FAILURE() << "no command: " << line;
  return request;
}

Resolved train(const std::string& flags) {
  const Request request = request_of("train " + flags);
  EXPECT_EQ(request.kind, "train");
  return request.configuration;
}

std::string refusal(const std::string& line) {
  try {
    request_of(line);
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::configuration);
    return error.what();
  }
  return "accepted";
}

TEST(OriginalCommands, TrainOnFourGpus) {
  const Resolved configuration = train(
      "--model hilam --dataset smeagol --no_log --standardize --gpu 4 --limit_train_batches 200 "
      "--batch_size 1 --step 1");
  EXPECT_EQ(configuration.model.name, "hilam");
  EXPECT_EQ(configuration.dataset.name, "smeagol");
  EXPECT_TRUE(configuration.run.no_log);
  EXPECT_TRUE(configuration.dataset.standardize);
  EXPECT_EQ(configuration.run.gpu, 4);
  EXPECT_EQ(configuration.training.limit_train_batches, 200);
  EXPECT_EQ(configuration.training.batch_size, 1);
  EXPECT_EQ(configuration.training.num_pred_steps_train, 1);
  EXPECT_NO_THROW(check_ranks(configuration.all, 4));
  EXPECT_THROW(check_ranks(configuration.all, 1), Error);
}

TEST(OriginalCommands, StepIsTheNumberOfPredictionsInTraining) {
  EXPECT_EQ(train("--model hilam --dataset smeagol --step 3").training.num_pred_steps_train, 3);
  EXPECT_EQ(train("--model hilam --dataset smeagol --gpu 1 --step 3").run.gpu, 1);
}

TEST(OriginalCommands, StandardizeIsTheDefault) {
  EXPECT_TRUE(train("").dataset.standardize);
  EXPECT_FALSE(train("--no-standardize").dataset.standardize);
}

TEST(OriginalCommands, DefaultsOtherwise) {
  for (const std::string model : {"hilam", "halfunet", "segformer"}) {
    Json expected = train("").all.document;
    expected["model"]["name"] = model;
    Json found = train("--dataset smeagol --model " + model).all.document;
    EXPECT_EQ(found["dataset"]["name"], "smeagol");
    for (Json* document : {&expected, &found}) {
      (*document)["model"].erase("settings");
      document->erase("dataset");  // DatasetFromAFile
    }
    EXPECT_EQ(found, expected);
  }
}

TEST(OriginalCommands, ModelSettingsFromAFile) {
  const Resolved configuration = train("--dataset smeagol --model halfunet --model_conf " +
                                       repository() + "/config/models/halfunet128_ghost.json");
  EXPECT_EQ(configuration.model.settings["num_filters"], 128);
  EXPECT_EQ(configuration.model.settings["use_ghost"], true);
  EXPECT_EQ(configuration.model.settings["bias"], false);
}

TEST(OriginalCommands, DatasetFromAFile) {
  const std::string line = "--dataset smeagol --model halfunet";
  const Resolved configuration =
      train(line + " --dataset_conf " + repository() + "/config/datasets/smeagol.json");
  EXPECT_EQ(configuration.dataset.name, "smeagol");
  EXPECT_EQ(configuration.dataset.border, 10);
  EXPECT_EQ(configuration.dataset.subgrid, (std::vector<int64_t>{50, 562, 50, 562}));
  size_t states = 0;
  for (const DatasetVariable& variable : configuration.dataset.variables)
    if (variable.role == Role::state) states += std::max<size_t>(1, variable.levels.size());
  EXPECT_EQ(states, 69u);
  // Which is what the data set is without a file.
  EXPECT_EQ(train(line).all.document, configuration.all.document);
  // A file of ours says only what is different.
  const Resolved hourly =
      train(line + " --dataset_conf " + repository() + "/config/datasets/smeagol1h.json");
  EXPECT_EQ(hourly.all.section("dataset.settings")["term"]["timestep"], 1);
  EXPECT_EQ(hourly.dataset.members, configuration.dataset.members);
}

TEST(OriginalCommands, TitanIsTheDefault) {
  const std::string folder = repository() + "/config/datasets/";
  const Resolved configuration = train("--dataset_conf " + folder + "titan.json");
  EXPECT_EQ(configuration.dataset.name, "titan");
  EXPECT_EQ(configuration.dataset.subgrid, (std::vector<int64_t>{383, 1407, 888, 1912}));
  EXPECT_EQ(configuration.dataset.periods.train.step, 3);
  EXPECT_EQ(configuration.dataset.variables.size(), 5u);
  EXPECT_EQ(train("").all.document, configuration.all.document);
  const Resolved later = train("--dataset titan --dataset_conf " + folder + "titan_aro_arp.json");
  EXPECT_EQ(later.all.section("dataset.settings")["subdomain"], Json({100, 612, 240, 880}));
  EXPECT_EQ(later.dataset.time_forcings.size(), 3u);
  size_t features[3] = {};
  for (const DatasetVariable& variable : later.dataset.variables)
    features[static_cast<size_t>(variable.role)] += variable.levels.size();
  EXPECT_EQ(features[0], 21u);
  EXPECT_EQ(features[1], 16u);
}

TEST(OriginalCommands, Strategy) {
  EXPECT_EQ(train("--dataset smeagol --model halfunet --strategy diff_ar").training.strategy,
            "diff_ar");
}

TEST(OriginalCommands, TenBatchesTwoEpochs) {
  const std::string file = repository() + "/config/datasets/smeagoldev.json";
  const Resolved configuration = train("--dataset smeagol --model halfunet --dataset_conf " + file +
                                       " --limit_train_batches 10 --epochs 2 --strategy scaled_ar");
  EXPECT_EQ(configuration.training.limit_train_batches, 10);
  EXPECT_EQ(configuration.training.epochs, 2);
  EXPECT_EQ(configuration.training.strategy, "scaled_ar");
  EXPECT_EQ(configuration.dataset.subgrid[3], 178);
}

TEST(OriginalCommands, FourInnerSteps) {
  const std::string file = repository() + "/config/smeagolsmall.json";
  const Resolved configuration =
      train("--model halfunet --dataset smeagol --dataset_conf " + file +
            " --num_pred_steps_val_test 4 --strategy scaled_ar --num_inter_steps 4 "
            "--num_input_steps 1 --batch_size 10");
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 4);
  EXPECT_EQ(configuration.training.num_inter_steps, 4);
  EXPECT_EQ(configuration.training.num_input_steps, 1);
  EXPECT_EQ(configuration.training.batch_size, 10);
}

TEST(OriginalCommands, EveryOtherFlag) {
  const Resolved configuration = train(
      "--num_pred_steps_train 3 --num_pred_steps_val_test 12 --num_input_steps 1 "
      "--num_inter_steps 1 --seed 7 --loss mae --lr 5e-4 --val_interval 2 --profiler pytorch "
      "--precision bf16 --load_model_ckpt weights --num_workers 10 --prefetch_factor 3 "
      "--pin_memory --campaign_name camp1 --run_name mine");
  EXPECT_EQ(configuration.training.num_pred_steps_train, 3);
  EXPECT_EQ(configuration.training.num_pred_steps_val_test, 12);
  EXPECT_EQ(configuration.training.num_input_steps, 1);
  EXPECT_EQ(configuration.seed, 7);
  EXPECT_EQ(configuration.training.loss, "mae");
  EXPECT_EQ(configuration.training.optimizer.lr, 5e-4);
  EXPECT_EQ(configuration.training.val_interval, 2);
  EXPECT_EQ(configuration.run.profile_steps, "10-19");
  EXPECT_EQ(configuration.precision, "bf16");
  EXPECT_EQ(configuration.run.load_model_ckpt, "weights");
  EXPECT_EQ(configuration.training.num_workers, 10);
  EXPECT_EQ(configuration.training.prefetch_factor, 3);
  EXPECT_TRUE(configuration.training.pin_memory);
  EXPECT_EQ(configuration.run.campaign_name, "camp1");
  EXPECT_EQ(configuration.run.run_name, "mine");
}

TEST(OriginalCommands, PrecisionAndProfilerSpellings) {
  EXPECT_EQ(train("--precision 32").precision, "fp32");
  EXPECT_EQ(train("--precision fp32").precision, "fp32");
  EXPECT_EQ(train("--precision tf32").precision, "tf32");
  EXPECT_EQ(train("--profiler None").run.profile_steps, "");
  EXPECT_EQ(train("--precision 64").precision, "fp64");
  EXPECT_EQ(
      refusal("train --precision 16"),
      "command line: '--precision' must be 'fp32', 'tf32', 'bf16' or 'fp64', not '16'; did you "
      "mean 'bf16'?");
}

TEST(OriginalCommands, DevelopmentModeGivesWayToOtherFlags) {
  EXPECT_EQ(train("--dev_mode").training.epochs, 3);
  EXPECT_EQ(train("--dev_mode").training.limit_train_batches, 3);
  EXPECT_EQ(train("--epochs 5 --dev_mode").training.epochs, 5);
}

TEST(OriginalCommands, ScheduleAndMemoryFormat) {
  const Resolved configuration = train("--use_lr_scheduler --channels_last");
  EXPECT_EQ(configuration.training.schedule.name, Schedule::Kind::cosine);
  EXPECT_EQ(configuration.training.schedule.warmup_steps, 1000);
}

TEST(OriginalCommands, NoLogAndItsOpposite) {
  EXPECT_TRUE(train("--no_log").run.no_log);
  EXPECT_FALSE(train("--no_log --no-no_log").run.no_log);
  EXPECT_FALSE(train("--no_log=false").run.no_log);
  EXPECT_FALSE(train("--run.no_log false").run.no_log);
}

class DoneRun : public testing::Test {
 protected:
  void SetUp() override {
    file_with("a_run/config.json",
              R"({"dataset": {"name": "dummy"}, "training": {"num_pred_steps_val_test": 6}})");
    file_with("a_run/checkpoints/best/state.json", "{}");
  }
  const std::string run = testing::TempDir() + "a_run";
};

TEST_F(DoneRun, TestProgramOfTheOriginal) {
  for (const std::string& line :
       {"train --test " + run, "test " + run, "test --ckpt " + run + "/checkpoints/best",
        "test " + run + "/"}) {
    const Request request = request_of(line);
    EXPECT_EQ(request.kind, "test");
    EXPECT_EQ(request.test.split, Split::valid);
    EXPECT_EQ(Resolved(request.test.configuration).training.num_pred_steps_val_test, 17);
    EXPECT_EQ(Resolved(request.test.configuration).dataset.name, "dummy");
    EXPECT_EQ(request.test.added.size(), 1u);
  }
  for (const std::string flag : {" --num_pred_steps_val_test 3", " --num_pred_steps_val_test=3",
                                 " --training.num_pred_steps_val_test 3"}) {
    const Request request = request_of("test " + run + flag);
    EXPECT_EQ(Resolved(request.test.configuration).training.num_pred_steps_val_test, 3);
    EXPECT_TRUE(request.test.added.empty()) << "17 is not what is scored:" << flag;
  }
  const Request request = request_of("test " + run + " --split test --num_pred_steps_val_test 6");
  EXPECT_EQ(request.test.split, Split::test);
  EXPECT_EQ(Resolved(request.test.configuration).training.num_pred_steps_val_test, 6);
  EXPECT_EQ(refusal("test " + run + " --ckpt other"),
            "command line: '--ckpt other' and the run " + run + " cannot be given together");
  EXPECT_EQ(refusal("train some.json --test " + run),
            "command line: '--test " + run +
                "' and the configuration some.json cannot be given together: a run has its own");
  EXPECT_EQ(refusal("train --dry-run --test " + run),
            "command line: '--test' and '--dry-run' cannot be given together");
  EXPECT_EQ(refusal("train --split test"), "command line: '--split' goes with '--test' alone");
  for (const std::string flag : {"--load_model_ckpt", "--resume", "--run.resume_or_start"})
    EXPECT_EQ(
        refusal("test " + run + " " + flag + " x"),
        "command line: '" + flag + "' is for trainings; here the weights are those of " + run);
  EXPECT_EQ(refusal("test " + run + " --split validation").substr(0, 54),
            "command line: '--split' must be train, valid or test, ");
}

TEST_F(DoneRun, ResumeTakesTheConfigurationOfTheRun) {
  for (const std::string flag : {"--resume ", "--resume_from_ckpt ", "--run.resume="}) {
    const Resolved configuration = train(flag + run);
    EXPECT_EQ(configuration.dataset.name, "dummy");
    EXPECT_EQ(configuration.run.resume, run);
  }
  EXPECT_THROW(request_of("train --resume " + testing::TempDir() + "no_run"), Error);
}

TEST_F(DoneRun, PredictWithOtherStepsThanTraining) {
  const Request request = request_of("predict " + run +
                                     " --start 2019-03-27T06 --steps 12 --out forecast.nc "
                                     "--num_inter_steps 1 --dataset.files quarter_hours.nc");
  EXPECT_EQ(request.predict.start, "2019-03-27T06");
  EXPECT_EQ(request.predict.steps, 12);
  EXPECT_EQ(request.predict.out, "forecast.nc");
  EXPECT_EQ(Resolved(request.predict.configuration).dataset.name, "dummy");
  EXPECT_EQ(Resolved(request.predict.configuration).dataset.files[0], "quarter_hours.nc");
  EXPECT_EQ(refusal("predict " + run + " --steps 3"), "command line: '--out' is missing");
}

TEST(Commands, DryRunAndModelForward) {
  EXPECT_EQ(request_of("train --dry-run").kind, "dry run");
  EXPECT_EQ(request_of("train --dry_run").kind, "dry run");
  const std::string settings = file_with("settings.json", R"({"num_filters": 32})");
  const ForwardRequest forward =
      request_of("model forward --model HalfUNet --settings " + settings +
                 " --weights w.safetensors --input x.safetensors --output y.safetensors "
                 "--gradients g.safetensors --train --outputs 5")
          .forward;
  EXPECT_EQ(forward.model, "HalfUNet");
  EXPECT_EQ(forward.settings["num_filters"], 32);
  EXPECT_EQ(forward.weights, "w.safetensors");
  EXPECT_EQ(forward.gradients, "g.safetensors");
  EXPECT_TRUE(forward.train);
  EXPECT_EQ(forward.outputs, 5);
  EXPECT_EQ(forward.precision, "fp32");
}

TEST(Commands, SlipsAreRefusedInWords) {
  EXPECT_EQ(refusal("train --epoch 3"),
            "command line: unknown flag '--epoch'; did you mean '--epochs'?");
  EXPECT_EQ(refusal("train a.json b.json"),
            "command line: 'b.json' is one argument too many after [CONFIG]");
  EXPECT_EQ(refusal("train --epochs"), "command line: '--epochs' needs a value");
  EXPECT_EQ(refusal("train --dry-run=yes"), "command line: '--dry-run' takes no value");
  EXPECT_EQ(refusal("predict"), "command line: RUN is missing");
  EXPECT_EQ(refusal("model forward --model a --outputs many --weights w --input x --output y"),
            "command line: '--outputs' must be an integer, not 'many'");
}

// With what `predict` does instead.
int run_words(const std::vector<std::string>& words, const std::function<int()>& predict = {}) {
  std::vector<Command> commands = tool_commands(registries());
  for (Command& command : commands)
    if (command.name == "predict") command.run = [&](const Arguments&) { return predict(); };
  std::vector<std::string> all = {"py4cast"};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> pointers;
  for (std::string& word : all) pointers.push_back(word.data());
  return run_program("py4cast", commands, static_cast<int>(all.size()), pointers.data());
}

// The refusal of a command that was run.
std::string said(const std::vector<std::string>& words, int exit_code,
                 const std::function<int()>& predict = {}) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run_words(words, predict), exit_code);
  return testing::internal::GetCapturedStderr();
}

// Those of docs/clusters.md.
TEST_F(DoneRun, ErrorsBecomeASentenceAndAnExitCode) {
  const auto predict = [&](int exit_code, const std::function<int()>& action) {
    return said({"predict", run, "--start", "2019", "--steps", "1", "--out", "o.nc"}, exit_code,
                action);
  };
  for (const auto& [kind, exit_code] : {std::pair{ErrorKind::configuration, 2},
                                        {ErrorKind::data, 3},
                                        {ErrorKind::shape, 4},
                                        {ErrorKind::memory, 5},
                                        {ErrorKind::numeric, 6},
                                        {ErrorKind::communication, 7},
                                        {ErrorKind::input_output, 8},
                                        {ErrorKind::internal, 9}})
    EXPECT_EQ(predict(exit_code, [&]() -> int { throw Error(kind, "a sentence"); }),
              "py4cast: a sentence\n");
  EXPECT_EQ(predict(5, []() -> int { throw std::bad_alloc(); }), "py4cast: not enough memory\n");
  EXPECT_EQ(predict(9, []() -> int { throw std::out_of_range("map::at"); }),
            "py4cast: internal error: map::at\n");
  EXPECT_EQ(predict(75, [] { return 75; }), "");
  EXPECT_EQ(said({"trian"}, 2),
            "py4cast: command line: unknown command 'trian'; did you mean 'train'?\n");
}

TEST_F(DoneRun, BeginnersAreToldTheWay) {
  EXPECT_NE(said({"train"}, 2).find("no configuration is given: 'py4cast_train config/dummy.json'"),
            std::string::npos);
  const std::string file = run + "/config.json", none = testing::TempDir() + "no_run";
  EXPECT_NE(said({"model", "info", file}, 2).find("a configuration does not say how many features"),
            std::string::npos);
  EXPECT_NE(said({"test", file}, 2).find("is a file; what is needed is the folder of a run"),
            std::string::npos);
  EXPECT_EQ(said({"model", "info", none}, 8),
            "py4cast: " + none + ": there is no such file or run folder\n");
}

TEST(Commands, HelpListsCommandsAndFlags) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_words({"--help"}), 0);
  EXPECT_EQ(run_words({"train", "--help"}), 0);
  EXPECT_EQ(run_words({"--version"}), 0);
  const std::string text = testing::internal::GetCapturedStdout();
  for (const char* part : {"usage: py4cast COMMAND", "predict", "usage: py4cast train [CONFIG]",
                           "--dry-run", "--training.epochs, --epochs", "py4cast 0."})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  testing::internal::CaptureStdout();
  EXPECT_EQ(run_words({"predict", "--help"}), 0);
  const std::string predict = testing::internal::GetCapturedStdout();
  EXPECT_NE(predict.find("--points"), std::string::npos);
  EXPECT_NE(predict.find("'py4cast train --help' explains them"), std::string::npos) << predict;
  EXPECT_EQ(predict.find("--training.epochs"), std::string::npos);
}

}  // namespace
}  // namespace py4cast
