// A kind of data sets: what DatasetSettings::name may be.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/weather/field_store.h"
#include "engine/settings/json.h"
#include "engine/settings/registry.h"

namespace py4cast {

struct DatasetKind {
  std::string name;
  bool own_periods = false;  // brings its periods; the others must be given them
  // Errors as in FieldStore's constructor.
  std::function<std::shared_ptr<FieldStore>(const DatasetSettings& settings, MemoryLedger* ledger,
                                            std::optional<Statistics> statistics)>
      open;
  const SettingsTable* settings = nullptr;  // of DatasetSettings::own; null: none
  // Other defaults of the keys of DatasetSettings; null: none.
  std::shared_ptr<const Json> defaults = nullptr;
  // A file of another program's layout as keys of DatasetSettings; absent where it is none, or if there
  // is no such layout. Error(configuration): it is one, but cannot be taken.
  std::function<std::shared_ptr<const Json>(const Json& content, const std::string& file)>
      translate = {};

  // Of kinds that read any files of a format; null: none.
  // Whether a file or folder is of this format, by its content: never an error.
  std::function<bool(const std::string& path)> recognises = {};
  // The fields of files, whose names may be patterns (data/weather/data_files.h). `variables` are those that
  // matter (empty: not known yet) in files of several grids or axes of time, and not constant although they may
  // have one time. The ledger, if there is
  // one, counts the files that are open. Error(data).
  std::function<std::unique_ptr<FieldSource>(const std::vector<std::string>& files,
                                             const std::vector<std::string>& variables,
                                             MemoryLedger* ledger)>
      open_source = {};
};

// The kind of a format: opens the files of DatasetSettings::files by `open_source`. Error(configuration)
// when it opens: no file is given.
DatasetKind file_kind(const std::string& name,
                      std::function<bool(const std::string& path)> recognises,
                      decltype(DatasetKind::open_source) open_source);

// The kind that recognises the first of the files; else the one that was added first and reads files:
// it says what is wrong with them. Error(data): as expand_patterns; the files are of several kinds.
const DatasetKind& kind_of_files(const Registry<DatasetKind>& kinds,
                                 const std::vector<std::string>& files);
// Error(data): a file that this kind does not recognise, but another one does, which is named.
void check_kind_of_files(const Registry<DatasetKind>& kinds, const DatasetKind& kind,
                         const std::vector<std::string>& files);

}  // namespace py4cast
