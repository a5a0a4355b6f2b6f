// A GRIB file as a data set.
#include "data/grib/grib_dataset.h"
#include "tests/fuzz/door.h"

void py4cast::enter(std::string_view input) {
  const Stranger file("file.grib", input);
  walk(*grib_dataset().open_source({file.path()}, nullptr));
}
