// The original's data set "titan": hourly analyses of AROME and ARPEGE on grids of latitudes and longitudes.
#pragma once

#include "data/weather/dataset_kind.h"

namespace py4cast {

// The tree of TitanSettings (data/titan/titan_source.h). Features are called as the original's:
// "aro_t2m_2m", "aro_t_850hPa". Error(configuration): no root; the program was built without ecCodes.
// Error(data): as TitanSource.
DatasetKind titan_dataset();

}  // namespace py4cast
