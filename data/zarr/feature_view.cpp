#include "data/zarr/feature_view.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "data/cf/cf_files.h"
#include "engine/error.h"

namespace py4cast {
namespace {

bool any_missing(const std::vector<double>& values) {
  return std::ranges::any_of(values, [](double value) { return std::isnan(value); });
}

// The distinct values in the order in which they first come.
std::vector<double> distinct_values(const std::vector<double>& values) {
  std::map<double, size_t> known;
  std::vector<double> result;
  for (const double value : values)
    if (known.emplace(value, result.size()).second) result.push_back(value);
  return result;
}

std::map<double, size_t> places_of(const std::vector<double>& values) {
  std::map<double, size_t> places;
  for (size_t i = 0; i < values.size(); ++i) places[values[i]] = i;
  return places;
}

// The region of a feature's block, and how much lies before and behind the axis of the points.
struct FeatureBlock {
  std::vector<size_t> start, count;  // of the array
  size_t first_row = 0, rows = 0, first_column = 0, columns = 0;
  size_t outer = 1, inner = 1;
};

FeatureBlock block_of(const ArrayFeature& feature, size_t rank, const std::vector<size_t>& start,
                      const std::vector<size_t>& count) {
  FeatureBlock block{.start = std::vector<size_t>(rank), .count = std::vector<size_t>(rank, 1)};
  size_t seen = 0;
  for (size_t axis = 0; axis < rank; ++axis) {
    if (const auto fixed = feature.fixed.find(axis); fixed != feature.fixed.end()) {
      block.start[axis] = fixed->second;
    } else if (axis == feature.points) {
      block.first_row = start[seen];
      block.rows = count[seen++];
      block.first_column = start[seen];
      block.columns = count[seen++];
    } else {
      block.start[axis] = start[seen];
      block.count[axis] = count[seen++];
      (axis < feature.points ? block.outer : block.inner) *= block.count[axis];
    }
  }
  return block;
}

}  // namespace

CfAttribute text_attribute(const std::string& text) {
  return {ElementType::text, text, {}};
}

bool add_rectangle(const CfVariable& y, const std::vector<double>& y_of_points, const CfVariable& x,
                   const std::vector<double>& x_of_points, FeatureView& view) {
  if (any_missing(y_of_points) || any_missing(x_of_points)) return false;
  const std::vector<double> rows = distinct_values(y_of_points),
                            columns = distinct_values(x_of_points);
  const size_t points = y_of_points.size();
  if (points != x_of_points.size() || rows.size() < 2 || columns.size() < 2 ||
      rows.size() != points / columns.size() || points % columns.size() != 0)
    return false;
  const std::map<double, size_t> row_of = places_of(rows), column_of = places_of(columns);
  std::vector<size_t> places(points, points);
  for (size_t i = 0; i < points; ++i)
    places[row_of.at(y_of_points[i]) * columns.size() + column_of.at(x_of_points[i])] = i;
  if (std::ranges::find(places, points) != places.end()) return false;
  view.points = std::move(places);
  view.rows = rows.size();
  view.columns = columns.size();
  view.y = y.name;
  view.x = x.name;
  add_numbers(y.name, {y.name}, y.attributes, rows, view);
  add_numbers(x.name, {x.name}, x.attributes, columns, view);
  return true;
}

void add_rectangle(size_t rows, size_t columns, FeatureView& view) {
  view.y = "y";
  view.x = "x";
  view.rows = rows;
  view.columns = columns;
  view.metadata.dimensions[view.y] = rows;
  view.metadata.dimensions[view.x] = columns;
  for (size_t i = 0; i < rows * columns; ++i) view.points.push_back(i);
}

void add_numbers(const std::string& name, const std::vector<std::string>& dimensions,
                 const std::map<std::string, CfAttribute>& attributes, std::vector<double> numbers,
                 FeatureView& view) {
  if (dimensions.size() == 1) view.metadata.dimensions[dimensions[0]] = numbers.size();
  CfVariable variable{.name = name, .dimensions = dimensions, .type = ElementType::f64};
  variable.attributes = attributes;
  for (const char* packing : {"scale_factor", "add_offset"}) variable.attributes.erase(packing);
  for (const std::string& dimension : dimensions)
    variable.shape.push_back(view.metadata.dimensions.at(dimension));
  view.metadata.variables.push_back(variable);
  view.numbers[name] = std::move(numbers);
}

void add_of_points(const CfVariable& variable, const std::vector<double>& of_points,
                   FeatureView& view) {
  std::vector<double> numbers;
  for (const size_t place : view.points) numbers.push_back(of_points.at(place));
  add_numbers(variable.name, {view.y, view.x}, variable.attributes, std::move(numbers), view);
}

void add_feature(const CfVariable& array, const std::string& name, const ArrayFeature& feature,
                 const std::map<std::string, CfAttribute>& attributes, FeatureView& view) {
  CfVariable variable = array;
  variable.name = view.metadata.find(name) ? name + "_" + array.name : name;
  for (const auto& [key, attribute] : attributes) variable.attributes[key] = attribute;
  variable.dimensions.clear();
  variable.shape.clear();
  const auto add = [&](const std::string& dimension, size_t length) {
    variable.dimensions.push_back(dimension);
    variable.shape.push_back(length);
  };
  for (size_t axis = 0; axis < array.shape.size(); ++axis) {
    if (feature.fixed.contains(axis)) continue;
    if (axis == feature.points) {
      add(view.y, view.rows);
      add(view.x, view.columns);
    } else {
      add(array.dimensions[axis],
          axis == 0 && !view.times.empty() ? view.times.size() : array.shape[axis]);
    }
  }
  view.metadata.variables.push_back(variable);
  view.features[variable.name] = feature;
}

void read_feature(const FeatureView& view, const ArrayFeature& feature,
                  const std::vector<size_t>& array_shape, size_t element,
                  const std::vector<size_t>& start, const std::vector<size_t>& count,
                  const ReadArray& read, std::byte* out) {
  const bool sees_times = !view.times.empty() && !feature.fixed.contains(0);
  if (sees_times && count[0] != 1) {  // one after another, since they need not be neighbours
    std::vector<size_t> one_start = start, one_count = count;
    one_count[0] = 1;
    for (size_t i = 0; i < count[0]; ++i, ++one_start[0])
      read_feature(view, feature, array_shape, element, one_start, one_count, read,
                   out + i * product(one_count) * element);
    return;
  }
  if (product(count) == 0) return;
  FeatureBlock block = block_of(feature, array_shape.size(), start, count);
  if (sees_times) block.start[0] = view.times.at(block.start[0]);
  std::vector<size_t> places;
  for (size_t row = 0; row < block.rows; ++row)
    for (size_t column = 0; column < block.columns; ++column)
      places.push_back(
          view.points.at((block.first_row + row) * view.columns + block.first_column + column));
  const auto [lowest, highest] = std::ranges::minmax(places);
  const size_t length = highest - lowest + 1;
  block.start[feature.points] = lowest;
  block.count[feature.points] = length;
  std::vector<std::byte> all(block.outer * length * block.inner * element);
  read(block.start, block.count, all.data());
  const size_t bytes = block.inner * element;
  for (size_t o = 0; o < block.outer; ++o)
    for (const size_t place : places) {
      std::memcpy(out, all.data() + (o * length + place - lowest) * bytes, bytes);
      out += bytes;
    }
}

}  // namespace py4cast
