#include "data/titan/titan_dataset.h"

#include <nlohmann/json.hpp>

#include "data/titan/titan_settings.h"
#include "engine/error.h"
#if PY4CAST_GRIB
#include "data/titan/titan_source.h"
#endif

namespace py4cast {
namespace {

constexpr const char* titan_keys = R"({
  "variables": {
    "aro_t2m": {"role": "state", "levels": [2]},
    "aro_tp": {"role": "state", "levels": [0]},
    "aro_u10": {"role": "state", "levels": [10]},
    "aro_v10": {"role": "state", "levels": [10]},
    "aro_r2": {"role": "state", "levels": [2]}
  },
  "periods": {
    "train": {"start": "2023-01-01T06:00", "end": "2023-05-31T23:00", "step": 3},
    "valid": {"start": "2023-06-01T00:00", "end": "2023-08-31T23:00", "step": 3},
    "test": {"start": "2023-09-01T00:00", "end": "2023-12-31T23:00", "step": 3}
  },
  "time_forcings_first": true,
  "land_sea_mask_of_zeros": true,
  "step_hours": 1,
  "subgrid": [383, 1407, 888, 1912],
  "border": 0
})";

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
  return {.name = "titan",
          .own_periods = true,
          .open = open_titan,
          .settings = &table_of<TitanSettings>(),
          .defaults = std::make_shared<const Json>(Json::parse(titan_keys)),
          .translate = translate_titan};
}

}  // namespace py4cast
