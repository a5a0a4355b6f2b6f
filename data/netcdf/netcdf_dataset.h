// CF netCDF files as a data set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/weather/dataset_kind.h"
#include "data/weather/source.h"

namespace py4cast {

// DatasetKind::open_source of CF netCDF files (netCDF-3 or -4): one or many files whose union over
// time (and runs, members, variables) is one data set. Entries may be names or shell patterns.
// Error(data): missing, truncated, foreign or inconsistent files.
std::unique_ptr<FieldSource> open_netcdf(const std::vector<std::string>& files,
                                         const std::vector<std::string>& variables = {},
                                         MemoryLedger* ledger = nullptr);

// "netcdf": the files of DatasetSettings::files. Error(configuration): none is given.
DatasetKind netcdf_dataset();

}  // namespace py4cast
