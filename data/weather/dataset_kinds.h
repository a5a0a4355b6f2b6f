// The kinds of data sets: what DatasetSettings::name may be. The one place that lists them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "data/weather/field_store.h"

namespace py4cast {

struct DatasetKind {
  std::string_view name;
  bool own_periods;  // brings its periods; the others must be given them
  std::shared_ptr<FieldStore> (*open)(const DatasetSettings& settings, MemoryLedger* ledger,
                                      std::optional<Statistics> statistics);
};

// Error(configuration): there is none of that name, with the nearest.
const DatasetKind& dataset_kind(const std::string& name);

}  // namespace py4cast
