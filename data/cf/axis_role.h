// Which axis a coordinate is, from CF attributes or from its name.
// Source: CF conventions 1.8, chapter 4.
#pragma once

#include <optional>
#include <string>

#include "data/cf/cf_variable.h"

namespace py4cast {

// version: of the same fields, as ERA5 and the preliminary ERA5T (expver)
enum class AxisRole { run, time, lead, member, level, version, y, x };
constexpr size_t axis_roles = 8;

// By standard_name, units, axis and positive; nothing if they do not tell.
std::optional<AxisRole> role_of_attributes(const CfVariable& coordinate);
// By the usual names of dimensions in any case ("time", "lat", "plev", "step", "realization", ...).
std::optional<AxisRole> role_of_name(const std::string& dimension);

// Degrees north or east on the Earth (not of a rotated grid).
bool is_latitude(const CfVariable& coordinate);
bool is_longitude(const CfVariable& coordinate);

}  // namespace py4cast
