#include "data/grib/grib_dataset.h"

#include "engine/error.h"
#if PY4CAST_GRIB
#include "data/grib/grib_source.h"
#endif

namespace py4cast {

#if PY4CAST_GRIB

namespace {

std::unique_ptr<FieldSource> open_grib_files(const std::vector<std::string>& files, MemoryLedger*) {
  return std::make_unique<GribSource>(files);
}

std::shared_ptr<FieldStore> open_grib_store(const DatasetSettings& settings, MemoryLedger* ledger,
                                            const std::optional<Statistics>& statistics) {
  if (settings.files.empty())
    throw Error(ErrorKind::configuration, "dataset.files: no file is given");
  std::vector<std::string> names;
  for (const DatasetVariable& variable : settings.variables) names.push_back(variable.name);
  return std::make_shared<FieldStore>(settings, std::make_unique<GribSource>(settings.files, names),
                                      ledger, statistics);
}

}  // namespace

DatasetKind grib_dataset() {
  return {.name = "grib",
          .open = open_grib_store,
          .recognises = is_grib,
          .open_source = open_grib_files};
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
