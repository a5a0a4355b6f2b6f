// py4cast data info
#include <iostream>

#include "data/netcdf/netcdf_dataset.h"
#include "train/forecast/commands.h"
#include "train/forecast/source_summary.h"

namespace py4cast {

Command data_info_command() {
  return {"data info",
          "FILE.nc...",
          1,
          size_t(-1),
          "Prints grid, times and variables of files.",
          {},
          {},
          [](const Arguments& arguments) {
            std::cout << source_summary(*open_netcdf(arguments.positional));
            return 0;
          }};
}

}  // namespace py4cast
