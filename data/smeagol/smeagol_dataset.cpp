#include "data/smeagol/smeagol_dataset.h"

#include <nlohmann/json.hpp>

#include "data/smeagol/smeagol_source.h"

namespace py4cast {
namespace {

constexpr const char* default_keys = R"({
  "variables": {
    "TEMPERATURE": {"role": "state", "short_name": "t"},
    "WIND.V.PHYS": {"role": "state", "short_name": "v"},
    "WIND.U.PHYS": {"role": "state", "short_name": "u"},
    "HUMI.SPECIFI": {"role": "state", "short_name": "q"},
    "SURFTEMPERATURE": {"role": "state", "short_name": "surf_t"},
    "CLSTEMPERATURE": {"role": "state", "short_name": "2t"},
    "CLSHUMI.RELATIVE": {"role": "state", "short_name": "2hu"},
    "CLSVENT.ZONAL": {"role": "state", "short_name": "10u"},
    "CLSVENT.MERIDIEN": {"role": "state", "short_name": "10v"},
    "CLSU.RAF60M.XFU": {"role": "state", "short_name": "u_raf"},
    "CLSV.RAF60M.XFU": {"role": "state", "short_name": "v_raf"},
    "SURFPRESSION": {"role": "state", "short_name": "psurf"},
    "SURFACCPLUIE": {"role": "state", "short_name": "rain"},
    "SOMMFLU.RAY.SOLA": {"role": "forcing", "short_name": "Rad_Flux"},
    "SOMMRAYT.SOLAIRE": {"role": "forcing", "short_name": "Rad"}
  },
  "periods": {
    "train": {"start": "2022-08-06T00:00", "end": "2023-01-06T00:00", "run_step": 3},
    "valid": {"start": "2023-01-28T00:00", "end": "2023-02-16T00:00", "run_step": 3},
    "test": {"start": "2023-01-07T00:00", "end": "2023-01-27T00:00", "run_step": 3}
  },
  "time_forcings_first": true,
  "windows": "disjoint",
  "subgrid": [50, 562, 50, 562],
  "border": 10,
  "members": [0, 1, 2, 3, 4]
})";

constexpr const char* levelled[] = {"TEMPERATURE", "WIND.V.PHYS", "WIND.U.PHYS", "HUMI.SPECIFI"};
constexpr int model_levels[] = {90, 85, 80, 75, 70, 65, 60, 55, 50, 45, 40, 30, 20, 10, 1};

std::shared_ptr<const Json> make_defaults() {
  Json keys = Json::parse(default_keys);
  for (const char* name : levelled) keys["variables"][name]["levels"] = model_levels;
  return std::make_shared<const Json>(std::move(keys));
}

std::shared_ptr<FieldStore> open_smeagol(const DatasetSettings& settings, MemoryLedger* ledger,
                                         const std::optional<Statistics>& statistics) {
  const auto own = settings.own ? read_settings<SmeagolSettings>(*settings.own) : SmeagolSettings{};
  return std::make_shared<FieldStore>(
      settings, std::make_unique<SmeagolSource>(own, settings.members, ledger), ledger, statistics);
}

}  // namespace

DatasetKind smeagol_dataset() {
  return {.name = "smeagol",
          .own_periods = true,
          .open = open_smeagol,
          .settings = &table_of<SmeagolSettings>(),
          .defaults = make_defaults(),
          .translate = translate_smeagol};
}

}  // namespace py4cast
