// netCDF files of any structure: the bytes choose dimensions, variables, types, attributes and values, with the names that
// weather data use.
#include <netcdf.h>

#include <array>
#include <cmath>
#include <vector>

#include "data/netcdf/netcdf_dataset.h"
#include "engine/error.h"
#include "tests/fuzz/door.h"

namespace {

// Reads numbers from the input; zeros after its end.
class Choices {
 public:
  explicit Choices(std::string_view input) : input_(input) {}
  size_t below(size_t bound) { return next() % bound; }
  template <typename T, size_t n>
  const T& of(const std::array<T, n>& options) {
    return options[below(n)];
  }

 private:
  size_t next() {
    if (input_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(input_.front());
    input_.remove_prefix(1);
    return byte;
  }
  std::string_view input_;
};

const std::array<const char*, 16> names = {
    "time",        "lat",   "lon",    "latitude",
    "longitude",   "level", "x",      "y",
    "realization", "step",  "t",      "u",
    "crs",         "bnds",  "string", "forecast_reference_time"};
const std::array<const char*, 18> attributes = {
    "units",        "standard_name", "long_name",        "calendar",      "coordinates",
    "grid_mapping", "axis",          "_FillValue",       "missing_value", "scale_factor",
    "add_offset",   "valid_min",     "valid_max",        "valid_range",   "_Unsigned",
    "bounds",       "positive",      "grid_mapping_name"};
const std::array<const char*, 20> texts = {"",
                                           "degrees_north",
                                           "degrees_east",
                                           "hours since 2020-01-01",
                                           "days since 0001-01-01 00:00",
                                           "K",
                                           "noleap",
                                           "360_day",
                                           "time",
                                           "lat lon",
                                           "crs",
                                           "projection_x_coordinate",
                                           "m",
                                           "T",
                                           "true",
                                           "hours",
                                           "latitude",
                                           "forecast_reference_time",
                                           "lambert_conformal_conic",
                                           "1"};
const std::array<nc_type, 7> types = {NC_BYTE,   NC_SHORT, NC_INT,  NC_FLOAT,
                                      NC_DOUBLE, NC_CHAR,  NC_UBYTE};
const std::array<double, 10> numbers = {0, 1, -1, 0.01, 1e20, -32768, 255, NAN, INFINITY, 273.15};

void add_attribute(int file, int variable, Choices& choices) {
  const char* const name = choices.of(attributes);
  if (choices.below(2)) {
    const std::string text = choices.of(texts);
    nc_put_att_text(file, variable, name, text.size(), text.data());
    return;
  }
  const std::array<double, 2> values = {choices.of(numbers), choices.of(numbers)};
  nc_put_att_double(file, variable, name, choices.of(types), 1 + choices.below(2), values.data());
}

void make_file(const std::string& path, Choices& choices) {
  int file = 0;
  const std::array<int, 3> formats = {NC_CLOBBER, NC_CLOBBER | NC_64BIT_OFFSET,
                                      NC_CLOBBER | NC_NETCDF4};
  if (nc_create(path.c_str(), choices.of(formats), &file) != NC_NOERR) return;
  const size_t dimensions = choices.below(6);
  std::vector<size_t> lengths;
  for (size_t i = 0; i < dimensions; ++i) {
    const size_t length = choices.below(7);
    int id = 0;
    if (nc_def_dim(file, choices.of(names), i == 0 && choices.below(2) ? NC_UNLIMITED : length,
                   &id) == NC_NOERR)
      lengths.push_back(length);
  }
  std::vector<int> variables;
  for (size_t i = choices.below(8); i > 0; --i) {
    std::vector<int> axes;
    for (size_t rank = choices.below(6); rank > 0 && !lengths.empty(); --rank)
      axes.push_back(static_cast<int>(choices.below(lengths.size())));
    int id = 0;
    if (nc_def_var(file, choices.of(names), choices.of(types), static_cast<int>(axes.size()),
                   axes.data(), &id) != NC_NOERR)
      continue;
    variables.push_back(id);
    for (size_t k = choices.below(5); k > 0; --k) add_attribute(file, id, choices);
  }
  nc_enddef(file);
  for (const int id : variables) {
    int rank = 0;
    std::array<int, NC_MAX_VAR_DIMS> axes{};
    nc_inq_var(file, id, nullptr, nullptr, &rank, axes.data(), nullptr);
    size_t count = 1;
    std::vector<size_t> start(static_cast<size_t>(rank)), counts;
    for (int k = 0; k < rank; ++k)
      counts.push_back(lengths[static_cast<size_t>(axes[static_cast<size_t>(k)])]);
    for (const size_t length : counts) count *= length;
    const double first = choices.of(numbers), step = choices.of(numbers);
    std::vector<double> values(count);
    for (size_t k = 0; k < count; ++k) values[k] = first + static_cast<double>(k) * step;
    nc_put_vara_double(file, id, start.data(), counts.data(), values.data());
  }
  nc_close(file);
}

}  // namespace

void py4cast::enter(std::string_view input) {
  const Stranger file("structure.nc");
  Choices choices(input);
  make_file(file.path(), choices);
  walk(*open_netcdf({file.path()}));
}
