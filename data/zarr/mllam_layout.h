// Stores as mllam-data-prep writes them.
#pragma once

#include <optional>

#include "data/zarr/feature_view.h"

namespace py4cast {

// Arrays `state`, `forcing`, `static` along grid_index and NAME_feature, whose coordinates name variables,
// units and long names; the points have two coordinates (x and y, or longitude and latitude) in which they
// form a rectangle. Each feature becomes a variable, whose role is that of its array. Nothing: a store of
// another kind. Error(data): the points form no rectangle.
// Source: mllam-data-prep, schema v0.5.0 and v0.6.0.
std::optional<FeatureView> mllam_view(const StoreContent& store);

}  // namespace py4cast
