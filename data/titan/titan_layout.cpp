// The original's configuration files.
#include <nlohmann/json.hpp>

#include "data/titan/titan_dataset.h"
#include "data/weather/original_layout.h"
#include "engine/error.h"

namespace py4cast {
namespace {

class TitanLayout : public OriginalLayout {
 public:
  using OriginalLayout::OriginalLayout;

  Json translated() {
    check_keys(content_, "", {"periods", "grid", "settings", "params"});
    const Json& grid = object(content_, "", "grid");
    check_keys(grid, "grid",
               {"name", "border_size", "subgrid", "subdomain", "proj_name", "projection_kwargs"});
    const Json& settings = object(content_, "", "settings");
    check_keys(settings, "settings",
               {"step_duration", "standardize", "file_format", "add_landsea_mask"});
    const Json whole = Json::array({0, 0, 0, 0});
    result_ = {{"name", "titan"},
               {"settings",
                {{"grid", member(grid, "grid", "name")},
                 {"file_format", settings.value("file_format", "grib")},
                 {"original_file", file_}}},
               {"variables", Json::object()},
               {"border", grid.value("border_size", Json(0))},
               {"subgrid", grid.value("subgrid", grid.value("subdomain", whole))},
               {"standardize", settings.value("standardize", true)}};
    take_periods({"start", "end", "step", "obs_step", "obs_step_btw_t0"}, result_);
    const bool first_version = settings.contains("step_duration");
    result_["time_forcings_first"] = first_version;
    result_["land_sea_mask_of_zeros"] = first_version;
    for (const char* name : splits) take_steps(name, settings);
    for (const auto& [name, parameter] : object(content_, "", "params").items()) {
      const std::string path = "params." + name;
      check_keys(parameter, path, {"levels", "kind"});
      result_["variables"][name] = {{"role", role_of(parameter, path)},
                                    {"levels", member(parameter, path, "levels")}};
    }
    return std::move(result_);
  }

 private:
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
