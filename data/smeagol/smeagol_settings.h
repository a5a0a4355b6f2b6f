// The keys of the data set "smeagol": dataset.settings.
#pragma once

#include <string>

#include "engine/settings/settings.h"

namespace py4cast {

struct SmeagolTerm : Settings {
  PY4CAST_SETTING(double, start, 3, "First term that is used, in hours after the start of the run.",
                  .minimum = 0);
  PY4CAST_SETTING(double, end, 9, "End of the terms, in hours; this one is not used.",
                  .minimum = 0);
  PY4CAST_SETTING(double, timestep, 0.25, "Distance of two terms, in hours.", .minimum = 0);
};

struct SmeagolSettings : Settings {
  PY4CAST_SETTING(std::string, root, "",
                  "Folder that holds the tree nc/DOMAIN/MODEL_GEOMETRY/...; empty: that of the "
                  "environment variable PY4CAST_SMEAGOL_PATH.");
  PY4CAST_SETTING(std::string, domain, "france", "Name of the domain in the tree.");
  PY4CAST_SETTING(std::string, model, "arome", "Name of the model in the tree.");
  PY4CAST_SETTING(std::string, geometry, "franmgsp32", "Name of the geometry in the tree.");
  PY4CAST_SECTION(SmeagolTerm, term, "The lead times of the runs.");
  PY4CAST_SETTING(double, central_longitude, 2, "Of the Lambert conformal projection [degrees].");
  PY4CAST_SETTING(double, central_latitude, 46.7, "Of the Lambert conformal projection [degrees].");
  PY4CAST_SETTING(Numbers, standard_parallels, (Numbers{46.7}),
                  "Of the Lambert conformal projection [degrees].", .lengths = {1, 2});
  PY4CAST_SETTING(std::string, original_file, "",
                  "The file in the original's layout that this was made from; for the record.");
};

}  // namespace py4cast
