#include "data/netcdf/netcdf_dataset.h"

#include "data/netcdf/netcdf_source.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::shared_ptr<FieldStore> open_store(const DatasetSettings& settings, MemoryLedger* ledger,
                                       const std::optional<Statistics>& statistics) {
  if (settings.files.empty())
    throw Error(ErrorKind::configuration, "dataset.files: no file is given");
  return std::make_shared<FieldStore>(settings, open_netcdf(settings.files, ledger), ledger,
                                      statistics);
}

}  // namespace

std::unique_ptr<FieldSource> open_netcdf(const std::vector<std::string>& files,
                                         MemoryLedger* ledger) {
  return std::make_unique<NetcdfSource>(files, 128, ledger);
}

DatasetKind netcdf_dataset() {
  return {"netcdf", false, open_store};
}

}  // namespace py4cast
