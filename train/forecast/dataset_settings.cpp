#include "train/forecast/dataset_settings.h"

#include "engine/error.h"
#include "train/forecast/dataset_kinds.h"

namespace py4cast {
namespace {

DatasetVariable variable_of(const VariableSection& variable) {
  const Role role = variable.role == "state"     ? Role::state
                    : variable.role == "forcing" ? Role::forcing
                                                 : Role::constant;
  return {variable.name, role, variable.levels, variable.weight, variable.short_name};
}

DatasetPeriod period_of(const DatasetKind& kind, const Period& period, const char* name) {
  if (!period.given() && !kind.own_periods)
    throw Error(ErrorKind::configuration, "dataset.periods.", name,
                " is missing; give its start, its end or both");
  return {period.start, period.end, period.step};
}

}  // namespace

DatasetSettings dataset_settings(const Configuration& configuration) {
  const DatasetSection& section = configuration.dataset;
  const DatasetKind& kind = dataset_kind(section.name);
  DatasetSettings settings;
  settings.name = section.name;
  settings.files = section.files;
  for (const VariableSection& variable : section.variables)
    settings.variables.push_back(variable_of(variable));
  settings.periods.train = period_of(kind, section.periods.train, "train");
  settings.periods.valid = period_of(kind, section.periods.valid, "valid");
  settings.periods.test = period_of(kind, section.periods.test, "test");
  settings.subgrid = section.subgrid;
  settings.border = section.border;
  settings.step_hours = section.step_hours;
  settings.members = section.members;
  settings.time_forcings = section.time_forcings;
  settings.statics = section.statics;
  settings.gaps = section.gaps == "error";
  settings.mask_missing = section.missing == "mask";
  settings.standardize = section.standardize;
  settings.cache_folder = configuration.run.root + "/cache";
  settings.seed = static_cast<uint64_t>(configuration.seed);
  return settings;
}

}  // namespace py4cast
