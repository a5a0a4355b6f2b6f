// A netCDF file of any version as a data set.
#include "data/netcdf/netcdf_dataset.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger file("file.nc", input);
  walk(*open_netcdf({file.path()}));
}
