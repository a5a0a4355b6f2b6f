#include "train/programs/built_in.h"

#include "data/netcdf/tensor_file.h"
#include "train/forecast/forecast_kind.h"

namespace py4cast {

std::shared_ptr<const Registries> built_in_registries(
    const std::function<void(Registries&, ForecastRegistries&)>& more) {
  struct All {
    Registries general;
    ForecastRegistries forecast;
  };
  const auto all = std::make_shared<All>();
  add_built_in(all->general, read_netcdf_tensors);
  add_built_in(all->forecast);
  if (more) more(all->general, all->forecast);
  all->general.tasks.add(forecast_kind(all->general, all->forecast));
  return {all, &all->general};
}

}  // namespace py4cast
