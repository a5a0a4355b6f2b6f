// Arrays that keep all variables along one axis and all points along another one, seen as variables on
// a grid.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/cf/cf_variable.h"
#include "data/zarr/zarr_group.h"

namespace py4cast {

// One variable in such an array.
struct ArrayFeature {
  std::string array;
  std::map<size_t, size_t> fixed = {};  // axis of the array -> the one index that is seen
  size_t points = 0;                    // the axis of the points, which becomes rows and columns
};

struct FeatureView {
  CfMetadata metadata;  // as it is seen
  std::string y, x;     // dimensions of the grid
  size_t rows = 0, columns = 0;
  std::vector<size_t> points;  // row by row: their places along the arrays' axis
  std::vector<size_t> times;   // the indices that are seen of the arrays' first axis; empty: all
  std::map<std::string, ArrayFeature> features;        // by the names of variables
  std::map<std::string, std::vector<double>> numbers;  // of coordinates that are no arrays
};

// What a store says of itself, and how to read a variable of it whole.
struct StoreContent {
  const ZarrGroup& group;
  const CfMetadata& metadata;
  std::function<std::vector<double>(const std::string& variable)> numbers;
  std::function<std::vector<std::string>(const std::string& variable)> texts;
};

// The rectangle that points form by their coordinates, which become the dimensions `y` and `x` and their
// variables, in the order in which they first come. False: they form none, or a single row or column.
bool add_rectangle(const CfVariable& y, const std::vector<double>& y_of_points, const CfVariable& x,
                   const std::vector<double>& x_of_points, FeatureView& view);
// So many rows and columns, in the order of the points, on dimensions "y" and "x".
void add_rectangle(size_t rows, size_t columns, FeatureView& view);
// A coordinate of doubles.
void add_numbers(const std::string& name, const std::vector<std::string>& dimensions,
                 const std::map<std::string, CfAttribute>& attributes, std::vector<double> numbers,
                 FeatureView& view);
// A coordinate of the points on the rectangle.
void add_of_points(const CfVariable& variable, const std::vector<double>& of_points,
                   FeatureView& view);
// A variable of an array; it is named after the array, too, where its name is taken.
void add_feature(const CfVariable& array, const std::string& name, const ArrayFeature& feature,
                 const std::map<std::string, CfAttribute>& attributes, FeatureView& view);

CfAttribute text_attribute(const std::string& text);

// Reads a block of an array of the store.
using ReadArray = std::function<void(const std::vector<size_t>& start,
                                     const std::vector<size_t>& count, std::byte* out)>;
// A block of a feature, of elements of so many bytes, from its array of that shape.
void read_feature(const FeatureView& view, const ArrayFeature& feature,
                  const std::vector<size_t>& array_shape, size_t element,
                  const std::vector<size_t>& start, const std::vector<size_t>& count,
                  const ReadArray& read, std::byte* out);

}  // namespace py4cast
