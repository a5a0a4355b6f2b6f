// The original's command lines with its default data set on a small simulated tree, from end to end.
#include <regex>

#include "data/grib/grib_source.h"
#include "data/netcdf/netcdf_dataset.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

// What the lines leave open comes from the environment: where the tree is, that the grid is small, and
// that one epoch is enough.
class TitanPrograms : public Programs {
 protected:
  void SetUp() override {
    Programs::SetUp();
    const Outcome made =
        run(tool() + "data simulate --layout titan --grid 32 --hours 9 --out " + tree());
    ASSERT_EQ(made.exit_code, 0) << made.output;
    for (const auto& [name, value] : environment()) setenv(name.c_str(), value.c_str(), 1);
  }
  void TearDown() override {
    for (const auto& [name, value] : environment()) unsetenv(name.c_str());
    Programs::TearDown();
  }
  std::string tree() const { return (root_ / "tree").string(); }
  std::map<std::string, std::string> environment() const {
    return {{"PY4CAST_TITAN_PATH", tree()},    {"PY4CAST_DATASET_SUBGRID", "[]"},
            {"PY4CAST_MODEL_AUTOPAD", "true"}, {"PY4CAST_DEVICE", "cpu"},
            {"PY4CAST_TRAINING_EPOCHS", "1"},  {"PY4CAST_TRAINING_LIMIT_TRAIN_BATCHES", "1"}};
  }
  static std::string config(const std::string& name) { return repository() + "/config/" + name; }
  static void expect_outcome(const Outcome& outcome, const std::vector<std::string>& parts,
                             int exit_code = 0) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
    for (const std::string& part : parts)
      EXPECT_NE(outcome.output.find(part), std::string::npos) << part << " in " << outcome.output;
  }
};

constexpr const char* titan_hilam =
    "--model hilam --no_log --standardize --limit_train_batches 1 --batch_size 1 ";

#ifdef PY4CAST_MPI
TEST_F(TitanPrograms, DocumentedLineRunsOnTwoRanks) {
  expect_outcome(run(mpirun(2) + train() + titan_hilam + "--gpu 2 --step 1"),
                 {"2 ranks", "hilam", "trained in"});
}
#endif

TEST_F(TitanPrograms, DocumentedLinesRun) {
  expect_outcome(run(train() + titan_hilam + "--gpu 1 --step 3"),
                 {"steps ahead 3, in validation 5"});
  const std::string line = train() + "--dataset titan --model ";
  expect_outcome(run(line + "segformer"), {"segformer: ", "RMSE of aro_t2m_2m [K]", "persistence"});
  // A file of --dataset_conf wins over the environment.
  const std::string whole_grid = " --dataset.subgrid '[]'";
  expect_outcome(run(line + "halfunet --dataset_conf " + config("datasets/titan.json") +
                     whole_grid + " --strategy scaled_ar"),
                 {"RMSE of aro_r2_2m [%]", "RMSE of aro_tp_0m [kg m**-2]"});
  expect_outcome(run(line + "halfunet --dataset_conf " + config("titansmall.json") +
                     " --num_pred_steps_val_test 4 --strategy scaled_ar --num_inter_steps 4 "
                     "--num_input_steps 1 --batch_size 10 --run_name small"),
                 {"steps ahead 1, in validation 4", "+4 h"});
  const std::string small = (root_ / "camp0/titan/halfunet/small_0").string();
  expect_outcome(run(tool() + "test --ckpt " + small + " --num_pred_steps_val_test 4"),
                 {"scores of the valid period, as the original's test program"});
  const std::string forecast = (root_ / "forecast.nc").string();
  expect_outcome(
      run(tool() + "predict " + small + " --start 2023-09-01T02 --steps 2 --out " + forecast), {});
  const auto source = open_netcdf({forecast});
  EXPECT_EQ(source->variable("aro_t").levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(source->variable("aro_t2m").units, "K");
  // As GRIB it goes on from the messages of the input: names are those in the files, and rain falls in
  // the hour after its time.
  const std::string grib = (root_ / "forecast.grib2").string();
  expect_outcome(
      run(tool() + "predict " + small + " --start 2023-09-01T02 --steps 2 --out " + grib),
      {"forecast.grib2: 2 steps from 2023-09-01T02:00:00"});
  GribSource again({grib});
  EXPECT_EQ(again.times().runs.size() * again.times().leads.size(), 3u);
  EXPECT_EQ(again.variable("t").levels, (std::vector<double>{500, 850}));
  EXPECT_EQ(again.grid().rows, 32);
}

// Beside AROME's fields at the ground, its levels on a coarser grid, and ARPEGE's as forcings.
TEST_F(TitanPrograms, DataAreDescribedPreparedAndMeasured) {
  const std::string small = " --dataset titan --dataset_conf " + config("titansmall.json");
  expect_outcome(
      run(tool() + "data prepare" + small),
      {"statistics of 9 state and 1 forcing features are in " + (root_ / "cache").string()});
  const Outcome info = run(tool() + "data info" + small);
  expect_outcome(info, {"Weight in Loss", "DiffStd", "State (9)", "aro_t2m_2m", "aro_tp_0m",
                        "Forcing (5)", "arp_t_850hPa", "train: 7 samples of 2 input and 1"});
  // The original's weights: 1 + 500 / 1000 on pressure levels, else 2.
  EXPECT_TRUE(std::regex_search(info.output, std::regex("aro_z_500hPa .* 1.5 "))) << info.output;
  EXPECT_TRUE(std::regex_search(info.output, std::regex("aro_u10_10m .* 2 "))) << info.output;
  const Outcome speed = run(tool() + "data speed --batches 3" + small);
  expect_outcome(speed, {"7 training samples", "samples/s"});
}

TEST_F(TitanPrograms, AFileOfTheOriginalsLayoutIsTaken) {
  const std::string file = (root_ / "original.json").string();
  const auto write = [&](const std::string& periods, const std::string& settings,
                         const std::string& area) {
    std::ofstream(file) << "{\"periods\": {" << periods
                        << "}, \"grid\": {\"name\": \"PAAROME_1S100\", "
                        << "\"border_size\": 2, " << area << "}, \"settings\": {" << settings
                        << R"(, "standardize": true, "file_format": "grib"},
      "params": {"aro_t2m": {"levels": [2], "kind": "input_output"},
                 "aro_u": {"levels": [250, 850], "kind": "input_output"},
                 "arp_z": {"levels": [500], "kind": "input"}}})";
  };
  write(R"("train": {"start": 2023010106, "end": 2023010113, "step": 2},
           "valid": {"start": 2023060100, "end": 2023060108, "step": 3},
           "test": {"start": 2023060100, "end": 2023060108, "step": 3})",
        "\"step_duration\": 1", "\"subgrid\": [1, 31, 0, 32]");
  const std::string line = train() + "--dataset_conf " + file + " --dry-run";
  // t0 at 08, 10 and 12 h; at 03 h, with five predictions.
  expect_outcome(run(line), {file + " is of the original's layout", "\"step\": 2", "arp_z_500hPa",
                             "aro_u_250hPa", "3 training, 1 validation, 1 test samples"});
  write(R"("train": {"start": 20230101, "end": 20230101, "obs_step": 3600},
           "valid": {"start": 20230601, "end": 20230601, "obs_step": 3600},
           "test": {"start": 20230901, "end": 20230901, "obs_step": 3600, "obs_step_btw_t0": 7200})",
        "\"add_landsea_mask\": false",
        "\"subdomain\": [1, 31, 0, 32], \"proj_name\": \"PlateCarree\", \"projection_kwargs\": {}");
  expect_outcome(run(line), {"7 training, 3 validation, 1 test samples"});
  unsetenv("PY4CAST_TITAN_PATH");
  expect_outcome(run(train() + "--dry-run"), {"dataset.settings.root", "PY4CAST_TITAN_PATH"}, 2);
}

}  // namespace
}  // namespace py4cast
