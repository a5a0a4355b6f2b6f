#include "data/grib/grib_dataset.h"

#include "engine/error.h"
#if PY4CAST_GRIB
#include "data/grib/grib_source.h"
#endif

namespace py4cast {

#if PY4CAST_GRIB

namespace {

std::unique_ptr<FieldSource> open_grib(const std::vector<std::string>& files,
                                       const std::vector<std::string>& variables, MemoryLedger*) {
  return std::make_unique<GribSource>(files, variables);
}

}  // namespace

DatasetKind grib_dataset() {
  return file_kind("grib", is_grib, open_grib);
}

#else

DatasetKind grib_dataset() {
  const auto refuse = [](const DatasetSettings&, MemoryLedger*,
                         const std::optional<Statistics>&) -> std::shared_ptr<FieldStore> {
    throw Error(ErrorKind::configuration,
                "dataset.name: 'grib' needs ecCodes, and this program was built without it "
                "(PY4CAST_GRIB=OFF)");
  };
  return {.name = "grib", .open = refuse};
}

#endif

}  // namespace py4cast
