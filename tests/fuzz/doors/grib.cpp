// A GRIB file as a data set, but for its numbers: ecCodes decodes them, and trusts them (data/README.md).
#include "data/grib/grib_dataset.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger file("file.grib", input);
  walk(*grib_dataset().open_source({file.path()}, {}, nullptr), false);
}
