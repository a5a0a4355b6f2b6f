// The documented command lines of the original on a small simulated tree, from end to end.
#include <regex>

#include "data/netcdf/netcdf_dataset.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

// What the lines leave open comes from the environment: where the tree is, that the grid is small, and
// that one epoch is enough.
class SmeagolPrograms : public Programs {
 protected:
  void SetUp() override {
    Programs::SetUp();
    const Outcome made =
        run(tool() + "data simulate --layout smeagol --grid 32 --runs 1 --members 1 --out " +
            (root_ / "tree").string());
    ASSERT_EQ(made.exit_code, 0) << made.output;
    for (const auto& [name, value] : environment()) setenv(name.c_str(), value.c_str(), 1);
  }
  void TearDown() override {
    for (const auto& [name, value] : environment()) unsetenv(name.c_str());
    Programs::TearDown();
  }
  std::map<std::string, std::string> environment() const {
    return {{"PY4CAST_SMEAGOL_PATH", (root_ / "tree").string()},
            {"PY4CAST_DATASET_SUBGRID", "[]"},
            {"PY4CAST_MODEL_AUTOPAD", "true"},
            {"PY4CAST_DEVICE", "cpu"},
            {"PY4CAST_TRAINING_EPOCHS", "1"},
            {"PY4CAST_TRAINING_LIMIT_TRAIN_BATCHES", "1"}};
  }
  static std::string config(const std::string& name) { return repository() + "/config/" + name; }
  static void expect(const Outcome& outcome, const std::vector<std::string>& parts,
                     int exit_code = 0) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
    for (const std::string& part : parts)
      EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in " << outcome.output;
  }
};

constexpr const char* hilam =
    "--model hilam --dataset smeagol --no_log --standardize --limit_train_batches 2 "
    "--batch_size 1 ";

#ifdef PY4CAST_MPI
TEST_F(SmeagolPrograms, DocumentedLineRunsOnTwoRanks) {
  expect(run(mpirun(2) + train() + hilam + "--gpu 2 --step 1"), {"2 ranks", "hilam", "trained in"});
}
#endif

TEST_F(SmeagolPrograms, DocumentedLinesRun) {
  expect(run(train() + hilam + "--gpu 4 --step 1"),
         {"run.gpu (--gpu) asks for 4 ranks but the program runs on 1", "mpirun -np 4"}, 2);
  expect(run(train() + hilam + "--gpu 1 --step 3"), {"steps ahead 3, in validation 5"});
  const std::string line = train() + "--dataset smeagol --model ";
  // A file of --dataset_conf wins over the environment.
  const std::string whole_grid = " --dataset.subgrid '[]'";
  expect(run(line + "segformer"), {"segformer: ", "RMSE of rain_0 [kg m-2]", "persistence"});
  expect(
      run(line + "halfunet --model_conf " + config("models/halfunet128_ghost.json") + " --dry-run"),
      {"\"use_ghost\": true", "State (69)"});
  expect(run(line + "halfunet --dataset_conf " + config("datasets/smeagol.json") + whole_grid +
             " --strategy diff_ar"),
         {"RMSE of t_90 [K]", "samples are left out where files are missing",
          "mb_001_TEMPERATURE.nc", "runs, the first is 2022-08-06T03:00:00"});
  expect(run(line + "halfunet --dataset_conf " + config("datasets/smeagoldev.json") + whole_grid +
             " --limit_train_batches 10 --epochs 2 --strategy scaled_ar"),
         {"epoch 2 of 2", "RMSE of q_50 [kg kg-1]"});
  expect(run(train() + "--model halfunet --dataset smeagol --dataset_conf " +
             config("smeagolsmall.json") +
             " --num_pred_steps_val_test 4 --strategy scaled_ar --num_inter_steps 4 "
             "--num_input_steps 1 --batch_size 10 --run_name small"),
         {"steps ahead 1, in validation 4", "+4 h"});
  const std::string small = (root_ / "camp0/smeagol/halfunet/small_0").string();
  expect(run(tool() + "test --ckpt " + small + " --num_pred_steps_val_test 4"),
         {"scores of the valid period, as the original's test program"});

  // The forecast carries the projection.
  const std::string forecast = (root_ / "forecast.nc").string();
  expect(run(tool() + "predict " + small + " --start 2023-01-07T04:00 --steps 2 --out " + forecast),
         {});
  const auto source = open_netcdf({forecast});
  EXPECT_EQ(source->grid().mapping.texts.at("grid_mapping_name"), "lambert_conformal_conic");
  EXPECT_EQ(source->variable("TEMPERATURE").levels, (std::vector<double>{90, 60, 30}));
  EXPECT_EQ(source->variable("CLSTEMPERATURE").units, "K");
}

// Each member goes on from its own state; nothing is forecast where one of the starts is not in the data.
TEST_F(SmeagolPrograms, ForecastsBelongToTheirMembersAndStarts) {
  const std::string tree = (root_ / "two").string();
  expect(
      run(tool() + "data simulate --layout smeagol --grid 32 --runs 1 --members 2 --out " + tree),
      {});
  expect(run(train() + "--model halfunet --dataset smeagol --dataset_conf " +
             config("smeagolsmall.json") + " --dataset.settings.root " + tree +
             " --num_pred_steps_val_test 2 --strategy scaled_ar --run_name two"),
         {});
  const std::string predict = tool() + "predict " +
                              (root_ / "camp0/smeagol/halfunet/two_0").string() +
                              " --steps 1 --start 2023-01-07T04:00";
  const auto forecast = [&](const char* members, int64_t member) {
    const std::string file = (root_ / (std::string(members) + ".nc")).string();
    expect(run(predict + " --overwrite --member " + members + " --out " + file), {});
    std::vector<float> field(32 * 32);
    open_netcdf({file})->read({.variable = "TEMPERATURE", .member = member}, {0, 32, 0, 32},
                              field.data());
    return field;
  };
  const std::vector<float> first = forecast("all", 0), second = forecast("all", 1);
  EXPECT_NE(first, second);
  EXPECT_EQ(first, forecast("0", 0));
  EXPECT_EQ(second, forecast("1", 0));
  expect(run(predict + ",2033-01-07T04:00 --out " + (root_ / "{start}.nc").string()), {"2033"}, 3);
  EXPECT_FALSE(fs::exists(root_ / "20230107T0400.nc"));
}

TEST_F(SmeagolPrograms, DataAreDescribedPreparedAndMeasured) {
  const std::string small = " --dataset_conf " + config("smeagolsmall.json") +
                            " --dataset smeagol --num_pred_steps_val_test 3";
  const Outcome prepared = run(tool() + "data prepare" + small);
  expect(prepared,
         {"statistics of 9 state and 1 forcing features are in " + (root_ / "cache").string()});
  EXPECT_FALSE(fs::is_empty(root_ / "cache"));
  const Outcome info = run(tool() + "data info" + small);
  expect(info, {"Weight in Loss", "DiffStd", "State (9)", "t_90", "Forcing (5)", "Rad_0",
                "train: 2 samples of 2 input and 1 prediction steps",
                "from 2022-08-06T04:00:00 to 2022-08-06T07:00:00"});
  // The original's weights: 1 + 60 / 90.
  EXPECT_TRUE(std::regex_search(info.output, std::regex("t_60 .* 1.66667 "))) << info.output;
  const Outcome speed = run(tool() + "data speed --batches 3" + small);
  expect(speed, {"2 training samples", "samples/s"});
  EXPECT_TRUE(std::regex_search(speed.output, std::regex("\n +1 +[1-9]"))) << speed.output;
  expect(run(tool() + "data simulate --layout smaegol --out x"),
         {"must be 'cf', 'smeagol' or 'titan', not 'smaegol'; the nearest is 'smeagol'"}, 2);
}

TEST_F(SmeagolPrograms, AFileOfTheOriginalsLayoutIsTaken) {
  const std::string file = (root_ / "original.json").string();
  std::ofstream(file) << R"({
    "periods": {"train": {"start": 2022080600, "end": 2022080606, "step": 3},
                "valid": {"start": 2023012800, "end": 2023012806, "step": 3},
                "test": {"start": 2023012800, "end": 2023012806, "step": 3}},
    "grid": {"geometry": "franmgsp32", "border_size": 2, "domain": "france", "model": "arome",
             "subgrid": [0, 0, 0, 0]},
    "dataset": {"arome": {"grid": {"domain": "france", "model": "arome", "geometry": "franmgsp32"},
      "members": [0], "term": {"start": 3, "end": 9, "timestep": 0.25},
      "var": {"TEMPERATURE": {"shortname": "t", "level": [90, 1]}, "CLSTEMPERATURE": {"shortname": "2t"},
              "SOMMRAYT.SOLAIRE": {"shortname": "Rad", "kind": "input"}}}}})";
  const Outcome outcome =
      run(train() + "--dataset_conf " + file + " --dry-run --num_pred_steps_val_test 3");
  expect(outcome, {file + " is of the original's layout", "\"run_step\": 3", "Rad_0", "t_1", "2t_0",
                   "8 training, 4 validation, 4 test samples"});
  expect(run(train() + "--dataset smeagol --dry-run --dataset.settings.root " +
             (root_ / "none").string()),
         {"none: there is no such folder"}, 3);
  unsetenv("PY4CAST_SMEAGOL_PATH");
  expect(run(train() + "--dataset smeagol --dry-run"),
         {"dataset.settings.root", "PY4CAST_SMEAGOL_PATH"}, 2);
}

}  // namespace
}  // namespace py4cast
