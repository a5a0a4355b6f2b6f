// Trainings on Zarr stores.
#include "data/netcdf/netcdf_writer.h"
#include "tests/train/programs/programs.h"

namespace py4cast {
namespace {

class ZarrPrograms : public Programs {
 protected:
  static std::string stored(const std::string& name) {
    return repository() + "/tests/data/zarr/stores/" + name;
  }
  // init and a training of one epoch; the folder of the run.
  fs::path trained(const std::string& data, const std::string& kind,
                   const std::string& flags = "") {
    const std::string config = (root_ / (kind + ".json")).string();
    Outcome outcome = run(tool() + "init " + data + " --out " + config);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    outcome = run(train() + config +
                  " --model.settings '{\"num_filters\": 4}' --epochs 1 --batch_size 4 "
                  "--limit_train_batches 4 "
                  "--num_pred_steps_val_test 2 --device cpu --run_name run " +
                  flags);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return root_ / "camp0" / kind / "halfunet/run_0";
  }
};

// What make_zarr_fixtures.py says of weather.zarr.
void write_weather(const std::string& path) {
  const size_t times = 96, rows = 12, columns = 16;
  NetcdfWriter writer(path);
  const auto axis = [&](const char* name, size_t count, const char* units, double first, int step) {
    const int dimension = writer.dimension(name, count);
    const int variable = writer.variable(name, NetcdfWriter::Type::float64, {dimension});
    writer.attribute(variable, "units", units);
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) values.push_back(first + step * static_cast<double>(i));
    writer.write(variable, {0}, {count}, values.data());
    return dimension;
  };
  const int time = axis("time", times, "hours since 2000-01-01", 0, 1),
            y = axis("latitude", rows, "degrees_north", 50, -1),
            x = axis("longitude", columns, "degrees_east", 1, 1);
  const int t2m = writer.variable("t2m", NetcdfWriter::Type::float32, {time, y, x});
  writer.attribute(t2m, "units", "K");
  std::vector<float> values;
  for (size_t t = 0; t < times; ++t)
    for (size_t r = 0; r < rows; ++r)
      for (size_t c = 0; c < columns; ++c)
        values.push_back(280 + static_cast<float>((7 * t + 3 * r + 5 * c + t * r) % 23) / 2 +
                         static_cast<float>(r * c % 7));
  writer.write(t2m, {0, 0, 0}, {times, rows, columns}, values.data());
  writer.finish();
}

TEST_F(ZarrPrograms, AStoreTrainsAsTheNetcdfOfTheSameValues) {
  const std::string file = (root_ / "weather.nc").string();
  write_weather(file);
  const fs::path of_netcdf = trained(file, "netcdf"),
                 of_zarr = trained(stored("weather.zarr"), "zarr");
  for (const char* kept :
       {"metrics.jsonl", "scores.json", "checkpoints/last/optimizer.safetensors"})
    EXPECT_EQ(contents(of_zarr / kept), contents(of_netcdf / kept)) << kept;
  EXPECT_NE(contents(of_zarr / "metrics.jsonl").find("loss"), std::string::npos);
}

TEST_F(ZarrPrograms, AStoreOfMllamDataPrepTrainsWithoutAChange) {
  const fs::path folder = trained(stored("mllam_3.zarr"), "zarr");
  const Json scores = Json::parse(contents(folder / "scores.json"));
  for (const char* name : {"t50m", "t100m"})
    EXPECT_NE(scores.dump().find(name), std::string::npos) << name;
  EXPECT_EQ(scores.dump().find("swavr0m"), std::string::npos);  // a forcing
}

TEST_F(ZarrPrograms, FilesAreKnownByTheirContent) {
  Outcome outcome = run(tool() + "data info " + stored("weather.zarr"));
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.output.find("t2m"), std::string::npos) << outcome.output;
  const std::string config = (root_ / "config.json").string();
  ASSERT_EQ(run(tool() + "init " + stored("weather.zarr") + " --out " + config).exit_code, 0);
  outcome = run(train() + config + " --dataset netcdf --epochs 1 --run_name run");
  EXPECT_EQ(outcome.exit_code, 3);
  EXPECT_NE(outcome.output.find("this is zarr, not netcdf; dataset.name zarr reads it"),
            std::string::npos)
      << outcome.output;
}

}  // namespace
}  // namespace py4cast
