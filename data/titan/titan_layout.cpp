// The original's configuration files. They tell their version:
//   until May 2024       grid.subgrid, settings.step_duration
//   until November 2024  grid.subdomain, settings.step_duration
//   later                grid.subdomain, periods.*.obs_step
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "data/titan/titan_dataset.h"
#include "data/titan/titan_parameters.h"
#include "data/weather/original_layout.h"
#include "engine/error.h"

namespace py4cast {
namespace {

class TitanLayout : public OriginalLayout {
 public:
  using OriginalLayout::OriginalLayout;

  Json translated() {
    check_keys(content_, "", {"periods", "grid", "settings", "params", "members"});
    const Json& grid = object(content_, "", "grid");
    check_keys(grid, "grid",
               {"name", "border_size", "subgrid", "subdomain", "proj_name", "projection_kwargs"});
    const Json& settings = object(content_, "", "settings");
    check_keys(settings, "settings",
               {"step_duration", "standardize", "file_format", "add_landsea_mask"});
    const bool last = std::ranges::any_of(content_["periods"], [](const Json& period) {
      return period.is_object() && period.contains("obs_step");
    });
    const bool first = !last && !grid.contains("subdomain");
    result_ = {{"name", "titan"},
               {"settings", {{"grid", member(grid, "grid", "name")}, {"original_file", file_}}},
               {"variables", Json::object()},
               {"border", grid.value("border_size", Json(0))},
               {"standardize", settings.value("standardize", true)}};
    take_periods({"start", "end", "step", "obs_step", "obs_step_btw_t0"}, result_);
    take_place(grid, settings.value("file_format", "grib"), last);
    result_["time_forcings"] = first ? Json{"hour", "year"} : Json{"hour", "year", "toa_radiation"};
    result_["time_forcings_first"] = first;
    const bool mask = !last || settings.value("add_landsea_mask", false);
    result_["land_sea_mask_of_zeros"] = mask;
    if (!mask) result_["statics"] = {"x", "y", "geopotential", "border_mask"};
    for (const char* name : splits) take_steps(name, settings);
    for (const auto& [name, parameter] : object(content_, "", "params").items()) {
      const std::string path = "params." + name;
      check_keys(parameter, path, {"levels", "kind"});
      const Json& levels = member(parameter, path, "levels");
      Json& variable = result_["variables"][name];
      variable = {{"role", role_of(parameter, path)}, {"levels", levels}};
      // The first version knew one level of a parameter, and other weights of pressures.
      const auto known = std::ranges::find(titan_parameters(), name, &TitanParameter::name);
      if (first && levels.size() == 1 && known != titan_parameters().end() && known->on_pressure)
        variable["weight"] = 1 + levels[0].get<double>() / 90;
    }
    return std::move(result_);
  }

 private:
  // Arrays of a part of the grid have a folder of their own, which is called as the file and the part are.
  void take_place(const Json& grid, const std::string& format, bool last) {
    const Json all = Json::array({0, 0, 0, 0}),
               part = grid.value("subgrid", grid.value("subdomain", all));
    const bool in_folder = format == "dataset" || (last && format == "npy");
    Json& settings = result_["settings"];
    settings["file_format"] = format == "dataset" ? "npy" : format;
    result_["subgrid"] = part == all || in_folder || last ? Json::array() : part;
    if (last && part != all && !in_folder) settings["subdomain"] = part;
    if (!in_folder) return;
    if (!last) settings["rows_from"] = "north";
    const std::string name = settings["grid"];
    std::string numbers;
    for (const Json& number : part)
      numbers += (numbers.empty() ? "" : "-") + std::to_string(number.get<int64_t>());
    if (part == all) numbers = name == "PAAROME_1S40" ? "0-717-0-1121" : "0-1791-0-2801";
    settings["subdataset"] =
        std::filesystem::path(file_).stem().string() + "_" + name + "_" + numbers;
  }

  // Earlier files give hours (settings.step_duration; step, between samples), later ones seconds
  // (obs_step, which is also the distance of samples where there is no obs_step_btw_t0).
  void take_steps(const char* name, const Json& settings) {
    const std::string path = std::string("periods.") + name;
    const Json& period = content_["periods"][name];
    Json hours, between;
    if (period.contains("obs_step")) {
      hours = period["obs_step"].get<double>() / 3600;
      between = period.contains("obs_step_btw_t0")
                    ? Json(period["obs_step_btw_t0"].get<double>() / 3600)
                    : hours;
    } else {
      hours = member(settings, "settings", "step_duration");
      between = member(period, path, "step");
    }
    if (result_.value("step_hours", hours) != hours)
      fail(path + ".obs_step", "is another than that of the other periods");
    result_["step_hours"] = hours;
    result_["periods"][name]["step"] = between;
  }

  Json result_;
};

}  // namespace

std::shared_ptr<const Json> translate_titan(const Json& content, const std::string& file) {
  if (!content.is_object() || !content.contains("params") || !content.contains("periods"))
    return nullptr;
  try {
    return std::make_shared<const Json>(TitanLayout(content, file).translated());
  } catch (const Json::exception&) {
    throw Error(ErrorKind::configuration, file,
                ": a value is of another kind than in the original's configurations");
  }
}

}  // namespace py4cast
