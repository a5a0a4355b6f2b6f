// py4cast config schema|example
#include <iostream>

#include "engine/error.h"
#include "train/configuration_documents.h"
#include "train/programs/commands.h"

namespace py4cast {

int run_config(const std::string& document) {
  if (document == "schema")
    std::cout << configuration_schema().dump(2) << '\n';
  else if (document == "example")
    std::cout << configuration_example();
  else
    throw Error(ErrorKind::configuration, "unknown document '", document, "'; did you mean '",
                nearest_name(document, {"schema", "example"}), "'?");
  return 0;
}

}  // namespace py4cast
