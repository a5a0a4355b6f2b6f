// Stores as anemoi-datasets writes them.
#pragma once

#include <optional>

#include "data/zarr/feature_view.h"

namespace py4cast {

// An array `data` [dates, variables, ensemble, cells] beside `dates`, `latitudes` and `longitudes`; the
// store's attributes name the variables. Each becomes a variable on a grid: of rows and columns where the
// cells have as many latitudes and longitudes, else as field_shape says. What constant_fields names has
// no time; missing_dates are gaps. Nothing: a store of another kind. Error(data): cells of a reduced or
// unstructured grid; parts that do not fit together.
// Source: anemoi-datasets 0.5.
std::optional<FeatureView> anemoi_view(const StoreContent& store);

}  // namespace py4cast
