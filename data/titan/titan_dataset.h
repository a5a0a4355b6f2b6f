// The original's data set "titan": hourly analyses of AROME and ARPEGE on grids of latitudes and longitudes.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// The tree of TitanSettings (data/titan/titan_source.h). What the settings leave open is the original's
// configuration: five fields at the ground of AROME's analyses, every hour of 2023, samples every three hours,
// 1024 x 1024 points of 0.01 degree, forcings of the time before the others and a land-sea mask of zeros. Features
// are called as the original's: "aro_t2m_2m", "aro_t_850hPa". A file of --dataset_conf may be of the original's layout. Error(configuration): no root; the program was built
// without ecCodes. Error(data): as TitanSource.
DatasetKind titan_dataset();

// A configuration in the original's layout as keys of DatasetSettings; null: it is none.
//   periods.{train,valid,test}.{start,end}, with {step} [h] or {obs_step,obs_step_btw_t0} [s]
//   grid.{name,border_size}, with {subgrid} or {subdomain}; proj_name and projection_kwargs are not needed
//   settings.{standardize,file_format}, with {step_duration} [h] or {add_landsea_mask}
//   params.NAME.{levels,kind}; members are not needed
// Inputs are those of the file's version (titan_layout.cpp): the first has its forcings of the time first, later ones the
// radiation at the top of the atmosphere behind them (as max(0, cos(zenith angle)), the original's divided by 1366 W m-2); until
// November 2024 there is a land-sea mask, of zeros.
// Error(configuration): a key that is missing or unknown, periods of different steps, a parameter that is only
// an output.
std::shared_ptr<const Json> translate_titan(const Json& content, const std::string& file);

}  // namespace py4cast
