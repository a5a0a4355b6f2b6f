#include "train/forecast/dataset_kinds.h"

#include "data/netcdf/netcdf_dataset.h"
#include "data/simulation/dummy.h"
#include "engine/error.h"

namespace py4cast {

const DatasetKind& dataset_kind(const std::string& name) {
  static const DatasetKind kinds[] = {netcdf_dataset(), dummy_dataset()};
  std::vector<std::string> names;
  for (const DatasetKind& kind : kinds) {
    if (kind.name == name) return kind;
    names.push_back(kind.name);
  }
  throw Error(ErrorKind::configuration, "dataset.name: there is no data set '", name,
              "' in this build; the nearest is '", nearest_name(name, names), "'");
}

}  // namespace py4cast
