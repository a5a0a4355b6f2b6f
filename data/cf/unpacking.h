// How the numbers of a variable become values.
// Source: CF conventions 1.8, sections 2.5.1 and 8.1; netCDF users guide, appendix A.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "data/cf/cf_variable.h"

namespace py4cast {

// The attributes that say so.
constexpr const char* packing_attributes[] = {"scale_factor",  "add_offset", "_FillValue",
                                              "missing_value", "valid_min",  "valid_max",
                                              "valid_range"};

// The numbers of an attribute; none if it is absent or a text.
std::vector<double> numbers_of(const CfVariable& variable, const char* attribute);

// "valid_min = 0, valid_max = 30" as the attributes stand in the file; empty: none has an effect.
std::string limits_of(const CfVariable& variable);

// value = stored * scale + offset; NaN where the stored number is missing or out of range.
struct Unpacking {
  // Error(data): CfVariable::packing_problem.
  explicit Unpacking(const CfVariable& variable);

  double operator()(double stored) const;
  // The numbers as they are stored. None: they have to be unpacked when they are read.
  std::optional<Packing> packing() const;

  double scale = 1, offset = 0;
  double wrap =
      0;  // added to numbers whose type has the other sign: the negative, or the large ones
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  std::vector<double> missing;

 private:
  void add_missing(double value);
  void set_limit(const CfVariable& variable, const char* name, size_t index, bool upper);
  double raw(double value) const;

  ElementType type_;
  bool packed_ = false;
};

}  // namespace py4cast
