// A kind of data sets: what DatasetSettings::name may be.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "data/weather/field_store.h"

namespace py4cast {

struct DatasetKind {
  std::string name;
  bool own_periods;  // brings its periods; the others must be given them
  // Errors as in FieldStore's constructor.
  std::shared_ptr<FieldStore> (*open)(const DatasetSettings& settings, MemoryLedger* ledger,
                                      std::optional<Statistics> statistics);
};

}  // namespace py4cast
