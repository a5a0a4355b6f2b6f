#include "data/titan/titan_dataset.h"

#include "data/titan/titan_settings.h"
#include "engine/error.h"
#if PY4CAST_GRIB
#include "data/titan/titan_source.h"
#endif

namespace py4cast {
namespace {

#if PY4CAST_GRIB

std::shared_ptr<FieldStore> open_titan(const DatasetSettings& settings, MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics) {
  const auto own = settings.own ? read_settings<TitanSettings>(*settings.own) : TitanSettings{};
  return std::make_shared<FieldStore>(settings, std::make_unique<TitanSource>(own), ledger,
                                      statistics);
}

#else

std::shared_ptr<FieldStore> open_titan(const DatasetSettings&, MemoryLedger*,
                                       const std::optional<Statistics>&) {
  throw Error(ErrorKind::configuration,
              "dataset.name: 'titan' needs ecCodes, and this program was built without it "
              "(PY4CAST_GRIB=OFF)");
}

#endif

}  // namespace

DatasetKind titan_dataset() {
  return {.name = "titan", .open = open_titan, .settings = &table_of<TitanSettings>()};
}

}  // namespace py4cast
