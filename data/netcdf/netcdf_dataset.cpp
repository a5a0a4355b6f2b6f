#include "data/netcdf/netcdf_dataset.h"

#include "data/cf/cf_source.h"
#include "data/netcdf/netcdf_file.h"

namespace py4cast {

std::unique_ptr<FieldSource> open_netcdf(const std::vector<std::string>& files,
                                         const std::vector<std::string>& variables,
                                         MemoryLedger* ledger) {
  return std::make_unique<CfSource>(std::make_shared<NetcdfPool>(128, ledger), files, variables);
}

DatasetKind netcdf_dataset() {
  return file_kind("netcdf", is_netcdf, open_netcdf);
}

}  // namespace py4cast
