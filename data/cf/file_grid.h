// The horizontal grid of one file.
#pragma once

#include <set>
#include <string>

#include "data/cf/cf_files.h"
#include "data/weather/source.h"

namespace py4cast {

// Variables that others name as their bounds, climatology, cell measures, ancillary variables or grid
// mapping (CF conventions 1.8, sections 3.4, 5.6, 7.1, 7.2, 7.4), and those called X_bnds or X_bounds
// beside an X: neither fields nor coordinates.
std::set<std::string> helper_variables(const CfMetadata& metadata);

// " in the root group; the groups 'a', 'b' are not read", to end the reason for what was not found; empty
// without groups.
std::string unread_groups(const CfMetadata& metadata);

struct GridCoordinates {
  const CfVariable *latitude = nullptr, *longitude = nullptr;
};
// The pair on which most variables lie (then: the one with most points). Along one dimension each, or over
// two; a third one in front (WRF's time) if they are the same at all its indices. Error(data): none, with the reason (groups, a projection alone, a grid that moves); on
// different dimensions.
GridCoordinates find_grid(CfFiles& files, const CfMetadata& metadata,
                          const std::set<std::string>& helpers);

// On dimensions y and x, with the grid mapping that the field names. Longitudes are made continuous
// where they jump by 360 degrees inside the grid. Error(data): a coordinate is missing or out of range; of
// one dimension, a value that stands there twice or out of order; of two, both 0 at many points.
Grid read_grid(CfFiles& files, const CfMetadata& metadata, const GridCoordinates& coordinates,
               const std::string& y, const std::string& x, const CfVariable& field);

}  // namespace py4cast
