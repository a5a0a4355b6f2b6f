#include "data/weather/source.h"

#include "engine/error.h"

namespace py4cast {

const VariableInfo& FieldSource::variable(const std::string& name) const {
  std::vector<std::string> names;
  for (const VariableInfo& info : variables()) {
    if (info.name == name) return info;
    names.push_back(info.name);
  }
  throw Error(ErrorKind::data, "variable '", name, "' is missing; the nearest is '",
              nearest_name(name, names), "'");
}

Packing FieldSource::read_stored(const FieldRequest& request, const Region& region, void* out) {
  read(request, region, static_cast<float*>(out));
  return {};
}

}  // namespace py4cast
