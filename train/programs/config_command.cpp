// py4cast config schema|example
#include <iostream>

#include "engine/error.h"
#include "train/programs/commands.h"

namespace py4cast {

Command config_command(const Registries& registries) {
  return {"config",
          "schema|example",
          1,
          1,
          "Prints the JSON schema of the configuration, or a complete commented example.",
          {},
          {},
          [&registries](const Arguments& arguments) {
            const std::string& document = arguments.positional[0];
            if (document == "schema")
              std::cout << configuration_schema(registries).dump(2) << '\n';
            else if (document == "example")
              std::cout << configuration_example(registries);
            else
              throw Error(ErrorKind::configuration, "unknown document '", document,
                          "'; did you mean '", nearest_name(document, {"schema", "example"}), "'?");
            return 0;
          }};
}

}  // namespace py4cast
