// The data types of Zarr arrays, versions 2 and 3, and their numbers in JSON.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/cf/cf_variable.h"
#include "data/zarr/zarr_array.h"
#include "engine/settings/json.h"

namespace py4cast {

struct ZarrType {
  std::string name;
  ElementType type = ElementType::other;  // as it is read; other: unknown here
  size_t size = 0;                        // bytes in a chunk
  bool big_endian = false;
  ZarrText text = ZarrText::none;
  std::string units;  // of times, which are whole numbers: "seconds since 1970-01-01", "hours"
};

// "<f4", "|b1", "<U7", "<M8[s]" ...
ZarrType zarr_type_2(const Json& dtype);
// "float32", {"name": "numpy.datetime64", "configuration": {"unit": "s"}} ...; the order of the bytes is
// a codec's.
ZarrType zarr_type_3(const Json& data_type);

// One element of that type, as it is read; null: 0. Empty: it is no number of the type.
// half: "0x..." are the bits of two bytes.
std::vector<std::byte> zarr_fill(ElementType type, bool half, const Json& value);

// A number, true or false, "NaN", "Infinity" or "-Infinity"; nothing of others.
std::optional<double> zarr_number(const Json& value);
// Of 8 bytes, the lowest first; nothing of other texts.
std::optional<double> double_of_base64(std::string_view text);

}  // namespace py4cast
