// py4cast data info
#include <iostream>

#include "data/netcdf/netcdf_dataset.h"
#include "train/forecast/source_summary.h"
#include "train/programs/commands.h"

namespace py4cast {

int run_data_info(const std::vector<std::string>& files) {
  std::cout << source_summary(*open_netcdf(files));
  return 0;
}

}  // namespace py4cast
