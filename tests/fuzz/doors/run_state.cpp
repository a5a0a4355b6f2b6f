// What a run left: state.json of a checkpoint, and statistics.
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/weather/statistics.h"
#include "tests/fuzz/door.h"
#include "train/checkpoint.h"

void py4cast::enter(std::string_view input) {
  const Stranger folder("last");
  std::filesystem::create_directory(folder.path());
  std::ofstream(folder.path() + "/state.json") << input;
  unless_wrong([&] { load_checkpoint_state(folder.path()); });
  unless_wrong([&] {
    const std::string file = folder.path() + "/state.json";
    const Statistics statistics = statistics_from_json(read_json_file(file, ErrorKind::data), file);
    for (const FeatureStatistics& each : statistics) points_without_value(each, 4096);
  });
}
