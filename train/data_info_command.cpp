// py4cast data info
#include <iostream>

#include "data/source.h"
#include "train/commands.h"
#include "train/source_summary.h"

namespace py4cast {

int run_data_info(const std::vector<std::string>& files) {
  std::cout << source_summary(*open_netcdf(files));
  return 0;
}

}  // namespace py4cast
