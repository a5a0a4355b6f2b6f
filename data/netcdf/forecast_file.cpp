#include "data/netcdf/forecast_file.h"

#include "data/netcdf/netcdf_writer.h"

namespace py4cast {

void write_forecast(const std::string& path, const ForecastFile& forecast) {
  NetcdfWriter writer(path);
  write_forecast(writer, path, forecast);
  writer.finish();
}

}  // namespace py4cast
