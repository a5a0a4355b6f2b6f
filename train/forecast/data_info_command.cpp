// py4cast data info
#include <iostream>

#include "train/forecast/commands.h"
#include "train/forecast/source_summary.h"

namespace py4cast {

Command data_info_command(const ForecastRegistries& kinds) {
  return {"data info",
          "FILE...",
          1,
          size_t(-1),
          "Prints grid, times and variables of files.",
          {},
          {},
          [&kinds](const Arguments& arguments) {
            const DatasetKind& kind = kind_of_files(kinds.datasets, arguments.positional);
            std::cout << source_summary(*kind.open_source(arguments.positional, nullptr));
            return 0;
          }};
}

}  // namespace py4cast
