// The constant fields of a data set.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/weather/dataset_settings.h"
#include "data/weather/named_tensor.h"
#include "data/weather/source.h"

namespace py4cast {

using Sources = std::vector<std::unique_ptr<FieldSource>>;

// [rows, columns, 1]: 1 on a frame of `border` points, 0 inside. Error(configuration): negative, or
// so wide that nothing is left inside.
Tensor make_border_mask(int64_t rows, int64_t columns, int64_t border);

// [lat, lon, features] f32, in the order and with the scaling that data/weather/field_store.h
// gives. `grid` is that of the region. What the source lacks is taken from the first of `more` that has it, by its
// first time, bilinear where its grid is another one. Notes are added for what is left out, the same everywhere, or
// not constant in time: then the first one is taken. Error(data): points outside of the grid of `more`.
NamedTensor make_statics(const DatasetSettings& settings, FieldSource& source, const Sources& more,
                         const Region& region, const Grid& grid, std::vector<std::string>& notes);

}  // namespace py4cast
