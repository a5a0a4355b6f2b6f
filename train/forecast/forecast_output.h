// What a forecast gives to those who asked for it: fields in physical units, and tables for points.
#pragma once

#include <string>
#include <vector>

#include "data/weather/field_store.h"
#include "data/weather/forecast.h"

namespace py4cast {

// predictions[member][time]: f32 [1, rows, columns, state] on the host, as the network gives them. One
// field per variable: its levels are the features of that variable. NaN where the training never had a
// value.
std::vector<ForecastField> physical_fields(const FieldStore& store,
                                           const std::vector<std::vector<Tensor>>& predictions);

// Error(input_output): its folder is missing, it is one of the files of the data, or exists and is not to be
// overwritten.
void check_output(const std::string& out, const DatasetSettings& dataset, bool overwrite);

struct Place {
  double latitude = 0, longitude = 0;  // degrees
};
// "48.1,-1.7;52,0". Error(configuration): not such a list.
std::vector<Place> parse_places(const std::string& text);

// Index (row major) of the grid point that is nearest on the sphere. Error(configuration): the place is
// farther from it than the points are from each other there, so it lies outside of the grid.
int64_t nearest_point(const Grid& grid, const Place& place);

// A meteogram of the nearest point: a line for each time, a column for each field, level and member.
std::string point_table(const ForecastFile& forecast, const Place& place);

}  // namespace py4cast
