#include "data/weather/dataset_settings.h"

#include "engine/error.h"

namespace py4cast {

Role parse_role(std::string_view name) {
  if (name == "state") return Role::state;
  if (name == "forcing") return Role::forcing;
  if (name == "static") return Role::constant;
  if (name == "diagnostic") return Role::diagnostic;
  throw Error(ErrorKind::configuration, "'", name, "' is no role of a variable; the nearest is '",
              nearest_name(name, {"state", "forcing", "static", "diagnostic"}), "'");
}

}  // namespace py4cast
