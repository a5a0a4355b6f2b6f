// The original's data set "smeagol": runs of an ensemble on a Lambert conformal grid, as a tree of netCDF.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// The tree of SmeagolSettings (data/smeagol/smeagol_source.h). What the settings leave open is the
// original's configuration: 69 states, two forcings, runs every three hours from 2022-08-06 to
// 2023-02-16, terms 3 h to 9 h, five members, rows and columns 50 to 562, a border of 10. A file of
// --dataset_conf may be of the original's layout.
// Error(configuration): no root. Error(data): as SmeagolSource.
DatasetKind smeagol_dataset();

// A configuration in the original's layout as keys of DatasetSettings; null: it is none.
//   periods.{train,valid,test}.{start,end,step}            step: hours between runs (run_step)
//   grid.{domain,model,geometry,border_size,subgrid}
//   dataset.SOURCE.{grid, members, term, var.NAME.{shortname, level, kind}}
// Without `level` a variable is one of the surface. Variables of all sources are taken one after the other,
// members and term those of the last one.
// Error(configuration): a key that is missing or unknown, a source on another grid, a variable that is only
// an output.
std::shared_ptr<const Json> translate_smeagol(const Json& content, const std::string& file);

}  // namespace py4cast
