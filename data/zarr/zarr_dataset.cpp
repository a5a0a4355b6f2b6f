#include "data/zarr/zarr_dataset.h"

#include "data/cf/cf_source.h"
#include "data/zarr/zarr_group.h"
#include "data/zarr/zarr_stores.h"

namespace py4cast {

// No file stays open.
std::unique_ptr<FieldSource> open_zarr(const std::vector<std::string>& stores,
                                       const std::vector<std::string>& variables, MemoryLedger*) {
  return std::make_unique<CfSource>(std::make_shared<ZarrStores>(), stores, variables);
}

DatasetKind zarr_dataset() {
  return file_kind("zarr", is_zarr, open_zarr);
}

}  // namespace py4cast
