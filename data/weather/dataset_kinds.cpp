#include "data/weather/dataset_kinds.h"

#include <vector>

#include "data/simulation/dummy.h"
#include "engine/error.h"

namespace py4cast {
namespace {

std::shared_ptr<FieldStore> open_files(const DatasetSettings& settings, MemoryLedger* ledger,
                                       std::optional<Statistics> statistics) {
  if (settings.files.empty())
    throw Error(ErrorKind::configuration, "dataset.files: no file is given");
  return std::make_shared<FieldStore>(settings, open_netcdf(settings.files, ledger), ledger,
                                      statistics);
}

std::shared_ptr<FieldStore> open_dummy(const DatasetSettings& settings, MemoryLedger* ledger,
                                       std::optional<Statistics> statistics) {
  const DatasetSettings full = dummy_settings(settings);
  if (!statistics) statistics = dummy_statistics(full);
  return std::make_shared<FieldStore>(full, make_dummy_source(full.seed), ledger, statistics);
}

constexpr DatasetKind kinds[] = {{"netcdf", false, open_files}, {"dummy", true, open_dummy}};

}  // namespace

const DatasetKind& dataset_kind(const std::string& name) {
  std::vector<std::string> names;
  for (const DatasetKind& kind : kinds) {
    if (kind.name == name) return kind;
    names.emplace_back(kind.name);
  }
  throw Error(ErrorKind::configuration, "dataset.name: there is no data set '", name,
              "' in this build; the nearest is '", nearest_name(name, names), "'");
}

}  // namespace py4cast
