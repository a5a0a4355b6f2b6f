// A file that begins as netCDF-3 does.
#include "data/netcdf/netcdf_file.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger file("classic.nc", input);
  check_classic_header(file.path());
}
