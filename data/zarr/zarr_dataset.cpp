#include "data/zarr/zarr_dataset.h"

#include "data/cf/cf_source.h"
#include "data/zarr/zarr_group.h"
#include "data/zarr/zarr_stores.h"

namespace py4cast {

// No file stays open.
std::unique_ptr<FieldSource> open_zarr(const std::vector<std::string>& stores, MemoryLedger*) {
  return std::make_unique<CfSource>(std::make_shared<ZarrStores>(), stores);
}

DatasetKind zarr_dataset() {
  return file_kind("zarr", is_zarr, [](const auto& files, const auto&, MemoryLedger* ledger) {
    return open_zarr(files, ledger);
  });
}

}  // namespace py4cast
