// The root group of a Zarr store in a local folder: its arrays and attributes.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/zarr/zarr_array.h"

namespace py4cast {

struct ZarrGroup {
  std::string path;
  std::map<std::string, ZarrArray> arrays;
  Json attributes;
  std::vector<std::string> groups;  // below the root; what they hold is not read

  // Null: there is none.
  const ZarrArray* find(const std::string& name) const;
};

// Whether a folder holds metadata of Zarr.
bool is_zarr(const std::string& path);

// By consolidated metadata where there are some, else by the folders of the arrays. Error(data): no store,
// a single array, metadata that are no JSON or impossible.
ZarrGroup read_zarr_group(const std::string& path);

}  // namespace py4cast
