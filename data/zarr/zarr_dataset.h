// Zarr stores as a data set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/weather/dataset_kind.h"
#include "data/weather/source.h"

namespace py4cast {

// DatasetKind::open_source of stores in local folders, versions 2 and 3: one or many, whose union over time
// (and runs, members, variables) is one data set. Entries may be names or shell patterns. Error(data):
// missing, damaged, foreign or inconsistent stores.
std::unique_ptr<FieldSource> open_zarr(const std::vector<std::string>& stores,
                                       const std::vector<std::string>& variables = {},
                                       MemoryLedger* ledger = nullptr);

// "zarr": the stores of DatasetSettings::files.
DatasetKind zarr_dataset();

}  // namespace py4cast
