#include "data/weather/dataset_kind.h"

#include "data/weather/data_files.h"
#include "engine/error.h"

namespace py4cast {
namespace {

// Null: no kind does.
const DatasetKind* kind_that_recognises(const Registry<DatasetKind>& kinds,
                                        const std::string& path) {
  for (const DatasetKind& kind : kinds)
    if (kind.recognises && kind.recognises(path)) return &kind;
  return nullptr;
}

}  // namespace

DatasetKind file_kind(const std::string& name,
                      std::function<bool(const std::string& path)> recognises,
                      decltype(DatasetKind::open_source) open_source) {
  const auto open = [open_source](const DatasetSettings& settings, MemoryLedger* ledger,
                                  const std::optional<Statistics>& statistics) {
    if (settings.files.empty())
      throw Error(ErrorKind::configuration, "dataset.files: no file is given");
    std::vector<std::string> variables;
    for (const DatasetVariable& variable : settings.variables)
      if (variable.role != Role::constant) variables.push_back(variable.name);
    return std::make_shared<FieldStore>(settings, open_source(settings.files, variables, ledger),
                                        ledger, statistics);
  };
  return {.name = name,
          .open = open,
          .recognises = std::move(recognises),
          .open_source = std::move(open_source)};
}

const DatasetKind& kind_of_files(const Registry<DatasetKind>& kinds,
                                 const std::vector<std::string>& files) {
  const DatasetKind* kind = kind_that_recognises(kinds, expand_patterns(files).front());
  for (auto known = kinds.begin(); !kind && known != kinds.end(); ++known)
    if (known->open_source) kind = &*known;
  if (!kind) throw Error(ErrorKind::internal, "no kind of data set reads files");
  check_kind_of_files(kinds, *kind, files);
  return *kind;
}

void check_kind_of_files(const Registry<DatasetKind>& kinds, const DatasetKind& kind,
                         const std::vector<std::string>& files) {
  if (!kind.recognises) return;
  for (const std::string& path : expand_patterns(files)) {
    if (kind.recognises(path)) continue;
    if (const DatasetKind* other = kind_that_recognises(kinds, path))
      throw Error(ErrorKind::data, path, ": this is ", other->name, ", not ", kind.name,
                  "; dataset.name ", other->name, " reads it");
  }
}

}  // namespace py4cast
