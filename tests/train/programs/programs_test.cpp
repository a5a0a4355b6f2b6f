// The programs as a user runs them: whole trainings on made-up data.
#include "tests/train/programs/programs.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/netcdf/netcdf_dataset.h"
#include "data/weather/calendar.h"
#include "data/zarr/zarr_dataset.h"
#include "engine/random.h"
#include "engine/safetensors.h"
#include "tests/devices.h"

namespace py4cast {
namespace {

// The same on the CPU, and on a GPU or the emulated one (with little work).
class ProgramsOn : public Programs, public ::testing::WithParamInterface<std::string> {
 protected:
  void SetUp() override {
    Programs::SetUp();
    if (GetParam() != "cpu")
      flags_ = "--device " + GetParam() + " --dataset.subgrid '[0,32,0,32]' ";
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, ProgramsOn, ::testing::ValuesIn(devices()),
                         [](const auto& test) { return test.param; });

TEST_F(Programs, TwoRunsWithoutASeedAreEqual) {
  for (const char* name : {"one", "two"}) {
    const Outcome outcome = run(train() + small(name) + "--epochs 2");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  }
  EXPECT_EQ(weights("one"), weights("two"));
  EXPECT_EQ(contents(folder("one") / "metrics.jsonl"), contents(folder("two") / "metrics.jsonl"));
  EXPECT_EQ(contents(folder("one") / "scores.json"), contents(folder("two") / "scores.json"));
  EXPECT_NE(contents(folder("one") / "log.txt").find(" cpu"), std::string::npos);
  for (const char* file : {"config.json", "environment.json", "log.txt", "statistics.json"})
    EXPECT_TRUE(fs::exists(folder("one") / file)) << file;
  EXPECT_FALSE(fs::is_empty(folder("one") / "tensorboard"));
  const Outcome other = run(train() + small("three") + "--epochs 2 --seed 7");
  ASSERT_EQ(other.exit_code, 0) << other.output;
  EXPECT_NE(weights("one"), weights("three"));
}

TEST_P(ProgramsOn, ThreadsAndWorkersDoNotChangeBits) {
  for (const std::string precision : {"fp32", "bf16"}) {
    const std::string flags = "--epochs 1 --precision " + precision;
    Outcome outcome = run("OMP_NUM_THREADS=1 " + train() + small("one_" + precision) + flags +
                          " --num_workers 0");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    outcome = run("OMP_NUM_THREADS=3 " + train() + small("two_" + precision) + flags +
                  " --num_workers 3");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_EQ(weights("one_" + precision), weights("two_" + precision)) << precision;
  }
  EXPECT_NE(weights("one_fp32"), weights("one_bf16"));
}

#ifdef PY4CAST_MPI
TEST_P(ProgramsOn, TwoRanksInBf16EqualOneRankWithTwiceTheBatches) {
  const std::string flags = "--epochs 1 --precision bf16 --limit_train_batches ";
  Outcome outcome =
      run(mpirun(2) + train() + small("ranks") + flags + "3 --training.accumulate_batches 1");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(train() + small("single") + flags + "6 --training.accumulate_batches 2");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(weights("ranks"), weights("single"));
  EXPECT_EQ(contents(folder("ranks") / "metrics.jsonl"),
            contents(folder("single") / "metrics.jsonl"));
}
TEST_P(ProgramsOn, TwoRanksEqualOneRankWithTwiceTheBatches) {
  const std::string flags = "--epochs 2 --limit_train_batches ";
  Outcome outcome = run(mpirun(2) + train() + small("ranks") + flags +
                        "3 --training.accumulate_batches 1 --training.clip_norm 0.5");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(train() + small("single") + flags +
                "6 --training.accumulate_batches 2 --training.clip_norm 0.5");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(weights("ranks"), weights("single"));
  EXPECT_EQ(contents(folder("ranks") / "metrics.jsonl"),
            contents(folder("single") / "metrics.jsonl"));
  EXPECT_EQ(contents(folder("ranks") / "scores.json"), contents(folder("single") / "scores.json"));
#if PY4CAST_CUDA_EMULATED
  if (GetParam() == "cpu") return;
  outcome =
      run("PY4CAST_EMULATED_DEVICES=2 " + mpirun(2) + train() + small("nccl") + flags +
          "3 --training.accumulate_batches 1 --training.clip_norm 0.5 --run.bucket_bytes 2000");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("from GPU to GPU by NCCL"), std::string::npos) << outcome.output;
  EXPECT_EQ(weights("nccl"), weights("single"));
#endif
}
#endif

// Killed without warning, then resumed: the same bits as never killed.
TEST_P(ProgramsOn, AKilledRunIsResumedBitForBit) {
  killed_and_resumed("--training.schedule.name cosine --training.schedule.warmup_steps 3");
}
TEST_P(ProgramsOn, AKilledRunInBf16IsResumedBitForBit) {
  killed_and_resumed("--precision bf16");
}
#ifdef PY4CAST_MPI
TEST_F(Programs, AKilledRunIsResumedByTwoRanks) {
  killed_and_resumed("", mpirun(2), " --training.accumulate_batches 1 --limit_train_batches 3");
}
#endif

TEST_F(Programs, RefusesToResumeAnotherConfiguration) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const Outcome outcome = run(train() + "--resume " + folder("run").string() + " --lr 0.5");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(
      outcome.output.find("differs from that of the run to be resumed ('training.optimizer.lr' "
                          "was 0.001 and is 0.5)"),
      std::string::npos)
      << outcome.output;
  const Outcome batches =
      run(train() + "--resume " + folder("run").string() + " --training.accumulate_batches 1");
  EXPECT_EQ(batches.exit_code, 2);
  EXPECT_NE(batches.output.find("('ranks x training.accumulate_batches' was 2 and is 1)"),
            std::string::npos)
      << batches.output;
}

TEST_P(ProgramsOn, ANonFiniteLossNamesStepBatchAndVariable) {
  const Outcome outcome = run(train() + small("run") + "--epochs 3 --lr 1e30");
  EXPECT_EQ(outcome.exit_code, 6) << outcome.output;
  for (const char* part : {"step ", "the loss is", "the samples of ", "input_output_0"})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << ": " << outcome.output;
}

TEST_F(Programs, Tf32IsRefusedOnTheCpu) {
  const Outcome outcome = run(train() + small("run") + "--precision tf32 --device cpu");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("precision tf32: only GPUs compute in it"), std::string::npos)
      << outcome.output;
}

TEST_F(Programs, WeightsOfAnotherNetworkAreRefused) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const std::string checkpoint = (folder("run") / "checkpoints/last").string();
  const Outcome outcome = run(train() + small("other") +
                              "--model.settings.num_filters 8 --load_model_ckpt " + checkpoint);
  EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
  EXPECT_NE(outcome.output.find("these weights are of another network"), std::string::npos)
      << outcome.output;
}

TEST_F(Programs, ALossOfNothingIsRefused) {
  const Outcome outcome =
      run(train() + small("none") + R"( --dataset.variables '{"input_output_01": {"weight": 0}}')");
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_NE(outcome.output.find("dataset.variables: the weight of every state is 0"),
            std::string::npos)
      << outcome.output;
}

TEST_F(Programs, AnUnwritableRootIsNamed) {
  const std::string file = (root_ / "file").string();
  std::ofstream(file) << "not a folder";
  const Outcome outcome = run("PY4CAST_ROOTDIR=" + file + " " + train() + small("run"));
  EXPECT_EQ(outcome.exit_code, 8) << outcome.output;
  EXPECT_NE(outcome.output.find(file), std::string::npos) << outcome.output;
}

TEST_F(Programs, DryRunPrintsConfigurationParametersAndMemory) {
  const Outcome outcome = run(train() + small("run") + "--dry-run");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  for (const char* part :
       {"\"num_filters\": 4", "trainable parameters", "MB of activations", "input_output_00"})
    EXPECT_NE(outcome.output.find(part), std::string::npos) << part << ": " << outcome.output;
  EXPECT_FALSE(fs::exists(root_ / "camp0"));
}

// A run of a version that recorded less than is needed now.
TEST_F(Programs, ACheckpointWithoutARecordIsNamedWithTheKey) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1").exit_code, 0);
  const fs::path state = folder("run") / "checkpoints/best/state.json";
  for (const std::string key : {"num_inter_steps", "data_step_seconds", "forcing"}) {
    Json json = Json::parse(contents(state));
    const Json whole = json;
    json["extra"].erase(key);
    std::ofstream(state) << json;
    const Outcome outcome =
        run(tool() + "predict " + folder("run").string() +
            " --start 2023-01-03T02 --steps 1 --out " + (root_ / "forecast.nc").string());
    EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
    EXPECT_NE(outcome.output.find(state.string() + ": has no 'extra." + key + "'"),
              std::string::npos)
        << outcome.output;
    std::ofstream(state) << whole;
  }
}

// A training on the built graph; and the graph as a file gives the values of the built one.
TEST_P(ProgramsOn, TrainsAGraphNetworkAndReadsItsGraph) {
  std::ofstream(root_ / "settings.json") << R"({"hidden_dims": 8, "processor_layers": 1})";
  const std::string settings = " --settings " + (root_ / "settings.json").string(),
                    device = " --device " + GetParam(),
                    weights = (root_ / "weights.safetensors").string(),
                    input = (root_ / "x.safetensors").string(),
                    graph = (root_ / "graph.nc").string();
  Outcome outcome =
      run(train() + repository() + "/config/dummy.json --model hilam --model_conf " +
          (root_ / "settings.json").string() + " --limit_train_batches 3 --run_name run" + device +
          " --dataset.subgrid '[0,32,0,40]'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  Tensor x = host_tensor({1, 30, 41, 3}, DataType::f32);
  for (uint64_t i = 0; float& e : x.span<float>())
    e = static_cast<float>(RandomKey{1, 2}.uniform(i++) - 0.5);
  write_safetensors(input, {{"x", x}});
  const std::string sizes = " --inputs 3 --outputs 2 --height 30 --width 41";
  outcome = run(tool() + "model weights --model hilam" + settings + sizes + " --output " + weights);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome = run(tool() + "model graph --grid 30x41 --hierarchical --out " + graph);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("2 levels of 81, 9 nodes"), std::string::npos) << outcome.output;
  std::map<std::string, std::string> y;
  for (const std::string& from : {std::string(), " --graph " + graph}) {
    const std::string output = (root_ / "y.safetensors").string();
    outcome = run(tool() + "model forward --model hilam" + settings + from + " --weights " +
                  weights + " --input " + input + " --output " + output + device);
    ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_EQ(read_safetensors(output).tensors.at("y").shape(), (Shape{1, 30, 41, 2}));
    y[from] = contents(output);
  }
  EXPECT_EQ(y.begin()->second, y.rbegin()->second);
  EXPECT_EQ(y.size(), 2u);
}

// From a file to a forecast in a file.
TEST_P(ProgramsOn, TrainsOnAFileAndForecastsIntoAFile) {
  const std::string data = (root_ / "data.nc").string(), config = (root_ / "config.json").string();
  ASSERT_EQ(run(tool() + "data simulate --grid 32 --hours 120 --seed 1 --out " + data).exit_code,
            0);
  Outcome outcome = run(tool() + "init " + data + " --out " + config);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  outcome =
      run(train() + config +
          " --model.settings '{\"num_filters\": 4}' --strategy scaled_ar --epochs 1 --batch_size 8 "
          "--training.accumulate_batches 1 --num_pred_steps_val_test 3 --run_name run --device " +
          GetParam());
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("persistence"), std::string::npos) << outcome.output;
  std::string run_folder;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "camp0"))
    if (entry.path().filename() == "scores.json") run_folder = entry.path().parent_path().string();
  const auto source = open_netcdf({data});
  const int64_t last = source->times().runs[source->times().runs.size() - 5];
  const std::string start = format_time(source->times().calendar, last),
                    out = (root_ / "forecast.nc").string();
  outcome = run(tool() + "predict " + run_folder + " --start " + start + " --steps 6 --out " + out);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("the data give the border for 4 of 6 steps"), std::string::npos)
      << outcome.output;
  const auto forecast = open_netcdf({out});
  EXPECT_EQ(forecast->grid().rows, 32);
  std::vector<float> field(32 * 32);
  forecast->read({.variable = "t2m", .lead = 0}, {0, 32, 0, 32}, field.data());
  for (float value : field)
    EXPECT_TRUE(std::isfinite(value) && value > 150 && value < 400) << value;
  // The same as a Zarr store; what is there is kept unless it is told.
  const std::string predict_store = tool() + "predict " + run_folder + " --start " + start +
                                    " --steps 6 --out " + (root_ / "forecast.zarr").string();
  ASSERT_EQ(run(predict_store).exit_code, 0);
  std::vector<float> stored(32 * 32);
  open_zarr({(root_ / "forecast.zarr").string()})
      ->read({.variable = "t2m", .lead = 0}, {0, 32, 0, 32}, stored.data());
  EXPECT_EQ(stored, field);
  EXPECT_NE(run(predict_store).output.find("exists already; --overwrite replaces it"),
            std::string::npos);
  EXPECT_EQ(run(predict_store + " --overwrite").exit_code, 0);
  EXPECT_EQ(run(predict_store + "/ --overwrite").exit_code, 0);
  const std::string slash = (root_ / "slash.zarr").string();
  EXPECT_EQ(run(tool() + "predict " + run_folder + " --start " + start + " --steps 1 --out " +
                slash + "/")
                .exit_code,
            0);
  EXPECT_TRUE(std::filesystem::exists(slash + "/.zgroup"));
  // The statistics are those of the run: a deviation more of change in each step is seen in the first one.
  Json statistics = read_json_file(run_folder + "/statistics.json");
  double deviation = 0;
  for (Json& feature : statistics) {
    feature["difference_mean"] = feature["difference_mean"].get<double>() + 1;
    if (feature["name"].get<std::string>().starts_with("t2m")) deviation = feature["std"];
  }
  std::ofstream(run_folder + "/statistics.json") << statistics;
  const std::string shifted = (root_ / "shifted.nc").string();
  outcome =
      run(tool() + "predict " + run_folder + " --start " + start + " --steps 1 --out " + shifted);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  float changed = 0;
  open_netcdf({shifted})->read({.variable = "t2m"}, {16, 17, 16, 17}, &changed);
  EXPECT_NEAR(changed - field[16 * 32 + 16], deviation, 1e-3);
  // Without a start: the last time of the data; the nearest point of the file that was written.
  const std::string late = (root_ / "late.nc").string();
  outcome = run(tool() + "predict " + run_folder + " --steps 2 --out " + late + " --points '" +
                std::to_string(source->grid().latitude[33]) + "," +
                std::to_string(source->grid().longitude[33]) + "'");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("late.nc: 2 steps from " +
                                format_time(source->times().calendar, source->times().runs.back()) +
                                " (the last start that the data allow)"),
            std::string::npos)
      << outcome.output;
  EXPECT_NE(outcome.output.find("(row 1, column 1)"), std::string::npos) << outcome.output;
  open_netcdf({late})->read({.variable = "t2m", .run = 1}, {1, 2, 1, 2}, field.data());
  char number[32];
  std::snprintf(number, sizeof number, "  %.6g", static_cast<double>(field[0]));
  EXPECT_NE(outcome.output.find(number), std::string::npos) << number << "\n" << outcome.output;
  outcome = run(tool() + "predict " + run_folder + " --steps 2 --points 89,0");
  EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
  EXPECT_NE(outcome.output.find("lies outside of the grid"), std::string::npos) << outcome.output;
  const std::string again =
      tool() + "predict " + run_folder + " --start 1900-01-01 --steps 2 --out ";
  outcome = run(again + out + " --overwrite");
  EXPECT_EQ(outcome.exit_code, 3) << outcome.output;
  outcome = run(again + out);
  EXPECT_EQ(outcome.exit_code, 8) << outcome.output;
  EXPECT_NE(outcome.output.find("exists already; --overwrite"), std::string::npos);
  const std::string before = contents(data);
  outcome = run(again + data + " --overwrite");
  EXPECT_EQ(outcome.exit_code, 8) << outcome.output;
  EXPECT_NE(outcome.output.find("is one of the files that the forecast starts from"),
            std::string::npos);
  EXPECT_EQ(contents(data), before);
}

TEST_F(Programs, WeightsMeetTheirOwnFeaturesAtEveryDoor) {
  ASSERT_EQ(run(train() + small("run") + "--epochs 1 --dataset.time_forcings hour").exit_code, 0);
  const std::string folder_name = folder("run").string(), other = " --dataset.time_forcings year ",
                    bare = (root_ / "bare.safetensors").string();
  fs::copy_file(folder("run") / "checkpoints/last/model.safetensors", bare);
  for (const std::string& command :
       {train() + small("other") + "--load_model_ckpt " + folder_name + other,
        train() + small("other") + "--load_model_ckpt " + bare + other,
        tool() + "test " + folder_name + other,
        tool() + "predict " + folder_name + " --start 2023-01-03T02 --steps 1 --out " +
            (root_ / "forecast.nc").string() + other}) {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, 2) << command << outcome.output;
    EXPECT_NE(outcome.output.find("was trained with 'sin_hour' as forcing feature 3, but the data "
                                  "give 'sin_year'"),
              std::string::npos)
        << command << outcome.output;
  }
  // A tensor has no names, but a number of features.
  const std::string x = (root_ / "x.safetensors").string();
  std::ofstream(root_ / "settings.json") << R"({"num_filters": 4})";
  const Json trained = Json::parse(read_safetensors(bare).metadata.at("trained_with"));
  const auto count = static_cast<int64_t>(trained.at("input_features").size());
  for (const int64_t features : {count, count - 1}) {
    const Tensor zeros = host_tensor({1, 32, 32, features}, DataType::f32);
    std::ranges::fill(zeros.span<float>(), 0.0f);
    write_safetensors(x, {{"x", zeros}});
    const Outcome outcome =
        run(tool() + "model forward --model halfunet --settings " +
            (root_ / "settings.json").string() + " --weights " + folder_name +
            " --device cpu --input " + x + " --output " + (root_ / "y.safetensors").string());
    EXPECT_EQ(outcome.exit_code, features == count ? 0 : 2) << outcome.output;
    if (features == count) continue;
    const std::string sentence =
        "model.safetensors: the network was trained with " + std::to_string(count) + " features (";
    EXPECT_NE(outcome.output.find(sentence), std::string::npos) << outcome.output;
    EXPECT_NE(outcome.output.find(", sin_hour, cos_hour), but 'x' of " + x + " has "),
              std::string::npos)
        << outcome.output;
  }
}

TEST_F(Programs, AFullDiskBehindTheStandardOutputIsSaid) {
  for (const char* words : {"config schema", "--help"}) {
    const Outcome outcome = run("(" + tool() + words + ") 3>&1 >/dev/full");
    EXPECT_EQ(outcome.exit_code, static_cast<int>(ErrorKind::input_output)) << words;
  }
}

TEST_F(Programs, GroupsOfCommandsExplainThemselves) {
  const Outcome outcome = run(tool() + "data --help");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("usage: py4cast data COMMAND"), std::string::npos);
  EXPECT_NE(outcome.output.find("data info"), std::string::npos);
  EXPECT_EQ(outcome.output.find("predict"), std::string::npos) << outcome.output;
  EXPECT_EQ(run(tool() + "data").exit_code, 2);
  const Outcome folder_given = run(train() + root_.string());
  EXPECT_EQ(folder_given.exit_code, 2);
  EXPECT_NE(folder_given.output.find("is a folder; a JSON file is needed"), std::string::npos)
      << folder_given.output;
}

}  // namespace
}  // namespace py4cast
