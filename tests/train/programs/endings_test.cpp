// How trainings end, and what is scored and compared afterwards.
#include <netcdf.h>

#include <cmath>

#include "engine/files.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

std::vector<Json> metrics_of(const fs::path& file) {
  std::vector<Json> lines;
  std::istringstream text(contents(file));
  for (std::string line; std::getline(text, line);) lines.push_back(Json::parse(line));
  return lines;
}

// With a learning rate of 0 the first validation stays the best one.
TEST_F(Programs, PatienceEndsATrainingAndMayGrow) {
  const std::string flags = "--lr 0 --epochs 9 ";
  const Outcome two = run(train() + small("two") + flags + "--patience 2");
  ASSERT_EQ(two.exit_code, 0) << two.output;
  EXPECT_NE(two.output.find("epoch 3 of 9 was the last: 2 validations without a new lowest loss "
                            "(training.patience)"),
            std::string::npos)
      << two.output;
  EXPECT_TRUE(fs::exists(folder("two") / "scores.json"));
  EXPECT_EQ(state(folder("two"))["epoch"], 3);
  ASSERT_EQ(run(train() + small("four") + flags + "--patience 4").exit_code, 0);
  EXPECT_EQ(state(folder("four"))["epoch"], 5);
  const Outcome more = run(train() + "--resume " + folder("two").string() + " --patience 4");
  ASSERT_EQ(more.exit_code, 0) << more.output;
  expect_equal(folder("two"), folder("four"));
  const Outcome again = run(train() + "--resume " + folder("two").string());
  EXPECT_EQ(again.exit_code, 0) << again.output;
  EXPECT_EQ(state(folder("two"))["epoch"], 5) << "it has the patience that it was given last";
}

TEST_F(Programs, AllMetricsAreInTheLogsAndInTheFileOfATest) {
  const Outcome training =
      run(train() + small("run") + "--epochs 1 --training.metrics rmse_per_sample,mae");
  ASSERT_EQ(training.exit_code, 0) << training.output;
  const Json scores = Json::parse(contents(folder("run") / "scores.json"));
  Json validation;
  for (const Json& line : metrics_of(folder("run") / "metrics.jsonl"))
    if (line.contains("val_mean_loss")) validation = line;
  for (const char* metric : {"rmse_per_sample", "mae"})
    EXPECT_TRUE(validation[std::string("val_") + metric + "/input_output_00_2h"].is_number())
        << validation.dump();
  EXPECT_NE(training.output.find("rmse_per_sample of input_output_00 [1]"), std::string::npos)
      << training.output;
  std::string board;
  for (const auto& file : fs::directory_iterator(folder("run") / "tensorboard"))
    board += contents(file.path());
  for (const char* tag : {"val_example/input_output_00_2h", "test_example/input_output_02_1h"})
    EXPECT_NE(board.find(tag), std::string::npos) << tag;
  const std::string out = (root_ / "again.json").string();
  for (const std::string& command :
       {tool() + "test " + folder("run").string(), train() + "--test " + folder("run").string()}) {
    write_file(out, "of the user");
    const Outcome refused = run(command + " --out " + out);
    EXPECT_EQ(refused.exit_code, 8);
    EXPECT_NE(refused.output.find("again.json: exists already; --overwrite replaces it"),
              std::string::npos)
        << refused.output;
    const Outcome test =
        run(command + " --split test --num_pred_steps_val_test 2 --overwrite --out " + out);
    ASSERT_EQ(test.exit_code, 0) << test.output;
    EXPECT_EQ(Json::parse(contents(out)), scores);
    fs::remove(out);
  }
  const Outcome alone = run(train() + small("other") + "--epochs 1 --out " + out);
  EXPECT_EQ(alone.exit_code, 2);
  EXPECT_NE(alone.output.find("'--out' goes with '--test' alone"), std::string::npos);
}

std::vector<double> values_of(const fs::path& file, const std::string& variable) {
  int id = 0, v = 0, dimensions = 0, ids[NC_MAX_VAR_DIMS];
  EXPECT_EQ(nc_open(file.c_str(), NC_NOWRITE, &id), NC_NOERR);
  EXPECT_EQ(nc_inq_varid(id, variable.c_str(), &v), NC_NOERR) << variable;
  EXPECT_EQ(nc_inq_varndims(id, v, &dimensions), NC_NOERR);
  EXPECT_EQ(nc_inq_vardimid(id, v, ids), NC_NOERR);
  size_t count = 1, length = 0;
  for (int d = 0; d < dimensions; ++d) {
    EXPECT_EQ(nc_inq_dimlen(id, ids[d], &length), NC_NOERR);
    count *= length;
  }
  std::vector<double> values(count);
  EXPECT_EQ(nc_get_var_double(id, v, values.data()), NC_NOERR);
  EXPECT_EQ(nc_close(id), NC_NOERR);
  return values;
}

TEST_F(Programs, PicturesComeInEveryPrecisionAndOfTheFirstRank) {
  const auto shown = [&](const std::string& launcher, const std::string& name,
                         const std::string& flags) {
    const Outcome outcome = run(launcher + train() + small(name) + "--epochs 1 " + flags);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    std::string board;
    for (const auto& file : fs::directory_iterator(folder(name) / "tensorboard"))
      board += contents(file.path());
    return board.find("val_example/input_output_00_2h") != std::string::npos;
  };
  EXPECT_TRUE(shown("", "double", "--precision fp64"));
  EXPECT_TRUE(shown("", "half", "--precision bf16"));
  EXPECT_TRUE(shown(mpirun(2), "ranks", ""));
}

// Of 16 x 16 points and a border of 2 the 12 x 12 inside.
TEST_F(Programs, TheMeanOfThePointsErrorsIsTheScore) {
  ASSERT_EQ(run(tool() + "data simulate --grid 16 --hours 120 --out " + (root_ / "a.nc").string())
                .exit_code,
            0);
  const std::string config = (root_ / "a.json").string(), out = (root_ / "errors.nc").string();
  ASSERT_EQ(run(tool() + "init " + (root_ / "a.nc").string() + " --out " + config).exit_code, 0);
  ASSERT_EQ(run(train() + config +
                " --model.settings.num_filters 4 --epochs 1 --dataset.border 2 "
                "--num_pred_steps_val_test 3")
                .exit_code,
            0);
  fs::path folder;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "camp0"))
    if (entry.path().filename() == "run_0") folder = entry.path();
  const std::string command = "py4cast errors " + folder.string() + " --out " + out;
  const Outcome outcome = run(program_folder() + "/" + command);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_EQ(run(program_folder() + "/" + command).exit_code, 8) << "it exists";
  EXPECT_EQ(values_of(out, "forecast_period"), (std::vector<double>{1, 2, 3}));
  const Json scores = Json::parse(contents(folder / "scores.json"))["test"];
  for (const auto& [feature, by_lead] : scores["rmse"].items())
    for (const auto& [lead, score] : by_lead.items())
      for (const bool root : {true, false}) {
        const std::vector<double> all = values_of(out, feature + (root ? "_rmse" : "_bias"));
        ASSERT_EQ(all.size(), 3u * 256);
        const size_t first = 256 * (std::stoul(lead) - 1);
        double sum = 0, inside = 0;
        for (size_t p = 0; p < 256; ++p) {
          const double value = all[first + p];
          const bool border = std::min(p / 16, p % 16) < 2 || std::max(p / 16, p % 16) > 13;
          EXPECT_EQ(value > 9e36, border) << "missing there";
          if (border) continue;
          sum += root ? value * value : value;
          ++inside;
        }
        const double expected =
            root ? score.get<double>() : scores["bias"][feature][lead].get<double>();
        EXPECT_NEAR(root ? std::sqrt(sum / inside) : sum / inside, expected,
                    1e-4 * score.get<double>());
      }
}

// Weights see their inputs on the scales of the new training.
TEST_F(Programs, WeightsOfOtherScalesAreDoubted) {
  for (const auto& [name, seed] : {std::pair("a", 1), std::pair("b", 2)}) {
    const std::string file = (root_ / name).string();
    ASSERT_EQ(run(tool() + "data simulate --grid 16 --hours 120 --seed " + std::to_string(seed) +
                  " --out " + file + ".nc")
                  .exit_code,
              0);
    ASSERT_EQ(run(tool() + "init " + file + ".nc --out " + file + ".json").exit_code, 0);
  }
  const std::string flags =
      " --model.settings.num_filters 4 --limit_train_batches 2 --epochs 1 "
      "--num_pred_steps_val_test 1 --run_name ";
  ASSERT_EQ(run(train() + (root_ / "a.json").string() + flags + "first").exit_code, 0);
  fs::path first;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "camp0"))
    if (entry.path().filename() == "first_0") first = entry.path();
  const auto from = [&](const char* config, const char* name) {
    return run(train() + (root_ / config).string() + flags + name + " --load_model_ckpt " +
               first.string());
  };
  const Outcome same = from("a.json", "same"), other = from("b.json", "other");
  ASSERT_EQ(same.exit_code, 0) << same.output;
  ASSERT_EQ(other.exit_code, 0) << other.output;
  EXPECT_EQ(same.output.find("standardised by"), std::string::npos) << same.output;
  const Json was = Json::parse(contents(first / "statistics.json"));
  EXPECT_NE(other.output.find("the network was trained with '"), std::string::npos) << other.output;
  bool named = false;
  for (const Json& feature : was) {
    std::ostringstream text;
    text << "with '" << feature["name"].get<std::string>() << "' standardised by the mean "
         << feature["mean"].get<double>() << " and the deviation " << feature["std"].get<double>()
         << ", not by ";
    named = named || other.output.find(text.str()) != std::string::npos;
  }
  EXPECT_TRUE(named) << other.output;
}

}  // namespace
}  // namespace py4cast
