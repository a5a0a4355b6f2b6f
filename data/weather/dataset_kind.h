// A kind of data sets: what DatasetSettings::name may be.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "data/weather/field_store.h"

namespace py4cast {

struct DatasetKind {
  std::string name;
  bool own_periods = false;  // brings its periods; the others must be given them
  // Errors as in FieldStore's constructor.
  std::function<std::shared_ptr<FieldStore>(const DatasetSettings& settings, MemoryLedger* ledger,
                                            std::optional<Statistics> statistics)>
      open;
  const SettingsTable* settings = nullptr;  // of DatasetSettings::own; null: none
};

}  // namespace py4cast
